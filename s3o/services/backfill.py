"""Compute the SHA-256 of objects that were stored without one.

Every byte of a version is read once, from whichever copies serve, and judged by what is
known of it while it goes by; a copy that proves wrong becomes suspect and another one
is read. Of an imported object nothing is known beforehand: what is read the first time
counts from then on. Pages go by key, never by offset, so what is done meanwhile shifts
nothing.
"""

import hashlib
from functools import partial

import trio

from s3o.backends.fleet import Fleet
from s3o.ledger.checks import find_stored
from s3o.ledger.ledger import Ledger
from s3o.ledger.scrubbing import list_unhashed, put_sha256
from s3o.model.errors import (
    BackendsFailed,
    LedgerDamaged,
    UsageExhausted,
)
from s3o.model.names import VersionId
from s3o.model.seams import Clock, Observer, Transform
from s3o.model.values import Interval, StoredObject
from s3o.objects.integrity import Integrity
from s3o.objects.live import LiveReads
from s3o.objects.read import ObjectReader
from s3o.observe.operation import Operation
from s3o.services.progress import Progress

OPERATION = "BackfillChecksum"


class Backfill:
    """Goes through all versions without a SHA-256, once per call."""

    def __init__(
        self,
        ledger: Ledger,
        fleet: Fleet,
        observer: Observer,
        clock: Clock,
        *,
        transform: Transform,
        reads: LiveReads,
        integrity: Integrity,
        stopping: trio.Event,
    ) -> None:
        """integrity: one whose rules verify reads, whatever is configured."""
        self._ledger = ledger
        self._fleet = fleet
        self._observer = observer
        self._clock = clock
        self._transform = transform
        self._reads = reads
        self._integrity = integrity
        self._stopping = stopping

    async def run(self, batch: int, progress: Progress | None) -> int:
        """Work to the end, batch versions per page; return how many were hashed."""
        done, unread, after = 0, 0, (-1, "")
        while True:
            page = await self._ledger.scan(
                partial(list_unhashed, after=after, limit=batch)
            )
            for bucket_id, key, version_id in page:
                if self._stopping.is_set():
                    return done
                after = (bucket_id, key)
                try:
                    done += await self._hash(version_id)
                except (BackendsFailed, UsageExhausted, LedgerDamaged):
                    unread += 1
                if progress is not None:
                    progress.note(processed=done, failed=unread)
            if len(page) < batch:
                return done

    async def _hash(self, version_id: VersionId) -> bool:
        stored = await self._ledger.read(partial(find_stored, version_id=version_id))
        if stored is None:
            return False
        sha256 = await self._read(stored)
        return await self._ledger.write(
            partial(put_sha256, version=stored.version, sha256=sha256)
        )

    async def _read(self, stored: StoredObject) -> str:
        version = stored.version
        sha256 = hashlib.sha256()
        reader = ObjectReader(
            self._fleet,
            self._transform,
            self._observer,
            self._reads,
            operation=Operation(
                self._observer, self._clock, OPERATION, key=version.key
            ),
            stored=stored,
            interval=Interval(0, version.size) if version.size else None,
            integrity=self._integrity,
        )
        async with reader:
            while piece := await reader.read():
                sha256.update(piece)
        return sha256.hexdigest()
