"""What every backend owes the floors above it, one suite over all of them.

Only what the seam promises is asked: no fake may be kinder than a real provider, and no
provider's quirk may reach the objects floor.
"""

import pytest
import trio

from s3o.model import limits
from s3o.model.errors import BackendError, BlobMissing, ClientGone
from s3o.model.values import BlobHeaders, Interval
from tests.contract.subject import PLAIN, Subject, name_of
from tests.fakes.sources import BytesSource, StalledSource, pattern

KIB = limits.KIB
SIZES = (0, 1, 64 * KIB - 1, 64 * KIB, 64 * KIB + 1, 1024 * KIB + 7)


@pytest.mark.parametrize("size", SIZES)
async def test_bytes_come_back_as_they_went(subject: Subject, size: int) -> None:
    """The whole product rests on this."""
    body = pattern(size)
    await subject.put(name_of("cat.jpg"), body)

    assert body == await subject.get(name_of("cat.jpg"))
    info = await subject.backend.head(name_of("cat.jpg"))
    assert size == info.stored_bytes


async def test_receipt_that_promises_the_md5_keeps_it(subject: Subject) -> None:
    """A write compares it with what was sent, and would retry for ever."""
    source = BytesSource(pattern(100_000))
    receipt = await subject.backend.put(name_of("cat.jpg"), source, PLAIN)

    if receipt.etag_is_md5:
        assert source.digests.md5 == receipt.etag
    assert '"' not in receipt.etag


@pytest.mark.parametrize(
    ("start", "stop"),
    [
        (0, 1),
        (0, 64 * KIB),
        (64 * KIB - 1, 64 * KIB + 1),
        (300_000, 900_001),
        (1024 * KIB, 1024 * KIB + 7),
        (0, 1024 * KIB + 7),
    ],
)
async def test_interval_is_exactly_what_was_asked(
    subject: Subject, start: int, stop: int
) -> None:
    """A range off by one byte corrupts every video player's file."""
    body = pattern(1024 * KIB + 7)
    await subject.put(name_of("cat.mp4"), body)

    assert body[start:stop] == await subject.get(
        name_of("cat.mp4"), Interval(start, stop)
    )


async def test_open_of_an_interval_knows_the_whole_size(subject: Subject) -> None:
    """The ledger's size is compared with the blob's, not with the range's."""
    await subject.put(name_of("cat.jpg"), b"0123456789")
    async with subject.backend.open(name_of("cat.jpg"), Interval(2, 5)) as reader:
        assert 10 == reader.info.stored_bytes


async def test_interval_outside_the_blob_is_an_error(subject: Subject) -> None:
    """A copy shorter than the ledger says must fail over, not answer short."""
    await subject.put(name_of("cat.jpg"), b"0123456789")
    with pytest.raises(BackendError):
        await subject.get(name_of("cat.jpg"), Interval(5, 20))


async def test_reader_left_early_hurts_nobody(subject: Subject) -> None:
    """Clients stop in the middle all the time."""
    body = pattern(1024 * KIB)
    await subject.put(name_of("cat.mp4"), body)
    for _ in range(3):
        async with subject.backend.open(name_of("cat.mp4")) as reader:
            assert await reader.read()

    assert body == await subject.get(name_of("cat.mp4"))


async def test_absent_blob_is_missing(subject: Subject) -> None:
    """Absent must be told apart from broken: only one of them is repaired."""
    await subject.put(name_of("cat.jpg"), b"meow")
    absent = name_of("cat.jpg", 2)
    with pytest.raises(BlobMissing):
        await subject.backend.head(absent)
    with pytest.raises(BlobMissing):
        await subject.get(absent)
    with pytest.raises(BlobMissing):
        await subject.get(absent, Interval(0, 1))
    with pytest.raises(BlobMissing):
        await subject.get(name_of("no/such/folder/x"))


async def test_deleted_blob_is_gone_and_absent_counts_as_deleted(
    subject: Subject,
) -> None:
    """The cleanup queue repeats deletes until each one is confirmed."""
    kept, doomed = name_of("kept"), [name_of("a"), name_of("b/c"), name_of("absent")]
    await subject.put(kept, b"kept")
    await subject.put(doomed[0], b"a")
    await subject.put(doomed[1], b"b")
    outcomes = await subject.backend.delete(doomed)
    again = await subject.backend.delete(doomed)

    assert doomed == [outcome.storage_key for outcome in outcomes]
    assert [None] * 6 == [outcome.error for outcome in outcomes + again]
    assert [kept] == await subject.names()
    with pytest.raises(BlobMissing):
        await subject.backend.head(doomed[0])


