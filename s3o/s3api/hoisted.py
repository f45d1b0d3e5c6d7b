"""Headers that a presigned URL carries in its query.

SDKs move x-amz-* headers there, and mean them. They are merged with the headers before
anything is decided, so that none is overlooked; what belongs to the signature itself
stays where it is. Checksum parameters are ignored: some SDKs presign the checksum of
the empty body for an upload that is not empty. A URL presigned with version 2 carries
Content-Type and Content-MD5 in the same way.
"""

from collections.abc import Mapping

from s3o.model.errors import InvalidArgument
from s3o.wire import sigv2
from s3o.wire.headers import encode_header_value
from s3o.wire.target import Query

_SIGNATURE = frozenset(
    {
        *("x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-expires"),
        *("x-amz-signedheaders", "x-amz-signature", "x-amz-security-token"),
        *("x-amz-content-sha256", "x-amz-sdk-checksum-algorithm"),
    }
)
_PREFIX = "x-amz-"
_CHECKSUM_PREFIX = "x-amz-checksum-"


def merge_hoisted_headers(fields: Mapping[str, str], query: Query) -> Mapping[str, str]:
    """Return fields together with the headers that stand in the query.

    Raises InvalidArgument for a value that is no header, or that a header contradicts.
    """
    if not query.pairs:
        return fields
    others = sigv2.HOISTED_HEADERS if query.has(sigv2.ACCESS_KEY) else ()
    hoisted: dict[str, str] = {}
    for parameter, value in query.pairs:
        name = parameter.lower()
        if not parameter.isascii() or not (_is_hoisted(name) or name in others):
            continue
        text = encode_header_value(parameter, value)
        if hoisted.get(name, text) != text or fields.get(name, text) != text:
            raise InvalidArgument(parameter, value, "given twice with two values")
        hoisted[name] = text
    return {**fields, **hoisted} if hoisted else fields


def _is_hoisted(name: str) -> bool:
    return (
        name.startswith(_PREFIX)
        and name not in _SIGNATURE
        and (not name.startswith(_CHECKSUM_PREFIX) or name == "x-amz-checksum-mode")
    )
