"""What native multipart uploads owe the floors above, over every backend.

A store without them must say so in one way, and know no upload.
"""

import hashlib

import pytest

from s3o.model import limits
from s3o.model.errors import BackendError, BackendRefused, ClientGone, UploadMissing
from s3o.model.names import StorageKey
from s3o.model.values import BlobHeaders
from tests.contract.subject import PLAIN, Subject, name_of
from tests.fakes.sources import BytesSource, pattern

MIN = limits.PART_MIN_BYTES
NAME = name_of("film.mp4")
HEADERS = BlobHeaders(
    record=(("s3o", "1;" + "r" * 230), ("s3o1", "x=y;!")),
    content_type="video/mp4",
    metadata=(("camera", "X100"),),
)


@pytest.fixture
def native(subject: Subject) -> Subject:
    """A subject with native uploads."""
    if not subject.backend.traits.has_multipart:
        pytest.skip("this backend has no native uploads")
    return subject


async def send(
    subject: Subject, upload_id: str, number: int, body: bytes, name: StorageKey = NAME
) -> tuple[int, str]:
    """Send one part; returns what Complete wants of it."""
    receipt = await subject.backend.upload_part(
        name, upload_id, number, BytesSource(body)
    )
    return number, receipt.etag


async def ids(subject: Subject, prefix: str = "", limit: int = 1000) -> list[str]:
    """The ids of all uploads under way, page after page."""
    found: list[str] = []
    token: str | None = None
    while True:
        page = await subject.backend.list_uploads(prefix, token, limit)
        found += [upload.upload_id for upload in page.uploads]
        token = page.next_token
        if token is None:
            return found


async def test_store_without_uploads_says_so(subject: Subject) -> None:
    """Then every part becomes a blob of its own."""
    if subject.backend.traits.has_multipart:
        pytest.skip("this backend has native uploads")
    with pytest.raises(BackendRefused) as refused:
        await subject.backend.create_upload(NAME, PLAIN)
    with pytest.raises(UploadMissing):
        await send(subject, "unknown", 1, b"x")
    with pytest.raises(BackendError):  # Ceph: 500
        await subject.backend.complete_upload(NAME, "unknown", [(1, "e")])
    with pytest.raises(UploadMissing):
        await subject.backend.list_parts(NAME, "unknown")
    await subject.backend.abort_upload(NAME, "unknown")

    assert (501, True) == (refused.value.status, refused.value.is_definite)
    assert [] == await ids(subject)


async def test_parts_sent_in_any_order_become_one_blob(native: Subject) -> None:
    """Clients send parts at the same time; only their numbers say where they go."""
    bodies = {2: pattern(MIN, 2), 7: pattern(1234, 7), 1: pattern(MIN + 9, 1)}
    upload_id = await native.backend.create_upload(NAME, HEADERS)
    parts = [await send(native, upload_id, n, body) for n, body in bodies.items()]
    await native.backend.complete_upload(NAME, upload_id, sorted(parts))

    whole = bodies[1] + bodies[2] + bodies[7]
    assert whole == await native.get(NAME)
    info = await native.backend.head(NAME)
    assert len(whole) == info.stored_bytes
    assert dict(HEADERS.record).items() <= info.headers.items()
    assert "X100" == info.headers["camera"]


async def test_nothing_is_there_before_complete(native: Subject) -> None:
    """Half an upload must not be found by whoever rebuilds the ledger."""
    upload_id = await native.backend.create_upload(NAME, PLAIN)
    await send(native, upload_id, 1, b"half")

    assert [] == await native.names()
    assert [upload_id] == await ids(native)


async def test_receipt_of_a_part_that_promises_the_md5_keeps_it(
    native: Subject,
) -> None:
    """It is compared with what was sent."""
    body = pattern(70_000)
    upload_id = await native.backend.create_upload(NAME, PLAIN)
    receipt = await native.backend.upload_part(NAME, upload_id, 1, BytesSource(body))

    assert receipt.etag
    assert '"' not in receipt.etag
    if receipt.etag_is_md5:
        assert hashlib.md5(body, usedforsecurity=False).hexdigest() == receipt.etag


