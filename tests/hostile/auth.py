"""Requests of people who are not who they say, or changed what was signed."""

import re
from collections.abc import Callable, Iterator

from tests.behaviour.service import Query, Service
from tests.hostile.case import Case

Mutate = Callable[[bytes], bytes]
_SIGNATURE = re.compile(rb"Signature=([0-9a-f]{64})")


def _swap(old: bytes, new: bytes) -> Mutate:
    """Replace the first occurrence of old, which must be there."""

    def mutate(raw: bytes) -> bytes:
        assert old in raw, (old, raw)
        return raw.replace(old, new, 1)

    return mutate


def _add(line: bytes) -> Mutate:
    """Add a header line that was not signed."""
    return lambda raw: raw.replace(b"\r\n\r\n", b"\r\n" + line + b"\r\n\r\n", 1)


def _authorization(value: bytes) -> Mutate:
    """Replace the Authorization header's value."""
    return lambda raw: re.sub(
        rb"(?i)(authorization: )[^\r]*", rb"\1" + value, raw, count=1
    )


def _signature(value: bytes) -> Mutate:
    return lambda raw: _SIGNATURE.sub(b"Signature=" + value, raw, count=1)


def _flip(raw: bytes) -> bytes:
    found = _SIGNATURE.search(raw)
    assert found is not None
    other = b"0" if found[1][-1:] != b"0" else b"1"
    return raw[: found.end() - 1] + other + raw[found.end() :]


