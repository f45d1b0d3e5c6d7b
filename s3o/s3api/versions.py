"""What versionId asks for, where every object has the one version `null`."""

from collections.abc import Iterator
from contextlib import contextmanager

from s3o.model.errors import NoSuchKey, NoSuchVersion
from s3o.s3api.call import Call
from s3o.wire.versions import NULL_VERSION, names_null_version

VERSION_PARAMETER = "versionId"


@contextmanager
def named_version(call: Call) -> Iterator[None]:
    """Check the version a call names; inside, an absent object of it is NoSuchVersion.

    Raises NoSuchVersion, InvalidArgument.
    """
    is_named = names_null_version(call.query, call.key)
    try:
        yield
    except NoSuchKey as error:
        if is_named:
            raise NoSuchVersion(NULL_VERSION, call.key) from error
        raise
