"""Uploads and their parts: begun, bound, announced, acknowledged, dropped."""

from dataclasses import replace

import pytest

from s3o.ledger.audit import audit
from s3o.ledger.cleanup import due_rows
from s3o.ledger.quotas import quota_rows
from s3o.ledger.seam import Engine
from s3o.ledger.upload_parts import list_parts
from s3o.ledger.uploads import find_upload
from s3o.model.errors import NoRoom, NoSuchUpload, TooManyUploads, WriteLost
from s3o.model.multipart import UploadState
from s3o.model.names import ObjectKey
from s3o.model.values import QuotaRow
from tests.ledger.house import ONE, TWO, Writer, furnish
from tests.ledger.uploading import OVERHEAD, Uploader


@pytest.fixture
def uploader(writer: Writer) -> Uploader:
    """Uploads into photos."""
    return Uploader(writer)


async def quotas(engine: Engine) -> list[QuotaRow]:
    """The quotas, after an audit."""
    assert [] == await engine.scan(audit)
    return await engine.read(quota_rows)


async def test_an_upload_is_found_by_bucket_key_and_id(uploader: Uploader) -> None:
    """An id alone must not open somebody else's upload."""
    upload = await uploader.create("a/b")

    assert upload == await uploader.look(upload)
    assert (UploadState.OPEN, None, False) == (
        upload.state,
        upload.backend,
        upload.is_native,
    )
    for bucket_id, key, upload_id in (
        (upload.bucket_id + 1, upload.key, upload.upload_id),
        (upload.bucket_id, "a", upload.upload_id),
        (upload.bucket_id, upload.key, "' OR 1"),
    ):
        with pytest.raises(NoSuchUpload):
            await uploader.engine.read(
                lambda tx, b=bucket_id, k=key, u=upload_id: find_upload(
                    tx, b, ObjectKey(k), u
                )
            )


async def test_a_bucket_has_so_many_uploads_and_no_more(uploader: Uploader) -> None:
    """The operator's limit counts what is in progress."""
    for _ in range(2):
        await uploader.create(max_uploads=2)

    with pytest.raises(TooManyUploads) as refused:
        await uploader.create(max_uploads=2)
    assert ("photos", 2) == (refused.value.bucket, refused.value.limit)
    await uploader.create(max_uploads=3)
    await uploader.create(max_uploads=0)


async def test_an_upload_is_bound_once(uploader: Uploader) -> None:
    """Two first parts at once make one upload on one backend."""
    upload = await uploader.create()
    binding = await uploader.begin_binding(upload)
    assert binding is not None
    opening = await uploader.look(upload)

    assert (UploadState.OPENING, ONE, binding.storage_key) == (
        opening.state,
        opening.backend,
        opening.storage_key,
    )
    assert await uploader.begin_binding(upload) is None
    blob = await uploader.open(uploader.new_part(upload, 1))
    assert (False, 1) == (blob.is_native, blob.blob)
    assert await uploader.finish_binding(upload)
    assert (UploadState.OPEN, f"native-{upload.upload_id}") == (
        (await uploader.look(upload)).state,
        (await uploader.look(upload)).backend_upload_id,
    )


async def test_a_number_is_sent_natively_once(uploader: Uploader) -> None:
    """A part number is a mutable name: a late first attempt would win."""
    upload = await uploader.bind(await uploader.create())
    first = await uploader.open(uploader.new_part(upload, 7))
    second = await uploader.open(uploader.new_part(upload, 7))
    other = await uploader.put(upload, 8)
    again = await uploader.put(upload, 8, take=1)

    assert (True, 0, f"{upload.storage_key}#7") == (
        first.is_native,
        first.blob,
        first.intent_key,
    )
    assert (False, 1) == (second.is_native, second.blob)
    assert (True, upload.storage_key, 1) == (
        other.is_native,
        other.storage_key,
        other.attempt,
    )
    assert (False, 2, 2) == (again.is_native, again.blob, again.attempt)
    parts = await uploader.engine.read(
        lambda tx: list_parts(tx, upload.upload_id, 0, 10)
    )
    assert [again] == parts
    one, _ = await quotas(uploader.engine)
    assert 4 * (10 + OVERHEAD) == one.reserved_bytes


