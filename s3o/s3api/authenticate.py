"""Who is calling, and the only way to their body: before anything else is decided.

Rules:
- A request has exactly one mechanism: signature version 4 in the Authorization header,
  a presigned query (of version 2 only where that is allowed), or X-Proxy-Token. Two are
  refused, and one that fails never falls through to another, nor to nobody.
- `host` and every x-amz-* header must be signed: else somebody on the way could turn a
  signed PUT into a copy.
- An unknown access key costs the same work as a wrong signature; comparisons take
  constant time. Nothing is said about a signature before its date and scope are right.
- The payload's mode is part of what was signed, and decides how the body is read; a
  mode that is not known is refused, never taken for a plain body.

Source: AWS, "Authenticating requests (AWS Signature Version 4)".
"""

from collections.abc import Mapping, Sequence
from enum import Enum, auto
from functools import partial

from s3o.model.errors import (
    AccessDenied,
    AuthorizationMalformed,
    AuthorizationQueryMalformed,
    HeadersNotSigned,
    InvalidArgument,
    InvalidRequest,
    PresignedExpired,
    RequestTimeTooSkewed,
    SeveralAuthMechanisms,
    SignatureMismatch,
    SigV2Refused,
)
from s3o.net.exchange import RequestHead
from s3o.s3api.anonymous import METHODS
from s3o.s3api.authenticate_sigv2 import check_sigv2_presigned
from s3o.s3api.credentials import ANONYMOUS, CredentialBook, require_signature
from s3o.s3api.payload import PAYLOAD_HEADER, Authenticated, plan_body
from s3o.wire import sigv2
from s3o.wire.dates import render_iso_date
from s3o.wire.sigv4 import (
    ALGORITHM,
    UNSIGNED_PAYLOAD,
    ChunkSigner,
    canonical_request,
    string_to_sign,
)
from s3o.wire.sigv4_claims import Claim, parse_authorization, parse_presigned
from s3o.wire.target import Query, Target

MAX_SKEW_US = 15 * 60 * 1_000_000  # AWS
_TEMPORARY = "x-amz-security-token"
PROXY_HEADER = "x-proxy-token"
# Any of them means that the query was meant to prove something; whatever is wrong
# with it, its sender is not to be taken for somebody anonymous.
_PRESIGNED_NAMES = frozenset({"x-amz-algorithm", "x-amz-credential", "x-amz-signature"})
_SIGV2_NAMES = frozenset({sigv2.ACCESS_KEY.lower(), sigv2.SIGNATURE.lower()})


class Mechanism(Enum):
    """How a request's head says who sent it."""

    HEADER = auto()
    PRESIGNED = auto()
    SIGV2 = auto()
    SIGV2_PRESIGNED = auto()
    TOKEN = auto()


def authenticate(
    head: RequestHead, target: Target, book: CredentialBook, now_us: int
) -> Authenticated:
    """Establish who sent the request, be it a stranger, or raise an AuthError.

    Raises also InvalidRequest, InvalidArgument and NotSupported, for payload modes.
    """
    match find_mechanism(head.fields, target.query):
        case Mechanism.HEADER:
            return _check_header(head, target, book, now_us)
        case Mechanism.PRESIGNED:
            return _check_presigned(head, target, book, now_us)
        case Mechanism.TOKEN:
            return _check_token(head, book)
        case Mechanism.SIGV2_PRESIGNED if book.allows_sigv2:
            return check_sigv2_presigned(head, target, book, now_us)
        case Mechanism.SIGV2 | Mechanism.SIGV2_PRESIGNED:
            raise SigV2Refused()
        case None:
            return _admit_stranger(head, target)


def find_mechanism(fields: Mapping[str, str], query: Query) -> Mechanism | None:
    """Return the one mechanism that a request's head uses, or None for none.

    Raises SeveralAuthMechanisms, InvalidArgument; AccessDenied for an empty header.
    """
    found: list[Mechanism] = []
    authorization = fields.get("authorization")
    if authorization is not None:
        found.append(_find_scheme(authorization))
    if query.pairs:
        names = {name.lower() for name in query.names}
        if names & _PRESIGNED_NAMES:
            found.append(Mechanism.PRESIGNED)
        if names & _SIGV2_NAMES:
            found.append(Mechanism.SIGV2_PRESIGNED)
    if PROXY_HEADER in fields:
        found.append(Mechanism.TOKEN)
    if len(found) > 1:
        raise SeveralAuthMechanisms()
    return found[0] if found else None


def _find_scheme(authorization: str) -> Mechanism:
    scheme = authorization.partition(" ")[0]
    if scheme == ALGORITHM or scheme.startswith("AWS4-"):
        return Mechanism.HEADER
    if scheme == "AWS":
        return Mechanism.SIGV2
    if not authorization:
        raise AccessDenied
    # The value may be a password; only its scheme is repeated.
    raise InvalidArgument(
        "Authorization", scheme[:64], "Unsupported Authorization Type"
    )


