"""Bodies in aws-chunked and HTTP chunks that lie about sizes, ends or signatures."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from s3o.wire.aws_chunked import Form
from s3o.wire.sigv4 import ChunkSigner, RequestSigner
from tests.behaviour.service import HOST, SECRETS, Service
from tests.fakes.clock import TrioClock
from tests.hostile.case import Case
from tests.wire.framing import frame_chunks

_DATA = b"d" * 9000
_LAST = b"the last bytes"
_ALL_BYTES = len(_DATA) + len(_LAST)
_CRC32 = ("x-amz-checksum-crc32", "r8ZgkQ==")  # of these two chunks
_TRAILER_FORMS = (Form.SIGNED_TRAILER, Form.UNSIGNED_TRAILER)
Mutate = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A framed PUT: what is changed in it, and what its headers say of it."""

    form: Form
    mutate: Mutate = bytes
    decoded: str = str(_ALL_BYTES)
    headers: Mapping[str, str] | None = None
    trailer: tuple[str, str] | None = _CRC32

    def make(self, service: Service) -> bytes:
        """Return the request's bytes."""
        trailer = self.trailer if self.form is not Form.SIGNED else None
        headers = {
            "host": HOST,
            "content-encoding": "aws-chunked",
            "x-amz-decoded-content-length": self.decoded,
        }
        if trailer is not None:
            headers["x-amz-trailer"] = trailer[0]
        fields, chain = self._sign({**headers, **(self.headers or {})})
        body = self.mutate(
            frame_chunks(self.form, [_DATA, _LAST], chain, trailer=trailer)
        )
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields if value)
        head = f"PUT /photos/new HTTP/1.1\r\n{lines}Content-Length: {len(body)}\r\n\r\n"
        return head.encode() + body

    def _sign(
        self, headers: Mapping[str, str]
    ) -> tuple[tuple[tuple[str, str], ...], ChunkSigner]:
        signer = RequestSigner("photoskey", SECRETS["photoskey"], "us-east-1")
        given = tuple((name, value) for name, value in headers.items() if value)
        fields, chain = signer.sign_with_seed(
            *("PUT", "/photos/new", (), given, self.form.value, TrioClock().now_us())
        )
        return tuple(fields), chain


def _swap(old: bytes, new: bytes) -> Mutate:
    """Replace the first occurrence of old, which must be there."""

    def mutate(body: bytes) -> bytes:
        assert old in body, old
        return body.replace(old, new, 1)

    return mutate


