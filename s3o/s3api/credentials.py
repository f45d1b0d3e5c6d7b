"""Who may use which buckets: one immutable book, replaced whole by a reload.

An access key id or a token leads to its buckets. The cache of derived keys lives in
the book, so a reload that changes a secret leaves no key of the old one behind.
Secrets and tokens never show in a repr.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field

from s3o.model.names import BucketName
from s3o.wire.sigv4 import KeyCache, Scope, SigningKey

# What unknown access keys are checked against, so that they cost the same work.
_NOBODY = "nobody has this secret and no caller comes of it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """One way into one bucket: an access key with its secret, a token, or both."""

    bucket: BucketName
    access_key_id: str | None = None
    secret_access_key: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Somebody who proved who they are.

    buckets: what they may use, sorted. access_key_id: "" for a token.
    """

    buckets: tuple[BucketName, ...]
    access_key_id: str = ""

    def may_use(self, bucket: str) -> bool:
        """Whether the bucket is one of theirs."""
        return bucket in self.buckets


@dataclass(frozen=True, slots=True)
class _Account:
    caller: Caller
    secret: str = field(repr=False)


class CredentialBook:
    """All credentials of one configuration."""

    __slots__ = ("_accounts", "_keys", "_tokens", "region")

    def __init__(self, grants: Iterable[Grant], region: str | None = None) -> None:
        """Take all grants; with a region, signatures for another one are refused.

        The same access key may open several buckets, with the same secret: the
        configuration has checked that.
        """
        self.region = region
        self._keys = KeyCache()
        secrets: dict[str, str] = {}
        keys: dict[str, set[BucketName]] = {}
        tokens: dict[bytes, set[BucketName]] = {}
        for grant in grants:
            if grant.access_key_id is not None:
                assert grant.secret_access_key
                known = secrets.setdefault(grant.access_key_id, grant.secret_access_key)
                assert known == grant.secret_access_key
                keys.setdefault(grant.access_key_id, set()).add(grant.bucket)
            if grant.token is not None:
                assert grant.token
                digest = _digest(grant.token)
                tokens.setdefault(digest, set()).add(grant.bucket)
        self._accounts = {
            name: _Account(
                Caller(buckets=tuple(sorted(names)), access_key_id=name), secrets[name]
            )
            for name, names in keys.items()
        }
        self._tokens = {
            digest: Caller(buckets=tuple(sorted(names)))
            for digest, names in tokens.items()
        }

    def key_for(
        self, access_key_id: str, scope: Scope
    ) -> tuple[SigningKey, Caller | None]:
        """Return the key that must have signed, and whom it proves.

        An unknown access key gives a key of equal work and None.
        """
        account = self._accounts.get(access_key_id)
        if account is None:
            return self._keys.get(_NOBODY, scope), None
        return self._keys.get(account.secret, scope), account.caller

    def find_token(self, token: str) -> Caller | None:
        """Return whom a token proves.

        Looked up by digest: what a lookup's time could tell is nothing about a token.
        """
        return self._tokens.get(_digest(token))


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8")).digest()
