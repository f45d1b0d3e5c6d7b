"""Complete: pinned, published once, and nothing of the upload left behind."""

from dataclasses import replace

import pytest

from s3o.ledger.audit import audit
from s3o.ledger.cleanup import CleanupRow, due_rows
from s3o.ledger.deletes import delete_object
from s3o.ledger.intents import list_intents
from s3o.ledger.objects import find_object, find_version
from s3o.ledger.pending import IntentKind
from s3o.ledger.quotas import object_counts, quota_rows
from s3o.ledger.seam import Engine
from s3o.ledger.upload_completion import (
    BegunCompletion,
    find_completion,
    reopen,
)
from s3o.ledger.upload_endings import refuse_complete
from s3o.ledger.upload_parts import list_parts
from s3o.ledger.uploads import (
    expire_completed,
    find_completed,
    finished_native,
    forget_upload,
    look_up,
)
from s3o.model.errors import (
    ConditionalConflict,
    EntityTooSmall,
    InvalidPart,
    NoSuchKey,
    NoSuchUpload,
    PreconditionFailed,
    UploadCompleting,
    WriteLost,
)
from s3o.model.multipart import Manifest, Part, Upload, UploadState
from s3o.model.names import BackendName, ObjectKey
from s3o.model.values import (
    ChecksumAlgorithm,
    ChecksumType,
    Location,
    ObjectFacts,
    StoredObject,
    WriteConditions,
)
from tests.ledger.house import ONE, TWO, Writer, furnish
from tests.ledger.uploading import (
    OVERHEAD,
    Uploader,
    checksum_of,
    content,
    manifest_of,
)

FACTS = ObjectFacts(
    content_type="video/mp4", metadata=(("a", "b"),), tags=(("t", "1"),)
)


@pytest.fixture
def uploader(writer: Writer) -> Uploader:
    """Uploads into photos."""
    return Uploader(writer)


async def stored(uploader: Uploader, key: str = "k") -> StoredObject | None:
    """The object that readers find, after an audit."""
    assert [] == await uploader.engine.scan(audit)
    return await uploader.engine.read(
        lambda tx: find_object(tx, uploader.writer.bucket.id, ObjectKey(key))
    )


async def queued(engine: Engine, backend: BackendName = ONE) -> list[CleanupRow]:
    """What is to be deleted there, some time."""
    return await engine.scan(lambda tx: due_rows(tx, backend, 2**62, 100))


async def numbers(engine: Engine) -> list[tuple[int, int, int]]:
    """Used, reserved and orphan bytes per backend, after an audit."""
    assert [] == await engine.scan(audit)
    return [
        (row.used_bytes, row.reserved_bytes, row.orphan_bytes)
        for row in await engine.read(quota_rows)
    ]


async def test_a_native_upload_becomes_one_blob(uploader: Uploader) -> None:
    """Complete moves no bytes: the backend's object is the version's only blob."""
    upload = await uploader.bind(await uploader.create(facts=FACTS))
    parts = [await uploader.put(upload, number, 20) for number in (2, 1, 9)]
    parts.sort(key=lambda part: part.number)
    begun = await uploader.begin(upload, manifest_of(*parts))
    assert [part.number for part in begun.completion.native_parts] == [1, 2, 9]
    assert await stored(uploader) is None, "visible only after"
    committed = await uploader.finish(begun)

    found = await stored(uploader)
    assert found is not None
    version = found.version
    assert committed.version == version
    assert (upload.version_id, 60, (20, 20, 20), (), FACTS) == (
        version.version_id,
        version.size,
        version.part_sizes,
        version.layout,
        version.facts,
    )
    data = b"".join(content(number, 20) for number in (1, 2, 9))
    assert checksum_of(ChecksumAlgorithm.CRC64NVME, data) == version.checksum
    assert version.etag.endswith("-3")
    assert () == version.part_checksums, "Create named no algorithm"
    (place,) = found.locations
    assert (upload.storage_key, 60 + 3 * OVERHEAD, 0, "v9") == (
        place.storage_key,
        place.stored_bytes,
        place.blob,
        place.backend_version,
    )
    assert [(60 + 3 * OVERHEAD, 0, 0), (0, 0, 0)] == await numbers(uploader.engine)
    assert {ONE: 1, TWO: 0} == await uploader.engine.read(object_counts)
    assert [] == await queued(uploader.engine)


