"""Which bucket, which key, which permission: asked here and nowhere else.

The same answers for the bucket that a request names and for one it mentions (the source
of a copy), so that nobody gets through the one what the other refuses. Rules:

- A bucket belongs to one principal; others get in only where the operator attached the
  bucket to their account, or anybody reads a public one.
- What a caller may not enter is refused before anything about the request is judged.
  An account learns that a name does not exist, as on AWS; a configured bucket's own
  credentials and anonymous callers are told only that they have no access.
- A credential confined to key prefixes reaches no other key, and may list only with a
  prefix that begins with one of its own.
"""

from collections.abc import Callable

from s3o.model.errors import AccessDenied, NoSuchBucket
from s3o.model.names import BucketName, ObjectKey
from s3o.model.tenants import Permission, bucket_principal, is_account
from s3o.model.values import Bucket
from s3o.s3api.credentials import Caller
from s3o.s3api.owner import owner_id

Find = Callable[[str], Bucket]


def enter(find: Find, caller: Caller, name: str) -> Bucket:
    """Return the bucket of that name if the caller has any business in it.

    Raises AccessDenied, NoSuchBucket.
    """
    try:
        bucket = find(name)
    except NoSuchBucket:
        if is_account(caller.principal) or _is_own_name(caller, name):
            raise
        raise AccessDenied from None
    if not _is_let_in(caller, bucket):
        raise AccessDenied
    return bucket


def authorize(
    find: Find,
    caller: Caller,
    name: str,
    key: ObjectKey | None,
    needs: Permission | None,
) -> Bucket:
    """Return the bucket if the caller may do that to the key, or to the bucket.

    Raises AccessDenied, NoSuchBucket.
    """
    bucket = enter(find, caller, name)
    if needs is not None:
        demand(caller, needs)
    if key is not None and not caller.may_reach(key):
        raise AccessDenied
    return bucket


def demand(caller: Caller, needs: Permission) -> None:
    """Raise AccessDenied unless the caller's credential has the permission."""
    if not caller.may(needs):
        raise AccessDenied


def demand_credential(caller: Caller) -> None:
    """Raise AccessDenied for anonymous callers: public is the object, and no more."""
    if caller.is_anonymous:
        raise AccessDenied


def check_expected_owner(bucket: Bucket, expected: str | None) -> None:
    """Raise AccessDenied if a client expects the bucket to be somebody else's."""
    if expected is not None and expected != owner_id(bucket.owner):
        raise AccessDenied


def _is_own_name(caller: Caller, name: str) -> bool:
    """Whether a configured bucket's own credentials ask for it, in mid-reload."""
    return caller.principal == bucket_principal(BucketName(name))


def _is_let_in(caller: Caller, bucket: Bucket) -> bool:
    if caller.is_anonymous:
        return bucket.config.public_read
    return caller.principal == bucket.owner or bucket.name in caller.attached
