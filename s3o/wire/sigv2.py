"""Signature version 2, as old clients presign URLs and sign POST forms with it.

Everything is a function over values; time comes as an argument. What the signature
leaves open is not this file's to forgive: sub-resources outside SIGNED_PARAMETERS are
not covered by it, so whoever verifies must refuse them.

- The path is signed as it was sent, after the bucket's name for virtual-host requests.
- Every x-amz-* header is signed, be it a header or, as boto sends it, a parameter of
  the query in its stead; so are Content-MD5 and Content-Type.
- Text is latin-1, one character per byte on the wire.

Source: AWS, "Signing and authenticating REST requests (AWS signature version 2)".
"""

import base64
import hmac
from collections.abc import Mapping
from dataclasses import dataclass

from s3o.model.errors import AccessDenied
from s3o.model.numbers import parse_uint
from s3o.wire.target import Query, Target

SIGNED_PARAMETERS = frozenset(
    {
        *("accelerate", "acl", "analytics", "cors", "defaultObjectAcl", "delete"),
        *("inventory", "lifecycle", "location", "logging", "metrics", "notification"),
        *("object-lock", "partNumber", "policy", "replication", "requestPayment"),
        *("response-cache-control", "response-content-disposition"),
        *("response-content-encoding", "response-content-language"),
        *("response-content-type", "response-expires", "restore", "select"),
        *("select-type", "storageClass", "tagging", "torrent", "uploadId", "uploads"),
        *("versionId", "versioning", "versions", "website"),
    }
)
# Headers besides x-amz-* that may stand in the query instead.
HOISTED_HEADERS = ("content-md5", "content-type")
ACCESS_KEY = "AWSAccessKeyId"
SIGNATURE = "Signature"
_NAMES = (ACCESS_KEY, SIGNATURE, "Expires")
_PREFIX = "x-amz-"
_WHITE = " \t"
_END_OF_TIME_S = 253_370_764_800  # the year 9999


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a presigned URL says of its signature; nothing of it is verified."""

    access_key_id: str
    signature: str
    expires: str  # as signed
    expires_at_us: int


def parse_presigned(query: Query) -> Claim:
    """Return the claim of a presigned URL; raises AccessDenied, as AWS does."""
    if any(query.count(name) != 1 for name in _NAMES):
        raise AccessDenied(
            "Query-string authentication requires the Signature, Expires and "
            "AWSAccessKeyId parameters"
        )
    access_key_id, signature, expires = (query.get(name) or "" for name in _NAMES)
    try:
        expires_at_s = parse_uint(expires, 0, _END_OF_TIME_S)
    except ValueError:
        raise AccessDenied(
            f"Invalid date (should be seconds since epoch): {expires[:64]}"
        ) from None
    return Claim(
        access_key_id=access_key_id,
        signature=signature,
        expires=expires,
        expires_at_us=expires_at_s * 1_000_000,
    )


def sign(secret: str, text: str) -> str:
    """Return the signature of text in base64."""
    key = secret.encode("utf-8")
    digest = hmac.digest(key, text.encode("latin-1"), "sha1")
    return base64.b64encode(digest).decode("ascii")


def string_to_sign(
    method: str, target: Target, fields: Mapping[str, str], expires: str
) -> str:
    """Return what a presigned URL's signature covers; fields are the headers."""
    hoisted = {
        name.lower(): _as_header(value)
        for name, value in reversed(target.query.pairs)
        if name.isascii() and _is_header(name.lower())
    }
    known = {**hoisted, **fields}
    lines = [
        method,
        *(known.get(name, "") for name in HOISTED_HEADERS),
        expires,
        *(
            f"{name}:{known[name].strip(_WHITE)}"
            for name in sorted(known)
            if name.startswith(_PREFIX)
        ),
        canonical_resource(target),
    ]
    return "\n".join(lines)


def canonical_resource(target: Target) -> str:
    """Return bucket, path as sent, and the parameters that are signed, sorted."""
    path = target.path
    if target.is_in_host:
        path = f"/{target.bucket}{path}"
    signed = [
        f"{name}={_as_header(value)}" if value else name
        for name, value in sorted(target.query.pairs)
        if name in SIGNED_PARAMETERS
    ]
    return f"{path}?{'&'.join(signed)}" if signed else path


def _is_header(name: str) -> bool:
    return name.startswith(_PREFIX) or name in HOISTED_HEADERS


def _as_header(value: str) -> str:
    return value.encode("utf-8").decode("latin-1")