async def mixed(uploader: Uploader) -> tuple[Upload, list[Part]]:
    """Native 1 and 3, a blob 2, a superseded native 4, an attempt of 6 that failed."""
    upload = await uploader.bind(
        await uploader.create(
            algorithm=ChecksumAlgorithm.CRC32, kind=ChecksumType.COMPOSITE
        )
    )
    parts = [
        await uploader.put(upload, 1, 10),
        await uploader.put(upload, 2, 11, is_native=False),
        await uploader.put(upload, 3, 12),
    ]
    await uploader.put(upload, 4, 13)
    parts.append(await uploader.put(upload, 4, 14, take=1))
    await uploader.put(upload, 5, 15, is_native=False)  # never listed
    failed = await uploader.open(uploader.new_part(upload, 6, 16))
    assert failed.is_native
    await uploader.drop(failed, is_ambiguous=True)
    return upload, parts


async def test_an_upload_of_many_blobs_keeps_what_is_listed(
    uploader: Uploader,
) -> None:
    """Unlisted and superseded bytes leave, each by its own way."""
    upload, parts = await mixed(uploader)
    late = await uploader.open(
        replace(uploader.new_part(upload, 7, 17), is_native_wanted=False)
    )
    begun = await uploader.begin(upload, manifest_of(*parts))
    version = (await uploader.finish(begun)).version

    found = await stored(uploader)
    assert found is not None
    assert found.version == version
    assert ((0, 0, 10), (1, 0, 11), (0, 10, 12), (2, 0, 14)) == version.layout
    assert ((10, 11, 12, 14), 47) == (version.part_sizes, version.size)
    assert (
        tuple(part.checksum.value for part in parts if part.checksum is not None)
        == version.part_checksums
    )
    assert version.checksum is not None
    assert version.checksum.value.endswith("-4")
    assert [
        (0, upload.storage_key, 22 + 2 * OVERHEAD),
        (1, parts[1].storage_key, 11 + OVERHEAD),
        (2, parts[3].storage_key, 14 + OVERHEAD),
    ] == [_of(place) for place in found.locations]
    rows = await queued(uploader.engine)
    assert [(15 + OVERHEAD, False, None), (17 + OVERHEAD, True, None)] == sorted(
        (row.stored_bytes, row.is_ambiguous, row.backend_upload_id) for row in rows
    )
    assert late.storage_key in {row.storage_key for row in rows}
    assert {ONE: 1, TWO: 0} == await uploader.engine.read(object_counts)
    assert (47 + 4 * OVERHEAD, 0, 32 + 2 * OVERHEAD) == (
        await numbers(uploader.engine)
    )[0]


def _of(place: Location) -> tuple[int, str, int]:
    return place.blob, place.storage_key, place.stored_bytes


async def test_a_version_of_many_blobs_leaves_as_one(uploader: Uploader) -> None:
    """Every blob is queued, the object counted once."""
    upload, parts = await mixed(uploader)
    await uploader.finish(await uploader.begin(upload, manifest_of(*parts)))
    writer = uploader.writer
    await writer.engine.write(
        lambda tx: delete_object(
            tx, writer.bucket, ObjectKey("k"), WriteConditions(), writer.now_us
        )
    )

    assert await stored(uploader) is None
    assert {ONE: 0, TWO: 0} == await uploader.engine.read(object_counts)
    used, reserved, orphan = (await numbers(uploader.engine))[0]
    assert (0, 0, 62 + 5 * OVERHEAD) == (used, reserved, orphan)


async def test_an_unbound_upload_completes_from_blobs(engine: Engine) -> None:
    """A backend without multipart takes every part as it is."""
    uploader = Uploader(await furnish(engine, {ONE: 60, TWO: 0}))
    upload = await uploader.create()
    parts = [await uploader.put(upload, number) for number in (1, 2)]
    version = (
        await uploader.finish(await uploader.begin(upload, manifest_of(*parts)))
    ).version

    assert ((1, 0, 10), (2, 0, 10)) == version.layout
    found = await stored(uploader)
    assert found is not None
    assert [ONE, TWO] == [place.backend for place in found.locations]
    assert {ONE: 1, TWO: 0} == await engine.read(object_counts)
    assert await engine.read(lambda tx: look_up(tx, upload.upload_id)) is None


async def test_an_unused_native_upload_is_aborted(uploader: Uploader) -> None:
    """Complete pins none of its parts, so nobody would ever complete it."""
    upload = await uploader.bind(await uploader.create())
    await uploader.put(upload, 1, 10)
    part = await uploader.put(upload, 1, 20, take=1)
    await uploader.finish(await uploader.begin(upload, manifest_of(part)))

    (row,) = await queued(uploader.engine)
    assert (upload.storage_key, f"native-{upload.upload_id}", False) == (
        row.storage_key,
        row.backend_upload_id,
        row.is_ambiguous,
    )
    assert (20 + OVERHEAD, 0, 10 + OVERHEAD) == (await numbers(uploader.engine))[0]


