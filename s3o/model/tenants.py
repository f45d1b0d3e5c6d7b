"""Who may do what: principals, permissions, and what a bucket is configured to do.

A principal is whoever owns buckets: an account by its name, and for each bucket of the
configuration one of its own, `bucket:NAME`. No account's name holds a colon.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from s3o.model.names import BucketName


class Permission(StrEnum):
    """What a credential may do in the buckets it opens.

    OWN is never granted by itself: it takes all others, for every key.
    """

    READ = "read"
    WRITE = "write"
    DELETE = "delete"
    LIST = "list"
    OWN = "own"


EVERY_PERMISSION = frozenset(Permission) - {Permission.OWN}

_BUCKET_PRINCIPAL = "bucket:"


def bucket_principal(name: BucketName) -> str:
    """Return the principal that owns a bucket of the configuration."""
    return f"{_BUCKET_PRINCIPAL}{name}"


def is_account(principal: str) -> bool:
    """Whether a principal is an account rather than a configured bucket's own."""
    return not principal.startswith(_BUCKET_PRINCIPAL)


def display_name(principal: str) -> str:
    """Return the name that clients are shown."""
    return principal.removeprefix(_BUCKET_PRINCIPAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class CorsRule:
    """One rule of a CORS configuration, as its client wrote it; "*" is any run."""

    allowed_origins: tuple[str, ...]
    allowed_methods: tuple[str, ...]
    allowed_headers: tuple[str, ...] = ()
    expose_headers: tuple[str, ...] = ()
    max_age_s: int | None = None
    id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LifecycleRule:
    """One rule of a lifecycle configuration.

    A key is meant when it fits all of prefix, tags and sizes (both exclusive). Of
    expire_days and expire_at_us at most one is set; uploads are aborted after
    abort_upload_days. has_filter False: written in the old form, with a bare prefix.
    """

    id: str
    is_enabled: bool
    has_filter: bool = True
    prefix: str | None = None
    tags: tuple[tuple[str, str], ...] = ()
    size_above: int | None = None
    size_below: int | None = None
    expire_days: int | None = None
    expire_at_us: int | None = None
    abort_upload_days: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketConfig:
    """What a bucket is configured to do; by its owner, except for public_read.

    public_read comes from the configuration file: anonymous callers may read.
    """

    cors: tuple[CorsRule, ...] = ()
    lifecycle: tuple[LifecycleRule, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()
    public_read: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticBucket:
    """A bucket of the configuration file; 0 uploads is no limit."""

    name: BucketName
    public_read: bool = False
    max_multipart_uploads: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A principal that makes buckets of its own; 0 is no limit everywhere."""

    name: str
    may_create: bool = True
    bucket_prefix: str = ""
    max_buckets: int = 0
    quota_bytes: int = 0
    max_multipart_uploads: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenants:
    """What the configuration says of buckets and accounts.

    reserved: names that no bucket may have, the paths of the operators' doors.
    """

    statics: Mapping[str, StaticBucket]
    accounts: Mapping[str, Account]
    reserved: frozenset[str] = frozenset()