async def test_a_failed_native_attempt_keeps_its_number(uploader: Uploader) -> None:
    """Its bytes may be there; only a proof that nothing was sent frees the number."""
    upload = await uploader.bind(await uploader.create())
    failed = await uploader.open(uploader.new_part(upload, 1))
    never = await uploader.open(uploader.new_part(upload, 2))

    assert not await uploader.drop(failed, is_ambiguous=True)
    assert await uploader.drop(never, was_started=False)
    assert not (await uploader.open(uploader.new_part(upload, 1))).is_native
    assert (await uploader.open(uploader.new_part(upload, 2))).is_native
    one, _ = await quotas(uploader.engine)
    assert 3 * (10 + OVERHEAD) == one.reserved_bytes


async def test_a_failed_blob_is_queued(uploader: Uploader) -> None:
    """Its bytes are owed until the backend says that they are gone."""
    upload = await uploader.create()
    failed = await uploader.open(uploader.new_part(upload, 1))
    never = await uploader.open(uploader.new_part(upload, 1))

    assert await uploader.drop(failed, is_ambiguous=True)
    assert not await uploader.drop(failed)
    assert await uploader.drop(never, was_started=False)
    (row,) = await uploader.engine.scan(
        lambda tx: due_rows(tx, ONE, uploader.writer.now_us, 9)
    )
    assert (failed.storage_key, True, None) == (
        row.storage_key,
        row.is_ambiguous,
        row.backend_upload_id,
    )
    one, _ = await quotas(uploader.engine)
    assert (0, 10 + OVERHEAD) == (one.reserved_bytes, one.orphan_bytes)


async def test_a_part_uploaded_again_replaces_the_blob(uploader: Uploader) -> None:
    """The last acknowledged attempt is the part; the blob before it is queued."""
    upload = await uploader.create()
    before = await uploader.put(upload, 1, 20)
    opened = await uploader.open(uploader.new_part(upload, 1, 30))
    failed = await uploader.open(uploader.new_part(upload, 1, 30))
    commit = replace(
        uploader.commit_of(opened, b"x" * 30), extra_failed=(failed.intent_key,)
    )
    after = await uploader.commit(commit)

    assert [after] == await uploader.engine.read(
        lambda tx: list_parts(tx, upload.upload_id, 0, 10)
    )
    queued = await uploader.engine.scan(
        lambda tx: due_rows(tx, ONE, uploader.writer.now_us, 9)
    )
    assert {(before.storage_key, False), (failed.storage_key, True)} == {
        (row.storage_key, row.is_ambiguous) for row in queued
    }
    one, _ = await quotas(uploader.engine)
    assert (30 + OVERHEAD, 20 + 30 + 2 * OVERHEAD) == (
        one.reserved_bytes,
        one.orphan_bytes,
    )


async def test_a_part_goes_where_there_is_room(engine: Engine) -> None:
    """An upload does not fail while some backend has room."""
    uploader = Uploader(await furnish(engine, {ONE: 100, TWO: 100}))
    upload = await uploader.bind(await uploader.create())
    first = await uploader.put(upload, 1, 60)
    second = await uploader.put(upload, 2, 60)

    assert [(ONE, True), (TWO, False)] == [
        (part.backend, part.is_native) for part in (first, second)
    ]
    with pytest.raises(NoRoom):
        await uploader.put(upload, 3, 60)
    assert [88, 88] == [row.reserved_bytes for row in await quotas(engine)]


async def test_equal_parts_only_where_the_backend_wants_them(
    uploader: Uploader,
) -> None:
    """R2 refuses a Complete of unequal parts; the odd one is a blob of its own."""
    upload = await uploader.bind(await uploader.create())
    parts = []
    for number, size in ((1, 10), (2, 10), (3, 4)):
        new = replace(uploader.new_part(upload, number, size), needs_equal_parts=True)
        parts.append(await uploader.open(new))
    free = await uploader.open(uploader.new_part(upload, 4, 4))

    assert [True, True, False] == [part.is_native for part in parts]
    assert free.is_native


async def test_an_acknowledgement_needs_its_intent(uploader: Uploader) -> None:
    """What the reaper dropped is not there; the client uploads again."""
    upload = await uploader.create()
    opened = await uploader.open(uploader.new_part(upload, 1))
    await uploader.drop(opened)

    with pytest.raises(WriteLost):
        await uploader.commit(uploader.commit_of(opened, b"x" * 10))
    with pytest.raises(NoSuchUpload):
        await uploader.open(replace(uploader.new_part(upload, 1), key=ObjectKey("j")))
