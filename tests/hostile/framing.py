"""Requests whose end two parsers could see at different places, or that have none."""

from collections.abc import Iterator

from tests.hostile.case import Case

# What a smuggled request would do if anybody served it.
_SMUGGLED = b"DELETE /photos/a HTTP/1.1\r\nHost: s3.test\r\n\r\n"


def _head(*lines: bytes, first: bytes = b"PUT /photos/x HTTP/1.1") -> bytes:
    return b"".join(line + b"\r\n" for line in (first, *lines)) + b"\r\n"


_HEADS: dict[str, bytes] = {
    "length and chunked": _head(
        b"Host: s3.test", b"Content-Length: 5", b"Transfer-Encoding: chunked"
    )
    + b"0\r\n\r\n"
    + _SMUGGLED,
    "chunked and length": _head(
        b"Host: s3.test", b"Transfer-Encoding: chunked", b"Content-Length: 5"
    )
    + b"0\r\n\r\n",
    "length twice alike": _head(
        b"Host: s3.test", b"Content-Length: 5", b"Content-Length: 5"
    )
    + b"hello",
    "length twice different": _head(
        b"Host: s3.test", b"Content-Length: 5", b"Content-Length: 6"
    )
    + b"hello!",
    "length as a list": _head(b"Host: s3.test", b"Content-Length: 5, 5") + b"hello",
    "negative length": _head(b"Host: s3.test", b"Content-Length: -1"),
    "length with plus": _head(b"Host: s3.test", b"Content-Length: +5") + b"hello",
    "length with underscore": _head(b"Host: s3.test", b"Content-Length: 1_0")
    + b"0123456789",
    "length in hexadecimal": _head(b"Host: s3.test", b"Content-Length: 0x5") + b"hello",
    "length of 30 digits": _head(b"Host: s3.test", b"Content-Length: " + b"9" * 30),
    "length of 5000 digits": _head(b"Host: s3.test", b"Content-Length: " + b"1" * 5000),
    "length empty": _head(b"Host: s3.test", b"Content-Length:"),
    "length with a comment": _head(b"Host: s3.test", b"Content-Length: 5 (five)")
    + b"hello",
    "coding xchunked": _head(b"Host: s3.test", b"Transfer-Encoding: xchunked")
    + b"0\r\n\r\n",
    "coding gzip": _head(b"Host: s3.test", b"Transfer-Encoding: gzip") + b"0\r\n\r\n",
    "coding gzip, chunked": _head(b"Host: s3.test", b"Transfer-Encoding: gzip, chunked")
    + b"0\r\n\r\n",
    "coding chunked twice": _head(
        b"Host: s3.test", b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"
    )
    + b"0\r\n\r\n",
    "coding chunked, identity": _head(
        b"Host: s3.test", b"Transfer-Encoding: chunked, identity"
    )
    + b"0\r\n\r\n",
    "coding with a tab": _head(b"Host: s3.test", b"Transfer-Encoding:\tchunked\x0b")
    + b"0\r\n\r\n",
    "coding folded": _head(b"Host: s3.test", b"Transfer-Encoding:\r\n chunked")
    + b"0\r\n\r\n",
    "coding in HTTP/1.0": _head(
        b"Host: s3.test", b"Transfer-Encoding: chunked", first=b"PUT /photos/x HTTP/1.0"
    )
    + b"0\r\n\r\n",
    "space before the colon": _head(b"Host: s3.test", b"Content-Length : 5") + b"hello",
    "space in a name": _head(b"Host: s3.test", b"Content Length: 5") + b"hello",
    "name empty": _head(b"Host: s3.test", b": 5") + b"hello",
    "name not a token": _head(b"Host: s3.test", b"X(y): 1"),
    "name with NUL": _head(b"Host: s3.test", b"X\x00y: 1"),
    "name not ASCII": _head(b"Host: s3.test", b"X\xe9: 1"),
    "line without a colon": _head(b"Host: s3.test", b"nonsense"),
    "folded authorization": _head(
        b"Host: s3.test", b"Authorization: AWS4-HMAC-SHA256", b" Credential=x"
    ),
    "folded first field": b"GET / HTTP/1.1\r\n Host: s3.test\r\n\r\n",
    "bare LF lines": b"GET /photos/a HTTP/1.1\nHost: s3.test\n\n",
    "bare LF once": b"GET /photos/a HTTP/1.1\r\nHost: s3.test\nX: y\r\n\r\n",
    "bare CR in a value": _head(b"Host: s3.test", b"X: a\rb"),
    "NUL in a value": _head(b"Host: s3.test", b"X: a\x00b"),
    "0x01 in a value": _head(b"Host: s3.test", b"X: a\x01b"),
    "DEL in a value": _head(b"Host: s3.test", b"X: a\x7fb"),
    "vertical tab in a value": _head(b"Host: s3.test", b"X: a\x0bb"),
    "HTTP/2.0": _head(b"Host: s3.test", first=b"GET /photos/a HTTP/2.0"),
    "HTTP/1.9": _head(b"Host: s3.test", first=b"GET /photos/a HTTP/1.9"),
    "HTTP/0.9": b"GET /photos/a\r\n\r\n",
    "HTTP/1.10": _head(b"Host: s3.test", first=b"GET /photos/a HTTP/1.10"),
    "http/1.1": _head(b"Host: s3.test", first=b"GET /photos/a http/1.1"),
    "HTTP/1.1 and more": _head(b"Host: s3.test", first=b"GET /photos/a HTTP/1.1 x"),
    "lower-case method": _head(b"Host: s3.test", first=b"get /photos/a HTTP/1.1"),
    "method with a bracket": _head(b"Host: s3.test", first=b"GE[T /photos/a HTTP/1.1"),
    "no method": _head(b"Host: s3.test", first=b" /photos/a HTTP/1.1"),
    "two spaces": _head(b"Host: s3.test", first=b"GET  /photos/a HTTP/1.1"),
    "tab for a space": _head(b"Host: s3.test", first=b"GET\t/photos/a\tHTTP/1.1"),
    "space in the target": _head(b"Host: s3.test", first=b"GET /photos/a b HTTP/1.1"),
    "raw UTF-8 in the target": _head(
        b"Host: s3.test", first=b"GET /photos/\xc3\xa9 HTTP/1.1"
    ),
    "NUL in the target": _head(b"Host: s3.test", first=b"GET /photos/a\x00 HTTP/1.1"),
    "absolute form": _head(
        b"Host: s3.test", first=b"GET http://s3.test/photos/a HTTP/1.1"
    ),
    "authority form": _head(b"Host: s3.test", first=b"CONNECT s3.test:443 HTTP/1.1"),
    "asterisk form": _head(b"Host: s3.test", first=b"OPTIONS * HTTP/1.1"),
    "a fragment": _head(b"Host: s3.test", first=b"GET /photos/a#x HTTP/1.1"),
    "a target without a slash": _head(b"Host: s3.test", first=b"GET photos/a HTTP/1.1"),
    "a query for a target": _head(b"Host: s3.test", first=b"GET ?list-type=2 HTTP/1.1"),
    "no host": _head(first=b"GET /photos/a HTTP/1.1"),
    "two hosts": _head(
        b"Host: s3.test", b"Host: evil.test", first=b"GET /photos/a HTTP/1.1"
    ),
    "a host with a path": _head(b"Host: s3.test/x", first=b"GET /photos/a HTTP/1.1"),
    "a host with a space": _head(b"Host: s3 test", first=b"GET /photos/a HTTP/1.1"),
    "a host with credentials": _head(
        b"Host: u@s3.test", first=b"GET /photos/a HTTP/1.1"
    ),
    "an unknown expectation": _head(
        b"Host: s3.test", b"Expect: 200-ok", b"Content-Length: 5"
    )
    + b"hello",
    "a TLS handshake": bytes.fromhex("16030100a5010000a10303") + b"\x00" * 60,
    "an HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "only noise": bytes(range(256)),
    "5000 fields": _head(b"Host: s3.test", *(b"X-%d: 1" % n for n in range(5000))),
    "201 fields": _head(b"Host: s3.test", *(b"X-%d: 1" % n for n in range(201))),
    "a block of 70 KB": _head(b"Host: s3.test", b"X: " + b"y" * 70_000),
    "a name of 70 KB": _head(b"Host: s3.test", b"X" * 70_000 + b": y"),
    "a target of 17 KB": _head(
        b"Host: s3.test", first=b"GET /photos/" + b"a" * 17_000 + b" HTTP/1.1"
    ),
    "201 parameters": _head(
        b"Host: s3.test",
        first=b"GET /photos?"
        + b"&".join(b"p%d=1" % n for n in range(201))
        + b" HTTP/1.1",
    ),
    "upgrade to websocket": _head(
        b"Host: s3.test",
        b"Connection: Upgrade",
        b"Upgrade: websocket",
        first=b"GET /photos/a HTTP/1.1",
    ),
    "upgrade to h2c": _head(
        b"Host: s3.test",
        b"Connection: Upgrade, HTTP2-Settings",
        b"Upgrade: h2c",
        first=b"GET /photos/a HTTP/1.1",
    ),
}
# What is well-formed, or said more exactly than that it is no request.
_DUE = {
    "upgrade to websocket": (403, "AccessDenied"),
    "upgrade to h2c": (403, "AccessDenied"),
    "201 parameters": (400, "InvalidURI"),
    **dict.fromkeys(
        (
            *("5000 fields", "201 fields", "a block of 70 KB", "a name of 70 KB"),
            "a target of 17 KB",
        ),
        (400, "RequestHeaderSectionTooLarge"),
    ),
}


def cases() -> Iterator[Case]:
    """Yield every case of this class."""
    for name, raw in _HEADS.items():
        status, code = _DUE.get(name, (400, "BadRequest"))
        yield Case(
            name=f"framing: {name}",
            make=lambda _service, raw=raw: raw,
            status=status,
            code=code,
        )