async def test_parts_that_are_not_named_are_dropped(native: Subject) -> None:
    """A client may complete with fewer parts than it sent."""
    upload_id = await native.backend.create_upload(NAME, PLAIN)
    await send(native, upload_id, 1, b"dropped")
    kept = await send(native, upload_id, 2, b"kept")
    await native.backend.complete_upload(NAME, upload_id, [kept])

    assert b"kept" == await native.get(NAME)
    assert [] == await ids(native)


async def test_parts_are_listed_with_size_and_etag(native: Subject) -> None:
    """The truth about an ambiguous Complete is found here."""
    upload_id = await native.backend.create_upload(NAME, PLAIN)
    assert () == await native.backend.list_parts(NAME, upload_id)
    second = await send(native, upload_id, 12, b"x" * 12)
    first = await send(native, upload_id, 3, b"x" * 3)
    found = await native.backend.list_parts(NAME, upload_id)

    assert [first, second] == [(part.number, part.etag) for part in found]
    assert [3, 12] == [part.stored_bytes for part in found]


async def test_aborted_upload_is_gone_and_absent_counts_as_aborted(
    native: Subject,
) -> None:
    """The sweep repeats aborts until the listing is clean."""
    upload_id = await native.backend.create_upload(NAME, PLAIN)
    part = await send(native, upload_id, 1, b"x")
    await native.backend.abort_upload(NAME, upload_id)
    await native.backend.abort_upload(NAME, upload_id)

    assert [] == await ids(native)
    with pytest.raises(UploadMissing):
        await native.backend.list_parts(NAME, upload_id)
    with pytest.raises(UploadMissing):
        await send(native, upload_id, 2, b"y")
    with pytest.raises(UploadMissing):
        await native.backend.complete_upload(NAME, upload_id, [part])
    assert [] == await native.names()


async def test_completed_upload_is_unknown_afterwards(native: Subject) -> None:
    """Whoever repeats a Complete looks at the blob; nothing may happen to it."""
    upload_id = await native.backend.create_upload(NAME, PLAIN)
    part = await send(native, upload_id, 1, b"whole")
    await native.backend.complete_upload(NAME, upload_id, [part])
    try:
        await native.backend.complete_upload(NAME, upload_id, [part])
    except UploadMissing:
        pass  # AWS and others answer a repeat as they did before
    await native.backend.abort_upload(NAME, upload_id)

    assert b"whole" == await native.get(NAME)
    assert [] == await ids(native)


async def test_wrong_etag_is_refused_and_the_upload_stays(native: Subject) -> None:
    """After a definite refusal the client may go on with the upload."""
    upload_id = await native.backend.create_upload(NAME, PLAIN)
    number, etag = await send(native, upload_id, 1, b"whole")
    with pytest.raises(BackendRefused) as refused:
        await native.backend.complete_upload(NAME, upload_id, [(1, "0" * 32)])
    await native.backend.complete_upload(NAME, upload_id, [(number, etag)])

    assert refused.value.is_definite
    assert b"whole" == await native.get(NAME)


async def test_uploads_are_listed_by_prefix_page_by_page(native: Subject) -> None:
    """The sweep goes through thousands that crashed clients left."""
    keys = ["a/one", "a/two", "b/one", "a/with space+é"]
    begun = {}
    for key in keys:
        begun[key] = await native.backend.create_upload(name_of(key), PLAIN)
    twin = await native.backend.create_upload(name_of("a/one"), PLAIN)
    under_a = {twin, *(begun[key] for key in keys if key.startswith("a/"))}

    assert under_a == set(await ids(native, "photos/a/"))
    for limit in (1, 2, 1000):
        found = await ids(native, "photos/", limit)
        assert {twin, *begun.values()} == set(found)
        assert len(keys) + 1 == len(found)
    page = await native.backend.list_uploads("photos/b/")
    assert [name_of("b/one")] == [upload.name for upload in page.uploads]
    for key, upload_id in [*begun.items(), ("a/one", twin)]:
        await native.backend.abort_upload(name_of(key), upload_id)
    assert [] == await ids(native)


