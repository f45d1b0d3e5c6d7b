"""Clients for tests: they sign requests by our own signer and send pieces of a body."""

import hashlib
from urllib.parse import quote, urlsplit

import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from s3o.model.names import BucketName
from s3o.model.tenants import bucket_principal
from s3o.net.exchange import RequestHead
from s3o.s3api.authenticate import authenticate
from s3o.s3api.credentials import CredentialBook, Grant
from s3o.s3api.payload import Authenticated
from s3o.wire import sigv4
from s3o.wire.sigv4_claims import parse_timestamp
from s3o.wire.target import parse_target

ACCESS_KEY = "AKIAIOSFODNN7EXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
TOKEN = "a-token-of-old"
HOST = "s3.example.com"
NOW_US = 1369353600_000_000  # 2013-05-24T00:00:00Z
TIMESTAMP = "20130524T000000Z"
SCOPE = sigv4.Scope("20130524", "us-east-1")
PHOTOS = BucketName("photos")
BOOK = CredentialBook(
    [
        Grant(
            principal=bucket_principal(PHOTOS),
            access_key_id=ACCESS_KEY,
            secret_access_key=SECRET,
        ),
        Grant(principal="bucket:backups", token=TOKEN),
    ]
)


class Sent:
    """The reading side of an exchange: pieces in order, then the end."""

    def __init__(self, pieces):
        self.pieces = [piece for piece in pieces if piece]
        self.reads = 0

    async def read(self):
        self.reads += 1
        return self.pieces.pop(0) if self.pieces else b""


def make_head(method, target, headers, *, length=None, is_chunked=False):
    """Return a request head as the listener makes it."""
    pairs = tuple((name.lower(), value) for name, value in headers)
    fields = {}
    for name, value in pairs:
        fields[name] = f"{fields[name]},{value}" if name in fields else value
    return RequestHead(
        method=method,
        target=target,
        headers=pairs,
        fields=fields,
        content_length=length,
        is_chunked=is_chunked,
        expects_continue=False,
        is_http10=False,
    )


def sign_head(
    method="GET",
    target="/photos/cat.jpg",
    headers=(),
    *,
    payload="UNSIGNED-PAYLOAD",
    access_key=ACCESS_KEY,
    secret=SECRET,
    region="us-east-1",
    service="s3",
    at_us=NOW_US,
    length=None,
    is_chunked=False,
):
    """Return a head signed by the Authorization header, and the chain it begins."""
    parsed = parse_target(target, None, ())
    signer = sigv4.RequestSigner(access_key, secret, region, service)
    signed, chain = signer.sign_with_seed(
        method,
        parsed.canonical_path,
        parsed.query.pairs,
        (("host", HOST), *headers),
        payload,
        at_us,
    )
    return make_head(
        method, target, signed, length=length, is_chunked=is_chunked
    ), chain


def sign(*args, **kwargs):
    """Return a head signed by the Authorization header."""
    return sign_head(*args, **kwargs)[0]


def presign(
    method="GET",
    path="/photos/cat.jpg",
    query=(),
    headers=(),
    *,
    expires="3600",
    access_key=ACCESS_KEY,
    secret=SECRET,
    region="us-east-1",
    timestamp=TIMESTAMP,
    payload="UNSIGNED-PAYLOAD",
    change=(),
):
    """Return a head with a presigned target; change: parameters set before signing."""
    signed = sorted([("host", HOST), *headers])
    scope = sigv4.Scope(timestamp[:8], region)
    parameters = {
        **dict(query),
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"{access_key}/{scope.text}",
        "X-Amz-Date": timestamp,
        "X-Amz-Expires": expires,
        "X-Amz-SignedHeaders": ";".join(name for name, _ in signed),
        **dict(change),
    }
    pairs = [pair for pair in parameters.items() if pair[1] is not None]
    canonical = sigv4.canonical_request(method, path, pairs, signed, payload)
    text = sigv4.string_to_sign(timestamp, scope, canonical)
    signature = sigv4.sign(sigv4.derive_key(secret, scope), text)
    pairs.append(("X-Amz-Signature", signature))
    query_text = "&".join(f"{quote(n, '')}={quote(v, '')}" for n, v in pairs)
    return make_head(method, f"{path}?{query_text}", signed)


def check(head, *, book=BOOK, now_us=NOW_US) -> Authenticated:
    """Authenticate as the door does."""
    return authenticate(head, parse_target(head.target, None, ()), book, now_us)


def change(head, **changes):
    """Return the head with headers set (or removed with None); "_" stands for "-"."""
    fields = dict(head.headers)
    for name, value in changes.items():
        name = name.replace("_", "-")
        fields.pop(name, None)
        if value is not None:
            fields[name] = value
    return make_head(
        head.method,
        head.target,
        fields.items(),
        length=head.content_length,
        is_chunked=head.is_chunked,
    )


def sha256(data):
    """Return the SHA-256 in hex."""
    return hashlib.sha256(data).hexdigest()


def botocore_head(method, url, headers=(), body=b"", *, is_presigned=False):
    """Return a head signed by botocore, and when it says that this was."""
    kind = botocore.auth.S3SigV4QueryAuth if is_presigned else botocore.auth.S3SigV4Auth
    auth = kind(Credentials(ACCESS_KEY, SECRET), "s3", "us-east-1")
    request = AWSRequest(method, url, headers=dict(headers), data=body)
    auth.add_auth(request)
    parts = urlsplit(request.url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    sent = {name.lower(): str(value) for name, value in request.headers.items()}
    sent.setdefault("host", parts.netloc)
    head = make_head(method, target, sent.items(), length=len(body))
    at_us = parse_timestamp(request.context["timestamp"])
    assert at_us is not None
    return head, at_us
