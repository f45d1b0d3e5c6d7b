"""Documents that make a parser read files, grow without end, or guess."""

from collections.abc import Iterator

from s3o.model import limits
from tests.hostile.case import Case
from tests.hostile.signed import Ask, Row, rows

_HEAD = b'<?xml version="1.0" encoding="UTF-8"?>'
_LAUGHS = b"".join(
    b'<!ENTITY l%d "%s">' % (n, b"&l%d;" % (n - 1) * 10) for n in range(1, 10)
)


def documents(root: bytes) -> dict[str, bytes]:
    """Return what is wrong with a document whatever its root element is."""
    whole = b"<%s/>" % root

    def inside(text: bytes) -> bytes:
        return b"<%s>%s</%s>" % (root, text, root)

    return {
        "no document": b"",
        "no XML": b"nonsense",
        "JSON": b"{}",
        "a billion laughs": b'<!DOCTYPE x [<!ENTITY l0 "l">'
        + _LAUGHS
        + b"]>"
        + inside(b"&l9;"),
        "an external entity": b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
        + inside(b"&e;"),
        "an external DTD": b'<!DOCTYPE x SYSTEM "http://169.254.169.254/x.dtd">'
        + whole,
        "a parameter entity": b'<!DOCTYPE x [<!ENTITY % p SYSTEM "file:///x"> %p;]>'
        + whole,
        "an empty DOCTYPE": b"<!DOCTYPE x>" + whole,
        "an unknown entity": inside(b"&unknown;"),
        "an instruction": inside(b"<?php echo 1; ?>"),
        "an inclusion": inside(
            b'<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="/etc/x"/>'
        ),
        "a depth of 10000": inside(b"<a>" * 10_000 + b"</a>" * 10_000),
        "a depth of 9": inside(b"<a>" * 9 + b"</a>" * 9),
        "100001 elements": inside(b"<a/>" * 100_001),
        "UTF-16": (_HEAD.decode() + whole.decode()).encode("utf-16"),
        "UTF-7": b'<?xml version="1.0" encoding="UTF-7"?>' + whole,
        "Latin-1": b'<?xml version="1.0" encoding="ISO-8859-1"?>' + whole,
        "no UTF-8": inside(b"\xff\xfe"),
        "overlong UTF-8": inside(b"\xc0\xbc"),
        "NUL": inside(b"\x00"),
        "a NUL by number": inside(b"&#0;"),
        "text after it": whole + b"x",
        "two roots": whole + whole,
        "half a document": b"<%s><a>" % root,
        "crossed elements": inside(b"<a><b></a></b>"),
        "another root": b"<Other/>",
        "the root in small": b"<%s/>" % root.lower(),
        "another namespace": b'<%s xmlns="http://evil.test/"/>' % root,
        "two attributes of one name": b'<%s a="1" a="2"/>' % root,
        "XML 1.1": b'<?xml version="1.1"?>' + whole,
        "9 MiB": inside(b" " * (9 << 20)),
    }


_LIMITS = {
    "delete": limits.XML_LARGE_BYTES,
    "cors": limits.CORS_XML_BYTES,
    "lifecycle": limits.LIFECYCLE_XML_BYTES,
}
_KINDS: tuple[tuple[str, str, str, bytes], ...] = (
    ("POST", "/photos", "delete", b"Delete"),
    ("PUT", "/photos/a", "tagging", b"Tagging"),
    ("PUT", "/photos", "cors", b"CORSConfiguration"),
    ("PUT", "/photos", "lifecycle", b"LifecycleConfiguration"),
)


def _table() -> Iterator[Row]:
    for method, path, subresource, root in _KINDS:
        for name, body in documents(root).items():
            is_long = len(body) > _LIMITS.get(subresource, limits.XML_BYTES)
            code = "MaxMessageLengthExceeded" if is_long else "MalformedXML"
            ask = Ask(method=method, path=path, query=((subresource, ""),), body=body)
            yield f"{subresource}: {name}", ask, 400, code
    keys = b"".join(b"<Object><Key>%d</Key></Object>" % n for n in range(1001))
    for name, content in {
        "1001 keys": keys,
        "no key": b"<Object></Object>",
        "two keys in one": b"<Object><Key>x</Key><Key>a</Key></Object>",
        "an odd Quiet": b"<Quiet>maybe</Quiet><Object><Key>x</Key></Object>",
        "an element more": b"<Object><Key>x</Key><Evil>1</Evil></Object>",
    }.items():
        body = b"<Delete>%s</Delete>" % content
        ask = Ask(method="POST", path="/photos", query=(("delete", ""),), body=body)
        yield f"delete: {name}", ask, 400, "MalformedXML"


def cases() -> Iterator[Case]:
    """Yield every case of this class."""
    yield from rows("xml", _table())
