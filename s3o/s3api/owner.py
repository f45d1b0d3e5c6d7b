"""Who owns or begins something, in S3's words: an id of 64 hex digits and a name."""

import hashlib
from functools import lru_cache

from s3o.model.tenants import display_name
from s3o.wire.xml_write import element, leaf

EXPECTED_OWNER_HEADER = "x-amz-expected-bucket-owner"
EXPECTED_SOURCE_OWNER_HEADER = "x-amz-source-expected-bucket-owner"


def owner_id(principal: str) -> str:
    """Return a principal's canonical user id: the SHA-256 of its name."""
    return hashlib.sha256(principal.encode("utf-8")).hexdigest()


def render_owner(principal: str) -> str:
    """Return the Owner element of what the principal owns."""
    return _render("Owner", principal)


def render_initiator(principal: str) -> str:
    """Return the Initiator element of an upload that the principal began."""
    return _render("Initiator", principal)


@lru_cache(maxsize=1024)
def _render(name: str, principal: str) -> str:
    return element(
        name,
        [leaf("ID", owner_id(principal)), leaf("DisplayName", display_name(principal))],
    )
