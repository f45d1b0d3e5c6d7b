"""How long to wait before the next attempt. Pure: chance is an argument."""

CLEANUP_FIRST_S = 60.0
CLEANUP_LONGEST_S = 24 * 3600.0

# 2 ** 64 seconds are enough for anybody; a larger exponent only overflows a float.
_LARGEST_EXPONENT = 64


def ceiling_s(attempt: int, *, first_s: float, longest_s: float) -> float:
    """Return first_s doubled attempt times (from 0), at most longest_s."""
    assert attempt >= 0
    return min(longest_s, first_s * 2.0 ** min(attempt, _LARGEST_EXPONENT))


def full_jitter_s(
    attempt: int, chance: float, *, first_s: float, longest_s: float
) -> float:
    """Return a delay spread evenly below the ceiling; chance lies within 0..1.

    Callers that failed together then come back apart (AWS, "Exponential Backoff And
    Jitter").
    """
    assert 0.0 <= chance <= 1.0
    return chance * ceiling_s(attempt, first_s=first_s, longest_s=longest_s)


def cleanup_delay_s(attempts: int) -> float:
    """Return how long a cleanup row waits after its attempts-th failure (from 0)."""
    return ceiling_s(attempts, first_s=CLEANUP_FIRST_S, longest_s=CLEANUP_LONGEST_S)
