"""Plausible mistakes in copying where the source lies."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from s3o.backends import copying
from s3o.backends.copying import copy_blob
from s3o.backends.seam import Backend
from s3o.ledger import object_copies
from s3o.ledger.commits import Commit, Committed, swap_version
from s3o.ledger.pending import IntentRow
from s3o.ledger.quotas import QuotaMoves
from s3o.ledger.seam import Tx
from s3o.model.errors import BackendError
from s3o.model.names import StorageKey
from s3o.model.values import BlobHeaders, PutReceipt
from s3o.objects import part_server_copies, server_copies
from s3o.services import deleting
from tests.simulation.mutants import killed_by


@killed_by("large copy")
def uploads_of_copies_are_forgotten(patch: pytest.MonkeyPatch) -> None:
    """Cleanup deletes the name and leaves the upload that its process had begun."""
    patch.setattr(deleting, "_may_be_an_upload", lambda _backend, _row: False)


@killed_by("copy that is damaged")
def copies_are_believed(patch: pytest.MonkeyPatch) -> None:
    """The provider's MD5 of a copy is not compared with the source's."""

    async def believe(
        backend: Backend,
        source_key: StorageKey,
        storage_key: StorageKey,
        headers: BlobHeaders,
        size: int,
    ) -> PutReceipt:
        receipt = await copy_blob(backend, source_key, storage_key, headers, size)
        return replace(receipt, etag_is_md5=False)

    patch.setattr(server_copies, "copy_blob", believe)


@killed_by("large copy that is cut")
def large_copies_are_not_looked_at(patch: pytest.MonkeyPatch) -> None:
    """What the provider has joined has any size."""

    async def complete(
        backend: Backend,
        storage_key: StorageKey,
        upload_id: str,
        parts: Sequence[tuple[int, str]],
        _size: int,
    ) -> PutReceipt:
        return await backend.complete_upload(storage_key, upload_id, parts)

    patch.setattr(copying, "_complete", complete)


@killed_by("copy of blobs")
def layouts_are_forgotten(patch: pytest.MonkeyPatch) -> None:
    """A copy of several blobs is read as if it were one."""

    async def swap(
        tx: Tx, intent: IntentRow, commit: Commit, moves: QuotaMoves
    ) -> Committed:
        return await swap_version(tx, replace(intent, layout=()), commit, moves)

    patch.setattr(object_copies, "swap_version", swap)


@killed_by("copy of a range that fails")
def a_number_that_was_copied_is_sent_again(patch: pytest.MonkeyPatch) -> None:
    """A failed copy is taken for one that never began."""
    patch.setattr(part_server_copies, "NOTHING_WAS_SENT", (BackendError,))
