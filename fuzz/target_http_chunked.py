"""Fuzz the chunked body: what we accept, h11 decodes to the same bytes and end.

Where a chunked body ends is where the next request begins; and a verdict must not
depend on where TCP cuts the bytes.
"""

import sys

import h11

from s3o.model.errors import BadRequest
from s3o.net.chunked import ChunkedDecoder

_HEAD = b"PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


def one(data: bytes) -> None:
    """Decode data whole, byte by byte and with h11; raises AssertionError."""
    whole = _decode([data])
    assert whole == _decode([data[at : at + 1] for at in range(len(data))])
    if whole is None:
        return
    parser = h11.Connection(h11.SERVER)
    parser.receive_data(_HEAD + data)
    parser.next_event()
    body = b""
    while isinstance(event := parser.next_event(), h11.Data):
        body += bytes(event.data)
    assert isinstance(event, h11.EndOfMessage), "h11 does not see the end"
    assert whole == (body, parser.trailing_data[0]), "h11 decodes otherwise"


def _decode(pieces: list[bytes]) -> tuple[bytes, bytes] | None:
    """Return body and rest; None if refused or incomplete."""
    decoder = ChunkedDecoder()
    body, rest = b"", b""
    try:
        for piece in pieces:
            if decoder.is_complete:
                rest += piece
            elif piece:
                body += decoder.feed(piece)
                rest = decoder.rest
    except BadRequest:
        return None
    return (body, rest) if decoder.is_complete else None


if __name__ == "__main__":
    import atheris

    atheris.Setup(sys.argv, one)
    atheris.Fuzz()
