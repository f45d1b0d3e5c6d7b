"""What every backend that says it can owes the floors above: parts and copies."""

import pytest

from s3o.backends.seam import Backend
from s3o.model.errors import BackendError, BackendRefused, BlobMissing, UploadMissing
from s3o.model.names import StorageKey
from s3o.model.values import BlobHeaders, Interval
from tests.contract.test_backends import Subject, name_of, subject
from tests.fakes.sources import BytesSource, digests_of, pattern

__all__ = ["subject"]

MIN = 5 * 1024 * 1024
NAME = name_of("large")
RECORD = BlobHeaders(record=(("s3o", "a record"),), content_type="text/plain")


@pytest.fixture
def uploader(subject: Subject) -> Backend:
    """A backend with uploads of its own."""
    if not subject.backend.traits.has_multipart:
        pytest.skip("no uploads in parts here, and its traits say so")
    return subject.backend


@pytest.fixture
def copier(subject: Subject) -> Subject:
    """A backend that copies."""
    if not subject.backend.traits.can_copy:
        pytest.skip("no copies here, and its traits say so")
    return subject


async def begin(
    backend: Backend, *bodies: bytes, numbers: tuple[int, ...] = ()
) -> tuple[str, list[tuple[int, str]]]:
    """Begin an upload and send parts; return its id and what they are called."""
    upload_id = await backend.create_upload(NAME, RECORD)
    parts = []
    for number, body in zip(numbers or range(1, 100), bodies, strict=False):
        source = BytesSource(body)
        receipt = await backend.upload_part(NAME, upload_id, number, source)
        if receipt.etag_is_md5:
            assert source.digests.md5 == receipt.etag
        parts.append((number, receipt.etag))
    return upload_id, sorted(parts)


async def test_parts_become_a_blob(subject: Subject, uploader: Backend) -> None:
    """In the order of their numbers, with the record of the upload."""
    bodies = pattern(MIN), pattern(MIN + 1), pattern(7)
    upload_id, parts = await begin(
        uploader, bodies[1], bodies[2], bodies[0], numbers=(2, 7, 1)
    )

    with pytest.raises(BlobMissing):
        await uploader.head(NAME)
    receipt = await uploader.complete_upload(NAME, upload_id, parts)

    assert not receipt.etag_is_md5
    assert b"".join(bodies) == await subject.get(NAME)
    seam = await subject.get(NAME, Interval(MIN - 3, MIN + 3))
    assert b"".join(bodies)[MIN - 3 : MIN + 3] == seam
    info = await uploader.head(NAME)
    assert (2 * MIN + 8, "a record") == (info.stored_bytes, info.headers["s3o"])


async def test_parts_that_are_not_named_are_dropped(
    subject: Subject, uploader: Backend
) -> None:
    """Another attempt of a part went elsewhere."""
    upload_id, parts = await begin(uploader, pattern(MIN), pattern(100), pattern(7))

    await uploader.complete_upload(NAME, upload_id, [parts[0], parts[2]])

    assert pattern(MIN) + pattern(7) == await subject.get(NAME)


async def test_parts_are_listed(uploader: Backend) -> None:
    """What a crash leaves is found again."""
    upload_id, parts = await begin(uploader, pattern(100), pattern(7))

    listed = await uploader.list_parts(NAME, upload_id)

    assert [(1, 100), (2, 7)] == [(part.number, part.stored_bytes) for part in listed]
    assert parts == [(part.number, part.etag) for part in listed]


async def test_uploads_are_listed_until_they_end(uploader: Backend) -> None:
    """The sweep asks by name."""
    upload_id, _ = await begin(uploader, pattern(7))
    prefix = NAME.partition("!")[0]

    page = await uploader.list_uploads(prefix)
    assert [(NAME, upload_id)] == [(one.name, one.upload_id) for one in page.uploads]
    assert () == (await uploader.list_uploads("photos/other")).uploads
    await uploader.abort_upload(NAME, upload_id)
    assert () == (await uploader.list_uploads(prefix)).uploads


async def test_an_aborted_upload_is_gone(subject: Subject, uploader: Backend) -> None:
    """And may be aborted again."""
    upload_id, parts = await begin(uploader, pattern(7))

    await uploader.abort_upload(NAME, upload_id)
    await uploader.abort_upload(NAME, upload_id)

    with pytest.raises(UploadMissing):
        await uploader.list_parts(NAME, upload_id)
    with pytest.raises(UploadMissing):
        await uploader.upload_part(NAME, upload_id, 2, BytesSource(b"late"))
    with pytest.raises(BackendError):
        await uploader.complete_upload(NAME, upload_id, parts)
    with pytest.raises(BlobMissing):
        await uploader.head(NAME)


async def test_a_wrong_manifest_is_refused(uploader: Backend) -> None:
    """A part that is not there, or is another."""
    upload_id, parts = await begin(uploader, pattern(7))

    for wrong in ([(1, "0" * 32)], [*parts, (2, parts[0][1])]):
        with pytest.raises(BackendRefused) as refused:
            await uploader.complete_upload(NAME, upload_id, wrong)
        assert 400 == refused.value.status
    await uploader.complete_upload(NAME, upload_id, parts)


@pytest.mark.parametrize("size", [0, 1, 70_000, MIN + 1])
async def test_a_copy_is_the_blob_with_a_record_of_its_own(
    copier: Subject, size: int
) -> None:
    """The new record beats what the copied bytes were stored with."""
    source, copy = name_of("a b+é"), name_of("copy")
    await copier.put(source, pattern(size), BlobHeaders(record=(("s3o", "old"),)))
    before = copier.meter.usage

    receipt = await copier.backend.copy(source, copy, RECORD)

    spent = copier.meter.usage.egress_bytes - before.egress_bytes
    assert spent < 1000, "an answer, not the bytes"
    assert before.ingress_bytes == copier.meter.usage.ingress_bytes
    if receipt.etag_is_md5:
        assert digests_of(pattern(size)).md5 == receipt.etag
    assert pattern(size) == await copier.get(copy)
    assert "a record" == (await copier.backend.head(copy)).headers["s3o"]
    assert pattern(size) == await copier.get(source)


async def test_a_copy_of_nothing_is_missing(copier: Subject) -> None:
    """So that the copy begins again with another location."""
    with pytest.raises(BlobMissing):
        await copier.backend.copy(name_of("none"), name_of("copy"), RECORD)
    with pytest.raises(BlobMissing):
        await copier.backend.head(name_of("copy"))


async def test_a_part_is_copied(subject: Subject, uploader: Backend) -> None:
    """A whole blob, and an interval of one."""
    if not uploader.traits.can_copy_part:
        pytest.skip("no copies of parts here, and its traits say so")
    source: StorageKey = name_of("a b+é")
    await subject.put(source, pattern(MIN + 100))
    upload_id = await uploader.create_upload(NAME, RECORD)

    one = await uploader.copy_part(source, None, NAME, upload_id, 1)
    two = await uploader.copy_part(source, Interval(3, 50), NAME, upload_id, 2)
    await uploader.complete_upload(NAME, upload_id, [(1, one.etag), (2, two.etag)])

    assert pattern(MIN + 100) + pattern(50)[3:] == await subject.get(NAME)