async def test_many_blobs_are_deleted_in_one_call(subject: Subject) -> None:
    """A bucket is emptied thousands of objects at a time."""
    names = [name_of(f"many/{number}") for number in range(120)]
    for name in names:
        await subject.put(name, b"x")
    outcomes = await subject.backend.delete(names)

    assert [None] * 120 == [outcome.error for outcome in outcomes]
    assert [] == await subject.names()


ODD_KEYS = (
    "plain.txt",
    "with space",
    "plus+and&and%20",
    "ünïcödé/日本語/🐈",
    "trailing/",
    "//double//slash",
    "../../etc/passwd",
    "./.",
    ".hidden",
    'a\\b:c*?"<>|',
    "new\nline\ttab\x01\x7f",
    "!bang=equals",
    "CON",
    "a.d/b.b",
    "a.b",
    "a.r",
    "Case/CASE/case",
    "x" * 199,
    "long/" * 180 + "end",
    "é" * 500,
    "a/" * 400 + "deep",
    "#hash?query=1;semi",
    "~tilde'quote",
)


async def test_odd_keys_are_stored_listed_and_deleted(subject: Subject) -> None:
    """Clients choose keys; no backend may mistreat, merge or lose one."""
    names = [name_of(key, number) for number, key in enumerate(ODD_KEYS)]
    for number, name in enumerate(names):
        await subject.put(name, b"%d" % number)
    for number, name in enumerate(names):
        assert b"%d" % number == await subject.get(name)

    assert sorted(names, key=str.encode) == await subject.names()
    outcomes = await subject.backend.delete(names)
    assert {None} == {outcome.error for outcome in outcomes}
    assert [] == await subject.names()


async def test_key_may_be_another_ones_folder(subject: Subject) -> None:
    """`a` and `a/b` are two objects on S3; on a disk they would collide."""
    keys = ("a", "a/b", "a/b/c", "a/b/c/d", "a/")
    names = [name_of(key) for key in keys]
    for key, name in zip(keys, names, strict=True):
        await subject.put(name, key.encode())
    for key, name in zip(keys, names, strict=True):
        assert key.encode() == await subject.get(name)

    await subject.backend.delete([names[1]])
    assert sorted(set(names) - {names[1]}) == await subject.names()


async def test_listing_is_in_byte_order_and_pages_meet(subject: Subject) -> None:
    """The reconciler merges listings; one entry out of order reads as a loss."""
    keys = ["a", "a!", "a.", "a/b", "a/b/c", "a0", "ab", "b/", "b/é", "b/z", "c", "Z"]
    names = sorted((name_of(key) for key in keys), key=str.encode)
    for name in reversed(names):
        await subject.put(name, b"x")

    for limit in (1, 2, 5, len(names), 1000):
        assert names == await subject.names(limit=limit)


async def test_listing_with_a_prefix_names_all_and_only_those(subject: Subject) -> None:
    """Prefixes are of bytes: they may end in the middle of a word."""
    keys = ["a/one", "a/once", "a/two", "ab/one", "a", "b/a/one"]
    for key in keys:
        await subject.put(name_of(key), b"x")
    for prefix in ("photos/", "photos/a", "photos/a/", "photos/a/on", "photos/zz", "q"):
        names = sorted(name_of(key) for key in keys)
        expected = [name for name in names if name.startswith(prefix)]

        assert expected == await subject.names(prefix)
        assert expected == await subject.names(prefix, limit=2)


async def test_listing_says_the_stored_size(subject: Subject) -> None:
    """The reconciler compares it with the ledger's."""
    await subject.put(name_of("a"), b"x" * 1234)
    page = await subject.backend.list_page("photos/")

    assert [1234] == [blob.stored_bytes for blob in page.blobs]
    assert page.next_token is None


async def test_record_and_metadata_come_back(subject: Subject) -> None:
    """The record is all that is left when the ledger is lost."""
    headers = BlobHeaders(
        record=(("s3o", "1;" + "r" * 230), ("s3o1", "x=y;!"), ("s3o-key", "aGVsbG8")),
        content_type="image/jpeg",
        headers=(
            ("cache-control", "max-age=60"),
            ("content-disposition", 'attachment; filename="cat.jpg"'),
            ("content-language", "en"),
        ),
        metadata=(("camera", "X100"), ("place", "Bern; Altstadt")),
    )
    await subject.put(name_of("cat.jpg"), b"meow", headers)
    expected = dict((*headers.record, *headers.metadata))

    info = await subject.backend.head(name_of("cat.jpg"))
    async with subject.backend.open(name_of("cat.jpg")) as reader:
        opened = reader.info
    for found in (info.headers, opened.headers):
        lowered = {name.lower(): value for name, value in found.items()}
        assert expected.items() <= lowered.items()
        assert all(name == name.lower() for name in found)
    for told in (info, opened):
        assert "image/jpeg" == told.content_type
        assert set(headers.headers) == set(told.standard)


