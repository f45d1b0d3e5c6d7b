"""Write the head of a request to an S3 provider, signed with signature version 4.

The common heads differ only in method and path, so everything else is written once a
second. Rules:

- Signed are host, x-amz-* and what describes the body; `range`, `content-length` and
  `accept-encoding` are not, since proxies and some providers rewrite them and their
  effect is checked in the answer.
- The path is sent exactly as it was signed.
- The clock is ours plus what the provider taught us (`learn_skew`).

Source: wire/sigv4, which these heads are tested against.
"""

import hashlib
import re
from dataclasses import dataclass, field

from s3o.backends.s3_settings import S3Address
from s3o.model.seams import Clock
from s3o.model.values import Pairs
from s3o.wire.sigv4 import (
    ALGORITHM,
    ChunkSigner,
    Scope,
    SigningKey,
    canonical_value,
    derive_key,
    encode_path,
    encode_query,
    format_timestamp,
)

_SECOND_US = 1_000_000
_OURS = re.compile(r"[A-Za-z0-9=!._/-]+", re.ASCII)  # what storage keys consist of
_NAMES = "host;x-amz-content-sha256;x-amz-date"


@dataclass(frozen=True, slots=True)
class SignedHead:
    """A head ready to be sent, and how the chunks after it are signed."""

    raw: bytes
    signature: str
    timestamp: str
    scope: Scope
    key: SigningKey = field(repr=False)

    def chunk_signer(self) -> ChunkSigner:
        """Return the chain of chunk signatures that this head begins."""
        return ChunkSigner(self.key, self.timestamp, self.scope, self.signature)


class HeadWriter:
    """Signs for one backend with one credential."""

    def __init__(
        self,
        address: S3Address,
        *,
        region: str,
        access_key_id: str,
        secret_access_key: str,
        clock: Clock,
    ) -> None:
        self._address = address
        self._region = region
        self._access_key_id = access_key_id
        self._secret = secret_access_key
        self._clock = clock
        self._skew_us = 0
        self._second = -1
        self._scope = Scope("", region)
        self._key = SigningKey(b"")
        self._timestamp = ""
        self._to_sign = ""  # the string to sign without the canonical request's digest
        self._credential = ""

    def now_us(self) -> int:
        """Return the time that heads are signed with."""
        return self._clock.now_us() + self._skew_us

    def learn_skew(self, provider_now_us: int) -> None:
        """Take the provider's clock for the truth from now on."""
        self._skew_us = provider_now_us - self._clock.now_us()

    def object_path(self, name: str) -> str:
        """Return the path of one object, encoded once."""
        if _OURS.fullmatch(name):
            return self._address.object_root + name.replace("=", "%3D").replace(
                "!", "%21"
            )
        return self._address.object_root + encode_path(name.encode("utf-8"))

    def copy_source(self, name: str) -> str:
        """Return how x-amz-copy-source names one object of the bucket."""
        path = self.object_path(name).removeprefix(self._address.object_root)
        return f"{self._address.bucket}/{path}"

    def write(
        self,
        method: str,
        path: str,
        payload_hash: str,
        *,
        query: tuple[tuple[str, str], ...] = (),
        signed: Pairs = (),
        plain: str = "",
    ) -> SignedHead:
        """Return a head; signed: more headers to sign, plain: lines that are not."""
        second = self.now_us() // _SECOND_US
        if second != self._second:
            self._turn(second)
        host = self._address.host
        fixed = (
            f"host:{host}\nx-amz-content-sha256:{payload_hash}\n"
            f"x-amz-date:{self._timestamp}\n"
        )
        if signed:
            lines, names = self._merge(signed, payload_hash)
        else:
            lines, names = fixed, _NAMES
        canonical_query = encode_query(query) if query else ""
        canonical = (
            f"{method}\n{path}\n{canonical_query}\n{lines}\n{names}\n{payload_hash}"
        )
        digest = hashlib.sha256(canonical.encode("latin-1")).hexdigest()
        signature = self._key.sign((self._to_sign + digest).encode("latin-1"))
        target = f"{path}?{canonical_query}" if query else path
        # Sent as signed: providers differ in what they do to runs of spaces.
        extra = "".join(
            [f"{name}: {canonical_value(value)}\r\n" for name, value in signed]
        )
        raw = (
            f"{method} {target} HTTP/1.1\r\nHost: {host}\r\n"
            f"x-amz-content-sha256: {payload_hash}\r\nx-amz-date: {self._timestamp}\r\n"
            f"Authorization: {self._credential}{names}, Signature={signature}\r\n"
            f"Accept-Encoding: identity\r\nUser-Agent: s3-orchestrator\r\n"
            f"{extra}{plain}\r\n"
        )
        return SignedHead(
            raw.encode("latin-1"), signature, self._timestamp, self._scope, self._key
        )

    def _merge(self, signed: Pairs, payload_hash: str) -> tuple[str, str]:
        pairs = sorted(
            [
                *signed,
                ("host", self._address.host),
                ("x-amz-content-sha256", payload_hash),
                ("x-amz-date", self._timestamp),
            ]
        )
        lines = "".join([f"{name}:{canonical_value(value)}\n" for name, value in pairs])
        return lines, ";".join([name for name, _ in pairs])

    def _turn(self, second: int) -> None:
        """Write down what stays the same for one second."""
        self._second = second
        self._timestamp = format_timestamp(second * _SECOND_US)
        date = self._timestamp[:8]
        if date != self._scope.date:
            self._scope = Scope(date, self._region)
            self._key = SigningKey(derive_key(self._secret, self._scope))
        self._to_sign = f"{ALGORITHM}\n{self._timestamp}\n{self._scope.text}\n"
        self._credential = (
            f"{ALGORITHM} Credential={self._access_key_id}/{self._scope.text}, "
            "SignedHeaders="
        )
