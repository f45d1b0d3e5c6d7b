"""The HTTP side of the fake provider: requests, answers, and who signed them."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote

from s3o.model.errors import SignatureMismatch
from s3o.net.memory import MemoryStream
from s3o.net.streams import ConnectionBroken
from s3o.wire.aws_chunked import Decoder, Form
from s3o.wire.sigv4 import (
    ChunkSigner,
    Scope,
    SigningKey,
    canonical_request,
    derive_key,
    string_to_sign,
)
from s3o.wire.xml_write import document, element, leaf

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<id>[^/]+)/(?P<date>[0-9]{8})/(?P<region>[^/]+)"
    r"/s3/aws4_request, SignedHeaders=(?P<names>[a-z0-9;-]+),"
    r" Signature=(?P<signature>[0-9a-f]{64})"
)
_UNSIGNED = "UNSIGNED-PAYLOAD"


class Refusal(Exception):
    """An error answer."""

    def __init__(self, status: int, code: str, message: str = "") -> None:
        super().__init__(status, code, message)
        self.status = status
        self.code = code
        self.message = message


@dataclass(kw_only=True)
class Request:
    """One request; its body is decoded once it was verified."""

    method: str
    path: str
    raw_query: str
    fields: Mapping[str, str]
    body: bytes = field(default=b"", repr=False)

    @property
    def query(self) -> dict[str, str]:
        """The decoded query."""
        return dict(parse_qsl(self.raw_query, keep_blank_values=True))

    @property
    def key(self) -> str:
        """The object's key, "" for the bucket itself."""
        return unquote(self.path.partition("/")[2].partition("/")[2])


@dataclass(kw_only=True)
class Answer:
    """One answer. length: of a HEAD's blob, whose bytes do not follow."""

    status: int = 200
    fields: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    length: int | None = None

    def render(self, *, has_length: bool = True) -> tuple[bytes, bytes]:
        """Return head and body."""
        lines = [f"HTTP/1.1 {self.status} Fake"]
        lines += [f"{name}: {value}" for name, value in self.fields.items()]
        if has_length and self.status != 204:
            length = len(self.body) if self.length is None else self.length
            lines.append(f"Content-Length: {length}")
        if not has_length:
            lines.append("Connection: close")
        head = "\r\n".join([*lines, "", ""]).encode("latin-1")
        return head, b"" if self.length is not None else self.body


def error_answer(refusal: Refusal, *, is_wrapped: bool = False) -> Answer:
    """Return the answer of a refusal."""
    inside = [leaf("Code", refusal.code), leaf("Message", refusal.message)]
    if is_wrapped:
        body = document("ErrorResponse", [element("Error", inside)])
    else:
        body = document("Error", inside, has_namespace=False)
    return Answer(status=refusal.status, body=body)


class Connection:
    """Reads requests from one connection."""

    def __init__(self, stream: MemoryStream) -> None:
        self._stream = stream
        self._rest = b""
        self._left = 0

    async def next_head(self) -> Request | None:
        """Return the next request without its body; None at the end."""
        while b"\r\n\r\n" not in self._rest:
            data = await self._stream.receive_some(65536)
            if not data:
                return None
            self._rest += data
        head, _, self._rest = self._rest.partition(b"\r\n\r\n")
        line, *lines = head.decode("latin-1").split("\r\n")
        pairs = [one.partition(":") for one in lines]
        fields = {name.lower(): value.strip() for name, _, value in pairs}
        assert len(fields) == len(lines), "a header field twice"
        method, target, _ = line.split(" ")
        path, _, query = target.partition("?")
        self._left = int(fields.get("content-length", "0"))
        return Request(method=method, path=path, raw_query=query, fields=fields)

    async def read_body(self, share: float = 1.0) -> bytes:
        """Return the body, or the beginning of it."""
        wanted = round(self._left * share)
        body = bytearray(self._rest[:wanted])
        self._rest = self._rest[len(body) :]
        while len(body) < wanted:
            data = await self._stream.receive_some(wanted - len(body))
            if not data:
                raise ConnectionBroken("the client left in the middle of its body")
            body += data
        return bytes(body)


def verify(request: Request, access_key_id: str, secret: str) -> bytes:
    """Return the body without its framing; raises Refusal for what is not signed."""
    fields = request.fields
    match = _AUTHORIZATION.fullmatch(fields.get("authorization", ""))
    if match is None or match["id"] != access_key_id:
        raise Refusal(403, "AccessDenied")
    names = match["names"].split(";")
    loose = [name for name in fields if name.startswith("x-amz-")]
    if not {"host", *loose} <= set(names):
        raise Refusal(403, "AccessDenied", "headers not signed")
    timestamp, payload = fields["x-amz-date"], fields["x-amz-content-sha256"]
    canonical = canonical_request(
        request.method,
        request.path,
        parse_qsl(request.raw_query, keep_blank_values=True),
        [(name, fields[name]) for name in names],
        payload,
    )
    scope = Scope(match["date"], match["region"])
    key = SigningKey(derive_key(secret, scope))
    text = string_to_sign(timestamp, scope, canonical)
    if key.sign(text.encode("latin-1")) != match["signature"]:
        raise Refusal(403, "SignatureDoesNotMatch")
    if payload == Form.SIGNED:
        signer = ChunkSigner(key, timestamp, scope, match["signature"])
        decoder = Decoder(
            Form.SIGNED, int(fields["x-amz-decoded-content-length"]), signer=signer
        )
        try:
            pieces = decoder.feed(request.body)
            decoder.finish()
        except SignatureMismatch:
            raise Refusal(403, "SignatureDoesNotMatch") from None
        return b"".join(pieces)
    digest = hashlib.sha256(request.body).hexdigest()
    if payload not in (_UNSIGNED, digest):
        raise Refusal(400, "XAmzContentSHA256Mismatch")
    return request.body


def unframed(request: Request) -> bytes:
    """Return the body without its framing, as who looks at no signature does."""
    if request.fields["x-amz-content-sha256"] != Form.SIGNED:
        return request.body
    rest, pieces = request.body, []
    while rest:
        head, _, rest = rest.partition(b"\r\n")
        size = int(head.partition(b";")[0], 16)
        pieces.append(rest[:size])
        rest = rest[size + 2 :]
    return b"".join(pieces)
