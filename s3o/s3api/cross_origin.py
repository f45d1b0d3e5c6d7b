"""CORS at the door: what a bucket's rules add to answers, and the preflight request.

A browser sends a preflight without credentials, so it is answered before anybody is
authenticated, and for a bucket without rules as for one that does not exist.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/RESTOPTIONSobject.html
"""

from collections.abc import Callable, Sequence

from s3o.model.errors import (
    BadRequest,
    CorsRefused,
    MethodNotAllowed,
    NoSuchBucket,
)
from s3o.model.tenants import CorsRule
from s3o.model.values import Bucket, Pairs
from s3o.net.exchange import RequestHead
from s3o.policy.cors import (
    Preflight,
    answer_preflight,
    answer_request,
    parse_request_headers,
)
from s3o.wire.target import Target

METHOD = "OPTIONS"
_ORIGIN = "origin"
_ASKED_METHOD = "access-control-request-method"
_ASKED_HEADERS = "access-control-request-headers"
_NOT_ENABLED = "CORSResponse: CORS is not enabled for this bucket."
_NOT_ALLOWED = (
    "CORSResponse: This CORS request is not allowed. This is usually because the "
    "evaluation of Origin, request method / Access-Control-Request-Method or "
    "Access-Control-Request-Headers are not whitelisted by the resource's CORS spec."
)


def find_rules(
    find_bucket: Callable[[str], Bucket], target: Target
) -> Sequence[CorsRule]:
    """Return the rules of the target's bucket; none for what is no bucket."""
    if target.bucket is None:
        return ()
    try:
        return find_bucket(target.bucket).config.cors
    except NoSuchBucket:
        return ()


def cors_headers(rules: Sequence[CorsRule], head: RequestHead) -> Pairs:
    """Return what the answer to a request carries, be it an error or not."""
    if not rules or head.method == METHOD:
        return ()
    return answer_request(rules, head.fields.get(_ORIGIN), head.method)


def serve_preflight(
    rules: Sequence[CorsRule], head: RequestHead, target: Target
) -> Pairs:
    """Return the headers that answer a preflight request.

    Raises CorsRefused, BadRequest; MethodNotAllowed for the service itself.
    """
    if target.bucket is None:
        raise MethodNotAllowed(METHOD, ("GET",))
    origin = head.fields.get(_ORIGIN)
    if not origin:
        raise BadRequest("Insufficient information. Origin request header needed.")
    method = head.fields.get(_ASKED_METHOD)
    if not method:
        raise BadRequest("Invalid Access-Control-Request-Method: null")
    names = parse_request_headers(head.fields.get(_ASKED_HEADERS, ""))
    kind = "BUCKET" if target.key is None else "OBJECT"
    if not rules:
        raise CorsRefused(_NOT_ENABLED, method, kind)
    allowed = None
    if names is not None:
        asked = Preflight(origin=origin, method=method, headers=names)
        allowed = answer_preflight(rules, asked)
    if allowed is None:
        raise CorsRefused(_NOT_ALLOWED, method, kind)
    return allowed
