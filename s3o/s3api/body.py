"""The only way to a request's body: decoded, verified, digested.

What the client declared is checked here and nowhere else: chunk and trailer signatures,
the signed SHA-256, Content-MD5, and one x-amz-checksum-* in a header or trailer. Rules:

- The piece that completes a body is returned only after all of it was verified; an
  empty body verifies in its first read.
- The size is known before the first byte: Content-Length, or for aws-chunked bodies
  x-amz-decoded-content-length. Without it nothing is read.
- Only headers declare checksums; parameters of a presigned URL's query do not (JS
  presigns `x-amz-checksum-crc32=AAAAAA==` for bodies it has not seen).

Source: AWS, "Checking object integrity".
"""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from s3o.model import limits
from s3o.model.checksums import DEFAULT_ALGORITHM
from s3o.model.errors import (
    ContentSha256Mismatch,
    EntityTooLarge,
    IncompleteBody,
    InvalidArgument,
    InvalidRequest,
    MessageTooLong,
    MissingContentLength,
)
from s3o.model.numbers import parse_uint
from s3o.model.values import ChecksumAlgorithm, Digests
from s3o.wire.aws_chunked import Decoder, Form
from s3o.wire.digests import (
    DeclaredChecksum,
    Hasher,
    checksum_header,
    parse_checksum_value,
    parse_content_md5,
    parse_declared_checksum,
    verify_checksum,
    verify_md5,
)
from s3o.wire.sigv4 import ChunkSigner

_DECODED_LENGTH = "x-amz-decoded-content-length"


class Arriving(Protocol):
    """What of an exchange a body needs (s3o/net/exchange)."""

    async def read(self) -> bytes:
        """Return the next piece, HTTP's framing removed; b"" at the end."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyPlan:
    """How one body must be read; made by authenticate() only.

    sha256: the payload's hash in hex, if it was signed. form: which aws-chunked form
    the payload has, None for plain bytes. chain: begins the chunks' signatures.
    """

    fields: Mapping[str, str] = field(repr=False)
    content_length: int | None
    is_chunked: bool
    sha256: str | None = None
    form: Form | None = None
    chain: Callable[[], ChunkSigner] | None = field(default=None, repr=False)
    access_key_id: str = ""


class _Checks:
    """The digests of one body, and what the client says they are."""

    __slots__ = ("_checksum", "_hasher", "_kept", "_md5", "_sha256")

    def __init__(
        self,
        plan: BodyPlan,
        checksum: DeclaredChecksum | None,
        kept: ChecksumAlgorithm | None = None,
    ) -> None:
        md5 = plan.fields.get("content-md5")
        self._md5 = parse_content_md5(md5) if md5 is not None else None
        self._sha256 = plan.sha256
        self._checksum = checksum
        kept = kept or (checksum.algorithm if checksum else DEFAULT_ALGORITHM)
        declared = checksum.algorithm if checksum else kept
        self._hasher = Hasher(
            md5=True, sha256=plan.sha256 is not None, checksum=declared
        )
        self._kept: Hasher | None = None
        if kept is not declared:
            self._kept = Hasher(md5=False, checksum=kept)

    def update(self, piece: bytes) -> None:
        """Take the next piece."""
        self._hasher.update(piece)
        if self._kept is not None:
            self._kept.update(piece)

    def verify(self, trailer: str | None) -> Digests:
        """Return the digests of the whole body if it is what was declared."""
        sha256 = None
        if self._sha256 is not None:
            sha256 = self._hasher.sha256_hex()
            if sha256 != self._sha256:
                raise ContentSha256Mismatch(self._sha256, sha256)
        md5 = self._hasher.md5_hex()
        if self._md5 is not None:
            verify_md5(self._md5, md5)
        computed = self._hasher.checksum()
        if self._checksum is not None:
            expected = self._checksum.expected
            if expected is None:
                assert trailer is not None  # the decoder has seen to it
                expected = parse_checksum_value(self._checksum.algorithm, trailer)
            verify_checksum(expected, computed)
        return Digests(
            md5=md5,
            checksum=self._kept.checksum() if self._kept is not None else computed,
            sha256=sha256,
            declared=computed if self._checksum is not None else None,
        )


class BodySource:
    """One object's or part's bytes on their way in (a DigestedSource)."""

    __slots__ = (
        "_arriving",
        "_checks",
        "_decoder",
        "_digests",
        "_is_touched",
        "_plan",
        "_ready",
        "_seen",
        "size",
    )

    def __init__(
        self,
        arriving: Arriving,
        plan: BodyPlan,
        size: int,
        decoder: Decoder | None,
        checks: _Checks,
    ) -> None:
        self.size = size
        self._arriving = arriving
        self._plan = plan
        self._decoder = decoder
        self._checks = checks
        self._ready: deque[bytes] = deque()
        self._seen = 0
        self._is_touched = False
        self._digests: Digests | None = None

    @property
    def declared_sha256(self) -> str | None:
        """The SHA-256 that the client signed, in hex."""
        return self._plan.sha256

    @property
    def digests(self) -> Digests:
        """The digests of all bytes, once the completing piece was returned."""
        assert self._digests is not None, "digests of a body that is not complete"
        return self._digests

    async def read(self) -> bytes:
        """Return the next piece; the completing one only if all was verified.

        Raises: IncompleteBody, BadDigest, ContentSha256Mismatch, SignatureMismatch,
        InvalidChunkSize, InvalidRequest, MalformedTrailer; what the exchange raises.
        """
        if self._digests is not None:
            return b""
        self._is_touched = True
        piece = await self._take() if self._seen < self.size else b""
        self._checks.update(piece)
        self._seen += len(piece)
        if self._seen > self.size:
            raise IncompleteBody(self.size, self._seen)
        if self._seen == self.size:
            trailer = await self._finish()
            self._digests = self._checks.verify(trailer)
        return piece

    def rewind(self) -> bool:
        """Whether nothing was read yet; a client sends its bytes once."""
        return not self._is_touched

    async def _take(self) -> bytes:
        while not self._ready:
            raw = await self._arriving.read()
            if not raw:
                raise IncompleteBody(self.size, self._seen)
            if self._decoder is None:
                return raw
            _gather(self._decoder.feed(raw), self._ready)
        return self._ready.popleft()

    async def _finish(self) -> str | None:
        """Read what follows the data; return the trailer's value."""
        if self._decoder is None:
            return None
        while raw := await self._arriving.read():
            released = self._decoder.feed(raw)
            assert not released, "the decoder released more than the declared length"
        self._decoder.finish()
        return self._decoder.trailer


