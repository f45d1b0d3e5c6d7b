"""Presigned URLs of signature version 2, where the operator allows them.

Rules: the signature is judged before the time is told; what it does not cover must not
count, so a sub-resource that version 2 never signs is refused; the payload is unsigned
unless a signed header says otherwise. Requests signed in a header are never accepted.

Source: AWS, "Signing and authenticating REST requests (AWS signature version 2)".
"""

from s3o.model.errors import (
    AccessDenied,
    PresignedExpired,
    SignatureMismatch,
)
from s3o.net.exchange import RequestHead
from s3o.s3api.credentials import Caller, CredentialBook, require_signature
from s3o.s3api.hoisted import merge_hoisted_headers
from s3o.s3api.operations import is_subresource
from s3o.s3api.payload import PAYLOAD_HEADER, Authenticated, plan_body
from s3o.wire import sigv2
from s3o.wire.dates import render_iso_date
from s3o.wire.sigv4 import UNSIGNED_PAYLOAD
from s3o.wire.target import Query, Target

_TEMPORARY = "x-amz-security-token"
# Version 2 never signs a listing's parameters; everybody knows that.
_UNSIGNED = frozenset({"list-type"})


def check_sigv2_presigned(
    head: RequestHead, target: Target, book: CredentialBook, now_us: int
) -> Authenticated:
    """Return whom a URL presigned with version 2 proves; raises AuthError."""
    claim = sigv2.parse_presigned(target.query)
    text = sigv2.string_to_sign(head.method, target, head.fields, claim.expires)
    caller = check_signature(book, claim.access_key_id, claim.signature, text)
    if now_us > claim.expires_at_us:
        raise PresignedExpired(
            "Request has expired",
            render_iso_date(claim.expires_at_us),
            render_iso_date(now_us),
        )
    _refuse_unsigned(target.query)
    if _TEMPORARY in head.fields or _TEMPORARY in map(str.lower, target.query.names):
        raise AccessDenied("there are no temporary credentials here")
    fields = merge_hoisted_headers(head.fields, target.query)
    payload = fields.get(PAYLOAD_HEADER, UNSIGNED_PAYLOAD)
    plan = plan_body(head, payload, claim.access_key_id, None, fields)
    return Authenticated(caller, plan)


def check_signature(
    book: CredentialBook, access_key_id: str, signature: str, text: str
) -> Caller:
    """Return whose signature of version 2 this is.

    Raises UnknownAccessKey, SignatureMismatch, in constant time.
    """
    expected, caller = book.sign_v2(access_key_id, text)
    return require_signature(
        caller,
        access_key_id,
        signature,
        expected,
        lambda: SignatureMismatch(access_key_id, text),
    )


def _refuse_unsigned(query: Query) -> None:
    for name in query.names:
        if (
            is_subresource(name)
            and name not in sigv2.SIGNED_PARAMETERS
            and name not in _UNSIGNED
        ):
            raise AccessDenied(
                f"the query parameter {name[:64]} is not covered by a signature of "
                "version 2"
            )
