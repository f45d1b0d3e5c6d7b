"""A provider's faults as a client sees them: no lie, no loss, nothing left behind.

Each fault strikes one call of one provider. The client asks again as an SDK does, and
gets what it asked for. What the faults left at the provider is gone some days later.
"""

from collections.abc import Mapping

import pytest
import trio
from trio.testing import MockClock

from s3o.model import limits
from s3o.model.names import BucketName, ObjectKey, WriteId, make_storage_key
from tests.behaviour.multipart import manifest, tag
from tests.behaviour.providers import Provided, open_provided
from tests.behaviour.service import Answer
from tests.fakes.s3_quirks import PROVIDERS, Quirks
from tests.fakes.s3_server import S3Fault
from tests.fakes.sources import pattern

OLD, NEW = b"what was there before", pattern(200_000)
LARGE = pattern(3_000_000)
PART = pattern(limits.PART_MIN_BYTES)
Providers = Mapping[str, tuple[str, Quirks]]
AWS: Providers = {"near": ("aws", PROVIDERS["aws"])}
TWO: Providers = {**AWS, "far": ("minio", PROVIDERS["minio"])}
EXTRA = {
    "routing_strategy": "pack",
    "ledger_backup": {"enabled": False},
}
FAULTS = [fault for fault in S3Fault if fault is not S3Fault.STALE_LIST]
# Done, and only answered slowly.
HARMLESS = (S3Fault.SLOW_DRIP,)
# A body that breaks off on a kept connection is sent again.
AGAIN = {S3Fault.RESET_REQUEST: 2}
HEALED_S = 60.0  # every circuit is closed again

pytestmark = pytest.mark.slow


def plant(provided: Provided, operation: str, fault: S3Fault) -> None:
    """Let near's next call go wrong; a body that breaks off is sent again once."""
    server = provided.servers["near"]
    server.drop_bytes, server.drop_s = 100_000, 0.1
    server.plant(operation, *[fault] * AGAIN.get(fault, 1))


async def heal(provided: Provided, operation: str, fault: S3Fault) -> None:
    """End what was planted, which struck, and let the circuits close."""
    left = provided.servers["near"].faults.pop(operation)
    assert len(left) < AGAIN.get(fault, 1), f"nobody met {fault}"
    await trio.sleep(HEALED_S)


async def read(provided: Provided, path: str) -> bytes:
    """Read an object."""
    answer = await provided.insist("GET", path)
    assert 200 == answer.status, answer.text
    return answer.body


def is_success(answer: Answer) -> bool:
    """Whether the client takes it for one."""
    return answer.status == 200 and b"<Error>" not in answer.body


@pytest.mark.parametrize("body", [NEW, LARGE], ids=["small", "large"])
@pytest.mark.parametrize("providers", [AWS, TWO], ids=["alone", "with another"])
async def test_put_is_acknowledged_only_if_it_was_kept(
    autojump_clock: MockClock, providers: Providers, body: bytes
) -> None:
    """With another provider it goes there; alone the object is as it was."""
    async with open_provided(providers, EXTRA) as provided:
        for fault in FAULTS:
            await provided.insist("PUT", "/photos/a", body=OLD)
            plant(provided, "PutObject", fault)
            first = await provided.service.ask("PUT", "/photos/a", body=body)
            found = await read(provided, "/photos/a")

            is_taken = len(providers) > 1 or fault in HARMLESS
            assert (200 if is_taken else 503) == first.status, fault
            assert (body if is_taken else OLD) == found, fault
            again = await provided.insist("PUT", "/photos/a", body=body)
            assert 200 == again.status, fault
            await heal(provided, "PutObject", fault)
        await provided.settle(autojump_clock)

        assert body == await read(provided, "/photos/a")


