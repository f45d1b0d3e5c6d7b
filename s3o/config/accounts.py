"""Section `accounts`: principals that make buckets of their own.

Rules between accounts and buckets are here too: names, access keys and tokens must be
told apart whoever has them.
"""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator

from s3o.config.buckets import BucketSettings, CredentialSettings, read_bucket_name
from s3o.config.kinds import OptionalText, Section, Switch, Text, Whole, text_schema
from s3o.config.problems import Fault, Path
from s3o.model.names import BucketName

MAX_BUCKETS = 100  # what AWS gave an account for years

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,62}", re.ASCII)
_BUCKET_PREFIX = re.compile(r"[a-z0-9][a-z0-9.-]{0,61}", re.ASCII)


def _check_name(text: str) -> str:
    # A ":" would look like a configured bucket's own principal.
    if not _NAME.fullmatch(text):
        raise ValueError(
            "must be 1 to 63 letters, digits, '.', '_', '@' and '-', a letter or digit "
            "first"
        )
    return text


def _check_bucket_prefix(text: str | None) -> str | None:
    if text is not None and not _BUCKET_PREFIX.fullmatch(text):
        raise ValueError(
            "must begin a bucket name: up to 62 lower-case letters, digits, '-' and "
            "'.', a letter or digit first"
        )
    return text


AttachedName = Annotated[BucketName, BeforeValidator(read_bucket_name), text_schema]


class AccountSettings(Section):
    """One account: it owns the buckets that it makes."""

    name: Annotated[Text, AfterValidator(_check_name)]
    """Name of the account; its buckets belong to this name for ever."""
    credentials: tuple[CredentialSettings, ...]
    """Who may act for the account; at least one."""
    create_buckets: Switch = True
    """Whether it may make buckets."""
    bucket_prefix: Annotated[OptionalText, AfterValidator(_check_bucket_prefix)] = None
    """What the names of its new buckets must begin with."""
    max_buckets: Whole = MAX_BUCKETS
    """Buckets it may own at once; 0 is no limit."""
    quota_bytes: Whole = 0
    """Bytes that it may keep in all its buckets, as sent; 0 is no limit."""
    attach: tuple[AttachedName, ...] = ()
    """Configured buckets that it may use besides its own."""
    default_max_multipart_uploads: Whole = 0
    """Multipart uploads under way at once in each of its buckets; 0 is no limit."""

    def faults(self) -> Iterator[Fault]:
        """Authentication is always required."""
        if not self.credentials:
            yield Fault(("credentials",), "at least one credential is required")


def tenant_faults(
    buckets: Mapping[int, BucketSettings],
    accounts: Mapping[int, AccountSettings],
    taken: Iterable[str],
    *,
    are_buckets_whole: bool,
) -> Iterator[Fault]:
    """Yield what collides; taken are names that our own doors have.

    are_buckets_whole: none of the buckets was unreadable.
    """
    yield from _bucket_faults(buckets, frozenset(taken))
    yield from _account_faults(accounts)
    if are_buckets_whole:
        yield from _attach_faults(buckets, accounts)
    yield from _credential_faults(
        [
            *_credentials_in("buckets", buckets),
            *_credentials_in("accounts", accounts),
        ]
    )


def _credentials_in(
    section: str, owners: Mapping[int, BucketSettings] | Mapping[int, AccountSettings]
) -> Iterator[tuple[Path, CredentialSettings]]:
    for position, owner in owners.items():
        for index, credential in enumerate(owner.credentials):
            yield (section, position, "credentials", index), credential


def _bucket_faults(
    buckets: Mapping[int, BucketSettings], taken: frozenset[str]
) -> Iterator[Fault]:
    seen: set[str] = set()
    for position, bucket in buckets.items():
        at = ("buckets", position, "name")
        if bucket.name in taken:
            yield Fault(at, f"'{bucket.name}' is the path of a door of our own")
        if bucket.name in seen:
            yield Fault(at, f"duplicate bucket name '{bucket.name}'")
        seen.add(bucket.name)


def _account_faults(accounts: Mapping[int, AccountSettings]) -> Iterator[Fault]:
    seen: set[str] = set()
    for position, account in accounts.items():
        if account.name in seen:
            yield Fault(
                ("accounts", position, "name"),
                f"duplicate account name '{account.name}'",
            )
        seen.add(account.name)


def _attach_faults(
    buckets: Mapping[int, BucketSettings], accounts: Mapping[int, AccountSettings]
) -> Iterator[Fault]:
    known = {str(bucket.name) for bucket in buckets.values()}
    for position, account in accounts.items():
        for index, name in enumerate(account.attach):
            if name not in known:
                meant = difflib.get_close_matches(name, known, n=1)
                yield Fault(
                    ("accounts", position, "attach", index),
                    f"no bucket '{name}' in buckets"
                    + (f" (did you mean '{meant[0]}'?)" if meant else ""),
                )


def _credential_faults(
    credentials: list[tuple[Path, CredentialSettings]],
) -> Iterator[Fault]:
    keys: set[str] = set()
    tokens: list[tuple[str, int]] = []
    for order, (at, credential) in enumerate(credentials):
        key = credential.access_key_id
        if key is not None and key in keys:
            yield Fault((*at, "access_key_id"), f"duplicate access_key_id '{key}'")
        if key is not None:
            keys.add(key)
        if credential.token is not None:
            tokens.append((credential.token.reveal(), order))
    # Sorted, a token stands right before those that begin with it.
    for (token, first), (longer, second) in pairwise(sorted(tokens)):
        if longer.startswith(token):
            is_same = token == longer
            message = (
                "duplicate token" if is_same else "one token is a prefix of another"
            )
            yield Fault((*credentials[max(first, second)][0], "token"), message)
