"""Failures with a token, counted per address in bounded memory."""

import pytest

from s3o.admin.throttle import Throttle, network_of
from s3o.model.limits import ADMIN_ADDRESSES, ADMIN_FAILURE_S, ADMIN_FAILURES


def fail(throttle: Throttle, peer: str, times: int, now_s: float = 0.0) -> None:
    """Count failures of one moment."""
    for _ in range(times):
        throttle.note_failure(peer, now_s)


def test_one_failure_is_forgiven_after_another() -> None:
    """A person who mistypes must get in again; a machine gets two tries a minute."""
    throttle = Throttle()
    fail(throttle, "192.0.2.1:1", ADMIN_FAILURES - 1)
    assert 0 == throttle.blocked_s("192.0.2.1:2", 0.0)
    fail(throttle, "192.0.2.1:3", 1)

    assert ADMIN_FAILURE_S == throttle.blocked_s("192.0.2.1:4", 0.0)
    assert ADMIN_FAILURE_S / 2 == throttle.blocked_s("192.0.2.1:4", ADMIN_FAILURE_S / 2)
    assert 0 == throttle.blocked_s("192.0.2.1:4", ADMIN_FAILURE_S)
    assert 0 == throttle.blocked_s("192.0.2.2:1", 0.0)


def test_memory_is_bounded() -> None:
    """An attacker has more addresses than we have memory."""
    throttle = Throttle()
    for number in range(ADMIN_ADDRESSES + 100):
        throttle.note_failure(f"10.0.{number >> 8}.{number & 255}:1", 0.0)

    assert ADMIN_ADDRESSES == len(throttle._failures)


@pytest.mark.parametrize(
    ("peer", "network"),
    [
        ("192.0.2.1:40000", "192.0.2.1"),
        ("[2001:db8::1]:40000", "2001:db8::/64"),
        ("[2001:db8::ffff:0:1]:1", "2001:db8::/64"),
        ("2001:db8::1:40000", "2001:db8::/64"),
        ("[::ffff:192.0.2.1]:40000", "192.0.2.1"),
        ("[fe80::1%eth0]:1", "fe80::/64"),
        ("unix:1", "unix"),
    ],
)
def test_what_counts_as_one_address(peer: str, network: str) -> None:
    """Who has one address of a /64 has all of them."""
    assert network == network_of(peer)
