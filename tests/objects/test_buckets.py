"""The directory of buckets: the ledger's rows as the configuration sees them."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from s3o.ledger.buckets import list_buckets
from s3o.ledger.ledger import Ledger
from s3o.ledger.sqlite import InlineEngine, open_inline
from s3o.model.errors import (
    AccessDenied,
    BucketAlreadyExists,
    LedgerUnavailable,
    NoSuchBucket,
    TooManyBuckets,
)
from s3o.model.names import BucketName
from s3o.model.tenants import Account, BucketConfig, StaticBucket, Tenants
from s3o.objects.buckets import BucketDirectory, enter_buckets
from s3o.policy.breaker import CircuitBreaker
from tests.fakes.clock import START_US, ManualClock
from tests.fakes.entropy import SeededEntropy
from tests.fakes.observer import RecordingObserver

PHOTOS = BucketName("photos")
NONE = BucketConfig()
TENANTS = Tenants(
    statics={
        PHOTOS: StaticBucket(name=PHOTOS, public_read=True, max_multipart_uploads=7)
    },
    accounts={
        "ann": Account(
            name="ann", bucket_prefix="ann-", max_buckets=2, max_multipart_uploads=3
        ),
        "bob": Account(name="bob", may_create=False),
    },
    reserved=frozenset({"ann-admin"}),
)


@pytest.fixture
async def ledger() -> AsyncIterator[Ledger]:
    """An empty ledger."""
    connection = open_inline(now_us=START_US)
    yield Ledger(
        InlineEngine(connection, on_broken=print),
        CircuitBreaker(failure_threshold=3, open_timeout_s=15.0),
        RecordingObserver(),
        ManualClock(),
        SeededEntropy(0, "ledger"),
    )
    connection.close()


@pytest.fixture
async def buckets(ledger: Ledger) -> BucketDirectory:
    """A directory that a configuration was read into."""
    directory = BucketDirectory(ledger, ManualClock())
    await read(ledger, directory, TENANTS)
    return directory


async def read(ledger: Ledger, directory: BucketDirectory, tenants: Tenants) -> None:
    """Put a configuration into force, as start and reload do."""
    async with directory.changing:
        rows = await ledger.write(lambda tx: enter_buckets(tx, tenants, START_US))
        directory.use(tenants, rows)


async def test_the_configuration_is_laid_over_its_buckets(ledger, buckets):
    """The row knows no owner; the configuration may change between two requests."""
    found = buckets.find("photos")
    (row,) = await ledger.read(list_buckets)

    assert ("bucket:photos", True, 7) == (
        found.owner,
        found.config.public_read,
        found.max_multipart_uploads,
    )
    assert ("", False, 0) == (
        row.owner,
        row.config.public_read,
        row.max_multipart_uploads,
    )
    assert (found,) == buckets.owned_by("bucket:photos")


async def test_a_bucket_is_served_from_the_moment_it_is_made(ledger, buckets):
    """And not a moment longer than it is there; a restart sees the same."""
    made = await buckets.create("ann", BucketName("ann-one"), NONE)
    assert made == buckets.find("ann-one")
    assert ("ann", 3) == (made.owner, made.max_multipart_uploads)

    tags = (("k", "v"),)
    await buckets.configure(made, lambda config: replace(config, tags=tags))
    again = BucketDirectory(ledger, ManualClock())
    await read(ledger, again, TENANTS)
    assert tags == buckets.find("ann-one").config.tags
    assert buckets.find("ann-one") == again.find("ann-one")

    await buckets.delete(buckets.find("ann-one"))
    with pytest.raises(NoSuchBucket):
        buckets.find("ann-one")
    assert () == buckets.owned_by("ann")
    with pytest.raises(NoSuchBucket):
        await again.configure(made, lambda config: config)


@pytest.mark.parametrize(
    ("principal", "name", "error"),
    [
        ("ann", "other", AccessDenied),
        ("ann", "photos", AccessDenied),
        ("ann", "ann-admin", BucketAlreadyExists),
        ("bob", "bobs", AccessDenied),
        ("bob", "photos", BucketAlreadyExists),
        ("bucket:photos", "more", AccessDenied),
        ("nobody", "more", AccessDenied),
    ],
)
async def test_what_an_account_may_not_make_is_not_made(
    ledger, buckets, principal, name, error
):
    """Prefix, permission, our own doors' names."""
    with pytest.raises(error):
        await buckets.create(principal, BucketName(name), NONE)

    assert ["photos"] == [row.name for row in await ledger.read(list_buckets)]


