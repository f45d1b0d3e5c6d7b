"""Signature version 4, both ways: what clients sign for us, what we sign for backends.

Everything is a function over values; time comes as an argument. Rules (S3's variant):

- The path is encoded once from the decoded path; `/` is kept, nothing is normalised.
- The query is sorted by encoded name, then encoded value; `k` and `k=` are the same.
- Header values are trimmed, runs of spaces collapsed, repeats joined with ",". Values
  are latin-1 text, so that the canonical request holds the very bytes of the wire.

Derived keys are cached by secret and scope (not by access key id: a changed secret
must count at once). Source: AWS, "Signature Version 4" and "Signature calculations for
the Authorization header: transferring payload in multiple chunks".
"""

import hashlib
import hmac
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from urllib.parse import quote_from_bytes

from s3o.model.values import Pairs

ALGORITHM = "AWS4-HMAC-SHA256"
TERMINATOR = "aws4_request"
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
STREAMING_PAYLOAD = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()

# Headers that proxies, HTTP libraries or providers (GCS: accept-encoding) change after
# signing, or that are written when the signature is already made.
NEVER_SIGNED = frozenset(
    [
        "accept-encoding",
        "authorization",
        "connection",
        "content-length",
        "expect",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
        "x-amzn-trace-id",
    ]
)

