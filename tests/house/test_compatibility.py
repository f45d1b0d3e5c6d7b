"""What docs/s3-compatibility.md promises is held by tests that exist."""

import ast
import re
from functools import cache

import pytest

from tests.house.tower import ROOT

PAGE = ROOT / "docs" / "s3-compatibility.md"
TEST = re.compile(r"`(tests/[a-z0-9_/]+\.py)::(test_[a-z0-9_]+)`", re.ASCII)
HEADINGS = {"Behaviour", "---"}


def read_rows() -> list[tuple[str, str]]:
    """Return the page's rows: what is promised, and the cell that names its tests."""
    rows = []
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("|"):
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            assert len(cells) == 2, line
            if cells[0] not in HEADINGS:
                rows.append((cells[0], cells[1]))
    return rows


ROWS = read_rows()


@cache
def names_in(path: str) -> frozenset[str]:
    """Return the names of the tests in a file, none if there is no such file."""
    file = ROOT / path
    if not file.exists():
        return frozenset()
    return frozenset(
        node.name
        for node in ast.parse(file.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )


@pytest.mark.parametrize(("promise", "cell"), ROWS)
def test_every_promise_names_tests_that_exist(promise: str, cell: str) -> None:
    """A test that was renamed or deleted takes its promise's proof along."""
    named = TEST.findall(cell)

    assert named, promise
    assert cell == ", ".join(f"`{path}::{name}`" for path, name in named)
    for path, name in named:
        assert name in names_in(path), f"{path}::{name}"


def test_a_promise_is_made_once() -> None:
    """Two rows of one promise drift apart."""
    promises = [promise for promise, _ in ROWS]

    assert len(promises) > 50
    assert len(set(promises)) == len(promises)
