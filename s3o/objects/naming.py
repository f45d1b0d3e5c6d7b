"""Names that nothing has had before: chance comes from the Entropy of the process."""

from s3o.model.names import (
    BucketName,
    ObjectKey,
    StorageKey,
    VersionId,
    WriteId,
    make_storage_key,
    make_version_id,
    make_write_id,
)
from s3o.model.seams import Entropy

WRITE_BYTES, VERSION_BYTES = 16, 10  # of chance


def new_write_id(entropy: Entropy) -> WriteId:
    """Return what tells one write from all others under the same name."""
    return make_write_id(entropy.token(WRITE_BYTES))


def new_storage_key(entropy: Entropy, bucket: BucketName, key: ObjectKey) -> StorageKey:
    """Return the name of a blob that is about to be written for a key."""
    return make_storage_key(bucket, key, new_write_id(entropy))


def new_version_id(entropy: Entropy, now_us: int) -> VersionId:
    """Return the id of a version that is written now; ids sort by milliseconds."""
    return make_version_id(now_us, entropy.token(VERSION_BYTES))
