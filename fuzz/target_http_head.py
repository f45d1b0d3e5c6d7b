"""Fuzz the request head: whatever we read, h11 reads alike.

Two readers that disagree about a head are how requests are smuggled. The recogniser and
the guard may refuse what they like; what they accept, h11 must accept, with the same
method, target, fields, framing and end. Run by atheris for millions of cases, and by
tests/fuzz over the corpus.
"""

import sys

import h11

from s3o.model.errors import BadRequest, HeadersTooLarge
from s3o.net.connection import parse_with_h11
from s3o.net.head import RequestHead, find_head_end, guard, recognise


def one(data: bytes) -> None:
    """Check one input; raises AssertionError on a disagreement."""
    try:
        end = find_head_end(data)
        if end < 0:
            return
        guard(data[:end])
    except (BadRequest, HeadersTooLarge):
        assert recognise(data) is None, "recognised what the guard refuses"
        return
    raw = data[:end]
    expected = parse_with_h11(raw)
    _check_end(raw, expected)
    plain = recognise(raw)
    assert plain is None or plain == expected, "recognised otherwise than h11 reads"


def _check_end(raw: bytes, head: RequestHead) -> None:
    """Compare framing and connection reuse with h11's own state machine."""
    parser = h11.Connection(h11.SERVER)
    body = b"12345"
    parser.receive_data(raw + body)
    assert isinstance(parser.next_event(), h11.Request)
    if head.is_chunked or head.content_length:
        assert head.content_length is None or not head.is_chunked
        return
    assert isinstance(parser.next_event(), h11.EndOfMessage)
    assert (body, False) == parser.trailing_data, "head ends elsewhere"
    if "upgrade" in head.fields:
        return  # h11 waits for our word on the upgrade, which we never take up
    is_over = parser.their_state is h11.MUST_CLOSE
    assert head.wants_close == is_over, "connection reused otherwise"


if __name__ == "__main__":
    import atheris

    atheris.Setup(sys.argv, one)
    atheris.Fuzz()
