"""Heads that must be refused before dispatch, each with its name.

Every one of them was accepted by a library or a server in use, or is how a published
attack looked. The smuggled request behind each is what an attacker wants us to run.
"""

HOST = b"Host: s3.test\r\n"
SMUGGLED = b"GET /stolen HTTP/1.1\r\nHost: s3.test\r\n\r\n"


def _get(*fields: bytes, line: bytes = b"GET /a HTTP/1.1") -> bytes:
    return b"\r\n".join([line, b"Host: s3.test", *fields]) + b"\r\n\r\n"


REFUSED: dict[str, bytes] = {
    "content-length with transfer-encoding": _get(
        b"Content-Length: 5", b"Transfer-Encoding: chunked"
    ),
    "transfer-encoding with content-length": _get(
        b"Transfer-Encoding: chunked", b"Content-Length: 5"
    ),
    "duplicate equal content-length": _get(b"Content-Length: 5", b"content-length: 5"),
    "duplicate other content-length": _get(b"Content-Length: 5", b"Content-Length: 6"),
    "content-length list": _get(b"Content-Length: 5, 5"),
    "content-length signed": _get(b"Content-Length: +5"),
    "content-length negative": _get(b"Content-Length: -1"),
    "content-length underscored": _get(b"Content-Length: 1_0"),
    "content-length hexadecimal": _get(b"Content-Length: 0x5"),
    "content-length empty": _get(b"Content-Length:"),
    "content-length over 20 digits": _get(b"Content-Length: " + b"0" * 20 + b"5"),
    "content-length over 63 bits": _get(b"Content-Length: 9223372036854775808"),
    "folded field": _get(b"X-A: b", b" c"),
    "folded transfer-encoding": _get(b"Transfer-Encoding:", b" chunked"),
    "folded authorization": _get(b"Authorization: AWS4-HMAC-SHA256", b"\tCredential=x"),
    "folded first field": b"GET /a HTTP/1.1\r\n X-A: b\r\n" + HOST + b"\r\n",
    "bare LF after request line": b"GET /a HTTP/1.1\n" + HOST + b"\r\n",
    "bare LF after field": b"GET /a HTTP/1.1\r\nHost: s3.test\nX-A: b\r\n\r\n",
    "bare LF at the end": b"GET /a HTTP/1.1\r\nHost: s3.test\r\n\n",
    "only bare LF": b"GET /a HTTP/1.1\nHost: s3.test\n\n",
    "bare CR in value": _get(b"X-A: b\rc"),
    "bare CR in line": _get(line=b"GET /a\r HTTP/1.1"),
    "HTTP/2.0": _get(line=b"GET /a HTTP/2.0"),
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/1.9": _get(line=b"GET /a HTTP/1.9"),
    "HTTP/0.9": b"GET /a\r\n\r\n",
    "HTTP/1.10": _get(line=b"GET /a HTTP/1.10"),
    "lower-case version": _get(line=b"GET /a http/1.1"),
    "lower-case method": _get(line=b"get /a HTTP/1.1"),
    "mixed-case method": _get(line=b"Get /a HTTP/1.1"),
    "no method": _get(line=b" /a HTTP/1.1"),
    "odd method": _get(line=b"G{T /a HTTP/1.1"),
    "HTTP/1.0 with transfer-encoding": _get(
        b"Transfer-Encoding: chunked", line=b"POST /a HTTP/1.0"
    ),
    "transfer-encoding gzip": _get(b"Transfer-Encoding: gzip, chunked"),
    "transfer-encoding identity": _get(b"Transfer-Encoding: identity"),
    "transfer-encoding chunked twice": _get(b"Transfer-Encoding: chunked, chunked"),
    "transfer-encoding repeated": _get(
        b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity"
    ),
    "transfer-encoding quoted": _get(b'Transfer-Encoding: "chunked"'),
    "transfer-encoding vertical tab": _get(b"Transfer-Encoding: \x0bchunked"),
    "transfer-encoding spaced name": _get(b"Transfer-Encoding : chunked"),
    "host with path": b"GET /a HTTP/1.1\r\nHost: a/b\r\n\r\n",
    "host with user": b"GET /a HTTP/1.1\r\nHost: u@s3.test\r\n\r\n",
    "host with blank": b"GET /a HTTP/1.1\r\nHost: s3.test x\r\n\r\n",
    "host with comma": b"GET /a HTTP/1.1\r\nHost: a,b\r\n\r\n",
    "host with odd port": b"GET /a HTTP/1.1\r\nHost: s3.test:9x\r\n\r\n",
    "host empty": b"GET /a HTTP/1.1\r\nHost:\r\n\r\n",
    "host non-ASCII": b"GET /a HTTP/1.1\r\nHost: s3.t\xe9st\r\n\r\n",
    "host missing": b"GET /a HTTP/1.1\r\nX-A: b\r\n\r\n",
    "no field at all": b"GET /a HTTP/1.1\r\n\r\n",
    "host twice": _get(b"Host: s3.test"),
    "absolute-form": _get(line=b"GET http://s3.test/a HTTP/1.1"),
    "CONNECT": _get(line=b"CONNECT s3.test:443 HTTP/1.1"),
    "CONNECT of a path": _get(line=b"CONNECT /a HTTP/1.1"),
    "asterisk-form": _get(line=b"OPTIONS * HTTP/1.1"),
    "fragment": _get(line=b"GET /a#b HTTP/1.1"),
    "target without slash": _get(line=b"GET a HTTP/1.1"),
    "target of query only": _get(line=b"GET ?a HTTP/1.1"),
    "target missing": _get(line=b"GET  HTTP/1.1"),
    "target with blank": _get(line=b"GET /a b HTTP/1.1"),
    "target with tab": _get(line=b"GET /a\tb HTTP/1.1"),
    "target non-ASCII": _get(line=b"GET /\xc3\xa9 HTTP/1.1"),
    "control byte in value": _get(b"X-A: b\x01c"),
    "NUL in value": _get(b"X-A: b\x00c"),
    "DEL in value": _get(b"X-A: b\x7fc"),
    "escape in value": _get(b"X-A: \x1b[2J"),
    "NUL in target": _get(line=b"GET /a\x00 HTTP/1.1"),
    "blank in name": _get(b"X A: b"),
    "blank before colon": _get(b"X-A : b"),
    "name missing": _get(b": b"),
    "colon missing": _get(b"X-A"),
    "name non-ASCII": _get(b"X-\xc3\xa9: b"),
    "name quoted": _get(b'"X-A": b'),
    "expect of something else": _get(b"Expect: 200-ok"),
    "expect of two things": _get(b"Expect: 100-continue, x"),
    "expect twice": _get(b"Expect: 100-continue", b"Expect: 100-continue"),
    "empty line first": b"\r\n" + _get(),
    "tab in request line": _get(line=b"GET\t/a HTTP/1.1"),
    "two blanks in request line": _get(line=b"GET  /a HTTP/1.1"),
    "blank after version": _get(line=b"GET /a HTTP/1.1 "),
    "TLS hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
}

