"""Fuzz authentication: request target, Authorization header, presigned queries.

The input is text: `method target`, then header lines `name:value`. Whatever it holds,
it is refused with a domain error, proves the one caller there is, or shows nothing that
could prove anybody; and the target has one reading, which survives being written down
and read again.
"""

from urllib.parse import unquote_to_bytes

from s3o.model.errors import InvalidUri, RequestError
from s3o.net.exchange import RequestHead
from s3o.s3api.authenticate import authenticate
from s3o.s3api.body import open_body
from s3o.s3api.credentials import CredentialBook, Grant
from s3o.wire.sigv4 import encode_path, encode_query
from s3o.wire.target import Target, parse_query, parse_target

NOW_US = 1369353600_000_000  # 2013-05-24, the day of AWS's examples
ACCESS_KEY = "AKIAIOSFODNN7EXAMPLE"
BOOK = CredentialBook(
    [
        Grant(
            principal="bucket:photos",
            access_key_id=ACCESS_KEY,
            secret_access_key="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        )
    ],
    allows_sigv2=True,
)
DOMAINS = ("s3.example.com", "example.com")


class Silent:
    """A body nobody sends."""

    async def read(self) -> bytes:
        """Return the end."""
        return b""


def one(data: bytes) -> None:
    """Check one input; raises AssertionError where a rule is broken."""
    head = _read_head(data)
    try:
        target = parse_target(head.target, head.fields.get("host"), DOMAINS)
    except InvalidUri:
        return
    _check_target(target)
    try:
        authenticated = authenticate(head, target, BOOK, NOW_US)
        if authenticated.caller.is_anonymous:
            assert head.method in ("GET", "HEAD")
            assert head.fields.keys().isdisjoint(("authorization", "x-proxy-token"))
            assert target.query.names.isdisjoint(("Signature", "X-Amz-Signature"))
        else:
            assert ACCESS_KEY == authenticated.caller.access_key_id
        source = open_body(Silent(), authenticated.body)
        assert source.size >= 0
    except RequestError:
        pass


def _read_head(data: bytes) -> RequestHead:
    first, *lines = data.decode("latin-1").split("\n")
    method, _, target = first.partition(" ")
    fields: dict[str, str] = {}
    for line in lines[:200]:
        name, _, value = line.partition(":")
        name, value = name.lower(), value.strip(" \t\r")
        fields[name] = f"{fields[name]},{value}" if name in fields else value
    length = fields.get("content-length", "")
    return RequestHead(
        method=method,
        target=target,
        headers=tuple(fields.items()),
        fields=fields,
        content_length=len(length) if length else None,
        is_chunked="transfer-encoding" in fields,
        expects_continue=False,
        is_http10=False,
    )


def _check_target(target: Target) -> None:
    assert target.bucket != ""
    assert target.key != b""
    assert target.bucket is not None or target.key is None
    if target.key is not None:
        target.key.decode("utf-8")
        assert unquote_to_bytes(target.path).endswith(target.key)
    # What is signed says the same as what was sent, in one spelling.
    decoded = unquote_to_bytes(target.path)
    assert target.canonical_path == encode_path(decoded)
    assert decoded == unquote_to_bytes(target.canonical_path)
    again = parse_query(encode_query(target.query.pairs))
    kept = [pair for pair in target.query.pairs if pair != ("", "")]
    assert sorted(pair for pair in again.pairs if pair != ("", "")) == sorted(kept)
