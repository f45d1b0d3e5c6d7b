"""Monthly limits: may this operation still be asked of that backend?

Effective use is what the ledger knew at the last flush, plus what was counted here
since, plus what the operation would add. A limit refuses what would go *over* it; 0 is
no limit. Source: product description, Usage Limits.
"""

from dataclasses import dataclass
from enum import StrEnum

from s3o.model.values import Usage


class LimitType(StrEnum):
    """Which monthly limit; the values are the metrics' label."""

    API_REQUESTS = "api_requests"
    EGRESS_BYTES = "egress_bytes"
    INGRESS_BYTES = "ingress_bytes"


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageLimits:
    """One backend's limits per month; 0 is no limit."""

    api_requests: int = 0
    egress_bytes: int = 0
    ingress_bytes: int = 0

    def __bool__(self) -> bool:
        """Whether there is any limit."""
        return bool(self.api_requests or self.egress_bytes or self.ingress_bytes)


UNLIMITED = UsageLimits()


def exceeded_limit(
    limits: UsageLimits, effective: Usage, proposed: Usage
) -> LimitType | None:
    """Return the limit that proposed would break on top of effective, or None."""
    if limits.api_requests:
        total = effective.api_requests + proposed.api_requests
        if total > limits.api_requests:
            return LimitType.API_REQUESTS
    if limits.egress_bytes:
        total = effective.egress_bytes + proposed.egress_bytes
        if total > limits.egress_bytes:
            return LimitType.EGRESS_BYTES
    if limits.ingress_bytes:
        total = effective.ingress_bytes + proposed.ingress_bytes
        if total > limits.ingress_bytes:
            return LimitType.INGRESS_BYTES
    return None


def used_share(limits: UsageLimits, effective: Usage) -> float:
    """Return how much of the tightest limit is used up; 0.0 without limits.

    The usage flush hurries when it comes near 1.
    """
    shares = (
        (effective.api_requests, limits.api_requests),
        (effective.egress_bytes, limits.egress_bytes),
        (effective.ingress_bytes, limits.ingress_bytes),
    )
    return max((used / limit for used, limit in shares if limit), default=0.0)
