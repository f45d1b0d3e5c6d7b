"""How a blob is copied within one backend: as a whole, or part by part.

A provider copies at most 5 GiB with one call. What is larger becomes a native upload
there whose parts are copied, all of one size but the last, because some providers want
that of every upload.
Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/copy-object.html
"""

from s3o.model.limits import COPY_PART_BYTES
from s3o.model.values import Interval, Traits


def can_copy_blob(traits: Traits, size: int) -> bool:
    """Whether a store can copy a blob of size stored bytes without giving it to us."""
    if size <= traits.max_copy_bytes:
        return traits.can_copy
    return (
        traits.has_multipart
        and traits.can_copy_part
        and size <= traits.max_copy_bytes * traits.max_part_number
    )


def plan_copied_parts(traits: Traits, size: int) -> tuple[Interval, ...]:
    """Cut a blob of size bytes into parts to be copied; () is one copy of the whole."""
    if size <= traits.max_copy_bytes:
        return ()
    least = -(-size // traits.max_part_number)
    step = max(COPY_PART_BYTES, traits.min_part_bytes, least)
    step = min(step, traits.max_copy_bytes)
    return tuple(
        Interval(start, min(start + step, size)) for start in range(0, size, step)
    )