_KEYS_CACHED = 1024  # derived keys: one per credential, day and region in use
_BLOCK_BYTES = 64  # of SHA-256, for HMAC
_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))
_SPACES = re.compile(" {2,}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Scope:
    """What a derived key is good for: one day, one region, one service."""

    date: str  # YYYYMMDD
    region: str
    service: str = "s3"
    text: str = field(init=False, repr=False, compare=False)  # as in a credential

    def __post_init__(self) -> None:
        """Write it down once; it is needed with every signature."""
        text = f"{self.date}/{self.region}/{self.service}/{TERMINATOR}"
        object.__setattr__(self, "text", text)


def format_timestamp(at_us: int) -> str:
    """Return `YYYYMMDDTHHMMSSZ`; its first eight characters are the scope's date."""
    return _format_second(at_us // 1_000_000)


@lru_cache(maxsize=64)
def _format_second(at_s: int) -> str:
    return (_EPOCH + timedelta(seconds=at_s)).strftime("%Y%m%dT%H%M%SZ")


# ---- keys


class SigningKey:
    """A derived key, ready to sign: its two HMAC states are computed once.

    Signing from copied states costs 0.6 us where hmac.digest costs 1.4.
    """

    __slots__ = ("_inner", "_outer")

    def __init__(self, key: bytes) -> None:
        """Take the 32 bytes of derive_key (any length up to one block is fine)."""
        assert len(key) <= _BLOCK_BYTES
        block = key.ljust(_BLOCK_BYTES, b"\0")
        self._inner = hashlib.sha256(block.translate(_INNER))
        self._outer = hashlib.sha256(block.translate(_OUTER))

    def sign(self, text: bytes) -> str:
        """Return the HMAC-SHA256 of text in hex."""
        inner = self._inner.copy()
        inner.update(text)
        outer = self._outer.copy()
        outer.update(inner.digest())
        return outer.hexdigest()


def derive_key(secret: str, scope: Scope) -> bytes:
    """Return the key that secret gives for scope."""
    key = ("AWS4" + secret).encode("utf-8")
    for part in (scope.date, scope.region, scope.service, TERMINATOR):
        key = hmac.digest(key, part.encode("utf-8"), "sha256")
    return key


def sign(key: bytes, text: str) -> str:
    """Return the signature of text, in hex, under a derived key."""
    return SigningKey(key).sign(text.encode("latin-1"))


class KeyCache:
    """Derived keys in use; bounded, the oldest goes first."""

    __slots__ = ("_keys", "_limit")

    def __init__(self, limit: int = _KEYS_CACHED) -> None:
        """Keep at most limit keys."""
        self._keys: dict[tuple[str, str], SigningKey] = {}
        self._limit = limit

    def get(self, secret: str, scope: Scope) -> SigningKey:
        """Return the signing key of secret for scope."""
        name = (secret, scope.text)
        key = self._keys.get(name)
        if key is None:
            key = SigningKey(derive_key(secret, scope))
            if len(self._keys) >= self._limit:
                del self._keys[next(iter(self._keys))]
            self._keys[name] = key
        return key


# ---- canonical forms


def encode_path(decoded: bytes) -> str:
    """Return a decoded path percent-encoded once; `/` is kept."""
    return quote_from_bytes(decoded, "/")


def encode_query(pairs: Iterable[tuple[str, str]]) -> str:
    """Return decoded query pairs in canonical form."""
    return "&".join(
        f"{name}={value}"
        for name, value in sorted(
            (
                quote_from_bytes(name.encode("utf-8"), ""),
                quote_from_bytes(value.encode("utf-8"), ""),
            )
            for name, value in pairs
        )
    )


def canonical_value(value: str) -> str:
    """Return a header value as it is signed."""
    value = value.strip(" \t")
    return _SPACES.sub(" ", value) if "  " in value else value


def canonical_request(
    method: str,
    path: str,
    query_pairs: Sequence[tuple[str, str]],
    headers: Sequence[tuple[str, str]],
    payload_hash: str,
) -> str:
    """Return the canonical request over exactly these headers, in this order.

    path is encoded already (encode_path); query_pairs are decoded; headers are the
    signed ones, names lower-case, repeats joined.
    """
    query = encode_query(query_pairs) if query_pairs else ""
    lines = "".join([f"{name}:{value}\n" for name, value in headers])
    # Values mostly come as they are signed; asking four times is cheaper than a regex.
    if "  " in lines or "\t" in lines or ": " in lines or " \n" in lines:
        lines = "".join(
            [f"{name}:{canonical_value(value)}\n" for name, value in headers]
        )
    names = ";".join([name for name, _ in headers])
    return f"{method}\n{path}\n{query}\n{lines}\n{names}\n{payload_hash}"


def string_to_sign(timestamp: str, scope: Scope, canonical: str) -> str:
    """Return what the derived key signs for a canonical request."""
    digest = hashlib.sha256(canonical.encode("latin-1")).hexdigest()
    return f"{ALGORITHM}\n{timestamp}\n{scope.text}\n{digest}"


# ---- chunks and trailers


class ChunkSigner:
    """The chain of signatures over one aws-chunked body; each one seeds the next."""

    __slots__ = ("_context", "_key", "_previous")

    def __init__(
        self, key: SigningKey, timestamp: str, scope: Scope, seed_signature: str
    ) -> None:
        """Begin with the signature of the request itself."""
        self._key = key
        self._context = f"{timestamp}\n{scope.text}"
        self._previous = seed_signature

    def sign_chunk(self, sha256_hex: str) -> str:
        """Return the next chunk's signature, from the SHA-256 of its data."""
        return self._next(f"-PAYLOAD\n{self._context}", f"{EMPTY_SHA256}\n{sha256_hex}")

    def sign_trailer(self, sha256_hex: str) -> str:
        """Return the trailer's signature, from the SHA-256 of its canonical lines."""
        return self._next(f"-TRAILER\n{self._context}", sha256_hex)

    def _next(self, head: str, tail: str) -> str:
        text = f"{ALGORITHM}{head}\n{self._previous}\n{tail}"
        self._previous = self._key.sign(text.encode("latin-1"))
        return self._previous


# ---- our own requests


@dataclass(slots=True)
class RequestSigner:
    """Signs requests to one backend; keeps the derived key of the current day."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    region: str
    service: str = "s3"
    _scope: Scope | None = field(default=None, init=False, repr=False)
    _key: SigningKey | None = field(default=None, init=False, repr=False)

    def sign(
        self,
        method: str,
        path_encoded: str,
        query_pairs: Sequence[tuple[str, str]],
        headers: Pairs,
        payload_hash: str,
        now_us: int,
    ) -> Pairs:
        """Return all headers to send: the given ones and those of the signature.

        path_encoded: the path as sent, made by encode_path. headers: names lower-case,
        `host` among them, none repeated.
        """
        return self.sign_with_seed(
            method, path_encoded, query_pairs, headers, payload_hash, now_us
        )[0]

    def sign_with_seed(
        self,
        method: str,
        path_encoded: str,
        query_pairs: Sequence[tuple[str, str]],
        headers: Pairs,
        payload_hash: str,
        now_us: int,
    ) -> tuple[Pairs, ChunkSigner]:
        """Sign like sign(); return also the chain that signs an aws-chunked body."""
        timestamp = format_timestamp(now_us)
        scope, key = self._key_of(timestamp[:8])
        headers = (
            *headers,
            ("x-amz-content-sha256", payload_hash),
            ("x-amz-date", timestamp),
        )
        signed = sorted([pair for pair in headers if pair[0] not in NEVER_SIGNED])
        canonical = canonical_request(
            method, path_encoded, query_pairs, signed, payload_hash
        )
        text = string_to_sign(timestamp, scope, canonical)
        signature = key.sign(text.encode("latin-1"))
        authorization = (
            f"{ALGORITHM} Credential={self.access_key_id}/{scope.text}, "
            f"SignedHeaders={';'.join([name for name, _ in signed])}, "
            f"Signature={signature}"
        )
        chain = ChunkSigner(key, timestamp, scope, signature)
        return (*headers, ("authorization", authorization)), chain

    def _key_of(self, date: str) -> tuple[Scope, SigningKey]:
        if self._scope is None or self._key is None or self._scope.date != date:
            self._scope = Scope(date, self.region, self.service)
            self._key = SigningKey(derive_key(self.secret_access_key, self._scope))
        return self._scope, self._key