_HMAC = b"AWS4-HMAC-SHA256 "
_SIGNED = b"SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature="
# On a signed GET of one's own object: what is changed, and what the answer must be.
_TAMPERED: dict[str, tuple[Mutate, int, str]] = {
    "another key": (
        _swap(b"/photos/a", b"/photos/c%20d"),
        403,
        "SignatureDoesNotMatch",
    ),
    "another bucket": (_swap(b"/photos/a", b"/others/a"), 403, "SignatureDoesNotMatch"),
    "another method": (_swap(b"GET ", b"DELETE "), 403, "SignatureDoesNotMatch"),
    "a query more": (
        _swap(b"/photos/a ", b"/photos/a?partNumber=1 "),
        403,
        "SignatureDoesNotMatch",
    ),
    "a subresource more": (
        _swap(b"/photos/a ", b"/photos/a?acl "),
        403,
        "SignatureDoesNotMatch",
    ),
    "another host": (_swap(b"s3.test", b"evil.test"), 403, "SignatureDoesNotMatch"),
    "a bucket in the host": (
        _swap(b"s3.test", b"others.s3.example"),
        403,
        "SignatureDoesNotMatch",
    ),
    "dots in the path": (
        _swap(b"/photos/a", b"/photos/../others/a"),
        403,
        "SignatureDoesNotMatch",
    ),
    "escaped dots": (
        _swap(b"/photos/a", b"/photos/%2e%2e/others/a"),
        403,
        "SignatureDoesNotMatch",
    ),
    "two slashes": (_swap(b"/photos/a", b"//photos/a"), 400, "InvalidURI"),
    "another day's scope": (
        _swap(b"/us-east-1/", b"/eu-west-1/"),
        403,
        "SignatureDoesNotMatch",
    ),
    "a flipped digit": (_flip, 403, "SignatureDoesNotMatch"),
    "an empty signature": (_signature(b""), 400, "AuthorizationHeaderMalformed"),
    "a short signature": (_signature(b"abc"), 403, "SignatureDoesNotMatch"),
    "a signature of zeros": (_signature(b"0" * 64), 403, "SignatureDoesNotMatch"),
    "a signature that is no hex": (_signature(b"z" * 64), 403, "SignatureDoesNotMatch"),
    "a signature not ASCII": (_signature(b"\xe9" * 64), 403, "SignatureDoesNotMatch"),
    "an upper-case signature": (_signature(b"A" * 64), 403, "SignatureDoesNotMatch"),
    "an unsigned x-amz header": (_add(b"x-amz-meta-x: y"), 403, "AccessDenied"),
    "an unsigned copy source": (
        _add(b"x-amz-copy-source: /others/a"),
        403,
        "AccessDenied",
    ),
    "an unsigned acl": (_add(b"x-amz-acl: public-read"), 403, "AccessDenied"),
    "a second payload hash": (
        _add(b"x-amz-content-sha256: UNSIGNED-PAYLOAD"),
        403,
        "SignatureDoesNotMatch",
    ),
    "a token besides": (_add(b"X-Proxy-Token: something"), 400, "InvalidArgument"),
    "a second authorization": (
        _add(b"Authorization: AWS photoskey:abc"),
        400,
        "AuthorizationHeaderMalformed",
    ),
    "the host not signed": (
        _swap(b"SignedHeaders=host;", b"SignedHeaders="),
        403,
        "AccessDenied",
    ),
    "headers twice in the list": (
        _swap(b"SignedHeaders=host;", b"SignedHeaders=host;host;"),
        400,
        "AuthorizationHeaderMalformed",
    ),
    "headers out of order": (
        _swap(
            _SIGNED, b"SignedHeaders=x-amz-date;host;x-amz-content-sha256, Signature="
        ),
        403,
        "SignatureDoesNotMatch",
    ),
    "headers in capitals": (
        _swap(b"SignedHeaders=host;", b"SignedHeaders=HOST;"),
        400,
        "AuthorizationHeaderMalformed",
    ),
    "a header that is not there": (
        _swap(b"SignedHeaders=host;", b"SignedHeaders=cookie;host;"),
        403,
        "SignatureDoesNotMatch",
    ),
    "the empty list": (
        _swap(_SIGNED, b"SignedHeaders=, Signature="),
        400,
        "AuthorizationHeaderMalformed",
    ),
    "another's key": (_swap(b"photoskey", b"otherskey"), 403, "SignatureDoesNotMatch"),
    "an unknown key": (_swap(b"photoskey", b"nobodykey"), 403, "InvalidAccessKeyId"),
    "an empty key": (
        _swap(b"Credential=photoskey", b"Credential="),
        400,
        "AuthorizationHeaderMalformed",
    ),
    "a key of 5000 letters": (
        _swap(b"photoskey", b"k" * 5000),
        403,
        "InvalidAccessKeyId",
    ),
    "a key not ASCII": (
        _swap(b"photoskey", b"photosk\xe9y"),
        403,
        "InvalidAccessKeyId",
    ),
    "another service": (
        _swap(b"/s3/aws4", b"/iam/aws4"),
        400,
        "AuthorizationHeaderMalformed",
    ),
    "another terminal": (
        _swap(b"aws4_request", b"aws5_request"),
        400,
        "AuthorizationHeaderMalformed",
    ),
    "nothing": (_authorization(b""), 403, "AccessDenied"),
    "the scheme alone": (
        _authorization(b"AWS4-HMAC-SHA256"),
        400,
        "AuthorizationHeaderMalformed",
    ),
    "an empty list": (
        _authorization(_HMAC + b",,,"),
        400,
        "AuthorizationHeaderMalformed",
    ),
    "parts without values": (
        _authorization(_HMAC + b"Credential, SignedHeaders, Signature"),
        400,
        "AuthorizationHeaderMalformed",
    ),
    "a part twice": (
        lambda raw: raw.replace(
            b"SignedHeaders=",
            b"Credential=x/20260101/us-east-1/s3/aws4_request, SignedHeaders=",
            1,
        ),
        400,
        "AuthorizationHeaderMalformed",
    ),
    "no credential": (
        lambda raw: re.sub(rb"Credential=[^,]*, ?", b"", raw, count=1),
        400,
        "AuthorizationHeaderMalformed",
    ),
    "no signature": (
        lambda raw: re.sub(rb", ?Signature=[0-9a-f]*", b"", raw, count=1),
        400,
        "AuthorizationHeaderMalformed",
    ),
    "a scope of two pieces": (
        lambda raw: re.sub(
            rb"Credential=[^,]*", b"Credential=photoskey/20260101", raw, count=1
        ),
        400,
        "AuthorizationHeaderMalformed",
    ),
    "a scope of nine pieces": (
        _swap(b"/us-east-1/", b"/us/east/1/x/y/"),
        400,
        "AuthorizationHeaderMalformed",
    ),
    "basic": (
        _authorization(b"Basic cGhvdG9za2V5OnBob3Rvc3NlY3JldA=="),
        400,
        "InvalidArgument",
    ),
    "bearer": (_authorization(b"Bearer photossecret"), 400, "InvalidArgument"),
    "sigv2": (_authorization(b"AWS photoskey:c2lnbmF0dXJl"), 400, "InvalidRequest"),
    "sigv4a": (
        _authorization(b"AWS4-ECDSA-P256-SHA256 Credential=photoskey/x"),
        400,
        "AuthorizationHeaderMalformed",
    ),
    "aws4 with another hash": (
        _authorization(b"AWS4-HMAC-SHA512 Credential=photoskey/x"),
        400,
        "AuthorizationHeaderMalformed",
    ),
    "64 KB of commas": (
        _authorization(_HMAC + b"," * 60_000),
        400,
        "AuthorizationHeaderMalformed",
    ),
    "no date": (
        lambda raw: re.sub(rb"(?i)x-amz-date: [^\r]*\r\n", b"", raw, count=1),
        403,
        "AccessDenied",
    ),
    "a date that is none": (
        lambda raw: re.sub(rb"(?i)(x-amz-date: )[^\r]*", rb"\1yesterday", raw, count=1),
        403,
        "AccessDenied",
    ),
    "the year 9999": (
        lambda raw: re.sub(
            rb"(?i)(x-amz-date: )[^\r]*", rb"\g<1>99991231T235959Z", raw, count=1
        ),
        403,
        "AccessDenied",
    ),
    "the year 0": (
        lambda raw: re.sub(
            rb"(?i)(x-amz-date: )[^\r]*", rb"\g<1>00000101T000000Z", raw, count=1
        ),
        403,
        "AccessDenied",
    ),
    "a day ago": (
        lambda raw: re.sub(
            rb"(?i)(x-amz-date: )[^\r]*", rb"\g<1>20200101T000000Z", raw, count=1
        ),
        400,
        "AuthorizationHeaderMalformed",
    ),
    "digits of another script": (
        lambda raw: re.sub(
            rb"(?i)(x-amz-date: )[^\r]*",
            b"x-amz-date: \xd9\xa2\xd9\xa0260101T000000Z",
            raw,
            count=1,
        ),
        403,
        "AccessDenied",
    ),
    "no payload hash": (
        lambda raw: re.sub(rb"(?i)x-amz-content-sha256: [^\r]*\r\n", b"", raw, count=1),
        400,
        "InvalidRequest",
    ),
    "a payload hash that is none": (
        lambda raw: re.sub(
            rb"(?i)(x-amz-content-sha256: )[^\r]*", rb"\1nonsense", raw, count=1
        ),
        403,
        "SignatureDoesNotMatch",
    ),
    "an unknown streaming form": (
        lambda raw: re.sub(
            rb"(?i)(x-amz-content-sha256: )[^\r]*",
            rb"\1STREAMING-AWS4-HMAC-SHA512-PAYLOAD",
            raw,
            count=1,
        ),
        403,
        "SignatureDoesNotMatch",
    ),
}

