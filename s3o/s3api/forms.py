"""The way in of a browser's form: its credentials lie in the body, before its file.

So this is the one place where a stranger's body is read, and no more of it than the
limits of a form's fields. Rules:

- The fields are read first; then who signed them is established; then the policy judges
  them, the bucket and the file's size. Until all of that holds nobody else sees the
  form, and no byte of the file goes down.
- A form has no other credentials: with a header, a query or a token beside its fields
  it is refused, and so is an x-amz-* header, which no policy speaks of.
- The size is known before the first byte: a small file is read whole, a large one must
  be followed by nothing but the end of the form (s3o/wire/form_file).
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from s3o.model import limits
from s3o.model.errors import (
    AccessDenied,
    HeadersNotSigned,
    InvalidRequest,
    MalformedForm,
    MissingContentLength,
    SeveralAuthMechanisms,
)
from s3o.model.names import ObjectKey
from s3o.model.seams import DigestedSource
from s3o.model.values import ChecksumAlgorithm
from s3o.net.exchange import Exchange
from s3o.net.head import RequestHead
from s3o.policy.post_form import BUCKET, check_form
from s3o.s3api.authenticate import find_mechanism
from s3o.s3api.authenticate_form import authenticate_form
from s3o.s3api.body import Arriving, BodyPlan, open_body
from s3o.s3api.credentials import Caller, CredentialBook
from s3o.s3api.form_fields import (
    REDIRECTS,
    STATUS,
    expand_key,
    form_headers,
    parse_form_key,
)
from s3o.s3api.operation import Level
from s3o.s3api.operations import is_subresource, level_of
from s3o.s3api.payload import PAYLOAD_HEADER, parse_form_payload
from s3o.wire.form import FormHead, FormReader, is_form, parse_boundary
from s3o.wire.form_file import FileFraming, split_file
from s3o.wire.post_policy import parse_policy
from s3o.wire.target import Target

_ANSWERS = (STATUS, *REDIRECTS)
_CONDITIONS = ("if-match", "if-none-match")


def is_bucket_form(head: RequestHead, target: Target) -> bool:
    """Whether a request is a form for a bucket."""
    return (
        head.method == "POST"
        and level_of(target) is Level.BUCKET
        and is_form(head.fields.get("content-type", ""))
        and not any(map(is_subresource, target.query.names))
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class FormAdmission:
    """One form whose policy allows it (an s3api.seams.Posted)."""

    caller: Caller
    key: ObjectKey
    fields: Mapping[str, str]
    size: int
    file: Arriving = field(repr=False)

    def open_source(self, algorithm: ChecksumAlgorithm | None = None) -> DigestedSource:
        """Return the file as an object's bytes."""
        plan = BodyPlan(
            fields=self.fields,
            content_length=self.size,
            is_chunked=False,
            sha256=parse_form_payload(self.fields.get(PAYLOAD_HEADER)),
        )
        return open_body(self.file, plan, algorithm=algorithm)

    async def read_document(
        self, limit_bytes: int, *, is_checksummed: bool = True
    ) -> bytes:
        """Refuse: a form is no document, of whatever size."""
        raise InvalidRequest(f"a form is no document of at most {limit_bytes} bytes")


async def admit_form(
    exchange: Exchange, target: Target, book: CredentialBook, now_us: int
) -> FormAdmission:
    """Read a form up to its file; return what it asks if it may.

    Raises AuthError, RequestError, and what the exchange raises.
    """
    head = exchange.head
    _refuse_other_credentials(head, target)
    if head.content_length is None:
        raise MissingContentLength
    boundary = parse_boundary(head.fields.get("content-type", ""))
    form, rest = await _read_head(exchange, boundary)
    caller = authenticate_form(form.fields, book)
    policy = parse_policy(form.fields["policy"])
    expanded = expand_key(form)
    remaining = head.content_length - form.file_offset
    file, size = await _open_file(exchange, boundary, rest, remaining)
    # The policy decides over the bucket that the request is for, never over one that a
    # field merely mentions.
    if form.fields.get(BUCKET, target.bucket) != target.bucket:
        raise AccessDenied("the form names another bucket than the request")
    named = {**form.fields, "key": expanded, BUCKET: target.bucket or ""}
    check_form(policy, named, size, now_us)
    fields = {name: form.fields[name] for name in _ANSWERS if name in form.fields}
    for name in _CONDITIONS:
        if name in head.fields:
            fields[name] = head.fields[name]
    return FormAdmission(
        caller=caller,
        key=parse_form_key(expanded),
        fields=fields | form_headers(form.fields),
        size=size,
        file=file,
    )


def _refuse_other_credentials(head: RequestHead, target: Target) -> None:
    if find_mechanism(head.fields, target.query) is not None:
        raise SeveralAuthMechanisms
    names = [name.lower() for name in (*head.fields, *target.query.names)]
    unsigned = [name for name in names if name.startswith("x-amz-")]
    if unsigned:
        raise HeadersNotSigned(tuple(sorted(unsigned)))


async def _read_head(exchange: Exchange, boundary: bytes) -> tuple[FormHead, bytes]:
    """Return a form's fields, and what was read of its file."""
    reader = FormReader(boundary)
    while data := await exchange.read():
        form = reader.feed(data)
        if form is not None:
            return form, reader.rest
    raise MalformedForm("it ends before its file")


async def _open_file(
    exchange: Exchange, boundary: bytes, rest: bytes, remaining: int
) -> tuple[Arriving, int]:
    """Return the file of which rest has arrived, and its size."""
    if remaining > limits.FORM_LOOKAHEAD_BYTES:
        framing = FileFraming(boundary, remaining)
        return _StreamedFile(exchange, framing, rest), framing.size
    held = bytearray(rest)
    while data := await exchange.read():
        held += data
    file = split_file(boundary, bytes(held))
    return _HeldFile(file), len(file)


class _HeldFile:
    """A file that is here already (an Arriving)."""

    __slots__ = ("_pieces",)

    def __init__(self, file: bytes) -> None:
        self._pieces = deque([file] if file else [])

    async def read(self) -> bytes:
        return self._pieces.popleft() if self._pieces else b""


class _StreamedFile:
    """A file as it comes; its last piece is held back until the form has ended."""

    __slots__ = ("_exchange", "_framing", "_held", "_is_ended", "_rest")

    def __init__(self, exchange: Exchange, framing: FileFraming, rest: bytes) -> None:
        self._exchange = exchange
        self._framing = framing
        self._rest = rest
        self._held = b""
        self._is_ended = False

    async def read(self) -> bytes:
        while not self._is_ended:
            data, self._rest = self._rest or await self._exchange.read(), b""
            if not data:
                self._framing.finish()
                self._is_ended = True
                break
            piece = self._framing.feed(data)
            if piece:
                released, self._held = self._held, piece
                if released:
                    return released
        released, self._held = self._held, b""
        return released
