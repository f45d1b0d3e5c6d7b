"""A comparison of many names takes no more memory than one of few."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MIB = 150  # for a million names against a million, interpreter and libraries included


@pytest.mark.slow
def test_memory_does_not_follow_the_number_of_names() -> None:
    """By hand with 1000000; here with what a test has time for."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.reconcile", "40000"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    _, peak_mib, missing, unknown, errors = done.stdout.split()

    assert ("400", "400", "()") == (missing, unknown, errors)
    assert int(peak_mib) < MIB