_WHO_AM_I: dict[str, tuple[bytes, int]] = {
    "no credentials": (b"", 403),
    "an empty token": (b"X-Proxy-Token: \r\n", 403),
    "a wrong token": (b"X-Proxy-Token: guess\r\n", 403),
    "a secret for a token": (b"X-Proxy-Token: photossecret\r\n", 403),
    "a token not ASCII": (b"X-Proxy-Token: \xc3\xa9\r\n", 403),
    "two tokens": (b"X-Proxy-Token: a\r\nX-Proxy-Token: b\r\n", 403),
    "a forwarded address": (b"X-Forwarded-For: 127.0.0.1\r\n", 403),
    "a forged user": (b"X-Amz-User: photoskey\r\nRemote-User: photoskey\r\n", 403),
    "a session token": (b"X-Amz-Security-Token: x\r\n", 403),
    "a cookie": (b"Cookie: session=admin\r\n", 403),
}
_TARGETS = ("GET /photos/a", "GET /photos", "DELETE /photos/a", "GET /", "GET /none/a")

_PRESIGNED: dict[str, tuple[Query, int]] = {
    "no signature": ((("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),), 400),
    "another algorithm": ((("X-Amz-Algorithm", "none"), ("X-Amz-Signature", "x")), 400),
    "an empty algorithm": ((("X-Amz-Algorithm", ""), ("X-Amz-Signature", "")), 400),
}
_EXPIRES = (
    "0",
    "-1",
    "604801",
    "1_0",
    "+60",
    " 60",
    "6e1",
    "٦٠",
    "",
    "9" * 30,
    "60.0",
    "0x3c",
)


def cases() -> Iterator[Case]:
    """Yield every case of this class."""
    for name, (mutate, status, code) in _TAMPERED.items():
        yield Case(
            name=f"auth: signed, then {name}",
            make=lambda service, mutate=mutate: mutate(
                service.request("GET", "/photos/a")
            ),
            status=status,
            code=code,
        )
    for name, (lines, status) in _WHO_AM_I.items():
        for target in _TARGETS:
            first = target.encode() + b" HTTP/1.1\r\nHost: s3.test\r\n"
            yield Case(
                name=f"auth: {name}, {target}",
                make=lambda _service, raw=first + lines + b"\r\n": raw,
                status=status,
                code="AccessDenied",
            )
    for name, (query, status) in _PRESIGNED.items():
        yield Case(
            name=f"auth: presigned with {name}",
            make=lambda service, query=query: service.request(
                "GET", "/photos/a", query, who=None
            ),
            status=status,
            code="AuthorizationQueryParametersError",
        )
    for value in _EXPIRES:
        yield Case(
            name=f"auth: presigned, expires {value!r}",
            make=lambda service, value=value: _presigned(service, value),
            status=400,
            code="AuthorizationQueryParametersError",
        )


def _presigned(service: Service, expires: str) -> bytes:
    query = (
        ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
        ("X-Amz-Credential", "photoskey/20260101/us-east-1/s3/aws4_request"),
        ("X-Amz-Date", "20260101T000000Z"),
        ("X-Amz-Expires", expires),
        ("X-Amz-SignedHeaders", "host"),
        ("X-Amz-Signature", "0" * 64),
    )
    return service.request("GET", "/photos/a", query, who=None)
