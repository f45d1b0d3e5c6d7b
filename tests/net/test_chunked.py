"""Chunked bodies: the same bytes as h11, however they are cut; fewer forms."""

from itertools import pairwise

import h11
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz.target_http_chunked import one
from s3o.model.errors import BadRequest
from s3o.net.chunked import ChunkedDecoder

_HEAD = b"PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


def _decode(raw: bytes, cuts: list[int]) -> tuple[bytes, bytes] | None:
    """Return body and what lies behind it, or None while it is incomplete."""
    decoder = ChunkedDecoder()
    body = b""
    edges = [0, *sorted(cut % (len(raw) + 1) for cut in cuts), len(raw)]
    for start, stop in pairwise(edges):
        if decoder.is_complete:
            break
        body += decoder.feed(raw[start:stop])
        if decoder.is_complete:
            return body, decoder.rest + raw[stop:]
    return None


def _decode_with_h11(raw: bytes) -> tuple[bytes, bytes]:
    parser = h11.Connection(h11.SERVER)
    parser.receive_data(_HEAD + raw)
    parser.next_event()
    body = b""
    while isinstance(event := parser.next_event(), h11.Data):
        body += bytes(event.data)
    assert isinstance(event, h11.EndOfMessage)
    return body, parser.trailing_data[0]


def _render(chunks: list[bytes], extension: bytes, trailers: bytes) -> bytes:
    lines = [b"%x%b\r\n%b\r\n" % (len(chunk), extension, chunk) for chunk in chunks]
    return b"".join([*lines, b"0", extension, b"\r\n", trailers, b"\r\n"])


@given(
    st.lists(st.binary(min_size=1, max_size=40), max_size=5),
    st.sampled_from([b"", b";a", b";a=b", b';a="b c"', b";a;b=c"]),
    st.sampled_from([b"", b"X-A: b\r\n", b"x-amz-checksum-crc32: AAAAAA==\r\nb:\r\n"]),
    st.binary(max_size=20),
    st.lists(st.integers(0, 400), max_size=6),
)
def test_lawful_body_is_decoded_however_it_is_cut(
    chunks, extension, trailers, tail, cuts
):
    """Chunk headers fall anywhere in what a read returns."""
    raw = _render(chunks, extension, trailers)

    assert (b"".join(chunks), tail) == _decode(raw + tail, cuts)
    assert (b"".join(chunks), tail) == _decode_with_h11(raw + tail)


_PARTS = st.sampled_from(
    [
        *(b"0", b"5", b"A", b"\r\n", b"\n", b"\r", b";", b"a", b"=", b'"', b" ", b"\t"),
        *(b":", b"hello", b"hello\r\n", b"0\r\n\r\n", b"X-A: b\r\n", b"\x00"),
        b"5\r\nhello\r\n",
    ]
)


@given(st.lists(_PARTS, max_size=12).map(b"".join))
@settings(max_examples=500)
def test_what_is_accepted_h11_decodes_alike(raw):
    """Where the body ends is where the next request begins."""
    one(raw)


@given(st.lists(_PARTS, max_size=12).map(b"".join), st.lists(st.integers(0, 60)))
@settings(max_examples=300)
def test_cuts_do_not_change_the_verdict(raw, cuts):
    """A refusal that depends on timing is none."""

    def verdict(at: list[int]) -> object:
        try:
            return _decode(raw, at)
        except BadRequest:
            return "refused"

    assert verdict([]) == verdict(cuts)


def test_nothing_is_held_back_but_a_line():
    """A chunk of gigabytes must flow through in pieces."""
    decoder = ChunkedDecoder()

    assert b"" == decoder.feed(b"ffffffffffffffff\r\n")
    assert b"x" * 1000 == decoder.feed(b"x" * 1000)


def test_endless_line_is_refused():
    """A line without end is memory without bound."""
    decoder = ChunkedDecoder()
    decoder.feed(b"5;" + b"a" * 4000)
    with pytest.raises(BadRequest):
        decoder.feed(b"a" * 4000)
