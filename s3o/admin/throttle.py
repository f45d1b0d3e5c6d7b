"""Slow down who guesses the token: failures per address, in bounded memory.

An address may fail ADMIN_FAILURES times at once, then once per ADMIN_FAILURE_S. While
it is blocked its token is not even looked at, so that a right guess does not show. An
IPv6 network of 64 bits is one address: whoever has one address of it has them all.
"""

import ipaddress
from collections import OrderedDict

from s3o.model.limits import ADMIN_ADDRESSES, ADMIN_FAILURE_S, ADMIN_FAILURES


class Throttle:
    """Failures of addresses; those of the longest silence are forgotten first."""

    def __init__(self) -> None:
        self._failures: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def blocked_s(self, peer: str, now_s: float) -> float:
        """Return how long peer (host:port) must wait before it may try; 0 is now."""
        count = self._count(network_of(peer), now_s)
        return max(0.0, (count - (ADMIN_FAILURES - 1)) * ADMIN_FAILURE_S)

    def note_failure(self, peer: str, now_s: float) -> None:
        """Count one."""
        network = network_of(peer)
        count = self._count(network, now_s) + 1
        self._failures[network] = (count, now_s)
        self._failures.move_to_end(network)
        if len(self._failures) > ADMIN_ADDRESSES:
            self._failures.popitem(last=False)

    def _count(self, network: str, now_s: float) -> float:
        count, at_s = self._failures.get(network, (0.0, now_s))
        return max(0.0, count - (now_s - at_s) / ADMIN_FAILURE_S)


def network_of(peer: str) -> str:
    """Return what of host:port counts as one address."""
    host = peer.rpartition(":")[0].strip("[]")
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, 64), strict=False))
