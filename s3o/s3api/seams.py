"""What the door needs of authentication."""

from collections.abc import Mapping
from typing import Protocol

from s3o.model.names import ObjectKey
from s3o.model.seams import DigestedSource
from s3o.model.values import ChecksumAlgorithm
from s3o.net.exchange import Exchange
from s3o.s3api.credentials import Caller
from s3o.wire.target import Target


class Admitted(Protocol):
    """A caller whose request was authenticated, and the only ways to its body."""

    @property
    def caller(self) -> Caller:
        """Who asks, and with which rights."""
        ...

    def open_source(self, algorithm: ChecksumAlgorithm | None = None) -> DigestedSource:
        """Return the body as an object's bytes; raises what its headers break.

        algorithm: of the checksum to keep; None: the declared one, else the default.
        """
        ...

    async def read_document(
        self, limit_bytes: int, *, is_checksummed: bool = True
    ) -> bytes:
        """Return the whole body, verified; raises also MessageTooLong.

        is_checksummed: x-amz-checksum-* is about it, not about an object.
        """
        ...


class Posted(Admitted, Protocol):
    """What a browser's form asks for; its file is the body."""

    @property
    def key(self) -> ObjectKey:
        """The object that the form stores."""
        ...

    @property
    def fields(self) -> Mapping[str, str]:
        """The headers that the form's fields stand for, and how to answer."""
        ...


class Gate(Protocol):
    """Authentication: the first thing every request meets."""

    def admit(self, exchange: Exchange, target: Target) -> Admitted:
        """Return who asks; raises AuthError or RequestError. Reads no body byte."""
        ...

    async def admit_form(self, exchange: Exchange, target: Target) -> Posted:
        """Return who signed a form and what it asks, once its policy allows it.

        Reads the body up to the file's data, and a small file whole.
        """
        ...
