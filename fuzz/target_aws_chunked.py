"""Fuzz the aws-chunked decoder in its four forms, whole and split.

The first three bytes choose the form, whether a trailer was announced, the length of a
read, and the decoded length; the rest is the body. However it is split, the same bytes
or the same kind of refusal must come out; and never more than was declared.
"""

from s3o.model.errors import RequestError
from s3o.wire.aws_chunked import Decoder, Form
from s3o.wire.sigv4 import ChunkSigner, Scope, SigningKey, derive_key

SCOPE = Scope("20130524", "us-east-1")
KEY = SigningKey(derive_key("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", SCOPE))
SEED = "0" * 64
TRAILER = "x-amz-checksum-crc32"
FORMS = tuple(Form)
LENGTH_UNIT = 128

Outcome = tuple[str, bytes | None, str | None]


def chain() -> ChunkSigner:
    """Return the chain that signed bodies of the corpus are signed with."""
    return ChunkSigner(KEY, "20130524T000000Z", SCOPE, SEED)


def one(data: bytes) -> None:
    """Check one input; raises AssertionError where a rule is broken."""
    if len(data) < 3:
        return
    choice, split, length = data[0], data[1] + 1, data[2] * LENGTH_UNIT
    form = FORMS[choice % len(FORMS)]
    trailer = TRAILER if choice & 0x80 and form is not Form.SIGNED else None
    framed = data[3:]
    whole = _decode(form, trailer, length, framed, len(framed) or 1)
    assert whole == _decode(form, trailer, length, framed, split)
    if whole[0] == "whole":
        assert whole[1] is not None
        assert len(whole[1]) == length
        assert (whole[2] is None) == (trailer is None)


def _decode(
    form: Form, trailer: str | None, length: int, framed: bytes, split: int
) -> Outcome:
    decoder = Decoder(
        form,
        length,
        signer=chain() if form.is_signed else None,
        trailer_name=trailer,
    )
    released = b""
    try:
        for position in range(0, len(framed), split):
            released += b"".join(decoder.feed(framed[position : position + split]))
            assert len(released) <= length
        decoder.finish()
    except RequestError as refusal:
        return type(refusal).__name__, None, None
    return "whole", released, decoder.trailer
