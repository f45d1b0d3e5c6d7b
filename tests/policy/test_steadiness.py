"""Which time may be believed when a clock was set."""

from s3o.policy.steadiness import Steadiness

HOUR_S = 3600.0


def looks(*pairs: tuple[float, float]) -> list[float]:
    """What each look says; pairs of wall and monotonic seconds."""
    steadiness = Steadiness()
    return [steadiness.lasted_s(round(wall * 1e6), own) for wall, own in pairs]


def test_clocks_that_keep_pace_are_steadier_every_time():
    """The ordinary case, with a little drift."""
    assert [0.0, 100.0, HOUR_S] == looks((5.0, 0.0), (106.0, 100.0), (3620.0, HOUR_S))


def test_a_jump_in_either_direction_begins_anew():
    """Which of the two times was right nobody knows yet."""
    assert [0.0, 0.0, 50.0] == looks((5.0, 0.0), (5e6, 100.0), (5e6 + 50, 150.0))
    assert [0.0, 0.0, 50.0] == looks((5e6, 0.0), (5.0, 100.0), (55.0, 150.0))
