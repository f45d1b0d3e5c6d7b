"""Who owns a bucket, in S3's words: an id of 64 hex digits and a name.

There are no accounts here; whoever holds a bucket's credentials owns it.
"""

import hashlib
from functools import lru_cache

from s3o.model.names import BucketName
from s3o.wire.xml_write import element, leaf


@lru_cache(maxsize=1024)
def render_owner(bucket: BucketName) -> str:
    """Return the Owner element of a bucket's owner."""
    owner_id = hashlib.sha256(f"owner of {bucket}".encode()).hexdigest()
    return element("Owner", [leaf("ID", owner_id), leaf("DisplayName", bucket)])
