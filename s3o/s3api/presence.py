"""What a caller is told of an object that is not there.

NoSuchKey to those who may list the bucket, and could find out anyway; to others it is
AccessDenied, like an object that they may not read. Where a version was named, `null`
being the only one there is, it is the version that does not exist.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
"""

from collections.abc import Iterator
from contextlib import contextmanager

from s3o.model.errors import AccessDenied, NoSuchKey, NoSuchVersion
from s3o.model.tenants import Permission
from s3o.s3api.call import Call
from s3o.wire.versions import NULL_VERSION, names_null_version

VERSION_PARAMETER = "versionId"


@contextmanager
def expect_object(call: Call) -> Iterator[None]:
    """Check the version a call names; inside, an absent object is told as it may be.

    Raises NoSuchVersion, AccessDenied, InvalidArgument.
    """
    is_named = names_null_version(call.query, call.key)
    try:
        yield
    except NoSuchKey as error:
        if not call.caller.may(Permission.LIST):
            raise AccessDenied from error
        if is_named:
            raise NoSuchVersion(NULL_VERSION, call.key) from error
        raise
