"""Upload ids and part numbers that are nobody's, or that S3 does not have."""

from collections.abc import Iterator

from tests.hostile.case import Case
from tests.hostile.signed import Ask, Row, rows

_IDS = (
    *("x", "", "..", "../others", "a\0", "\u0661", "k" * 5000, "' OR 1=1 --", "%"),
    *("0" * 32, "-" * 36, "00000000-0000-0000-0000-000000000000"),
)
_MANIFEST = (
    b"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>&quot;"
    b"0cc175b9c0f1b6a831c399e269772661&quot;</ETag></Part></CompleteMultipartUpload>"
)


def _table() -> Iterator[Row]:
    for upload in _IDS:
        which = (("uploadId", upload),)
        part = (("partNumber", "1"), *which)
        for ask in (
            Ask(method="PUT", query=part, body=b"x"),
            Ask(method="GET", query=which),
            Ask(method="DELETE", query=which),
            Ask(method="POST", query=which, body=_MANIFEST),
        ):
            yield f"{ask.method} {upload[:40]!r}", ask, 404, "NoSuchUpload"


def cases() -> Iterator[Case]:
    """Yield every case of this class."""
    yield from rows("uploads", _table())