def _check_header(
    head: RequestHead, target: Target, book: CredentialBook, now_us: int
) -> Authenticated:
    fields = head.fields
    date = fields.get("x-amz-date", fields.get("date"))
    claim = parse_authorization(fields["authorization"], date)
    if book.region is not None and claim.signatory.scope.region != book.region:
        raise AuthorizationMalformed(
            "The authorization header is malformed; the region "
            f"'{claim.signatory.scope.region}' is wrong; expecting '{book.region}'",
            book.region,
        )
    if abs(now_us - claim.signed_at_us) > MAX_SKEW_US:
        raise RequestTimeTooSkewed(date or "", render_iso_date(now_us))
    payload = fields.get(PAYLOAD_HEADER)
    if payload is None:
        raise InvalidRequest(
            f"Missing required header for this request: {PAYLOAD_HEADER}"
        )
    return _check_claim(head, target, book, claim, payload, target.query.pairs)


def _check_presigned(
    head: RequestHead, target: Target, book: CredentialBook, now_us: int
) -> Authenticated:
    claim = parse_presigned(target.query)
    if book.region is not None and claim.signatory.scope.region != book.region:
        raise AuthorizationQueryMalformed(
            "Error parsing the X-Amz-Credential parameter; the region "
            f"'{claim.signatory.scope.region}' is wrong; expecting '{book.region}'"
        )
    assert claim.expires_s is not None
    expires_at_us = claim.signed_at_us + claim.expires_s * 1_000_000
    is_early = claim.signed_at_us - now_us > MAX_SKEW_US
    if is_early or now_us > expires_at_us:
        raise PresignedExpired(
            "Request is not yet valid" if is_early else "Request has expired",
            render_iso_date(expires_at_us),
            render_iso_date(now_us),
        )
    pairs = [pair for pair in target.query.pairs if pair[0] != "X-Amz-Signature"]
    payload = target.query.get("X-Amz-Content-Sha256")
    if payload is None:
        # A header that says otherwise must be signed, like all of its kind.
        payload = head.fields.get(PAYLOAD_HEADER, UNSIGNED_PAYLOAD)
    return _check_claim(head, target, book, claim, payload, pairs)


def _check_claim(
    head: RequestHead,
    target: Target,
    book: CredentialBook,
    claim: Claim,
    payload: str,
    query_pairs: Sequence[tuple[str, str]],
) -> Authenticated:
    fields = head.fields
    signatory = claim.signatory
    _check_signed_headers(fields, signatory.signed_headers)
    canonical = canonical_request(
        head.method,
        target.canonical_path,
        query_pairs,
        [(name, fields.get(name, "")) for name in signatory.signed_headers],
        payload,
    )
    text = string_to_sign(claim.timestamp, signatory.scope, canonical)
    key, caller = book.key_for(signatory.access_key_id, signatory.scope)
    expected = key.sign(text.encode("latin-1"))
    access_key_id = signatory.access_key_id
    caller = require_signature(
        caller,
        access_key_id,
        claim.signature,
        expected,
        lambda: SignatureMismatch(access_key_id, text, canonical),
    )
    if fields.get("x-amz-security-token") or target.query.get("X-Amz-Security-Token"):
        raise AccessDenied("there are no temporary credentials here")
    chain = partial(ChunkSigner, key, claim.timestamp, signatory.scope, expected)
    plan = plan_body(head, payload, access_key_id, chain)
    return Authenticated(caller, plan)


def _check_signed_headers(fields: Mapping[str, str], signed: Sequence[str]) -> None:
    """Refuse what somebody on the way could have added or changed."""
    unsigned = [
        name for name in fields if name.startswith("x-amz-") and name not in signed
    ]
    if "host" not in signed:
        unsigned.append("host")
    if unsigned:
        raise HeadersNotSigned(tuple(sorted(unsigned)))


def _admit_stranger(head: RequestHead, target: Target) -> Authenticated:
    """Return somebody anonymous, who may at most read; the door knows what."""
    names = [name.lower() for name in (*head.fields, *target.query.names)]
    if head.method not in METHODS or _TEMPORARY in names:
        raise AccessDenied
    payload = head.fields.get(PAYLOAD_HEADER, UNSIGNED_PAYLOAD)
    return Authenticated(ANONYMOUS, plan_body(head, payload, "", None))


def _check_token(head: RequestHead, book: CredentialBook) -> Authenticated:
    caller = book.find_token(head.fields[PROXY_HEADER])
    if caller is None:
        raise AccessDenied()
    payload = head.fields.get(PAYLOAD_HEADER, UNSIGNED_PAYLOAD)
    return Authenticated(caller, plan_body(head, payload, "", None))
