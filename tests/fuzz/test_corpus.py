"""Every input that ever taught a fuzz target something, replayed as a test."""

import importlib
from pathlib import Path

import pytest

FUZZ = Path(__file__).resolve().parents[2] / "fuzz"
TARGETS = sorted(path.stem.removeprefix("target_") for path in FUZZ.glob("target_*.py"))
INPUTS = [
    pytest.param(name, path, id=f"{name}-{path.name}")
    for name in TARGETS
    for path in sorted((FUZZ / "corpus" / name).glob("*"))
]


@pytest.mark.parametrize("name", TARGETS)
def test_every_target_has_a_corpus(name):
    """A fuzzer that starts from nothing finds the first line of a parser."""
    assert any((FUZZ / "corpus" / name).iterdir())


def test_every_corpus_has_a_target():
    """Inputs nobody replays are forgotten."""
    assert TARGETS == sorted(path.name for path in (FUZZ / "corpus").iterdir())


@pytest.mark.parametrize(("name", "path"), INPUTS)
def test_the_corpus_breaks_no_rule_of_its_target(name, path):
    """What was once a crash stays fixed, on every Python, without a fuzzer."""
    importlib.import_module(f"fuzz.target_{name}").one(path.read_bytes())
