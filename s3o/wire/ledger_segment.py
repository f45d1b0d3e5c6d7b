"""One segment of a backup of the ledger: lines of JSON, compressed, self-checking.

The first line is the head, the last one tells how many lines came between and their
SHA-256, so that a segment that was cut off or mixed up is known as such. Every other
line is a list: a letter that says what it is, and its columns by name.

    ["b", {bucket}]              ["o", {object}, [{location}, ...]]
    ["t", {tombstone}]           ["u", {usage of a month}]
    ["i", "storage key of a write under way"]

Bytes are {"b64": "..."}. Segments come back from a backend that may lie: reading is
bounded, and raises ValueError for whatever is not a segment.
"""

import base64
import hashlib
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from s3o.model import limits
from s3o.model.numbers import parse_uint

FORMAT = 1
BUCKET, OBJECT, TOMBSTONE, USAGE, INTENT = "b", "o", "t", "u", "i"
CONTENT_TYPE = "application/x-s3o-ledger"

Column = str | int | bytes | None
Columns = Mapping[str, Column]

_STEP_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentHead:
    """Whose segment it is, and where it belongs; the same as in its name."""

    cluster_id: str
    kind: str
    epoch: int
    after: int
    through: int
    number: int
    written_at_us: int


class SegmentWriter:
    """Renders one segment; add lines, then finish."""

    def __init__(self, head: SegmentHead) -> None:
        self._digest = hashlib.sha256()
        self._compressor = zlib.compressobj(6)
        self._pieces: list[bytes] = []
        self._size_bytes = 0
        self.lines = 0
        fields = {name: getattr(head, name) for name in SegmentHead.__slots__}
        self._put({"format": FORMAT, **fields})

    @property
    def is_full(self) -> bool:
        """Whether the next page belongs into another segment."""
        return (
            self._size_bytes >= limits.SEGMENT_BYTES
            or self.lines >= limits.SEGMENT_ROWS
        )

    def add(self, kind: str, *parts: Columns | Sequence[Columns] | str) -> None:
        """Add a line."""
        self._put([kind, *(_plain(part) for part in parts)])
        self.lines += 1

    def finish(self) -> bytes:
        """Close the segment and return it."""
        digest = self._digest.hexdigest()
        self._put({"lines": self.lines, "sha256": digest})
        self._pieces.append(self._compressor.flush())
        return b"".join(self._pieces)

    def _put(self, value: object) -> None:
        line = json.dumps(value, separators=(",", ":"), ensure_ascii=True).encode()
        self._digest.update(line + b"\n")
        piece = self._compressor.compress(line + b"\n")
        if piece:
            self._pieces.append(piece)
            self._size_bytes += len(piece)


@dataclass(frozen=True, slots=True)
class SegmentLine:
    """One line: its letter, its columns, and an object's locations."""

    kind: str
    columns: Columns
    locations: tuple[Columns, ...] = ()
    name: str = ""  # of an intent


def read_segment(raw: bytes) -> tuple[SegmentHead, tuple[SegmentLine, ...]]:
    """Read a whole segment; raises ValueError unless every line of it is there."""
    digest = hashlib.sha256()
    head: SegmentHead | None = None
    found: list[SegmentLine] = []
    ends: list[dict[str, object]] = []
    for text in _lines(raw):
        value = _json(text)
        if ends:
            raise ValueError("goes on behind its end")
        if head is None:
            head = _head(value)
        elif isinstance(value, dict):
            ends.append(value)
            continue
        elif isinstance(value, list):
            found.append(_line(value))
        digest.update(text + b"\n")
    if head is None or not ends:
        raise ValueError("cut off")
    if ends[0] != {"lines": len(found), "sha256": digest.hexdigest()}:
        raise ValueError("not the lines that were written")
    return head, tuple(found)


def _lines(raw: bytes) -> Iterator[bytes]:
    """Inflate step by step, so that a small lie cannot become a large one."""
    inflater = zlib.decompressobj()
    rest, total, todo = b"", 0, raw
    while todo or not inflater.eof:
        try:
            piece = inflater.decompress(todo, _STEP_BYTES)
        except zlib.error as error:
            raise ValueError(str(error)) from None
        todo = inflater.unconsumed_tail
        total += len(piece)
        if total > limits.SEGMENT_TEXT_BYTES:
            raise ValueError("larger than any segment")
        if not piece and not todo:
            break
        *whole, rest = (rest + piece).split(b"\n")
        if len(rest) > limits.SEGMENT_LINE_BYTES:
            raise ValueError("a line without end")
        yield from whole
    if rest or not inflater.eof:
        raise ValueError("cut off")


def _head(value: object) -> SegmentHead:
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        raise ValueError("not a segment of this format")
    numbers = ("epoch", "after", "through", "number", "written_at_us")
    for name in numbers:
        if type(value.get(name)) is not int or value[name] < 0:
            raise ValueError(f"no {name}")
    for name in ("cluster_id", "kind"):
        if type(value.get(name)) is not str:
            raise ValueError(f"no {name}")
    return SegmentHead(**{name: value[name] for name in SegmentHead.__slots__})


def _line(value: list[object]) -> SegmentLine:
    match value:
        case [str(kind), str(name)] if kind == INTENT:
            return SegmentLine(kind, {}, name=name)
        case [str(kind), dict() as columns, list() as places] if kind == OBJECT:
            locations = tuple(_columns(place) for place in places)
            return SegmentLine(kind, _columns(columns), locations)
        case [str(kind), dict() as columns] if kind in (BUCKET, TOMBSTONE, USAGE):
            return SegmentLine(kind, _columns(columns))
        case _:
            raise ValueError("a line of no known kind")


def _columns(value: object) -> Columns:
    if not isinstance(value, dict):
        raise ValueError("not columns")  # noqa: TRY004 - what a backend sent
    return {str(name): _column(column) for name, column in value.items()}


def _column(value: object) -> Column:
    if value is None or type(value) in (str, int):
        return value  # type: ignore[return-value]
    if isinstance(value, dict) and type(value.get("b64")) is str:
        return base64.b64decode(value["b64"], validate=True)
    raise ValueError("not a column")


def _json(text: bytes) -> object:
    try:
        return json.loads(text, parse_int=_parse_signed)
    except RecursionError:
        raise ValueError("too deep") from None


def _parse_signed(text: str) -> int:
    return -parse_uint(text[1:]) if text.startswith("-") else parse_uint(text)


def _plain(part: Columns | Sequence[Columns] | str) -> object:
    if isinstance(part, str):
        return part
    if isinstance(part, Mapping):
        return {name: _plain_column(value) for name, value in part.items()}
    return [_plain(one) for one in part]


def _plain_column(value: Column) -> object:
    if isinstance(value, bytes):
        return {"b64": base64.b64encode(value).decode("ascii")}
    return value