async def test_copy_is_acknowledged_only_if_it_was_kept(
    autojump_clock: MockClock,
) -> None:
    """What no server-side copy can do is streamed."""
    headers = {"x-amz-copy-source": "photos/a"}
    async with open_provided(AWS, EXTRA) as provided:
        await provided.service.ask("PUT", "/photos/a", body=NEW)
        for number, fault in enumerate(FAULTS):
            path = f"/photos/copy-{number}"
            plant(provided, "CopyObject", fault)
            first = await provided.service.ask("PUT", path, headers=headers)
            found = await provided.service.ask("GET", path)

            assert (200 if is_success(first) else 404) == found.status, fault
            again = await provided.insist("PUT", path, headers=headers)
            assert is_success(again), fault
            assert NEW == await read(provided, path), fault
            await heal(provided, "CopyObject", fault)
        await provided.settle(autojump_clock)


@pytest.mark.parametrize(
    "operation",
    ["CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"],
)
async def test_upload_ends_as_what_was_sent_or_not_at_all(
    autojump_clock: MockClock, operation: str
) -> None:
    """A client asks again after a 503, and begins anew where the upload is gone."""
    async with open_provided(AWS, EXTRA) as provided:
        for number, fault in enumerate(FAULTS):
            path = f"/photos/film-{number}"
            plant(provided, operation, fault)
            await upload(provided, path)
            assert PART + LARGE == await read(provided, path), fault
            await heal(provided, operation, fault)
        await provided.settle(autojump_clock)


async def upload(provided: Provided, path: str) -> None:
    """Upload two parts, however often it takes."""
    for _ in range(3):
        created = await provided.insist("POST", path, (("uploads", ""),))
        assert 200 == created.status, created.text
        upload_id = ("uploadId", tag(created.text, "UploadId"))
        etags = []
        for number, body in enumerate((PART, LARGE), 1):
            query = (("partNumber", str(number)), upload_id)
            part = await provided.insist("PUT", path, query, body=body)
            if part.status != 200:
                break
            etags.append((number, part.headers["etag"]))
        else:
            body = manifest(etags)
            ended = await provided.insist("POST", path, (upload_id,), body=body)
            if is_success(ended):
                return
        await provided.insist("DELETE", path, (upload_id,))
    raise AssertionError("the upload never ended well")


async def test_bytes_that_are_read_are_the_right_ones(
    autojump_clock: MockClock,
) -> None:
    """An answer is whole and right, or cut off, or an error: never anything else."""
    async with open_provided(AWS, EXTRA) as provided:
        await provided.service.ask("PUT", "/photos/a", body=LARGE)
        for fault in FAULTS:
            plant(provided, "GetObject", fault)
            whole = await provided.ask("GET", "/photos/a")
            part = await provided.insist(
                "GET", "/photos/a", headers={"range": "bytes=1000-2000"}
            )

            assert whole.status in (0, 200, 503), fault
            assert 200 != whole.status or LARGE == whole.body, fault
            assert LARGE[1000:2001] == part.body, fault
            assert LARGE == await read(provided, "/photos/a"), fault
            await heal(provided, "GetObject", fault)
        await provided.settle(autojump_clock)


@pytest.mark.parametrize("operation", ["DeleteObject", "DeleteObjects"])
async def test_deleted_bytes_are_gone_in_the_end(
    autojump_clock: MockClock, operation: str
) -> None:
    """The client's delete is the ledger's; the provider's may take several attempts.

    Only who says of a blob that it is absent is believed: the reconciler finds it.
    """
    async with open_provided(AWS, EXTRA) as provided:
        count = 1 if operation == "DeleteObject" else 3
        for fault in [one for one in FAULTS if one is not S3Fault.NOT_FOUND]:
            for number in range(count):
                await provided.insist("PUT", f"/photos/{number}", body=NEW)
            plant(provided, operation, fault)
            for number in range(count):
                deleted = await provided.service.ask("DELETE", f"/photos/{number}")
                assert 204 == deleted.status, fault
            await trio.sleep(HEALED_S)
            autojump_clock.jump(2 * 3600.0)  # over every patience of the queue
            await trio.sleep(HEALED_S)
            assert 404 == (await provided.service.ask("GET", "/photos/0")).status
            await heal(provided, operation, fault)
        await provided.settle(autojump_clock)

        assert {"near": set()} == provided.known()


