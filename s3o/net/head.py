"""One request head: what is refused, and the plain shape that is read at once.

HTTP libraries are lenient, and two lenient readers in a row (a proxy's and ours) can
disagree about where a request ends; that disagreement is request smuggling. So there
is a guard in front of h11 that refuses everything not spelled the one plain way, and a
recogniser that reads the shape nearly all S3 clients send for a tenth of h11's cost.

Rule 1: the guard only refuses; what a head means is h11's word. Rule 2: whatever the
recogniser reads, the guard lets through and h11 reads with the same method, target,
fields and framing (tests/net/test_head.py, fuzz/target_http_head.py). Rule 3: nothing
here waits, and nothing here is repaired. Source: RFC 9112, RFC 9110 section 5.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from s3o.model.errors import BadRequest, HeadersTooLarge
from s3o.model.limits import HEAD_BYTES, HEADER_FIELDS, KIB, TARGET_BYTES
from s3o.model.numbers import parse_uint
from s3o.model.values import Pairs

_PLAIN_BYTES = 16 * KIB
_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]"
_FIELD_LINE = rf"{_NAME}++:[\t -~\x80-\xff]*+\r\n"

_PLAIN = re.compile(
    rf"(?:GET|PUT|HEAD|DELETE|POST) /[!\"$-~]*+ HTTP/1\.1\r\n(?:{_FIELD_LINE})++\r\n"
).fullmatch
_REQUEST_LINE = re.compile(rb"([A-Z]{1,32}) ([!-~]++) HTTP/1\.([01])\r\n").match
_FIELD_LINES = re.compile(rf"(?:{_FIELD_LINE})*+\r\n".encode("latin-1")).fullmatch
_HOST = re.compile(
    r"(?:[A-Za-z0-9._-]++|\[[0-9A-Fa-f:.]++\])(?::[0-9]{1,5}+)?"
).fullmatch
_BARE = re.compile(rb"(?<!\r)\n|\r(?!\n|\Z)|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]").search

_END = b"\r\n\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestHead:
    """What a request says before its body.

    target: origin-form, visible ASCII, as sent. headers: names lower-case, values
    stripped and decoded as latin-1, in order, repeats kept. fields: the same with
    repeats joined by ",". content_length is None for a chunked body and for no body.
    """

    method: str
    target: str
    headers: Pairs
    fields: Mapping[str, str]
    content_length: int | None
    is_chunked: bool
    expects_continue: bool
    is_http10: bool

    @property
    def wants_close(self) -> bool:
        """Whether the client will not send another request on this connection."""
        if self.is_http10:
            return True
        tokens = self.fields.get("connection")
        return tokens is not None and "close" in [
            token.strip(" \t") for token in tokens.lower().split(",")
        ]


def find_head_end(buffer: bytes, checked: int = 0) -> int:
    """Return where the head in buffer ends, or -1 while it is incomplete.

    checked: how many bytes an earlier call has seen. Raises as soon as the bytes can
    not become a head any more, so that nobody waits for the rest of it.
    """
    end = buffer.find(_END, max(0, checked - 3))
    head_bytes = len(buffer) if end < 0 else end + len(_END)
    if head_bytes > HEAD_BYTES:
        raise HeadersTooLarge(f"head over {HEAD_BYTES} bytes")
    if end >= 0:
        return head_bytes
    if not checked and buffer and not buffer[:1].isupper():
        raise BadRequest("malformed request line")
    if _BARE(buffer, max(0, checked - 1)):
        raise BadRequest("control byte or bare CR or LF in head")
    return -1


def recognise(raw: bytes) -> RequestHead | None:
    """Return the head if it has the plain shape, else None (ask guard and h11)."""
    if len(raw) > _PLAIN_BYTES:
        return None
    text = raw.decode("latin-1")
    if _PLAIN(text) is None:
        return None
    lines = text[:-4].split("\r\n")
    method, target, _ = lines[0].split(" ")
    del lines[0]
    fields: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        fields[name.lower()] = value.strip(" \t")
    if (
        len(fields) != len(lines)  # repeats are h11's
        or len(lines) > HEADER_FIELDS
        or "transfer-encoding" in fields
        or "upgrade" in fields
        or _HOST(fields.get("host", "")) is None
    ):
        return None
    length = fields.get("content-length")
    expect = fields.get("expect")
    try:
        content_length = None if length is None else parse_uint(length)
    except ValueError:
        return None
    if expect is not None and expect.lower() != "100-continue":
        return None
    return RequestHead(
        method=method,
        target=target,
        headers=tuple(fields.items()),
        fields=fields,
        content_length=content_length,
        is_chunked=False,
        expects_continue=expect is not None,
        is_http10=False,
    )


def guard(raw: bytes) -> None:
    """Refuse a complete head that is not spelled the one plain way.

    Raises: BadRequest, HeadersTooLarge.
    """
    if len(raw) > HEAD_BYTES:
        raise HeadersTooLarge(f"head over {HEAD_BYTES} bytes")
    line = _REQUEST_LINE(raw)
    if line is None:
        raise BadRequest("malformed request line")
    _guard_target(line[1], line[2])
    if raw.count(b"\r\n", line.end()) - 1 > HEADER_FIELDS:
        raise HeadersTooLarge(f"more than {HEADER_FIELDS} header fields")
    if _FIELD_LINES(raw, line.end()) is None:
        raise BadRequest("malformed header field")
    found: dict[str, list[str]] = {}
    for field in raw[line.end() : -4].decode("latin-1").split("\r\n"):
        name, _, value = field.partition(":")
        found.setdefault(name.lower(), []).append(value.strip(" \t"))
    is_http10 = line[3] == b"0"
    _guard_host(found.get("host", []), is_http10)
    _guard_framing(found, is_http10)


def _guard_target(method: bytes, target: bytes) -> None:
    if len(target) > TARGET_BYTES:
        raise HeadersTooLarge(f"request target over {TARGET_BYTES} bytes")
    if method == b"CONNECT":
        raise BadRequest("CONNECT is not served")
    if not target.startswith(b"/"):
        raise BadRequest("request target must begin with /")
    if b"#" in target:
        raise BadRequest("fragment in request target")


def _guard_host(hosts: list[str], is_http10: bool) -> None:
    if len(hosts) > 1:
        raise BadRequest("more than one host header")
    if not hosts and not is_http10:
        raise BadRequest("host header missing")
    if hosts and _HOST(hosts[0]) is None:
        raise BadRequest("malformed host header")


def _guard_framing(found: Mapping[str, list[str]], is_http10: bool) -> None:
    lengths = found.get("content-length", [])
    codings = found.get("transfer-encoding", [])
    expects = found.get("expect", [])
    if len(lengths) > 1 or len(codings) > 1 or len(expects) > 1:
        raise BadRequest("framing header repeated")
    if lengths and codings:
        raise BadRequest("both content-length and transfer-encoding")
    if codings and (is_http10 or codings[0].lower() != "chunked"):
        raise BadRequest("transfer-encoding not supported")
    if expects and expects[0].lower() != "100-continue":
        raise BadRequest("expectation not supported")
    if lengths:
        try:
            parse_uint(lengths[0])
        except ValueError as exc:
            raise BadRequest("malformed content-length") from exc