async def test_what_is_completed_is_remembered_for_a_day(uploader: Uploader) -> None:
    """A client whose answer was lost asks again and hears the same."""
    upload = await uploader.bind(await uploader.create())
    part = await uploader.put(upload, 1)
    begun = await uploader.begin(upload, manifest_of(part))
    again = await uploader.begin(upload, manifest_of(part))
    version = (await uploader.finish(begun)).version

    assert (True, False) == (begun.is_new, again.is_new)
    assert begun.completion == again.completion
    with pytest.raises(WriteLost):
        await uploader.finish(again)
    with pytest.raises(NoSuchUpload):
        await uploader.begin(upload, manifest_of(part))
    done = await uploader.engine.read(
        lambda tx: find_completed(tx, upload.bucket_id, upload.key, upload.upload_id)
    )
    assert done is not None
    assert begun.upload.manifest is not None
    assert (version.version_id, version.etag, version.checksum) == (
        done.version_id,
        done.etag,
        done.checksum,
    )
    assert begun.upload.manifest.digest == done.manifest_digest
    assert 0 == await uploader.engine.write(
        lambda tx: expire_completed(tx, done.completed_at_us)
    )
    assert 1 == await uploader.engine.write(
        lambda tx: expire_completed(tx, done.completed_at_us + 1)
    )


async def test_nothing_changes_while_it_is_completed(uploader: Uploader) -> None:
    """What is pinned must be there when the backend has done its part."""
    upload = await uploader.bind(await uploader.create())
    one, two = await uploader.put(upload, 1), await uploader.put(upload, 2)
    late = await uploader.open(uploader.new_part(upload, 3))
    begun = await uploader.begin(upload, manifest_of(one, two))

    with pytest.raises(UploadCompleting):
        await uploader.begin(upload, manifest_of(one))
    with pytest.raises(UploadCompleting):
        await uploader.abort(upload)
    with pytest.raises(NoSuchUpload):
        await uploader.open(uploader.new_part(upload, 3))
    with pytest.raises(NoSuchUpload):
        await uploader.commit(uploader.commit_of(late, b"x" * 10))
    assert begun.completion == (await _resumed(uploader, upload)).completion
    (intent,) = [
        intent
        for intent in await uploader.engine.scan(lambda tx: list_intents(tx, 10))
        if intent.kind is IntentKind.COMPLETE
    ]
    assert (begun.intent_key, upload.upload_id, (0,)) == (
        intent.storage_key,
        intent.upload_id,
        intent.pinned_blobs,
    )


async def _resumed(uploader: Uploader, upload: Upload) -> BegunCompletion:
    begun = await uploader.engine.read(lambda tx: find_completion(tx, upload.upload_id))
    assert begun is not None
    return begun


@pytest.mark.parametrize("is_bound", [True, False])
async def test_a_refused_complete_opens_the_upload_again(
    uploader: Uploader, is_bound: bool
) -> None:
    """The backend's definite no changes nothing for the client."""
    upload = await uploader.create()
    await uploader.begin_binding(upload)
    if is_bound:
        await uploader.finish_binding(upload)
    part = await uploader.put(upload, 1)
    before = await uploader.look(upload)
    await uploader.begin(upload, manifest_of(part))
    now_us = uploader.writer.now_us

    async def again() -> bool:
        return await uploader.engine.write(
            lambda tx: reopen(tx, upload.upload_id, now_us)
        )

    assert [True, False] == [await again(), await again()]
    after = await uploader.look(upload)
    assert replace(before, active_at_us=now_us) == after
    expected = UploadState.OPEN if is_bound else UploadState.OPENING
    assert expected is after.state
    assert [] == await uploader.engine.scan(audit)
    await uploader.finish(await uploader.begin(upload, manifest_of(part)))
    assert await stored(uploader) is not None


async def test_conditions_refuse_before_anything_is_sent(uploader: Uploader) -> None:
    """Refused at the begin, the upload is as it was."""
    await uploader.writer.put("k")
    upload = await uploader.create()
    part = await uploader.put(upload, 1)
    other = await uploader.create("absent")
    lone = await uploader.put(other, 1)

    with pytest.raises(PreconditionFailed):
        await uploader.begin(
            upload, manifest_of(part), WriteConditions(if_none_match_any=True)
        )
    with pytest.raises(NoSuchKey):
        await uploader.begin(other, manifest_of(lone), WriteConditions(if_match=("e",)))
    assert UploadState.OPEN is (await uploader.look(upload)).state
    assert [] == await uploader.engine.scan(audit)


