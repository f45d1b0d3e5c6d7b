"""The seams: the only ways in which the product meets time, chance and bytes.

Everything a test or the simulation replaces is here, except Backend (s3o/backends) and
Engine (s3o/ledger), which belong to one floor each. The network towards backends is
httpcore's AsyncNetworkBackend.
"""

from collections.abc import Sequence
from typing import Protocol

from s3o.model.facts import Fact
from s3o.model.values import Digests


class Clock(Protocol):
    """Two clocks: one to write down, one to measure with."""

    def now_us(self) -> int:
        """Return the wall clock in microseconds since 1970, UTC; it may jump."""
        ...

    def monotonic_s(self) -> float:
        """Return seconds that never run backwards; only differences mean anything."""
        ...


class Entropy(Protocol):
    """Chance, injected so that a seed can replay it."""

    def token(self, size_bytes: int) -> bytes:
        """Return unpredictable bytes."""
        ...

    def uniform(self, low: float, high: float) -> float:
        """Return a number within low..high, for jitter only."""
        ...


class ByteStream(Protocol):
    """One byte stream to a peer: a socket, TLS over one, or memory in a test."""

    @property
    def peer(self) -> str:
        """The peer's address, `host:port`."""
        ...

    async def receive_some(self, max_bytes: int) -> bytes:
        """Wait for bytes and return 1..max_bytes of them; b"" is the end.

        Raises ConnectionBroken when the peer is gone.
        """
        ...

    async def send_vectored(self, parts: Sequence[bytes | memoryview]) -> None:
        """Send all parts in order, in as few segments as possible."""
        ...

    async def send_eof(self) -> None:
        """Close the sending side; receiving goes on. A no-op where TLS forbids it."""
        ...

    async def aclose(self) -> None:
        """Close at once; safe to call twice and under cancellation."""
        ...


class ByteSource(Protocol):
    """Bytes on their way down: a request body, a stage over it, or a copied blob."""

    @property
    def size(self) -> int:
        """How many bytes read() yields in all."""
        ...

    async def read(self) -> bytes:
        """Return the next piece (at most PIECE_BYTES), or b"" at the end.

        The piece that completes the source is returned only after every digest and
        signature that its sender declared has been verified; an empty source verifies
        in its first read. Raises the domain error of what failed, never short data.
        """
        ...

    def rewind(self) -> bool:
        """Start again from the first byte if that is still possible; say whether."""
        ...


class DigestedSource(ByteSource, Protocol):
    """A source that digests what it yields, for the object's ETag and checksum."""

    @property
    def declared_sha256(self) -> str | None:
        """The SHA-256 in hex that the client signed, known before the first byte."""
        ...

    @property
    def digests(self) -> Digests:
        """The digests of all bytes; only once the completing piece was returned."""
        ...


class Observer(Protocol):
    """Where facts go; never fails, never waits."""

    def note(self, fact: Fact) -> None:
        """Take one fact."""
        ...


class Encoding(Protocol):
    """One stored form of one blob being written; feed, then finish."""

    def feed(self, piece: bytes) -> bytes:
        """Return stored bytes for piece; may hold some back."""
        ...

    def finish(self) -> bytes:
        """Return what was held back."""
        ...


class Decoding(Protocol):
    """The way back for one interval of one blob."""

    def feed(self, piece: bytes) -> bytes:
        """Return plaintext of the wanted interval; raises BlobDamaged."""
        ...

    def finish(self) -> bytes:
        """Return what was held back; raises BlobDamaged when bytes are missing."""
        ...


class Transform(Protocol):
    """How plaintext becomes stored bytes: identity, encryption, or a test's padding.

    Stored size differs from size, and every path keeps the two apart.
    """

    def stored_size(self, size: int) -> int:
        """Return the stored bytes for size plaintext bytes."""
        ...

    def stored_interval(self, size: int, start: int, stop: int) -> tuple[int, int]:
        """Return the stored interval that holds plaintext start..stop."""
        ...

    def encoding(self, size: int) -> Encoding:
        """Return the stage for one new blob of size plaintext bytes."""
        ...

    def decoding(self, size: int, start: int, stop: int) -> Decoding:
        """Return the stage that turns stored_interval() into plaintext start..stop."""
        ...
