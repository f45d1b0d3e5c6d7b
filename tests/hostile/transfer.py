"""HTTP's own chunks, and bodies shorter or longer than they were declared."""

from collections.abc import Callable, Iterator

from s3o.wire.aws_chunked import Form
from tests.behaviour.service import Service
from tests.hostile.case import Case
from tests.hostile.chunked import Upload

_END = b"\r\n\r\n"
_SMUGGLED = b"DELETE /photos/a HTTP/1.1\r\nHost: s3.test\r\n\r\n"
Wrap = Callable[[bytes], bytes]


def _whole(body: bytes) -> bytes:
    return b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)


def _sized(size: Callable[[int], bytes]) -> Wrap:
    """Frame a body in one chunk whose size line is spelled by a function."""
    return lambda body: b"%b\r\n%b\r\n0\r\n\r\n" % (size(len(body)), body)


_WRAPS: dict[str, Wrap] = {
    "a blank after the size": _sized(lambda n: b"%x " % n),
    "a blank before the size": _sized(lambda n: b" %x" % n),
    "a tab after the size": _sized(lambda n: b"%x\t" % n),
    "a plus": _sized(lambda n: b"+%x" % n),
    "a minus": _sized(lambda _n: b"-1"),
    "an underscore": _sized(lambda n: b"0_%x" % n),
    "0x": _sized(lambda n: b"0x%x" % n),
    "no size": _sized(lambda _n: b""),
    "no number": _sized(lambda _n: b"zz"),
    "a size of 20 digits": _sized(lambda n: b"%020x" % n),
    "a size of 5000 digits": _sized(lambda _n: b"f" * 5000),
    "a bare CR in an extension": _sized(lambda n: b"%x;a\rb" % n),
    "a bare LF in an extension": _sized(lambda n: b"%x;a\nb" % n),
    "a flood of extensions": _sized(lambda n: b"%x" % n + b";a=b" * 20_000),
    "bare LF lines": lambda body: _whole(body).replace(b"\r\n", b"\n"),
    "junk after the data": lambda body: (
        b"%x\r\n%bjunk\r\n0\r\n\r\n" % (len(body), body)
    ),
    "a length for a trailer": lambda body: (
        _whole(body)[:-2] + b"Content-Length: 5\r\n\r\n"
    ),
    "a coding for a trailer": lambda body: (
        _whole(body)[:-2] + b"Transfer-Encoding: chunked\r\n\r\n"
    ),
    "a flood of trailers": lambda body: (
        _whole(body)[:-2] + b"".join(b"X-%d: 1\r\n" % n for n in range(5000)) + b"\r\n"
    ),
}


def make_upload(wrap: Wrap = _whole, after: bytes = b"") -> Callable[[Service], bytes]:
    """Return what makes an upload in HTTP chunks, and what follows it."""

    def make(service: Service) -> bytes:
        raw = Upload(form=Form.SIGNED).make(service)
        head, _, body = raw.partition(_END)
        head = head.rpartition(b"\r\n")[0] + b"\r\nTransfer-Encoding: chunked"
        return head + _END + wrap(body) + after

    return make


def cases() -> Iterator[Case]:
    """Yield every case of this class."""
    for name, wrap in _WRAPS.items():
        yield Case(
            name=f"transfer: {name}",
            make=make_upload(wrap, _SMUGGLED),
            status=400,
            code="BadRequest",
            method="PUT",
        )
