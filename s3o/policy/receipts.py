"""What a backend's answer to a write proves of the bytes that lie there now."""

from s3o.model.errors import BlobDamaged
from s3o.model.values import PutReceipt

NOT_WHAT_WAS_SENT = "the backend's ETag is not the MD5 of what was sent"
NOT_THE_SOURCE = "the copy has another ETag than its source"


def check_receipt(
    receipt: PutReceipt,
    md5: str | None,
    *,
    backend: str,
    operation: str,
    storage_key: str,
    reason: str = NOT_WHAT_WAS_SENT,
) -> bool:
    """Whether receipt proves that the backend holds the bytes with that MD5 (hex).

    False, for nothing is known: the provider does not promise that its ETag is an MD5,
    or md5 is None. Raises BlobDamaged, with reason, if it proves that others are there.
    """
    if not receipt.etag_is_md5 or md5 is None:
        return False
    if receipt.etag != md5:
        raise BlobDamaged(
            backend=backend,
            operation=operation,
            reason=reason,
            storage_key=storage_key,
        )
    return True