@pytest.mark.parametrize("size", [5000, 700_000, 3_000_000])
async def test_source_that_fails_leaves_no_blob(subject: Subject, size: int) -> None:
    """A body whose digest is wrong must never become an object."""
    body = pattern(size)
    for number, fail_at in enumerate((0, size // 2, size - 1)):
        source = BytesSource(
            body, piece_bytes=4000, fail_at=fail_at, error=ClientGone()
        )
        with pytest.raises(ClientGone):
            await subject.backend.put(name_of("cat.jpg", number), source, PLAIN)

    assert [] == await subject.names()
    await subject.put(name_of("cat.jpg", 9), body)
    assert body == await subject.get(name_of("cat.jpg", 9))


async def test_empty_source_is_verified_before_it_is_stored(subject: Subject) -> None:
    """An empty body can have a wrong digest too."""

    class BadEmpty(BytesSource):
        async def read(self) -> bytes:
            await trio.lowlevel.checkpoint()
            raise ClientGone

    with pytest.raises(ClientGone):
        await subject.backend.put(name_of("empty"), BadEmpty(b""), PLAIN)

    assert [] == await subject.names()


@pytest.mark.parametrize("sent", [0, 1, 20])
async def test_cancelled_put_leaves_no_blob(subject: Subject, sent: int) -> None:
    """A client that left must not leave a half object behind."""
    pieces = [pattern(100_000, number) for number in range(sent)]
    source = StalledSource(100_000 * sent + 5, pieces)
    async with trio.open_nursery() as nursery:

        async def put() -> None:
            await subject.backend.put(name_of("cat.jpg"), source, PLAIN)

        nursery.start_soon(put)
        await source.is_stalled.wait()
        nursery.cancel_scope.cancel()

    assert [] == await subject.names()
    with pytest.raises(BlobMissing):
        await subject.backend.head(name_of("cat.jpg"))


async def test_puts_at_the_same_time_do_not_mix(subject: Subject) -> None:
    """Many clients write at once, also below one folder that is new."""
    bodies = {
        name_of(f"new/folder/{number % 4}/x", number): pattern(200_000 + number, number)
        for number in range(16)
    }
    if subject.has_folders:
        # It answers 500 to PUTs that make the same new folder at the same time.
        for lane in range(4):
            bodies[name_of(f"new/folder/{lane}/first")] = b"first"
            await subject.put(name_of(f"new/folder/{lane}/first"), b"first")
    async with trio.open_nursery() as nursery:
        for name, body in bodies.items():
            if body != b"first":
                nursery.start_soon(subject.put, name, body)

    for name, body in bodies.items():
        assert body == await subject.get(name)
    assert sorted(bodies) == await subject.names()


async def test_puts_and_deletes_in_one_folder_do_not_disturb_each_other(
    subject: Subject,
) -> None:
    """A folder that becomes empty may be removed while another blob arrives."""
    if subject.has_folders:
        pytest.skip("this server answers 500 when a folder vanishes below a PUT")

    async def churn(lane: int) -> None:
        for number in range(15):
            name = name_of("busy/folder/x", lane * 100 + number)
            await subject.put(name, b"x")
            (outcome,) = await subject.backend.delete([name])
            assert outcome.error is None

    async with trio.open_nursery() as nursery:
        for lane in range(4):
            nursery.start_soon(churn, lane)

    assert [] == await subject.names()


async def test_name_is_written_at_most_once(subject: Subject) -> None:
    """Where the backend can tell, it refuses and keeps the first blob."""
    if not subject.is_write_once:
        pytest.skip("this backend cannot tell")
    await subject.put(name_of("a"), b"first")
    with pytest.raises(BackendError):
        await subject.put(name_of("a"), b"second")

    assert b"first" == await subject.get(name_of("a"))


async def test_usage_counts_requests_and_bytes(subject: Subject) -> None:
    """Free tiers end where the counting is wrong."""
    await subject.put(name_of("a"), b"x" * 1000)
    put = subject.meter.usage
    await subject.get(name_of("a"), Interval(10, 110))
    got = subject.meter.usage

    assert put.api_requests >= 1
    assert put.ingress_bytes >= 1000
    assert got.api_requests >= put.api_requests + 1
    assert got.egress_bytes >= 100


async def test_probe_of_a_healthy_backend_succeeds(subject: Subject) -> None:
    """A probe that always fails would keep the circuit open for ever."""
    await subject.backend.probe()

    assert subject.meter.usage.api_requests >= 1
