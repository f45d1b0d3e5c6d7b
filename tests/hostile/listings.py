"""Markers, tokens and names in listings that point into another's bucket."""

from collections.abc import Iterator

from tests.behaviour.service import Query
from tests.hostile.case import Case
from tests.hostile.signed import Ask, Row, rows

_TOKENS = (
    *("x", "", "../others", "a", "\0", "\u0661", "e30=", "bnVsbA==", "%", "k" * 5000),
    *("AAAA", "////", "eyJidWNrZXQiOiJvdGhlcnMifQ==", "-1", "1_0"),
)
_REFUSED: tuple[Query, ...] = (
    (("list-type", "1"),),
    (("list-type", ""),),
    (("list-type", "2_0"),),
    (("encoding-type", "base64"),),
    (("list-type", "2"), ("encoding-type", "")),
    (("list-type", "2"), ("encoding-type", "URL")),
)
# Names that only say where to begin: an empty page, never the other bucket's keys.
_ELSEWHERE: tuple[Query, ...] = (
    (("prefix", "../others/"),),
    (("prefix", "/others/"),),
    (("prefix", "others/"),),
    (("prefix", "secret/"),),
    (("prefix", "%"),),
    (("prefix", "_"),),
    (("prefix", "' OR '1'='1"),),
    (("prefix", "\0"),),
    (("marker", "\U0010ffff"),),
    (("delimiter", "/"), ("prefix", "secret/")),
    (("list-type", "2"), ("start-after", "\U0010ffff")),
    (("list-type", "2"), ("prefix", "k" * 1024)),
    (("versions", ""), ("prefix", "secret/")),
    (("uploads", ""), ("prefix", "secret/")),
)


def _table() -> Iterator[Row]:
    for token in _TOKENS:
        ask = Ask(
            path="/photos", query=(("list-type", "2"), ("continuation-token", token))
        )
        yield f"token {token[:20]!r}", ask, 400, "InvalidArgument"
    for query in _REFUSED:
        yield f"{query}", Ask(path="/photos", query=query), 400, "InvalidArgument"
    for query in _ELSEWHERE:
        yield f"{query}"[:80], Ask(path="/photos", query=query), 200, ""


def cases() -> Iterator[Case]:
    """Yield every case of this class."""
    yield from rows("listings", _table())
