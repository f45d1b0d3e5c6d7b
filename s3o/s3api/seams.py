"""What the door needs of the floor below: objects and buckets."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from s3o.model.errors import S3OError
from s3o.model.names import BucketName, ObjectKey
from s3o.model.seams import DigestedSource
from s3o.model.values import (
    Bucket,
    Interval,
    ObjectFacts,
    ObjectVersion,
    StoredObject,
    WriteConditions,
)
from s3o.net.exchange import Exchange
from s3o.wire.target import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class PutCall:
    """One PUT as the door understood it; source verifies and digests the body."""

    bucket: Bucket
    key: ObjectKey
    facts: ObjectFacts
    conditions: WriteConditions
    source: DigestedSource


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete:
    """One key to delete, and on what conditions."""

    key: ObjectKey
    conditions: WriteConditions


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page of a listing; next_after is None on the last one."""

    entries: tuple[ObjectVersion | str, ...]
    next_after: str | None


class Admitted(Protocol):
    """A caller whose request was authenticated, and the only ways to its body."""

    @property
    def owned(self) -> Sequence[BucketName]:
        """The names of the caller's buckets."""
        ...

    def open_source(self) -> DigestedSource:
        """Return the body as an object's bytes; raises what its headers break."""
        ...

    async def read_document(self, limit_bytes: int) -> bytes:
        """Return the whole body, verified; raises also MessageTooLong."""
        ...


class Gate(Protocol):
    """Authentication: the first thing every request meets."""

    def admit(self, exchange: Exchange, target: Target) -> Admitted:
        """Return who asks; raises AuthError or RequestError. Reads no body byte."""
        ...


class Reading(Protocol):
    """An open object."""

    async def read(self) -> bytes:
        """Return the next piece; b"" at the end."""
        ...


class Objects(Protocol):
    """The operations on objects (s3o/objects/store.ObjectStore)."""

    async def head(self, bucket: Bucket, key: ObjectKey) -> ObjectVersion: ...
    async def find(self, bucket: Bucket, key: ObjectKey) -> StoredObject: ...
    def open(
        self, bucket: Bucket, stored: StoredObject, interval: Interval | None
    ) -> AbstractAsyncContextManager[Reading]: ...
    async def put(self, call: PutCall) -> ObjectVersion: ...
    async def delete(
        self, bucket: Bucket, key: ObjectKey, conditions: WriteConditions
    ) -> None: ...
    async def delete_many(
        self, bucket: Bucket, deletes: Sequence[Delete]
    ) -> list[S3OError | None]: ...
    async def list(
        self, bucket: Bucket, *, prefix: str, delimiter: str, after: str, limit: int
    ) -> Page: ...


class Buckets(Protocol):
    """The buckets of this process (s3o/objects/buckets.BucketDirectory)."""

    def find(self, name: str) -> Bucket: ...
    def all(self) -> tuple[Bucket, ...]: ...
