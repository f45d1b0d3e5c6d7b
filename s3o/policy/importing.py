"""Which names on a backend may become objects, and of which key.

A backend's bucket may hold more than ours: what was there before, what others write
there. Three kinds of names are never imported: those of our own shape (bytes that this
or another cluster wrote, which only their ledger can tell anything about), those of the
ledger's backups, and those that are not fit for a key here. `.` and `..` segments are
valid in S3, but on the way to a provider they may turn into another object's name.

Pure. Source: data model, "Imported".
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from s3o.model.backup_names import BACKUP_PREFIX
from s3o.model.errors import InvalidUri, KeyTooLong
from s3o.model.names import BucketName, ObjectKey, parse_object_key, parse_storage_key
from s3o.model.values import Bucket

_CONTROL = re.compile("[\x00-\x1f\x7f]")


class Shape(StrEnum):
    """Whose a name may be."""

    OWN = "own"
    BACKUP = "backup"
    FOREIGN = "foreign"


def shape_of(name: str) -> Shape:
    """Say whose a name may be; own says nothing about which cluster wrote it."""
    if name.startswith(BACKUP_PREFIX):
        return Shape.BACKUP
    try:
        parse_storage_key(name)
    except ValueError:
        return Shape.FOREIGN
    return Shape.OWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The key that a foreign name would have here."""

    bucket: Bucket
    key: ObjectKey


#: Says which key a foreign name has here; None if it has none.
Mapper = Callable[[str], Target | None]


def map_nothing(_name: str) -> Target | None:
    """Have no key for any name: nothing is imported."""
    return None


def map_into(bucket: Bucket) -> Mapper:
    """Return the mapper of `sync`: every name is a key of bucket."""

    def find(name: str) -> Target | None:
        key = _key_of(name)
        return None if key is None else Target(bucket=bucket, key=key)

    return find


def map_by_prefix(buckets: Mapping[BucketName, Bucket]) -> Mapper:
    """Return the mapper of the reconciler: `bucket/key`, for these buckets only."""

    def find(name: str) -> Target | None:
        prefix, slash, rest = name.partition("/")
        bucket = buckets.get(BucketName(prefix)) if slash else None
        key = _key_of(rest)
        if bucket is None or key is None:
            return None
        return Target(bucket=bucket, key=key)

    return find


def _key_of(text: str) -> ObjectKey | None:
    if any(segment in (".", "..") for segment in text.split("/")):
        return None
    if _CONTROL.search(text):
        return None
    try:
        return parse_object_key(text.encode("utf-8"))
    except (KeyTooLong, InvalidUri, UnicodeEncodeError):
        return None


def made_up_etag(name: str, stored_bytes: int, modified_at_us: int | None) -> str:
    """Return an ETag for bytes whose backend knows none (a directory).

    It changes with the file, and has the shape of a multipart upload's, so that no
    client takes it for the MD5.
    """
    text = f"{name}\n{stored_bytes}\n{modified_at_us}".encode()
    return f"{hashlib.sha256(text).hexdigest()[:32]}-1"