async def test_part_that_is_copied_is_the_sources(autojump_clock: MockClock) -> None:
    """The provider's own copy of a part, or the bytes sent after all."""
    async with open_provided(AWS, EXTRA) as provided:
        await provided.insist("PUT", "/photos/a", body=PART + b"not copied")
        for number, fault in enumerate(FAULTS):
            path = f"/photos/film-{number}"
            plant(provided, "UploadPartCopy", fault)
            if not await upload_a_copy(provided, path):
                assert fault is S3Fault.WRONG_ETAG, "else nothing went wrong for good"
                assert await upload_a_copy(provided, path)
            assert PART + b"end" == await read(provided, path), fault
            await heal(provided, "UploadPartCopy", fault)
        await provided.settle(autojump_clock)


async def upload_a_copy(provided: Provided, path: str) -> bool:
    """Upload a part copied from /photos/a and one that is sent, or give it up."""
    created = await provided.insist("POST", path, (("uploads", ""),))
    upload_id = ("uploadId", tag(created.text, "UploadId"))
    headers = {
        "x-amz-copy-source": "photos/a",
        "x-amz-copy-source-range": f"bytes=0-{len(PART) - 1}",
    }
    query = (("partNumber", "1"), upload_id)
    copied = await provided.insist("PUT", path, query, headers=headers)
    assert is_success(copied), copied.text
    query = (("partNumber", "2"), upload_id)
    sent = await provided.insist("PUT", path, query, body=b"end")
    body = manifest([(1, tag(copied.text, "ETag")), (2, sent.headers["etag"])])
    ended = await provided.insist("POST", path, (upload_id,), body=body)
    if not is_success(ended):
        assert 503 == ended.status, ended.text
        assert 204 == (await provided.insist("DELETE", path, (upload_id,))).status
    return is_success(ended)


@pytest.mark.parametrize("operation", ["HeadObject", "ListObjectsV2"])
async def test_nothing_is_concluded_from_an_answer_that_went_wrong(
    autojump_clock: MockClock, operation: str
) -> None:
    """What is live stays, and what nobody knows goes once it was really seen."""
    faults = FAULTS + [S3Fault.STALE_LIST] * (operation == "ListObjectsV2")
    extra = {**EXTRA, "reconcile": {"enabled": True}}
    async with open_provided(AWS, extra) as provided:
        bucket = provided.servers["near"].bucket
        await provided.insist("PUT", "/photos/a", body=OLD)
        (live,) = bucket.versions
        for number, fault in enumerate(faults):
            stray = make_storage_key(
                BucketName("photos"), ObjectKey("a"), WriteId(f"{number:032x}")
            )
            record = bucket.versions[live][-1].fields
            bucket.add(stray, bucket.make(b"nobody's", record))
            plant(provided, operation, fault)
            await pass_days(provided, operation, autojump_clock)
            await heal(provided, operation, fault)

            assert live in bucket.versions, fault
            assert OLD == await read(provided, "/photos/a"), fault
        for _ in range(3):  # to find, to be sure, to delete
            await pass_days(provided, operation, autojump_clock, hours=25)
        await provided.settle(autojump_clock)

        assert [live] == list(bucket.versions)


async def pass_days(
    provided: Provided, operation: str, clock: MockClock, hours: int = 100
) -> None:
    """Let hours pass, or as many as it takes until operation's faults struck."""
    faults = provided.servers["near"].faults
    is_planted = bool(faults[operation])
    for _ in range(hours):
        clock.jump(3600.0)
        await trio.sleep(1.0)
        if is_planted and not faults[operation]:
            return