@pytest.mark.parametrize("is_native", [True, False])
async def test_a_condition_lost_on_the_way_ends_the_upload(
    uploader: Uploader, is_native: bool
) -> None:
    """The race's loser is told so, and nothing of it stays for ever."""
    upload = await uploader.bind(await uploader.create())
    part = await uploader.put(upload, 1, is_native=is_native)
    begun = await uploader.begin(
        upload, manifest_of(part), WriteConditions(if_none_match_any=True)
    )
    winner = await uploader.writer.put("k", 3)

    with pytest.raises(ConditionalConflict):
        await uploader.finish(begun)
    assert UploadState.COMPLETING is (await uploader.look(upload)).state

    async def refuse() -> bool:
        return await uploader.engine.write(
            lambda tx: refuse_complete(tx, upload.upload_id, uploader.writer.now_us)
        )

    assert [True, False] == [await refuse(), await refuse()]
    found = await stored(uploader)
    assert found is not None
    assert winner.version == found.version
    forms = {
        (row.storage_key, row.backend_upload_id, row.stored_bytes)
        for row in await queued(uploader.engine)
    }
    native_bytes = 10 + OVERHEAD if is_native else 0
    expected = {
        (upload.storage_key, None, native_bytes),
        (upload.storage_key, f"native-{upload.upload_id}", 0),
    }
    if not is_native:
        expected.add((part.storage_key, None, 10 + OVERHEAD))
    assert expected == forms
    assert (3 + OVERHEAD, 0, 10 + OVERHEAD) == (await numbers(uploader.engine))[0]


@pytest.mark.parametrize("is_deleted", [True, False])
async def test_the_reaper_does_not_undo_a_later_write(
    uploader: Uploader, is_deleted: bool
) -> None:
    """Nobody waits for this Complete; a client that does would win."""
    upload = await uploader.create()
    part = await uploader.put(upload, 1)
    await uploader.begin(upload, manifest_of(part))
    writer = uploader.writer
    if is_deleted:
        await writer.engine.write(
            lambda tx: delete_object(
                tx, writer.bucket, ObjectKey("k"), WriteConditions(), writer.now_us
            )
        )
    else:
        await writer.put("k", 3)
    resumed = await _resumed(uploader, upload)

    with pytest.raises(ConditionalConflict):
        await uploader.finish(resumed, is_unattended=True)
    await uploader.finish(resumed)
    version = await uploader.engine.read(
        lambda tx: find_version(tx, writer.bucket.id, ObjectKey("k"))
    )
    assert version is not None
    assert upload.version_id == version.version_id
    assert [] == await uploader.engine.scan(audit)


async def test_a_manifest_that_is_wrong_changes_nothing(uploader: Uploader) -> None:
    """Plans are made of the rows of now, inside the transaction."""
    upload = await uploader.create()
    part = await uploader.put(upload, 1, 0)
    again = await uploader.put(upload, 1, 5, take=1)
    last = await uploader.put(upload, 2, 5)

    for manifest, error in (
        (manifest_of(part), InvalidPart),
        (Manifest(parts=manifest_of(replace(last, number=3)).parts), InvalidPart),
    ):
        with pytest.raises(error):
            await uploader.begin(upload, manifest)
    empty = await uploader.put(upload, 1, 0)
    with pytest.raises(EntityTooSmall):
        await uploader.begin(upload, manifest_of(empty, last))
    with pytest.raises(InvalidPart):
        await uploader.begin(upload, manifest_of(again))
    assert [empty, last] == await uploader.engine.read(
        lambda tx: list_parts(tx, upload.upload_id, 0, 10)
    )


async def test_a_finished_upload_is_kept_until_the_backend_is_clean(
    uploader: Uploader,
) -> None:
    """Its name is what lets a sweep abort what a dead process left there."""
    live = await uploader.bind(await uploader.create("live"))
    opening = await uploader.create("opening")
    await uploader.begin_binding(opening)
    done = await uploader.bind(await uploader.create("done"))
    part = await uploader.put(done, 1)
    await uploader.finish(await uploader.begin(done, manifest_of(part)))
    aborted = await uploader.bind(await uploader.create("aborted"))
    await uploader.abort(aborted)

    found = await uploader.engine.scan(lambda tx: finished_native(tx, ONE, 2))
    more = await uploader.engine.scan(
        lambda tx: finished_native(tx, ONE, 2, found[-1].upload_id)
    )
    assert [opening.upload_id, done.upload_id, aborted.upload_id] == [
        upload.upload_id for upload in (*found, *more)
    ]
    assert [] == await uploader.engine.scan(lambda tx: finished_native(tx, TWO, 9))
    forgotten = [
        await uploader.engine.write(lambda tx, u=u: forget_upload(tx, u.upload_id))
        for u in (live, opening, done, aborted, aborted)
    ]
    assert [False, False, True, True, False] == forgotten
