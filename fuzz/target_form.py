"""Fuzz the reader of browsers' forms: fields, then the file, whole and split.

The first byte is the length of a read, the rest a body whose boundary is `b`. However
it is split, the same fields and the same file must come out, or a refusal; and a file
that was cut out by its length is the one that a search finds.
"""

from s3o.model import limits
from s3o.model.errors import MalformedForm, RequestError
from s3o.wire.form import FormHead, FormReader
from s3o.wire.form_file import FileFraming, split_file

BOUNDARY = b"b"

Outcome = tuple[str, FormHead | None]


def one(data: bytes) -> None:
    """Check one input; raises AssertionError where a rule is broken."""
    if not data:
        return
    split, body = data[0] + 1, data[1:]
    outcome = _read(body, len(body) or 1)
    assert outcome == _read(body, split)
    head = outcome[1]
    if head is None:
        return
    assert 0 < head.file_offset <= min(len(body), limits.FORM_HEAD_BYTES)
    assert len(head.fields) <= limits.FORM_FIELDS
    rest = body[head.file_offset :]
    streamed = _frame(rest, split)
    assert streamed == _frame(rest, len(rest) or 1)
    if streamed is not None:
        assert streamed == split_file(BOUNDARY, rest)


def _read(body: bytes, split: int) -> Outcome:
    reader = FormReader(BOUNDARY)
    try:
        for at in range(0, len(body), split):
            head = reader.feed(body[at : at + split])
            if head is not None:
                assert body[head.file_offset :].startswith(reader.rest)
                return "file", head
    except RequestError:
        # Which of two faults is met first depends on where the reads end.
        return "refused", None
    return "more", None


def _frame(rest: bytes, split: int) -> bytes | None:
    try:
        framing = FileFraming(BOUNDARY, len(rest))
        released = b"".join(
            framing.feed(rest[at : at + split]) for at in range(0, len(rest), split)
        )
        framing.finish()
    except MalformedForm:
        return None
    assert len(released) == framing.size
    return released
