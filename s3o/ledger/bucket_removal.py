"""Delete a bucket: nobody writes to it any more, and nobody pays for it.

One transaction, with the bucket's row held alone: its uploads and announced writes end
here, with their bytes queued for cleanup, and those who began them find their intent
gone. The tombstones stay: they refer to the bucket's id, which is no other bucket's.
"""

from s3o.ledger.buckets import forget_bucket, hold_bucket_alone
from s3o.ledger.seam import Tx
from s3o.ledger.upload_endings import end_uploads_of_bucket
from s3o.model.values import Bucket


async def delete_bucket(tx: Tx, bucket: Bucket, now_us: int) -> None:
    """Delete the bucket of that id if no object is in it.

    Raises NoSuchBucket, BucketNotEmpty.
    """
    held = await hold_bucket_alone(tx, bucket.id, bucket.name)
    await end_uploads_of_bucket(tx, held.id, now_us)
    await forget_bucket(tx, held)