@pytest.mark.parametrize("size", [5000, 3_000_000])
async def test_source_that_fails_leaves_no_part(native: Subject, size: int) -> None:
    """A part whose digest is wrong must never be completed."""
    upload_id = await native.backend.create_upload(NAME, PLAIN)
    for number, fail_at in enumerate((0, size // 2, size - 1), 1):
        source = BytesSource(
            pattern(size), piece_bytes=4000, fail_at=fail_at, error=ClientGone()
        )
        with pytest.raises(ClientGone):
            await native.backend.upload_part(NAME, upload_id, number, source)

    assert () == await native.backend.list_parts(NAME, upload_id)


async def test_more_parts_than_a_page_are_all_listed(native: Subject) -> None:
    """A film has thousands; one page is a thousand."""
    count = 1003
    if native.backend.traits.max_part_number < count:
        pytest.skip("this backend takes no more parts than a page")
    upload_id = await native.backend.create_upload(NAME, PLAIN)
    for number in range(1, count + 1):
        await send(native, upload_id, number, b"%d" % number)
    found = await native.backend.list_parts(NAME, upload_id)
    await native.backend.abort_upload(NAME, upload_id)

    assert list(range(1, count + 1)) == [part.number for part in found]
    assert len(str(count)) == found[-1].stored_bytes


async def test_small_part_is_refused_unless_it_is_the_last(native: Subject) -> None:
    """Traits say what the backend demands, so that such parts go elsewhere."""
    minimum = native.backend.traits.min_part_bytes
    if minimum == 0:
        pytest.skip("this backend takes parts of any size")
    upload_id = await native.backend.create_upload(NAME, PLAIN)
    parts = [await send(native, upload_id, n, b"small") for n in (1, 2)]
    with pytest.raises(BackendRefused) as refused:
        await native.backend.complete_upload(NAME, upload_id, parts)

    assert refused.value.is_definite
    assert len(parts) == len(await native.backend.list_parts(NAME, upload_id))


async def test_part_of_too_high_a_number_is_refused_unsent(native: Subject) -> None:
    """It becomes a blob of its own; its bytes must not travel twice."""
    highest = native.backend.traits.max_part_number
    if highest == limits.PARTS:
        pytest.skip("this backend takes every number there is")
    upload_id = await native.backend.create_upload(NAME, PLAIN)
    before = native.meter.usage
    with pytest.raises(BackendRefused) as refused:
        await send(native, upload_id, highest + 1, b"x")

    assert refused.value.is_definite
    assert before == native.meter.usage
    await send(native, upload_id, highest, b"x")


async def test_usage_counts_parts_as_ingress(native: Subject) -> None:
    """Free tiers end where the counting is wrong."""
    upload_id = await native.backend.create_upload(NAME, PLAIN)
    before = native.meter.usage
    part = await send(native, upload_id, 1, b"x" * 1000)
    sent = native.meter.usage
    await native.backend.complete_upload(NAME, upload_id, [part])
    completed = native.meter.usage

    assert before.api_requests + 1 == sent.api_requests
    assert before.ingress_bytes + 1000 == sent.ingress_bytes
    assert sent.api_requests + 1 == completed.api_requests


async def test_upload_of_another_name_is_unknown(native: Subject) -> None:
    """An id that got mixed up must not touch somebody else's upload."""
    upload_id = await native.backend.create_upload(NAME, PLAIN)
    with pytest.raises(BackendError):
        await native.backend.list_parts(name_of("other"), upload_id)