def _gather(pieces: list[bytes], ready: deque[bytes]) -> None:
    """Append pieces to ready, small ones joined, none over PIECE_BYTES."""
    group: list[bytes] = []
    size = 0
    for piece in pieces:
        if group and size + len(piece) > limits.PIECE_BYTES:
            ready.append(b"".join(group))
            group, size = [], 0
        group.append(piece)
        size += len(piece)
    if group:
        ready.append(b"".join(group))


def open_body(
    arriving: Arriving,
    plan: BodyPlan,
    limit_bytes: int = limits.PUT_BYTES,
    *,
    algorithm: ChecksumAlgorithm | None = None,
) -> BodySource:
    """Return the body of an upload; nothing is read yet.

    algorithm: of the checksum to keep, whatever the client declares; None: the declared
    one, else the default.
    Raises: MissingContentLength, EntityTooLarge, InvalidArgument, InvalidDigest,
    InvalidRequest, IncompleteBody.
    """
    size = _find_size(plan)
    if size > limit_bytes:
        raise EntityTooLarge(size, limit_bytes)
    checksum = _find_checksum(plan)
    decoder = None
    if plan.form is not None:
        if plan.content_length is not None and plan.content_length <= size:
            raise IncompleteBody(size, plan.content_length)
        decoder = Decoder(
            plan.form,
            size,
            signer=plan.chain() if plan.chain is not None else None,
            trailer_name=(
                checksum_header(checksum.algorithm)
                if checksum is not None and checksum.is_in_trailer
                else None
            ),
            access_key_id=plan.access_key_id,
        )
    return BodySource(arriving, plan, size, decoder, _Checks(plan, checksum, algorithm))


def _find_size(plan: BodyPlan) -> int:
    if plan.form is None:
        # Also with Transfer-Encoding: chunked and a decoded length beside it: that
        # length belongs to aws-chunked bodies.
        if plan.content_length is None:
            raise MissingContentLength()
        return plan.content_length
    text = plan.fields.get(_DECODED_LENGTH)
    if text is None or (plan.content_length is None and not plan.is_chunked):
        raise MissingContentLength()
    try:
        return parse_uint(text)
    except ValueError:
        raise InvalidArgument(_DECODED_LENGTH, text[:64], "not a length") from None


def _find_checksum(plan: BodyPlan) -> DeclaredChecksum | None:
    checksum = parse_declared_checksum(plan.fields)
    has_trailer = plan.form in (Form.SIGNED_TRAILER, Form.UNSIGNED_TRAILER)
    if checksum is not None and checksum.is_in_trailer and not has_trailer:
        raise InvalidRequest(
            "x-amz-trailer is only for payloads that are sent with a trailer"
        )
    return checksum


async def read_document(
    arriving: Arriving,
    plan: BodyPlan,
    limit_bytes: int,
    *,
    is_checksummed: bool = True,
) -> bytes:
    """Return a whole small body, verified like an object's; b"" if there is none.

    is_checksummed: the x-amz-checksum-* headers are about it. Those of a Complete are
    about the object; Content-MD5 and the payload's hash are always about the body.
    Raises: MessageTooLong over limit_bytes, and what BodySource.read() does.
    """
    if plan.form is not None:
        raise InvalidRequest(f"{plan.form} is only for uploads of objects and parts")
    if (plan.content_length or 0) > limit_bytes:
        raise MessageTooLong(limit_bytes)
    checks = _Checks(plan, _find_checksum(plan) if is_checksummed else None)
    body = bytearray()
    while piece := await arriving.read():
        body += piece
        if len(body) > limit_bytes:
            raise MessageTooLong(limit_bytes)
        checks.update(piece)
    if plan.content_length is not None and len(body) != plan.content_length:
        raise IncompleteBody(plan.content_length, len(body))
    checks.verify(None)
    return bytes(body)
