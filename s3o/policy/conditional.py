"""Decide a conditional PUT or DELETE against the object that is current now.

Asked twice: early, to refuse before the upload, and again in the transaction that
publishes, where the answer counts. Rules (AWS): If-Match on an absent key is 404, not
412; a DELETE of an absent key succeeds whatever its conditions say; times have seconds.
"""

from s3o.model.errors import NoSuchKey, PreconditionFailed
from s3o.model.names import BucketName, ObjectKey
from s3o.model.values import ObjectVersion, WriteConditions

_SECOND_US = 1_000_000


def check_write(
    conditions: WriteConditions,
    current: ObjectVersion | None,
    bucket: BucketName,
    key: ObjectKey,
    is_delete: bool = False,
) -> None:
    """Return if the write may go on; raises PreconditionFailed or NoSuchKey."""
    if not conditions:
        return
    if current is None:
        needs_object = not is_delete and not conditions.if_none_match_any
        if needs_object:
            raise NoSuchKey(bucket, key)
        return
    if conditions.if_none_match_any:
        raise PreconditionFailed("If-None-Match")
    if conditions.if_match and not {"*", current.etag} & {*conditions.if_match}:
        raise PreconditionFailed("If-Match")
    wanted_us = conditions.if_match_last_modified_us
    if (
        wanted_us is not None
        and wanted_us // _SECOND_US != current.created_at_us // _SECOND_US
    ):
        raise PreconditionFailed("x-amz-if-match-last-modified-time")
    if conditions.if_match_size is not None and (
        conditions.if_match_size != current.size
    ):
        raise PreconditionFailed("x-amz-if-match-size")