_SIZE = b"%x" % len(_DATA)
_BOTH: dict[str, tuple[Mutate, str]] = {
    "nothing at all": (lambda _body: b"", "IncompleteBody"),
    "no final chunk": (lambda body: body[: body.index(_LAST) + 16], "IncompleteBody"),
    "half a chunk": (lambda body: body[:5000], "IncompleteBody"),
    "a size too large": (_swap(_SIZE, b"9999"), "IncompleteBody"),
    "a size of 16 digits": (_swap(_SIZE, b"f" * 16), "IncompleteBody"),
    "a size of 17 digits": (_swap(_SIZE, b"0" * 13 + _SIZE), "InvalidRequest"),
    "a size of 5000 digits": (_swap(_SIZE, b"1" * 5000), "InvalidRequest"),
    "a size with an underscore": (_swap(_SIZE, b"2_328"), "InvalidRequest"),
    "a size with a plus": (_swap(_SIZE, b"+" + _SIZE), "InvalidRequest"),
    "a size with 0x": (_swap(_SIZE, b"0x" + _SIZE), "InvalidRequest"),
    "a negative size": (_swap(_SIZE, b"-1"), "InvalidRequest"),
    "no size": (_swap(_SIZE, b""), "InvalidRequest"),
    "a blank after the size": (_swap(_SIZE, _SIZE + b" "), "InvalidRequest"),
    "an extension": (_swap(_SIZE, _SIZE + b";evil=1"), "InvalidRequest"),
    "a flood of extensions": (_swap(_SIZE, _SIZE + b";e=1" * 4000), "InvalidRequest"),
    "a bare LF": (_swap(b"\r\n" + _DATA, b"\n" + _DATA), "InvalidRequest"),
    "a bare CR": (_swap(b"\r\n" + _DATA, b"\r" + _DATA), "InvalidRequest"),
    "no line end after data": (_swap(_LAST + b"\r\n", _LAST), "InvalidRequest"),
    "an empty line before": (lambda body: b"\r\n" + body, "InvalidRequest"),
}
_UNSIGNED_ONLY: dict[str, tuple[Mutate, str]] = {
    "a size too small": (_swap(_SIZE, b"2327"), "InvalidRequest"),
    "a signature": (
        _swap(_SIZE, _SIZE + b";chunk-signature=" + b"0" * 64),
        "InvalidRequest",
    ),
}
_SIGNED_ONLY: dict[str, tuple[Mutate, str]] = {
    "a size too small": (_swap(_SIZE, b"2327"), "SignatureDoesNotMatch"),
    "data changed": (_swap(b"dd", b"ee"), "SignatureDoesNotMatch"),
    "the last data changed": (_swap(_LAST, b"The last bytes"), "SignatureDoesNotMatch"),
    "a signature missing": (
        lambda body: body[: body.index(b";")] + body[body.index(b"\r\n") :],
        "SignatureDoesNotMatch",
    ),
    "a signature empty": (
        lambda body: body[: body.index(b"=") + 1] + body[body.index(b"\r\n") :],
        "SignatureDoesNotMatch",
    ),
    "a signature of zeros": (
        lambda body: (
            body[: body.index(b"=") + 1] + b"0" * 64 + body[body.index(b"\r") :]
        ),
        "SignatureDoesNotMatch",
    ),
    "the final signature wrong": (
        lambda body: body.replace(
            b"\r\n0;chunk-signature=", b"\r\n0;chunk-signature=0"
        ),
        "SignatureDoesNotMatch",
    ),
}
_TRAILERS: dict[str, tuple[Mutate, str]] = {
    "no trailer": (
        _swap(b"x-amz-checksum-crc32:r8ZgkQ==\r\n", b""),
        "MalformedTrailerError",
    ),
    "two trailers": (
        _swap(b"x-amz-checksum-crc32:", b"x-amz-meta-x:y\r\nx-amz-checksum-crc32:"),
        "MalformedTrailerError",
    ),
    "a trailer without a colon": (
        _swap(b"crc32:r8ZgkQ==", b"crc32"),
        "MalformedTrailerError",
    ),
    "a trailer of 20 KB": (_swap(b"r8ZgkQ==", b"z" * 20_000), "MalformedTrailerError"),
    "bytes after the end": (lambda body: body + b"x", "MalformedTrailerError"),
    "a second body": (lambda body: body + body, "MalformedTrailerError"),
}
_HEADERS: dict[str, tuple[dict[str, str], int, str]] = {
    "no decoded length": (
        {"x-amz-decoded-content-length": ""},
        411,
        "MissingContentLength",
    ),
    "a decoded length less": (
        {"x-amz-decoded-content-length": "9000"},
        400,
        "IncompleteBody",
    ),
    "a decoded length more": (
        {"x-amz-decoded-content-length": "99999"},
        400,
        "IncompleteBody",
    ),
    **{
        f"a decoded length of {value[:20]}": (
            {"x-amz-decoded-content-length": value},
            400,
            "InvalidArgument",
        )
        for value in ("1_0", "+1", "-1", "0x10", "1.0", "9" * 30, "1" * 5000, "x")
    },
}


def cases() -> Iterator[Case]:
    """Yield every case of this class."""
    for form in Form:
        table = dict(_BOTH)
        table |= _SIGNED_ONLY if form.is_signed else _UNSIGNED_ONLY
        if form is not Form.SIGNED:
            table |= _TRAILERS
        if form is Form.SIGNED_TRAILER:
            # The trailer's signature is judged before its name.
            table["no trailer"] = (_TRAILERS["no trailer"][0], "SignatureDoesNotMatch")
        for name, (mutate, code) in table.items():
            yield _case(f"{form.name}: {name}", Upload(form=form, mutate=mutate), code)
        for name, (headers, status, code) in _HEADERS.items():
            upload = Upload(form=form, headers=headers)
            yield _case(f"{form.name}: {name}", upload, code, status)
    for form in _TRAILER_FORMS:
        for name in ("x-amz-meta-x", "content-length", "authorization", "host"):
            upload = Upload(form=form, trailer=(name, "1"))
            yield _case(f"{form.name}: trailer {name}", upload, "InvalidRequest")
        for value, code in (("AAAAAA==", "BadDigest"), ("x", "InvalidRequest")):
            upload = Upload(form=form, trailer=("x-amz-checksum-crc32", value))
            yield _case(f"{form.name}: trailer says {value}", upload, code)


def _case(name: str, upload: Upload, code: str, status: int = 0) -> Case:
    due = status or (403 if code == "SignatureDoesNotMatch" else 400)
    return Case(
        name=f"chunked: {name}",
        make=upload.make,
        status=due,
        code=code,
        method="PUT",
    )
