"""Uploads that end without an object: every byte and every reservation is released."""

import pytest

from s3o.ledger.audit import audit
from s3o.ledger.cleanup import confirm, due_rows, exhaust
from s3o.ledger.dead_letters import list_dead_letters, retry_dead_letter
from s3o.ledger.quotas import quota_rows, upload_counts
from s3o.ledger.seam import Tx
from s3o.ledger.upload_completion import find_completion
from s3o.ledger.upload_endings import end_uploads_of_bucket
from s3o.ledger.uploads import finished_native, look_up, stale_uploads
from s3o.model.errors import NoSuchUpload, WriteLost
from s3o.model.multipart import UploadState
from tests.ledger.house import ONE, Writer
from tests.ledger.uploading import OVERHEAD, Uploader, manifest_of


@pytest.fixture
def uploader(writer: Writer) -> Uploader:
    """Uploads into photos."""
    return Uploader(writer)


async def test_abort_queues_everything_once(uploader: Uploader) -> None:
    """Parts, attempts in flight, and one row for the backend's own upload."""
    upload = await uploader.bind(await uploader.create())
    await uploader.put(upload, 1, 10)
    blob = await uploader.put(upload, 2, 11, is_native=False)
    native = await uploader.open(uploader.new_part(upload, 3, 12))
    flying = await uploader.open(uploader.new_part(upload, 3, 13))
    await uploader.abort(upload)

    rows = await uploader.engine.scan(lambda tx: due_rows(tx, ONE, 2**62, 9))
    assert {
        (upload.storage_key, upload.backend_upload_id, 22 + 2 * OVERHEAD, True),
        (blob.storage_key, None, 11 + OVERHEAD, False),
        (flying.storage_key, None, 13 + OVERHEAD, True),
    } == {
        (row.storage_key, row.backend_upload_id, row.stored_bytes, row.is_ambiguous)
        for row in rows
    }
    assert [] == await uploader.engine.scan(audit)
    one, _ = await uploader.engine.read(quota_rows)
    assert (0, 0, 46 + 4 * OVERHEAD) == (
        one.used_bytes,
        one.reserved_bytes,
        one.orphan_bytes,
    )
    for late in (native, flying):
        with pytest.raises(NoSuchUpload):
            await uploader.commit(uploader.commit_of(late, b"x"))
        assert not await uploader.drop(late)
    with pytest.raises(NoSuchUpload):
        await uploader.abort(upload)
    assert {} == await uploader.engine.read(upload_counts)


async def test_an_unbound_upload_leaves_no_row(uploader: Uploader) -> None:
    """No backend ever heard of it."""
    upload = await uploader.create()
    await uploader.put(upload, 1)
    await uploader.abort(upload)

    assert await uploader.engine.read(lambda tx: look_up(tx, upload.upload_id)) is None
    assert [] == await uploader.engine.scan(audit)


@pytest.mark.parametrize("end", ["abort", "complete", "completing"])
async def test_a_backend_that_answers_too_late_is_told_to_abort(
    uploader: Uploader, end: str
) -> None:
    """The upload ended while it was opening; what the backend began is nobody's."""
    upload = await uploader.create()
    binding = await uploader.begin_binding(upload)
    assert binding is not None
    part = await uploader.put(upload, 1)
    if end == "abort":
        await uploader.abort(upload)
    else:
        begun = await uploader.begin(upload, manifest_of(part))
        if end == "complete":
            await uploader.finish(begun)
    assert [] == [
        row
        for row in await uploader.engine.scan(lambda tx: due_rows(tx, ONE, 2**62, 9))
        if row.backend_upload_id is not None
    ]

    assert not await uploader.finish_binding(upload)
    (row,) = [
        row
        for row in await uploader.engine.scan(lambda tx: due_rows(tx, ONE, 2**62, 9))
        if row.backend_upload_id is not None
    ]
    assert (binding.storage_key, f"native-{upload.upload_id}", 0) == (
        row.storage_key,
        row.backend_upload_id,
        row.stored_bytes,
    )
    assert [] == await uploader.engine.scan(audit)


