"""Section `buckets`: the virtual buckets and who may use them."""

import re
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator

from s3o.config.kinds import (
    Choice,
    OptionalSecret,
    OptionalText,
    Section,
    Switch,
    Text,
    Whole,
    text_schema,
)
from s3o.config.problems import Fault
from s3o.config.readers import read_some_text
from s3o.model import limits
from s3o.model.errors import InvalidBucketName
from s3o.model.names import BucketName, parse_bucket_name
from s3o.model.tenants import Permission

_ACCESS_KEY = re.compile(r"[!-~]{1,256}", re.ASCII)
_VISIBLE = re.compile(r"[!-~]{1,4096}", re.ASCII)


def read_bucket_name(value: object) -> BucketName:
    """Return text as a bucket name; raises ValueError."""
    try:
        return parse_bucket_name(read_some_text(value))
    except InvalidBucketName:
        raise ValueError(
            "must be a bucket name: 3 to 63 lower-case letters, digits, '-' and '.', "
            "a letter or digit at both ends"
        ) from None


def _check_access_key(text: str | None) -> str | None:
    # "/" ends the access key in a signature's scope, "," and "=" part its header.
    if text is None or (_ACCESS_KEY.fullmatch(text) and not set("/,=") & set(text)):
        return text
    raise ValueError("must be visible ASCII without '/', ',' and '='")


def _check_prefix(text: str) -> str:
    if len(text.encode("utf-8")) > limits.OBJECT_KEY_BYTES:
        raise ValueError(
            f"must be at most {limits.OBJECT_KEY_BYTES} bytes, as keys are"
        )
    return text


PermissionName = Annotated[Literal["read", "write", "delete", "list"], Choice]


class CredentialSettings(Section):
    """One way in: an access key with its secret, a token, or both."""

    access_key_id: Annotated[OptionalText, AfterValidator(_check_access_key)] = None
    """Access key of signature version 4; unique over all buckets and accounts."""
    secret_access_key: OptionalSecret = None
    """Its secret."""
    token: OptionalSecret = None
    """Token of the X-Proxy-Token header; unique, and no prefix of another."""
    permissions: tuple[PermissionName, ...] = ("read", "write", "delete", "list")
    """What it may do; all four, without prefixes, also configure the bucket."""
    prefixes: tuple[Annotated[Text, AfterValidator(_check_prefix)], ...] = ()
    """Beginnings of the keys it reaches; none is every key."""

    @property
    def granted(self) -> frozenset[Permission]:
        """The permissions as values."""
        return frozenset(map(Permission, self.permissions))

    def faults(self) -> Iterator[Fault]:
        """A key has a secret, and something is there."""
        has_key, has_secret = (
            self.access_key_id is not None,
            bool(self.secret_access_key),
        )
        if has_key != has_secret or not (has_key or self.token):
            yield Fault((), "must have access_key_id and secret_access_key, or token")
        if self.token and not _VISIBLE.fullmatch(self.token.reveal()):
            yield Fault(("token",), "must be visible ASCII without blanks")
        if not self.permissions:
            yield Fault(("permissions",), "at least one permission is required")


class BucketSettings(Section):
    """One virtual bucket."""

    name: Annotated[BucketName, BeforeValidator(read_bucket_name), text_schema]
    """Name by AWS's rules; admin, ui, health and metrics are taken."""
    credentials: tuple[CredentialSettings, ...]
    """Who may use the bucket; at least one."""
    max_multipart_uploads: Whole = 0
    """Multipart uploads under way at once; 0 is no limit."""
    public_read: Switch = False
    """Let anybody read objects without credentials."""

    def faults(self) -> Iterator[Fault]:
        """Authentication is always required."""
        if not self.credentials:
            yield Fault(("credentials",), "at least one credential is required")
