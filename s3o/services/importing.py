"""Import foreign names, page by page, for the reconciler and for `sync`.

What cannot be imported is told before anything is written: most of a page is the same
at every pass, and costs only a read. A backend whose listing has no ETags is asked for
each object's (a HEAD), for only bytes that are known again may ever be deleted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from s3o.backends.guard import Guarded
from s3o.ledger.imports import Import, Verdict, import_blobs, judge_import
from s3o.ledger.ledger import Ledger
from s3o.ledger.quotas import quota_rows
from s3o.ledger.reconcile import explained
from s3o.ledger.seam import Tx
from s3o.model.errors import BlobMissing
from s3o.model.limits import IMPORT_BYTES, IMPORTED_BYTES, RECONCILE_BATCH
from s3o.model.names import BackendName, StorageKey
from s3o.model.seams import Clock, Entropy
from s3o.model.values import ListedBlob
from s3o.objects.naming import new_version_id
from s3o.policy.importing import Mapper, Shape, Target, made_up_etag, shape_of


@dataclass(slots=True, kw_only=True)
class ImportCounts:
    """What became of foreign names. unfit: not valid as a key here, or too large."""

    imported: int = 0
    imported_bytes: int = 0
    known: int = 0
    taken: int = 0
    deleted: int = 0
    unfit: int = 0

    @property
    def skipped(self) -> int:
        """All that were not imported."""
        return self.known + self.taken + self.deleted + self.unfit

    def add(self, verdict: Verdict, stored_bytes: int) -> None:
        """Count one name."""
        match verdict:
            case Verdict.IMPORTED:
                self.imported += 1
                self.imported_bytes += stored_bytes
            case Verdict.KNOWN:
                self.known += 1
            case Verdict.TAKEN:
                self.taken += 1
            case Verdict.DELETED:
                self.deleted += 1
            case Verdict.UNFIT:
                self.unfit += 1


@dataclass(frozen=True, slots=True)
class _Candidate:
    blob: ListedBlob
    target: Target


class Importer:
    """Imports pages of listings. Owns: nothing."""

    def __init__(self, ledger: Ledger, clock: Clock, entropy: Entropy) -> None:
        self._ledger = ledger
        self._clock = clock
        self._entropy = entropy

    async def take_page(
        self,
        backend: Guarded,
        blobs: Sequence[ListedBlob],
        find: Mapper,
        counts: ImportCounts,
        *,
        is_dry_run: bool = False,
    ) -> None:
        """Import what may be of a page, in byte order of its names; count everything.

        is_dry_run: write nothing, count what would be imported. Raises BackendError
        and LedgerError; what was imported until then stays.
        """
        wanted: list[_Candidate] = []
        for blob in blobs:
            target = find(blob.name) if shape_of(blob.name) is Shape.FOREIGN else None
            if target is None or blob.stored_bytes > IMPORT_BYTES:
                counts.unfit += 1
            else:
                wanted.append(_Candidate(blob, target))
        judged = await self._ledger.scan(
            partial(_judge, backend=backend.name, candidates=wanted)
        )
        fit: list[_Candidate] = []
        for candidate, verdict in zip(wanted, judged, strict=True):
            if verdict is Verdict.IMPORTED and not is_dry_run:
                fit.append(candidate)
            else:
                counts.add(verdict, candidate.blob.stored_bytes)
        for start in range(0, len(fit), RECONCILE_BATCH):
            await self._take(backend, fit[start : start + RECONCILE_BATCH], counts)

    async def _take(
        self, backend: Guarded, batch: Sequence[_Candidate], counts: ImportCounts
    ) -> None:
        imports: list[Import] = []
        for candidate in batch:
            one = await self._describe(backend, candidate)
            if one is None:
                counts.unfit += 1  # it is gone meanwhile
            else:
                imports.append(one)
        now_us = self._clock.now_us()
        verdicts = await self._ledger.write(
            partial(import_blobs, backend=backend.name, imports=imports, now_us=now_us)
        )
        for one, verdict in zip(imports, verdicts, strict=True):
            counts.add(verdict, one.stored_bytes)

    async def _describe(self, backend: Guarded, candidate: _Candidate) -> Import | None:
        blob, target = candidate.blob, candidate.target
        name = StorageKey(blob.name)
        stored_bytes, etag = blob.stored_bytes, blob.etag
        if not etag:
            try:
                info = await backend.head(name)
            except BlobMissing:
                return None
            stored_bytes, etag = info.stored_bytes, info.etag
        return Import(
            backend=backend.name,
            name=name,
            bucket=target.bucket,
            key=target.key,
            version_id=new_version_id(self._entropy, self._clock.now_us()),
            stored_bytes=stored_bytes,
            etag=etag or made_up_etag(name, stored_bytes, blob.modified_at_us),
            backend_etag=etag,
            modified_at_us=blob.modified_at_us,
        )


async def _judge(
    tx: Tx, backend: BackendName, candidates: Sequence[_Candidate]
) -> list[Verdict]:
    """Say beforehand what an import would say; changes nothing."""
    names = [candidate.blob.name for candidate in candidates]
    known = await explained(tx, backend, names)
    held = {row.backend: row.used_bytes for row in await quota_rows(tx)}
    free = IMPORTED_BYTES - held.get(backend, IMPORTED_BYTES)
    verdicts: list[Verdict] = []
    for candidate in candidates:
        blob, target = candidate.blob, candidate.target
        if blob.name in known:
            verdicts.append(Verdict.KNOWN)
            continue
        verdict = await judge_import(tx, target.bucket, target.key, blob.modified_at_us)
        if verdict is Verdict.IMPORTED:
            free -= blob.stored_bytes
            verdict = verdict if free >= 0 else Verdict.UNFIT
        verdicts.append(verdict)
    return verdicts