TOO_LARGE: dict[str, bytes] = {
    "201 fields": _get(*[b"X-%d: y" % number for number in range(200)]),
    "5000 fields": _get(*[b"a:b" for _ in range(5000)]),
    "block over 64 KiB arriving complete": _get(b"X-A: " + b"b" * 65_536),
    "block over 64 KiB without end": b"GET /a HTTP/1.1\r\nX-A: " + b"b" * 70_000,
    "target over 16 KiB": _get(line=b"GET /" + b"a" * 16_384 + b" HTTP/1.1"),
}

ACCEPTED: dict[str, bytes] = {
    "plain": _get(),
    "body": _get(b"Content-Length: 5"),
    "leading zeros": _get(b"Content-Length: 005"),
    "chunked": _get(b"Transfer-Encoding: Chunked", line=b"PUT /a HTTP/1.1"),
    "continue": _get(b"Content-Length: 5", b"Expect: 100-Continue"),
    "repeats": _get(b"X-A: 1", b"x-a: 2"),
    "HTTP/1.0": _get(line=b"GET /a HTTP/1.0"),
    "HTTP/1.0 without host": b"GET /a HTTP/1.0\r\n\r\n",
    "HTTP/1.0 expecting": _get(b"Expect: 100-continue", line=b"PUT /a HTTP/1.0"),
    "close": _get(b"Connection: foo, Close"),
    "keep-alive": _get(b"Connection: keep-alive"),
    "upgrade": _get(b"Connection: upgrade", b"Upgrade: h2c"),
    "other method": _get(line=b"OPTIONS /a HTTP/1.1"),
    "odd target": _get(line=b'GET //a/../b?x=%2F&y=|"<>^`{}\\ HTTP/1.1'),
    "odd values": _get(b"X-A: \t \xe9\xa0\x85 \t", b"X-B:", b"X-C:\xa0"),
    "odd names": _get(b"!#$%&'*+.^_`|~: x"),
    "IPv6 host": b"GET /a HTTP/1.1\r\nHost: [::1]:9000\r\n\r\n",
    "199 more fields": _get(*[b"X-%d: y" % number for number in range(199)]),
    "long target": _get(line=b"GET /" + b"a" * 16_000 + b" HTTP/1.1"),
    "long head": _get(b"X-A: " + b"b" * 60_000),
}