async def test_many_at_once_make_no_bucket_too_many(buckets):
    """The count is the ledger's, not that of a snapshot."""
    outcomes = []

    async def make(number):
        try:
            await buckets.create("ann", BucketName(f"ann-{number}"), NONE)
            outcomes.append("made")
        except TooManyBuckets:
            outcomes.append("too many")

    async with trio.open_nursery() as nursery:
        for number in range(5):
            nursery.start_soon(make, number)

    assert (2, 3) == (outcomes.count("made"), outcomes.count("too many"))
    assert 2 == len(buckets.owned_by("ann"))


async def test_changes_from_both_sides_are_both_kept(buckets):
    """A change starts from what the configuration is by then."""
    made = await buckets.create("ann", BucketName("ann-one"), NONE)

    async def change(**fields):
        await buckets.configure(made, lambda config: replace(config, **fields))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(lambda: change(tags=(("k", "v"),)))
        nursery.start_soon(lambda: change(cors=()))

    assert (("k", "v"),) == buckets.find("ann-one").config.tags


async def test_a_bucket_made_during_a_reload_is_not_lost(ledger, buckets):
    """The reload's list was read before; it must not win over the newer commit."""
    made = []

    async def make():
        made.append(await buckets.create("ann", BucketName("ann-one"), NONE))

    async with trio.open_nursery() as nursery, buckets.changing:
        rows = await ledger.write(lambda tx: enter_buckets(tx, TENANTS, START_US))
        nursery.start_soon(make)
        await wait_all_tasks_blocked()
        buckets.use(TENANTS, rows)

    assert made == [buckets.find("ann-one")]


async def test_a_bucket_that_left_the_configuration_keeps_its_name(ledger, buckets):
    """Its objects are still there; nobody else gets the name, and it may come back."""
    id_ = buckets.find("photos").id
    without = replace(TENANTS, statics={})
    await read(ledger, buckets, without)
    with pytest.raises(NoSuchBucket):
        buckets.find("photos")
    everywhere = replace(without, accounts={"ann": Account(name="ann")})
    await read(ledger, buckets, everywhere)
    with pytest.raises(BucketAlreadyExists):
        await buckets.create("ann", PHOTOS, NONE)
    await read(ledger, buckets, TENANTS)

    assert id_ == buckets.find("photos").id


async def test_an_accounts_bucket_is_not_given_away_by_the_configuration(
    ledger, buckets
):
    """A name added to the file must not open what a tenant stored under it."""
    await buckets.create("ann", BucketName("ann-one"), NONE)
    taken = replace(
        TENANTS,
        statics={
            **TENANTS.statics,
            "ann-one": StaticBucket(name=BucketName("ann-one")),
        },
    )

    with pytest.raises(BucketAlreadyExists):
        await read(ledger, buckets, taken)
    assert "ann" == buckets.find("ann-one").owner


async def test_buckets_of_an_account_that_left_are_nobodys_to_take(ledger, buckets):
    """They belong to its name for ever."""
    await buckets.create("ann", BucketName("ann-one"), NONE)
    changed = replace(TENANTS, accounts={"eve": Account(name="eve")})
    await read(ledger, buckets, changed)

    with pytest.raises(BucketAlreadyExists):
        await buckets.create("eve", BucketName("ann-one"), NONE)
    assert () == buckets.owned_by("eve")


async def test_buckets_of_the_configuration_are_not_deleted(buckets):
    """Whoever asks."""
    with pytest.raises(AccessDenied):
        await buckets.delete(buckets.find("photos"))
    assert buckets.find("photos").name == PHOTOS


async def test_a_ledger_that_fails_changes_nothing_here(ledger, buckets):
    """What is served is what was committed."""
    made = await buckets.create("ann", BucketName("ann-one"), NONE)

    class Failing:
        async def write(self, _step):
            await trio.lowlevel.checkpoint()
            raise LedgerUnavailable("down")

    buckets._ledger = Failing()
    for change in (
        lambda: buckets.create("ann", BucketName("ann-two"), NONE),
        lambda: buckets.delete(made),
        lambda: buckets.configure(
            made, lambda config: replace(config, tags=(("k", ""),))
        ),
    ):
        with pytest.raises(LedgerUnavailable):
            await change()

    assert (made,) == buckets.owned_by("ann")
