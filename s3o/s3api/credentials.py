"""Who may do what: one immutable book of credentials, replaced whole by a reload.

An access key id or a token leads to its caller: a principal, and what of the
principal's rights this credential has. The cache of derived keys lives in the book, so
a reload that changes a secret leaves no key of the old one behind. Secrets and tokens
never show in a repr.
"""

import hashlib
import hmac
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from s3o.model.errors import SignatureMismatch, UnknownAccessKey
from s3o.model.names import BucketName
from s3o.model.tenants import EVERY_PERMISSION, Permission
from s3o.wire import sigv2
from s3o.wire.sigv4 import KeyCache, Scope, SigningKey

# What unknown access keys are checked against, so that they cost the same work.
_NOBODY = "nobody has this secret and no caller comes of it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Somebody who proved who they are, or nobody in particular.

    principal: owns buckets. access_key_id: "" for a token. key_prefixes: the keys that
    the credential reaches begin with one of them; () is every key. attached: buckets of
    others that the principal may use.
    """

    principal: str
    access_key_id: str = ""
    permissions: frozenset[Permission] = EVERY_PERMISSION
    key_prefixes: tuple[str, ...] = ()
    attached: frozenset[BucketName] = frozenset()
    is_anonymous: bool = False

    @property
    def may_own(self) -> bool:
        """Whether the credential has all of its principal's rights."""
        return (
            not self.is_anonymous
            and not self.key_prefixes
            and EVERY_PERMISSION <= self.permissions
        )

    def may(self, permission: Permission) -> bool:
        """Whether the credential has a permission, at least for some keys."""
        if permission is Permission.OWN:
            return self.may_own
        return permission in self.permissions

    def may_reach(self, text: str) -> bool:
        """Whether a key, or every key that begins with text, is within reach."""
        return not self.key_prefixes or text.startswith(self.key_prefixes)


ANONYMOUS = Caller(
    principal="bucket:",  # no name has it, and it is no account
    permissions=frozenset({Permission.READ}),
    is_anonymous=True,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """One way in for a principal: an access key with its secret, a token, or both."""

    principal: str
    access_key_id: str | None = None
    secret_access_key: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    permissions: frozenset[Permission] = EVERY_PERMISSION
    key_prefixes: tuple[str, ...] = ()
    attached: frozenset[BucketName] = frozenset()

    def caller(self, access_key_id: str = "") -> Caller:
        """Return whom this way in proves."""
        return Caller(
            principal=self.principal,
            access_key_id=access_key_id,
            permissions=self.permissions,
            key_prefixes=self.key_prefixes,
            attached=self.attached,
        )


@dataclass(frozen=True, slots=True)
class _Account:
    caller: Caller
    secret: str = field(repr=False)


class CredentialBook:
    """All credentials of one configuration."""

    __slots__ = ("_accounts", "_keys", "_tokens", "allows_sigv2", "region")

    def __init__(
        self,
        grants: Iterable[Grant],
        region: str | None = None,
        *,
        allows_sigv2: bool = False,
    ) -> None:
        """Take all grants; with a region, signatures for another one are refused.

        No access key and no token is there twice: the configuration has checked that.
        allows_sigv2: whether what is presigned with version 2 proves anything.
        """
        self.region = region
        self.allows_sigv2 = allows_sigv2
        self._keys = KeyCache()
        self._accounts: dict[str, _Account] = {}
        self._tokens: dict[bytes, Caller] = {}
        for grant in grants:
            name = grant.access_key_id
            if name is not None:
                assert grant.secret_access_key
                assert name not in self._accounts
                caller = grant.caller(name)
                self._accounts[name] = _Account(caller, grant.secret_access_key)
            if grant.token is not None:
                assert grant.token
                digest = _digest(grant.token)
                assert digest not in self._tokens
                self._tokens[digest] = grant.caller()

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

    def sign_v2(self, access_key_id: str, text: str) -> tuple[str, Caller | None]:
        """Return the signature of version 2 that must be there, and whom it proves.

        An unknown access key gives a signature of equal work and None.
        """
        account = self._accounts.get(access_key_id)
        if account is None:
            return sigv2.sign(_NOBODY, text), None
        return sigv2.sign(account.secret, text), account.caller

    def find_token(self, token: str) -> Caller | None:
        """Return whom a token proves.

        Looked up by digest: what a lookup's time could tell is nothing about a token.
        """
        return self._tokens.get(_digest(token))


def require_signature(
    caller: Caller | None,
    access_key_id: str,
    claimed: str,
    expected: str,
    mismatch: Callable[[], SignatureMismatch],
) -> Caller:
    """Return caller if claimed is the signature that its secret gives.

    The comparison comes first and takes the same time whatever is in claimed, so an
    unknown access key (caller None) costs the work of a wrong signature. Raises
    UnknownAccessKey, and what mismatch makes.
    """
    # Bytes: compare_digest raises TypeError for text that is not ASCII.
    is_right = hmac.compare_digest(claimed.encode("utf-8"), expected.encode("ascii"))
    if caller is None:
        raise UnknownAccessKey(access_key_id)
    if not is_right:
        raise mismatch()
    return caller


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8")).digest()
