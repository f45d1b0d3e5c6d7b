"""What copies within one backend owe the floors above, over every backend."""

import hashlib
from dataclasses import replace
from typing import cast

import pytest

from s3o.backends.copying import copy_blob
from s3o.backends.seam import Backend
from s3o.model import limits
from s3o.model.errors import (
    BackendRefused,
    BlobMissing,
    UploadMissing,
)
from s3o.model.values import BlobHeaders, Interval, Traits
from tests.contract.subject import Subject, name_of
from tests.fakes.sources import pattern

SOURCE = name_of("film.mp4", 1)
TARGET = name_of("copy.mp4", 2)
OLD = BlobHeaders(
    record=(("s3o", "1;old;!"), ("s3o1", "more")),
    content_type="video/old",
    metadata=(("camera", "X100"),),
)
NEW = BlobHeaders(record=(("s3o", "1;new;!"),), content_type="video/new")


@pytest.fixture
def copying(subject: Subject) -> Subject:
    """A subject that copies."""
    if not subject.backend.traits.can_copy:
        pytest.skip("this backend cannot copy")
    return subject


@pytest.fixture
def part_copying(subject: Subject) -> Subject:
    """A subject that copies parts."""
    if not subject.backend.traits.can_copy_part:
        pytest.skip("this backend cannot copy parts")
    return subject


async def test_store_that_cannot_copy_says_so(subject: Subject) -> None:
    """Then the bytes are read and written instead."""
    traits = subject.backend.traits
    if traits.can_copy and traits.can_copy_part:
        pytest.skip("this backend copies everything")
    backend = subject.backend

    async def attempt() -> None:
        if traits.can_copy:
            await backend.copy_part(SOURCE, None, TARGET, "unknown", 1)
        else:
            await backend.copy(SOURCE, TARGET, NEW)

    with pytest.raises(BackendRefused) as refused:
        await attempt()

    assert (501, True) == (refused.value.status, refused.value.is_definite)


@pytest.mark.parametrize("size", [0, 1, 3_000_001])
async def test_copy_has_the_same_bytes(copying: Subject, size: int) -> None:
    """And the source stays as it was."""
    body = pattern(size)
    await copying.put(SOURCE, body, OLD)
    receipt = await copying.backend.copy(SOURCE, TARGET, NEW)

    assert body == await copying.get(TARGET)
    assert body == await copying.get(SOURCE)
    assert '"' not in receipt.etag
    if receipt.etag_is_md5:
        assert hashlib.md5(body, usedforsecurity=False).hexdigest() == receipt.etag


async def test_copy_has_the_new_record_and_nothing_of_the_old(
    copying: Subject,
) -> None:
    """A copy that carried its source's record would lie to a rebuild."""
    await copying.put(SOURCE, b"meow", OLD)
    await copying.backend.copy(SOURCE, TARGET, NEW)
    found = (await copying.backend.head(TARGET)).headers
    kept = (await copying.backend.head(SOURCE)).headers

    assert "1;new;!" == found["s3o"]
    assert not {"s3o1", "camera"} & found.keys()
    assert ("1;old;!", "X100") == (kept["s3o"], kept["camera"])


async def test_copy_of_an_absent_blob_is_missing(copying: Subject) -> None:
    """The caller then looks for another copy; nothing may lie at the target."""
    await copying.put(name_of("other"), b"x")
    with pytest.raises(BlobMissing) as missing:
        await copying.backend.copy(SOURCE, TARGET, NEW)

    assert SOURCE == missing.value.storage_key
    assert [name_of("other")] == await copying.names()


@pytest.mark.parametrize(
    "key", ["with space", "plus+and&and%20", "ünïcödé/🐈", "a?b#c", "x" * 199]
)
async def test_odd_names_are_copied(copying: Subject, key: str) -> None:
    """The source's name travels in a header, encoded."""
    source, target = name_of(key, 1), name_of(key, 2)
    await copying.put(source, key.encode())
    await copying.backend.copy(source, target, NEW)

    assert key.encode() == await copying.get(target)


async def test_copies_at_the_same_name_do_not_mix(copying: Subject) -> None:
    """Each copy has a name of its own, so an old one is never overwritten."""
    await copying.put(SOURCE, b"first")
    await copying.backend.copy(SOURCE, TARGET, NEW)
    await copying.backend.delete([SOURCE])

    assert b"first" == await copying.get(TARGET)
    assert [TARGET] == await copying.names()


async def test_copy_is_one_request_without_the_blobs_bytes(copying: Subject) -> None:
    """That is what makes it cheap."""
    await copying.put(SOURCE, pattern(500_000))
    before = copying.meter.usage
    await copying.backend.copy(SOURCE, TARGET, NEW)
    used = copying.meter.usage

    assert before.api_requests + 1 == used.api_requests
    assert before.ingress_bytes == used.ingress_bytes
    assert used.egress_bytes - before.egress_bytes < 4 * limits.KIB