async def test_the_queue_carries_the_backends_upload_to_the_end(
    uploader: Uploader,
) -> None:
    """Dead letters and back: a delete of that name would abort nothing."""
    upload = await uploader.bind(await uploader.create())
    await uploader.put(upload, 1)
    await uploader.abort(upload)
    now_us = uploader.writer.now_us

    async def there_and_back(tx: Tx) -> str | None:
        (row,) = await due_rows(tx, ONE, now_us, 9)
        assert await exhaust(tx, row.id, "no", now_us)
        (letter,) = await list_dead_letters(tx, 9)
        assert await retry_dead_letter(tx, letter.id, now_us)
        (again,) = await due_rows(tx, ONE, now_us, 9)
        assert letter.backend_upload_id == row.backend_upload_id
        for _ in range(again.repeats_left + 1):
            await confirm(tx, [again.id], now_us)
        return again.backend_upload_id

    assert upload.backend_upload_id == await uploader.engine.write(there_and_back)
    assert [] == await uploader.engine.scan(audit)
    one, _ = await uploader.engine.read(quota_rows)
    assert 0 == one.held_bytes


async def test_a_deleted_bucket_takes_its_uploads_along(uploader: Uploader) -> None:
    """DeleteBucket ends them in its own transaction, whatever they were about to do."""
    writer = uploader.writer
    open_ = await uploader.bind(await uploader.create("open"))
    await uploader.put(open_, 1, 10)
    await uploader.put(open_, 2, 11, is_native=False)
    flying = await uploader.open(uploader.new_part(open_, 3, 12))
    completing = await uploader.bind(await uploader.create("completing"))
    part = await uploader.put(completing, 1, 13)
    begun = await uploader.begin(completing, manifest_of(part))
    intent = writer.intent("put", 14)
    await writer.open(intent)

    async def end(tx: Tx) -> None:
        await end_uploads_of_bucket(tx, writer.bucket.id, writer.now_us)
        await end_uploads_of_bucket(tx, writer.bucket.id, writer.now_us)

    await writer.engine.write(end)
    assert [] == await writer.engine.scan(audit)
    one, _ = await writer.engine.read(quota_rows)
    assert (0, 0, 60 + 5 * OVERHEAD) == (
        one.used_bytes,
        one.reserved_bytes,
        one.orphan_bytes,
    )
    with pytest.raises(WriteLost):
        await uploader.finish(begun)
    with pytest.raises(WriteLost):
        await writer.commit(intent.storage_key)
    with pytest.raises(NoSuchUpload):
        await uploader.commit(uploader.commit_of(flying, b"x"))
    assert (
        await writer.engine.read(lambda tx: find_completion(tx, completing.upload_id))
        is None
    )
    ended = await writer.engine.scan(lambda tx: finished_native(tx, ONE, 9))
    assert [UploadState.ABORTED] * 2 == [upload.state for upload in ended]
    rows = await writer.engine.scan(lambda tx: due_rows(tx, ONE, 2**62, 9))
    assert {None, completing.backend_upload_id} == {
        row.backend_upload_id
        for row in rows
        if row.storage_key == completing.storage_key
    }


async def test_an_upload_is_stale_without_a_sign_of_life(uploader: Uploader) -> None:
    """A part announced or acknowledged is one; being completed is no idleness."""
    idle = await uploader.create("idle")
    busy = await uploader.create("busy")
    completing = await uploader.create("completing")
    part = await uploader.put(completing, 1)
    await uploader.begin(completing, manifest_of(part))
    await uploader.put(busy, 1)
    now_us = (await uploader.look(busy)).active_at_us

    for before_us, limit, expected in (
        (idle.active_at_us, 9, []),
        (now_us, 9, [idle.upload_id]),
        (now_us + 1, 9, [idle.upload_id, busy.upload_id]),
        (now_us + 1, 1, [idle.upload_id]),
    ):
        found = await uploader.engine.scan(
            lambda tx, b=before_us, n=limit: stale_uploads(tx, b, n)
        )
        assert expected == [upload.upload_id for upload in found]
