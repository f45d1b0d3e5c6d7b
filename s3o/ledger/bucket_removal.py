"""Delete a bucket: nobody writes to it any more, and nobody pays for it.

One transaction, with the bucket's row held alone: its announced writes end here, with
their bytes queued for cleanup, and those who began them find their intent gone. The
tombstones stay: they refer to the bucket's id, which no other bucket ever has.
"""

from s3o.ledger import rows
from s3o.ledger.buckets import forget_bucket, hold_bucket_alone
from s3o.ledger.pending import release_taken, take_intent
from s3o.ledger.quotas import QuotaMoves
from s3o.ledger.seam import Tx
from s3o.model.names import BucketId
from s3o.model.values import Bucket

REASON = "bucket_deleted"


async def delete_bucket(tx: Tx, bucket: Bucket, now_us: int) -> None:
    """Delete the bucket of that id if no object is in it.

    Raises NoSuchBucket, BucketNotEmpty.
    """
    held = await hold_bucket_alone(tx, bucket.id, bucket.name)
    await _end_writes(tx, held.id, now_us)
    await forget_bucket(tx, held)


async def _end_writes(tx: Tx, bucket_id: BucketId, now_us: int) -> None:
    moves = QuotaMoves()
    for row in await tx.all("list_intents_of_bucket", bucket_id=bucket_id):
        intent = await take_intent(tx, rows.storage_key(row[0]))
        assert intent is not None, "nobody else holds the bucket"
        await release_taken(tx, intent, moves, REASON, now_us, is_ambiguous=True)
    await moves.apply(tx)
