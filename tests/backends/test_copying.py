"""Copies of large blobs at a provider that errs: the blob is right, or not there."""

from dataclasses import replace
from typing import cast

import pytest
import trio
from trio.testing import MockClock

from s3o.backends.copying import copy_blob
from s3o.backends.seam import Backend
from s3o.model import limits
from s3o.model.errors import BackendError, BlobDamaged, BlobMissing
from s3o.model.values import BlobHeaders, Traits
from tests.contract.factories import CountingMeter
from tests.contract.subject import name_of
from tests.fakes.s3_provider import Provider, open_provider
from tests.fakes.s3_server import S3Fault
from tests.fakes.sources import BytesSource, pattern

SOURCE, TARGET = name_of("film.mp4", 1), name_of("copy.mp4", 2)
NEW = BlobHeaders(record=(("s3o", "1;new;!"),), content_type="video/new")
AT_ONCE = limits.PART_MIN_BYTES
BODY = pattern(2 * AT_ONCE + 77)


class _Limited:
    """A backend that copies only so much at once."""

    def __init__(self, inner: Backend) -> None:
        self._inner = inner
        self.traits: Traits = replace(inner.traits, max_copy_bytes=AT_ONCE)

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)


async def copy(provider: Provider, size: int = len(BODY)) -> None:
    """Copy the source, of which the ledger says that it has size bytes."""
    limited = cast(Backend, _Limited(provider.backend))
    await copy_blob(limited, SOURCE, TARGET, NEW, size)


async def store(provider: Provider) -> None:
    """The source."""
    await provider.backend.put(SOURCE, BytesSource(BODY), BlobHeaders())


@pytest.mark.parametrize(
    ("operation", "fault"),
    [
        ("CreateMultipartUpload", S3Fault.SLOW_DOWN),
        ("UploadPartCopy", S3Fault.ERROR_IN_200),
        ("UploadPartCopy", S3Fault.SLOW_DOWN),
        ("UploadPartCopy", S3Fault.RESET_ANSWER),
        ("UploadPartCopy", S3Fault.NOT_FOUND),
        ("UploadPartCopy", S3Fault.NO_UPLOAD),
        ("UploadPartCopy", S3Fault.WRONG_ETAG),
        ("CompleteMultipartUpload", S3Fault.ERROR_IN_200),
        ("CompleteMultipartUpload", S3Fault.SLOW_DOWN),
        ("HeadObject", S3Fault.SLOW_DOWN),
    ],
)
async def test_what_fails_leaves_no_upload(
    operation: str, fault: S3Fault, autojump_clock: MockClock
) -> None:
    """And its error is not definite, so its name is looked after for a day."""
    async with open_provider(CountingMeter()) as provider:
        await store(provider)
        provider.server.plant(operation, *[fault] * 3)
        with pytest.raises(BackendError) as failed:
            await copy(provider)
        provider.server.faults.clear()

        assert not failed.value.is_definite
        assert {} == provider.server.bucket.uploads


@pytest.mark.parametrize("fault", [S3Fault.RESET_ANSWER, S3Fault.NO_LENGTH])
async def test_a_lost_answer_to_complete_is_looked_up(
    fault: S3Fault, autojump_clock: MockClock
) -> None:
    """The blob lies there, whole."""
    async with open_provider(CountingMeter()) as provider:
        await store(provider)
        provider.server.plant("CompleteMultipartUpload", fault)

        await copy(provider)

        info = await provider.backend.head(TARGET)
        assert (len(BODY), "1;new;!") == (info.stored_bytes, info.headers["s3o"])
        assert {} == provider.server.bucket.uploads


async def test_a_range_that_was_cut_is_found() -> None:
    """The source is shorter than the ledger says; the provider copies what there is."""
    async with open_provider(CountingMeter()) as provider:
        await store(provider)
        with pytest.raises(BlobDamaged):
            await copy(provider, len(BODY) + 1000)

        assert {} == provider.server.bucket.uploads


async def test_a_source_that_is_gone_is_missing() -> None:
    """The caller looks for another one."""
    async with open_provider(CountingMeter()) as provider:
        with pytest.raises(BlobMissing) as missing:
            await copy(provider)

        assert SOURCE == missing.value.storage_key
        assert {} == provider.server.bucket.uploads


async def test_who_is_cancelled_ends_the_upload(autojump_clock: MockClock) -> None:
    """A shutdown does that; the rest is left to cleanup."""
    async with open_provider(CountingMeter()) as provider:
        await store(provider)
        provider.server.plant("UploadPartCopy", S3Fault.SILENCE)
        with trio.move_on_after(5) as scope:
            await copy(provider)

        assert scope.cancelled_caught
        assert {} == provider.server.bucket.uploads
