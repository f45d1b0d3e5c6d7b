"""The real clock, chance and output."""

import fcntl
import os

import pytest

from s3o.daemon.environment import LineOutput, SystemClock, SystemEntropy


def test_system_clock_and_entropy_keep_their_promises() -> None:
    """Units and bounds of the two seams everything else trusts."""
    clock, entropy = SystemClock(), SystemEntropy()

    assert clock.now_us() > 1_700_000_000_000_000
    assert clock.monotonic_s() <= clock.monotonic_s()
    assert 16 == len(entropy.token(16))
    assert entropy.token(16) != entropy.token(16)
    assert all(2 <= entropy.uniform(2, 3) <= 3 for _ in range(100))


def test_slow_reader_loses_whole_lines_but_gets_no_torn_one() -> None:
    """A pipeline that parses JSON chokes on half a line for ever."""
    reading, writing = os.pipe()
    try:
        fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
        os.set_blocking(writing, False)
        output = LineOutput(writing)
        line = b"x" * 1499 + b"\n"
        lost = 0
        for _ in range(20):
            try:
                output.write(line * 2)
            except OSError:
                lost += 1
        heard = os.read(reading, 65_536)
        output.write(line)
        heard += os.read(reading, 65_536)
    finally:
        os.close(reading)
        os.close(writing)

    assert lost > 10
    assert {line.rstrip()} == set(heard.splitlines())


def test_output_that_is_gone_says_so() -> None:
    """The writer of lines counts what is lost."""
    reading, writing = os.pipe()
    os.close(reading)
    with pytest.raises(BrokenPipeError):
        LineOutput(writing).write(b"{}\n")
    os.close(writing)
