"""Which failures say that a backend does not serve us, and which only that one call.

The circuit breaker counts the first kind. A backend that says "no such blob", "full" or
"bad request" has answered: it is well. Expired credentials, a clock that is off, a
bucket that is gone concern every call. Damaged bytes are one blob's trouble.
"""

from enum import Enum

from s3o.model.errors import (
    BackendError,
    BackendFull,
    BackendProtocolError,
    BackendRefused,
    BackendThrottled,
    BackendTimeout,
    BackendUnreachable,
    BlobMissing,
    UploadMissing,
)


class Verdict(Enum):
    """What one failure tells about its backend."""

    SICK = "sick"
    WELL = "well"
    NOTHING = "nothing"


_SICK_STATUSES = frozenset({301, 302, 303, 307, 308, 401, 403, 407, 408, 429})
# Providers answer some of these with 400 or 404.
_SICK_CODES = frozenset(
    {
        "AccessDenied",
        "AccountProblem",
        "AllAccessDisabled",
        "AuthorizationHeaderMalformed",
        "ExpiredToken",
        "InternalError",
        "InvalidAccessKeyId",
        "InvalidSecurity",
        "InvalidToken",
        "NoSuchBucket",
        "NotSignedUp",
        "RequestTimeTooSkewed",
        "ServiceUnavailable",
        "SignatureDoesNotMatch",
        "SlowDown",
        "TokenRefreshRequired",
    }
)


def judge(error: BackendError) -> Verdict:
    """Return what error tells about the health of its backend."""
    match error:
        case BackendRefused(status=status, code=code):
            is_sick = (
                (status >= 500 and status != 501)
                or status in _SICK_STATUSES
                or code in _SICK_CODES
            )
            return Verdict.SICK if is_sick else Verdict.WELL
        case (
            BackendUnreachable()
            | BackendTimeout()
            | BackendProtocolError()
            | BackendThrottled()
        ):
            return Verdict.SICK
        case BlobMissing() | UploadMissing() | BackendFull():
            return Verdict.WELL
        case _:
            return Verdict.NOTHING
