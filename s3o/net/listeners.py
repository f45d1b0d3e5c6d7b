"""Open listening sockets for an address as the configuration spells it.

`host:port`, `:9000` (every address, IPv4 and IPv6) or `[::]:9000`. A socket that the
service manager passed in is used as it is.
"""

import re
import socket

import trio

from s3o.model.numbers import parse_uint

_BACKLOG = 1024
_ADDRESS = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^:\[\]]*)):([0-9]{1,5})").fullmatch


class AddressUnusable(Exception):
    """The address does not parse, resolve, or let itself be bound."""


def parse_address(address: str) -> tuple[str, int]:
    """Return host ("" for every address) and port; raises AddressUnusable."""
    match = _ADDRESS(address)
    if match is None:
        raise AddressUnusable(f"not host:port: {address}")
    try:
        return match[1] or match[2] or "", parse_uint(match[3], 0, 65_535)
    except ValueError as exc:
        raise AddressUnusable(f"no such port: {address}") from exc


async def open_listeners(address: str) -> list[socket.socket]:
    """Return listening, non-blocking sockets for address.

    Owns: the caller, once returned. Raises: AddressUnusable.
    """
    host, port = parse_address(address)
    opened: list[socket.socket] = []
    try:
        if not host:
            return [_open_wildcard(port)]
        found = await trio.socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        for family, _, _, _, place in dict.fromkeys(found):
            opened.append(_open(socket.AddressFamily(family), place))
    except OSError as exc:
        for listener in opened:
            listener.close()
        raise AddressUnusable(f"{address}: {exc}") from exc
    return opened


def adopt_listeners(first_fd: int, count: int) -> list[socket.socket]:
    """Return the sockets that the service manager passed in (LISTEN_FDS)."""
    listeners = [socket.socket(fileno=first_fd + number) for number in range(count)]
    for listener in listeners:
        listener.setblocking(False)
    return listeners


def _open_wildcard(port: int) -> socket.socket:
    """Listen on every address, with IPv6 where the machine has it."""
    try:
        return _open(socket.AF_INET6, ("::", port), is_dual=True)
    except OSError as exc:
        try:
            return _open(socket.AF_INET, ("", port))
        except OSError:
            raise exc from None


def _open(
    family: socket.AddressFamily, place: tuple[object, ...], *, is_dual: bool = False
) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, not is_dual)
        listener.bind(place)
        listener.listen(_BACKLOG)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener
