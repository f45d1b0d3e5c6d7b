"""What a stranger may ask of a public bucket: the plain GET and HEAD of an object.

Rules: only who shows no credentials at all is a stranger, bad ones are refused; that
the bucket is public is asked by s3api/authorize. Everything besides the two is denied
before it is looked at, so no new operation is ever public by accident.
"""

from s3o.model.errors import AccessDenied, InvalidRequest
from s3o.net.exchange import RequestHead
from s3o.s3api.operation import Level
from s3o.s3api.operations import is_subresource, level_of
from s3o.wire.headers import OVERRIDES
from s3o.wire.target import Target

METHODS = frozenset({"GET", "HEAD"})


def check_stranger(head: RequestHead, target: Target) -> None:
    """Raise AccessDenied or InvalidRequest unless a stranger may ask this."""
    if (
        head.method not in METHODS
        or level_of(target) is not Level.OBJECT
        or any(map(is_subresource, target.query.names))
    ):
        raise AccessDenied
    if not OVERRIDES.keys().isdisjoint(target.query.names):
        raise InvalidRequest(
            "Request specific response headers cannot be used for anonymous GET "
            "requests."
        )
