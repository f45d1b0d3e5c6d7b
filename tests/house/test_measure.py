"""Small functions and modules: what does not fit a screen is not understood."""

import ast
import re

import pytest

from s3o.model import errors
from tests.house.tower import MODULES, Module

by_name = pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name)

FUNCTION_LINES = 70
MODULE_LINES = 400
TABLES = {"list_operations"}  # one row per operation is no code to shorten
LONG_TABLES = {
    *("s3o.model.errors", "s3o.model.values", "s3o.model.facts"),
    "s3o.s3api.errors",
}
BROAD_EXCEPT_EDGES = {"s3o.net.connection", "s3o.services.runner", "s3o.daemon.run"}


def functions(module: Module) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function of a module."""
    return [
        node
        for node in ast.walk(module.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


@by_name
def test_modules_are_short(module: Module) -> None:
    """One idea per file; tables (the errors) are exempt."""
    if module.name in LONG_TABLES:
        return
    assert module.text.count("\n") <= MODULE_LINES


@by_name
def test_functions_are_short(module: Module) -> None:
    """At most 70 lines, 50 as a habit."""
    for node in functions(module):
        if node.name in TABLES:
            continue
        lines = (node.end_lineno or node.lineno) - node.lineno + 1
        assert lines <= FUNCTION_LINES, f"{module.path}:{node.lineno}: {node.name}"


@by_name
def test_modules_and_public_things_say_what_they_are(module: Module) -> None:
    """Module docstrings always; public classes and functions too."""
    assert ast.get_docstring(module.tree), module.path
    for node in module.tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            is_public = not node.name.startswith("_")
            assert not is_public or ast.get_docstring(node), (
                f"{module.path}:{node.lineno}: {node.name}"
            )


@by_name
def test_nothing_is_caught_broadly(module: Module) -> None:
    """Only the three edges may meet an exception nobody expected."""
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.ExceptHandler):
            continue
        name = node.type.id if isinstance(node.type, ast.Name) else ""
        where = f"{module.path}:{node.lineno}"
        assert node.type is not None, where
        if name == "Exception":
            assert module.name in BROAD_EXCEPT_EDGES, where
        if name == "BaseException":
            last = node.body[-1]
            assert isinstance(last, ast.Raise), f"{where}: must re-raise"


@by_name
def test_no_loose_ends(module: Module) -> None:
    """Nothing half done lies in the code."""
    assert not re.search(r"\b(TODO|FIXME|XXX|NotImplementedError)\b", module.text)
    assert not re.search(r"# type: ignore(?!\[)", module.text)


def test_every_domain_error_has_a_place_in_the_tree() -> None:
    """A new error must hang below one of the six families."""
    families = (
        errors.RequestError,
        errors.StateError,
        errors.CapacityError,
        errors.BackendError,
        errors.LedgerError,
    )
    for value in vars(errors).values():
        if isinstance(value, type) and issubclass(value, errors.S3OError):
            assert value is errors.S3OError or issubclass(value, families)
