"""The tag set of the current version: it lives in the ledger and nowhere else.

Backends differ in tags (B2, R2 and OCI have none), and a set that changes would need a
copy of the bytes there. Here it is one column of the current row.
"""

from s3o.ledger import rows
from s3o.ledger.buckets import hold_bucket
from s3o.ledger.seam import Tx
from s3o.model.errors import NoSuchKey
from s3o.model.names import ObjectKey
from s3o.model.values import Bucket, Pairs


async def put_tags(tx: Tx, bucket: Bucket, key: ObjectKey, tags: Pairs) -> None:
    """Replace the tags of what is current now; neither version nor date changes.

    One UPDATE that needs the row: an object deleted or replaced meanwhile is not
    brought back with it. Raises NoSuchBucket, NoSuchKey.
    """
    await hold_bucket(tx, bucket.id, bucket.name)
    changed = await tx.run(
        "put_tags", bucket_id=bucket.id, key=key, tags=rows.pairs_text(tags)
    )
    if not changed:
        raise NoSuchKey(bucket.name, key)
    await tx.run("touch_object", bucket_id=bucket.id, key=key)
