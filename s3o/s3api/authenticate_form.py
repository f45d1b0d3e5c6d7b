"""Who signed a browser's form, and whether its policy allows what it asks.

The one thing signed is the policy's text; everything else in a form is worth what the
policy says of it. Rules: exactly one signature, of version 4, or of version 2 where
that is allowed; it is judged before the policy is read; an unknown access key costs the
work of a wrong signature. The date of a signature of version 4 names its key; how long
the form is good is the policy's to say.

Source: AWS, "Authenticating requests: browser-based uploads using POST".
"""

from collections.abc import Mapping

from s3o.model.errors import (
    AccessDenied,
    InvalidArgument,
    SeveralAuthMechanisms,
    SignatureMismatch,
    SigV2Refused,
)
from s3o.s3api.authenticate_sigv2 import check_signature
from s3o.s3api.credentials import Caller, CredentialBook, require_signature
from s3o.wire.sigv4 import ALGORITHM
from s3o.wire.sigv4_claims import parse_form

_V4_NAMES = ("x-amz-algorithm", "x-amz-credential", "x-amz-signature")
_V2_NAMES = ("awsaccesskeyid", "signature")
_SPELLED = {
    "awsaccesskeyid": "AWSAccessKeyId",
    "policy": "policy",
    "signature": "signature",
    "x-amz-algorithm": "X-Amz-Algorithm",
    "x-amz-credential": "X-Amz-Credential",
    "x-amz-date": "X-Amz-Date",
    "x-amz-signature": "X-Amz-Signature",
}


def authenticate_form(fields: Mapping[str, str], book: CredentialBook) -> Caller:
    """Return who signed the policy among a form's fields, names folded.

    Raises AuthError; InvalidArgument for a signature that is not whole.
    """
    is_v4 = any(name in fields for name in _V4_NAMES)
    is_v2 = any(name in fields for name in _V2_NAMES)
    if is_v4 and is_v2:
        raise SeveralAuthMechanisms
    if not is_v4 and not is_v2 and "policy" not in fields:
        raise AccessDenied
    if is_v2 and not book.allows_sigv2:
        raise SigV2Refused
    caller = _check_v2(fields, book) if is_v2 else _check_v4(fields, book)
    if fields.get("x-amz-security-token"):
        raise AccessDenied("there are no temporary credentials here")
    return caller


def _check_v4(fields: Mapping[str, str], book: CredentialBook) -> Caller:
    algorithm, policy, credential, date, signature = (
        _require(fields, name)
        for name in (
            *("x-amz-algorithm", "policy", "x-amz-credential", "x-amz-date"),
            "x-amz-signature",
        )
    )
    if algorithm != ALGORITHM:
        raise InvalidArgument(
            "X-Amz-Algorithm",
            algorithm[:64],
            f"X-Amz-Algorithm only supports {ALGORITHM}",
        )
    claim = parse_form(credential, date, signature)
    signatory = claim.signatory
    if book.region is not None and signatory.scope.region != book.region:
        raise InvalidArgument(
            "X-Amz-Credential",
            credential[:256],
            f"the region '{signatory.scope.region}' is wrong; expecting "
            f"'{book.region}'",
        )
    key, caller = book.key_for(signatory.access_key_id, signatory.scope)
    expected = key.sign(policy.encode("utf-8"))
    return require_signature(
        caller,
        signatory.access_key_id,
        claim.signature,
        expected,
        lambda: SignatureMismatch(signatory.access_key_id, policy),
    )


def _check_v2(fields: Mapping[str, str], book: CredentialBook) -> Caller:
    policy, access_key_id, signature = (
        _require(fields, name) for name in ("policy", "awsaccesskeyid", "signature")
    )
    text = policy.encode("utf-8").decode("latin-1")
    return check_signature(book, access_key_id, signature, text)


def _require(fields: Mapping[str, str], name: str) -> str:
    value = fields.get(name)
    if not value:
        raise InvalidArgument(
            _SPELLED[name],
            "",
            f"Bucket POST must contain a field named '{_SPELLED[name]}'. If it is "
            "specified, please check the order of the fields.",
        )
    return value
