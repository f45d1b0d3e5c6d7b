"""Whether a provider's refusal means that a blob is absent.

A 404 without a document (every HEAD's) may speak of the bucket, and a bucket that
somebody removed must not make its blobs count as lost: so the bucket is asked for.
"""

from s3o.backends import s3_answers
from s3o.backends.s3_calls import Call, Caller
from s3o.model.errors import BackendError, BackendRefused, BlobMissing
from s3o.model.names import StorageKey
from s3o.wire.sigv4 import EMPTY_SHA256

NO_BUCKET_CODE = "NoSuchBucket"


class Presence:
    """Tells absent from refused in one bucket."""

    def __init__(self, caller: Caller, bucket_path: str) -> None:
        self._caller = caller
        self._bucket_path = bucket_path

    async def probe(self) -> None:
        """Ask whether the bucket is there and lets us in; raises BackendError."""
        call = Call(
            operation="HeadBucket",
            method="HEAD",
            path=self._bucket_path,
            payload_hash=EMPTY_SHA256,
        )
        try:
            await self._caller.ask(call, 0)
        except BackendRefused as refused:
            if refused.status == 404 and not refused.code:
                # No document says so, but nothing else was asked for: the breaker
                # must hear that every call will fail.
                refused.code = NO_BUCKET_CODE
            raise

    async def explain(
        self, refused: BackendRefused, storage_key: StorageKey
    ) -> BackendError:
        """Return what a refusal to read storage_key means."""
        if refused.status != 404:
            return refused
        if refused.code and refused.code not in s3_answers.ABSENT_CODES:
            return refused
        if not refused.code:
            try:
                await self.probe()
            except BackendError as error:
                return error
        return BlobMissing(
            self._caller.name,
            refused.operation,
            refused.reason,
            storage_key,
            is_definite=refused.is_definite,
        )
