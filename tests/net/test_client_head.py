"""Answers that two parties could read differently are refused."""

import pytest

from s3o.model import limits
from s3o.net.client_errors import BadAnswer
from s3o.net.client_head import body_length, parse_head

OK = b"HTTP/1.1 200 OK\r\n"


def test_head_is_taken_apart() -> None:
    """The plain case, with the spellings that occur."""
    head = parse_head(
        b'HTTP/1.1 206 Partial Content\r\nETag:\t"a" \r\nx-a: 1\r\nX-A: 2\r\n\r\n'
    )

    assert 206 == head.status
    assert {"etag": '"a"', "x-a": "1,2"} == head.fields
    assert not head.is_http10


@pytest.mark.parametrize(
    ("raw", "is_last"),
    [
        (OK + b"\r\n", False),
        (OK + b"Connection: keep-alive\r\n\r\n", False),
        (OK + b"Connection: Close\r\n\r\n", True),
        (b"HTTP/1.0 200 OK\r\n\r\n", True),
        (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n", True),
        (OK + b"Connection: x,  close\r\n\r\n", True),
        (OK + b"Connection: closed\r\n\r\n", False),
    ],
)
def test_last_answer_of_a_connection_is_known(raw: bytes, is_last: bool) -> None:
    """A request sent after it would be lost."""
    assert is_last == parse_head(raw).is_last


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/2.0 200 OK\r\n\r\n",
        b"HTTP/1.1 99 Low\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 +20 OK\r\n\r\n",
        b"http/1.1 200 OK\r\n\r\n",
        b" HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\n\r\n",
        OK + b"a: 1\nb: 2\r\n\r\n",
        OK + b"a: 1\rb: 2\r\n\r\n",
        OK + b"a: 1\r\n folded\r\n\r\n",
        OK + b"a: nul\x00\r\n\r\n",
        OK + b"a: bell\x07\r\n\r\n",
        OK + b"a : 1\r\n\r\n",
        OK + b": 1\r\n\r\n",
        OK + b"no colon\r\n\r\n",
        OK + b"b\xc3\xbc: 1\r\n\r\n",
        OK + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\n",
        OK + b"Content-Range: a\r\nContent-Range: b\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        OK + b"a: 1\r\n" * (limits.BACKEND_HEADER_FIELDS + 1) + b"\r\n",
        OK + b"a: " + b"x" * limits.BACKEND_HEAD_BYTES + b"\r\n\r\n",
    ],
)
def test_malformed_head_is_refused(raw: bytes) -> None:
    """Response smuggling begins with a head that is read in two ways."""
    with pytest.raises(BadAnswer):
        parse_head(raw)


@pytest.mark.parametrize(
    ("fields", "is_head", "length"),
    [
        (b"Content-Length: 5\r\n", False, 5),
        (b"Content-Length: 5\r\n", True, 0),
        (b"", True, 0),
        (b"Transfer-Encoding: Chunked\r\n", False, None),
    ],
)
def test_length_of_a_body_is_known(
    fields: bytes, is_head: bool, length: int | None
) -> None:
    """A HEAD's Content-Length is the blob's, not the answer's."""
    assert length == body_length(parse_head(OK + fields + b"\r\n"), is_head=is_head)


def test_answers_without_content_have_no_body() -> None:
    """Providers answer deletes with 204 and no length."""
    for status in (204, 304):
        head = parse_head(b"HTTP/1.1 %d x\r\n\r\n" % status)
        assert 0 == body_length(head, is_head=False)


@pytest.mark.parametrize(
    "fields",
    [
        b"",
        b"Content-Length: -1\r\n",
        b"Content-Length: +1\r\n",
        b"Content-Length: 1, 1\r\n",
        b"Content-Length: 1_0\r\n",
        b"Content-Length: 99999999999999999999\r\n",
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: gzip, chunked\r\n",
        b"Transfer-Encoding: gzip\r\n",
        b"Transfer-Encoding: identity\r\n",
    ],
)
def test_ambiguous_framing_is_refused(fields: bytes) -> None:
    """An answer whose end is unclear may end in the middle of an object."""
    with pytest.raises(BadAnswer):
        body_length(parse_head(OK + fields + b"\r\n"), is_head=False)


def test_chunked_answer_of_http_1_0_is_refused() -> None:
    """HTTP/1.0 knows no chunks; who sends them is confused."""
    head = parse_head(b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    with pytest.raises(BadAnswer):
        body_length(head, is_head=False)
