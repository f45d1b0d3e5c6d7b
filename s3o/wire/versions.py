"""The versionId parameter, as a bucket without versioning understands it.

Every object of such a bucket has one version, and its name is `null`. Any other name is
a version that does not exist, or no version's name at all; taken for the object it
would read, or delete, what its client did not mean.

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/versioning-workflows.html
"""

import re

from s3o.model.errors import InvalidArgument, NoSuchVersion
from s3o.wire.target import Query

NULL_VERSION = "null"

# What S3's own version ids look like; it calls anything else an invalid argument.
_VERSION_ID = re.compile(r"[A-Za-z0-9._]{32}", re.ASCII)


def names_null_version(query: Query, key: str) -> bool:
    """Whether a request names the one version there is; False if it names none.

    Raises NoSuchVersion, and InvalidArgument for what can be no version's id.
    """
    value = query.get("versionId")
    if value is None:
        return False
    if query.count("versionId") > 1:
        raise InvalidArgument("versionId", value, "Invalid version id specified")
    check_null_version(value, key)
    return True


def check_null_version(value: str, key: str) -> None:
    """Raise NoSuchVersion or InvalidArgument for any id but that of the one version."""
    if value == NULL_VERSION:
        return
    if not value:
        raise InvalidArgument(
            "versionId", value, "Version id cannot be the empty string"
        )
    if _VERSION_ID.fullmatch(value):
        raise NoSuchVersion(value, key)
    raise InvalidArgument("versionId", value, "Invalid version id specified")
