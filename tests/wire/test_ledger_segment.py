"""Segments of the ledger's backups come back from backends that may lie."""

import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3o.model import limits
from s3o.wire.ledger_segment import (
    BUCKET,
    INTENT,
    OBJECT,
    TOMBSTONE,
    SegmentHead,
    SegmentWriter,
    read_segment,
)

HEAD = SegmentHead(
    cluster_id="c",
    kind="log",
    epoch=1,
    after=2,
    through=3,
    number=0,
    written_at_us=4,
)
COLUMNS = st.dictionaries(
    st.text(max_size=8),
    st.none()
    | st.text(max_size=20)
    | st.binary(max_size=20)
    | st.integers(-(1 << 62), 1 << 62),
    max_size=4,
)


def segment(*lines: tuple[str, ...]) -> bytes:
    """A segment with these lines."""
    writer = SegmentWriter(HEAD)
    for kind, *parts in lines:
        writer.add(kind, *parts)
    return writer.finish()


@given(st.lists(st.tuples(COLUMNS, st.lists(COLUMNS, max_size=3)), max_size=5))
def test_what_was_written_is_read(rows):
    """Text of every script, bytes and numbers of either sign."""
    head, lines = read_segment(segment(*((OBJECT, one, two) for one, two in rows)))

    assert HEAD == head
    assert rows == [(dict(one.columns), [*map(dict, one.locations)]) for one in lines]


def test_every_kind_of_line():
    """Buckets, tombstones and intents, in order."""
    raw = segment((BUCKET, {"id": 1}), (TOMBSTONE, {"key": "k"}), (INTENT, "name"))
    _, lines = read_segment(raw)

    assert [BUCKET, TOMBSTONE, INTENT] == [line.kind for line in lines]
    assert "name" == lines[2].name


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_any_flipped_byte_is_noticed(at, by):
    """A backend that returns other bytes returns no segment."""
    raw = bytearray(segment(*((TOMBSTONE, {"key": f"k{n}"}) for n in range(50))))
    raw[at % len(raw)] ^= by
    try:
        head, lines = read_segment(bytes(raw))
    except ValueError:
        return
    assert (HEAD, 50) == (head, len(lines))  # a bit of zlib that means nothing


@given(st.integers(0, 2000))
def test_any_cut_is_noticed(stop):
    """A truncated segment is none."""
    raw = segment(*((TOMBSTONE, {"key": f"k{n}"}) for n in range(50)))
    with pytest.raises(ValueError, match=r"."):
        read_segment(raw[: min(stop, len(raw) - 1)])


@given(st.binary(max_size=300))
def test_nonsense_is_refused(raw):
    """Whatever a backend sends, compressed or not."""
    for sent in (raw, zlib.compress(raw)):
        with pytest.raises(ValueError, match=r"."):
            read_segment(sent)


HEAD_LINE = {"format": 1, **{n: getattr(HEAD, n) for n in SegmentHead.__slots__}}


def raw_of(*values: object) -> bytes:
    return zlib.compress(b"".join(json.dumps(v).encode() + b"\n" for v in values))


@pytest.mark.parametrize(
    "raw",
    [
        raw_of(),
        raw_of([1]),
        raw_of({"format": 2}),
        raw_of({**HEAD_LINE, "through": -1}),
        raw_of({**HEAD_LINE, "through": True}),
        raw_of({**HEAD_LINE, "cluster_id": 7}),
        raw_of(HEAD_LINE),
        raw_of(HEAD_LINE, {"lines": 0, "sha256": "0" * 64}),
        raw_of(HEAD_LINE, ["x", {}]),
        raw_of(HEAD_LINE, ["o", {}]),
        raw_of(HEAD_LINE, ["o", {}, [1]]),
        raw_of(HEAD_LINE, ["t", {"a": 1.5}]),
        raw_of(HEAD_LINE, ["t", {"a": [1]}]),
        raw_of(HEAD_LINE, ["t", {"a": {"b64": "*"}}]),
        zlib.compress(b'{"a":' + b"9" * 5000 + b"}\n"),
        zlib.compress(b"[" * 100_000 + b"\n"),
    ],
)
def test_other_documents_are_refused(raw):
    """Well compressed, and wrong."""
    with pytest.raises(ValueError, match=r"."):
        read_segment(raw)


def test_going_on_behind_the_end_is_refused():
    """Two segments in one are none."""
    raw = segment((TOMBSTONE, {}))
    text = zlib.decompress(raw)
    with pytest.raises(ValueError, match="behind its end"):
        read_segment(zlib.compress(text + b"[]\n"))


@pytest.mark.slow
def test_small_lie_cannot_become_a_large_one(monkeypatch):
    """A bomb of compressed blanks, or one line without end, is given up early."""
    monkeypatch.setattr(limits, "SEGMENT_TEXT_BYTES", 1 << 20)
    with pytest.raises(ValueError, match="larger"):
        read_segment(
            zlib.compress(
                json.dumps(HEAD_LINE).encode() + b"\n" + b'["t",{}]\n' * (1 << 20)
            )
        )
    monkeypatch.setattr(limits, "SEGMENT_LINE_BYTES", 1 << 18)
    with pytest.raises(ValueError, match="without end"):
        read_segment(zlib.compress(b" " * (1 << 20)))