async def test_intervals_become_parts(part_copying: Subject) -> None:
    """A blob over 5 GiB moves this way, and UploadPartCopy is served so."""
    backend, size = part_copying.backend, limits.PART_MIN_BYTES
    body = pattern(2 * size + 77)
    await part_copying.put(SOURCE, body)
    await part_copying.put(name_of("small"), b"tail")
    upload_id = await backend.create_upload(TARGET, NEW)
    intervals = [Interval(size + 7, 2 * size + 77), Interval(3, size + 7)]
    parts = []
    for number, interval in enumerate(intervals, 1):
        receipt = await backend.copy_part(SOURCE, interval, TARGET, upload_id, number)
        parts.append((number, receipt.etag))
    receipt = await backend.copy_part(name_of("small"), None, TARGET, upload_id, 3)
    parts.append((3, receipt.etag))
    await backend.complete_upload(TARGET, upload_id, parts)

    expected = body[size + 7 :] + body[3 : size + 7] + b"tail"
    assert expected == await part_copying.get(TARGET)
    assert "1;new;!" == (await backend.head(TARGET)).headers["s3o"]


async def test_copied_part_is_listed(part_copying: Subject) -> None:
    """Size and ETag are compared with what was asked for."""
    backend, body = part_copying.backend, pattern(100_000)
    await part_copying.put(SOURCE, body)
    upload_id = await backend.create_upload(TARGET, NEW)
    receipt = await backend.copy_part(
        SOURCE, Interval(10, 50_000), TARGET, upload_id, 4
    )
    (part,) = await backend.list_parts(TARGET, upload_id)
    await backend.abort_upload(TARGET, upload_id)

    assert (4, receipt.etag, 49_990) == (part.number, part.etag, part.stored_bytes)
    digest = hashlib.md5(body[10:50_000], usedforsecurity=False).hexdigest()
    assert digest == receipt.etag


async def test_part_copied_from_or_into_nothing_is_told_apart(
    part_copying: Subject,
) -> None:
    """A vanished source restarts the copy; a vanished upload ends it."""
    backend = part_copying.backend
    await part_copying.put(SOURCE, b"meow")
    upload_id = await backend.create_upload(TARGET, NEW)
    with pytest.raises(BlobMissing):
        await backend.copy_part(name_of("absent"), None, TARGET, upload_id, 1)
    await backend.abort_upload(TARGET, upload_id)
    with pytest.raises(UploadMissing):
        await backend.copy_part(SOURCE, None, TARGET, upload_id, 3)


class _Limited:
    """A backend that copies only so much at once, as every provider does."""

    def __init__(self, inner: Backend, max_copy_bytes: int) -> None:
        self._inner = inner
        self.traits: Traits = replace(inner.traits, max_copy_bytes=max_copy_bytes)

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)


async def test_a_blob_is_copied_whatever_its_size(part_copying: Subject) -> None:
    """By parts; nothing of them is left, and no byte passes through here."""
    size = limits.PART_MIN_BYTES
    body = pattern(2 * size + 77)
    await part_copying.put(SOURCE, body, OLD)
    before = part_copying.meter.usage
    limited = cast(Backend, _Limited(part_copying.backend, size))

    await copy_blob(limited, SOURCE, TARGET, NEW, len(body))

    used = part_copying.meter.usage
    assert used.ingress_bytes - before.ingress_bytes < 4 * limits.KIB  # a manifest
    assert used.egress_bytes - before.egress_bytes < 16 * limits.KIB
    assert body == await part_copying.get(TARGET)
    assert "1;new;!" == (await part_copying.backend.head(TARGET)).headers["s3o"]
    assert () == (await part_copying.backend.list_uploads("")).uploads


async def test_a_large_copy_of_nothing_leaves_nothing(part_copying: Subject) -> None:
    """Its upload is ended, and the error says that late parts may come."""
    limited = cast(Backend, _Limited(part_copying.backend, limits.PART_MIN_BYTES))
    with pytest.raises(BlobMissing) as missing:
        await copy_blob(limited, SOURCE, TARGET, NEW, 2 * limits.PART_MIN_BYTES)

    assert not missing.value.is_definite
    assert [] == await part_copying.names()
    assert () == (await part_copying.backend.list_uploads("")).uploads


async def test_a_copy_that_the_store_cannot_make_is_refused(subject: Subject) -> None:
    """Whoever asks first sees it in the traits."""
    limited = cast(Backend, _Limited(subject.backend, 10))
    if limited.traits.can_copy_part:
        pytest.skip("this backend copies everything")
    with pytest.raises(BackendRefused) as refused:
        await copy_blob(limited, SOURCE, TARGET, NEW, 11)

    assert (501, True) == (refused.value.status, refused.value.is_definite)
    assert [] == await subject.names()
