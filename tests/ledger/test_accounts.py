"""Accounts in the ledger: their buckets, and the bytes they may keep."""

from collections.abc import Awaitable, Callable
from functools import partial

import pytest

from s3o.ledger.accounts import held_bytes, sync_accounts
from s3o.ledger.audit import audit
from s3o.ledger.bucket_config import config_of, config_text
from s3o.ledger.bucket_removal import delete_bucket
from s3o.ledger.buckets import (
    NewBucket,
    create_bucket,
    ensure_bucket,
    find_bucket,
    hold_bucket_alone,
    set_config,
)
from s3o.ledger.deletes import delete_object
from s3o.ledger.quotas import quota_rows, sync_quotas
from s3o.ledger.seam import Engine, Tx
from s3o.ledger.uploads import find_upload
from s3o.model.errors import (
    BucketAlreadyExists,
    BucketNotEmpty,
    NoSuchBucket,
    NoSuchUpload,
    QuotaExceeded,
    TooManyBuckets,
    WriteLost,
)
from s3o.model.names import BucketName, ObjectKey
from s3o.model.tenants import BucketConfig, CorsRule, LifecycleRule
from s3o.model.values import Bucket, WriteConditions
from tests.ledger.house import NOW_US, ONE, PHOTOS, Writer
from tests.ledger.uploading import Uploader, manifest_of

QUOTA = 100


@pytest.fixture
async def engine(engine):
    """A ledger with two accounts; ann may keep 100 bytes in three buckets."""

    async def prepare(tx: Tx) -> None:
        await sync_quotas(tx, {ONE: 1_000_000})
        await sync_accounts(tx, {"ann": QUOTA, "bob": 0})

    await engine.write(prepare)
    return engine


async def make(
    engine: Engine, name: str, owner: str = "ann", config: BucketConfig | None = None
) -> Bucket:
    """Make a bucket."""
    new = NewBucket(
        name=BucketName(name),
        owner=owner,
        config=config or BucketConfig(),
        max_buckets=3,
        now_us=NOW_US,
    )
    return await engine.write(lambda tx: create_bucket(tx, new))


async def held(engine: Engine, owner: str = "ann") -> int:
    """What an account holds; all sums must be right."""
    assert [] == await engine.read(audit)
    return await engine.read(lambda tx: held_bytes(tx, owner))


async def delete(engine: Engine, bucket: Bucket, key: str) -> None:
    """Delete an object."""
    await engine.write(
        lambda tx: delete_object(tx, bucket, ObjectKey(key), WriteConditions(), NOW_US)
    )


async def test_a_bucket_belongs_to_who_made_it(engine):
    """Names are shared by all, buckets by nobody."""
    mine = await make(engine, "mine")
    again = await make(engine, "mine", config=BucketConfig(tags=(("k", "v"),)))

    assert ("ann", mine) == (mine.owner, again)
    with pytest.raises(BucketAlreadyExists):
        await make(engine, "mine", "bob")
    with pytest.raises(BucketAlreadyExists):
        await engine.write(lambda tx: ensure_bucket(tx, BucketName("mine"), NOW_US))
    await engine.write(lambda tx: ensure_bucket(tx, PHOTOS, NOW_US))
    with pytest.raises(BucketAlreadyExists):
        await make(engine, PHOTOS)


async def test_an_account_has_only_so_many_buckets(engine):
    """The one too many leaves nothing behind; a deleted one makes room."""
    for name in ("one", "two", "three"):
        last = await make(engine, name)
    with pytest.raises(TooManyBuckets) as refusal:
        await make(engine, "four")
    await make(engine, "one")
    await make(engine, "bobs", "bob")

    assert 3 == refusal.value.limit
    assert await engine.read(lambda tx: find_bucket(tx, BucketName("four"))) is None
    await engine.write(lambda tx: delete_bucket(tx, last, NOW_US))
    assert "four" == (await make(engine, "four")).name


async def test_a_bucket_made_again_sees_no_ghosts(engine):
    """Rows refer to ids, and an id never comes back."""
    first = await make(engine, "mine")
    writer = Writer(engine, first)
    await writer.put("a")
    with pytest.raises(BucketNotEmpty):
        await engine.write(lambda tx: delete_bucket(tx, first, NOW_US))
    await delete(engine, first, "a")
    await engine.write(lambda tx: delete_bucket(tx, first, NOW_US))
    second = await make(engine, "mine", "bob")

    assert first.id < second.id
    with pytest.raises(NoSuchBucket):
        await writer.put("a")
    with pytest.raises(NoSuchBucket):
        await engine.write(lambda tx: delete_bucket(tx, first, NOW_US))
    assert 0 == await held(engine)


async def test_deleting_a_bucket_ends_the_writes_under_way(engine):
    """Their bytes are queued, nobody pays for them, and their commit is refused."""
    bucket = await make(engine, "mine")
    writer = Writer(engine, bucket)
    intent = writer.intent("a", 40)
    await writer.open(intent)
    assert 40 == await held(engine)
    await engine.write(lambda tx: delete_bucket(tx, bucket, NOW_US))

    assert 0 == await held(engine)
    (quota,) = await engine.read(quota_rows)
    assert (0, 68) == (quota.reserved_bytes, quota.orphan_bytes)
    with pytest.raises(WriteLost):
        await writer.commit(intent.storage_key)


async def test_an_account_pays_for_what_it_sends(engine):
    """As sent, in all its buckets together, and only while it is there."""
    one, two = await make(engine, "one"), await make(engine, "two")
    writer, other = Writer(engine, one), Writer(engine, two)
    other.count = 1000
    steps: list[tuple[Callable[[], Awaitable[object]], int]] = [
        (lambda: writer.put("a", 30), 30),
        (lambda: other.put("a", 20), 50),
        (lambda: writer.put("a", 10), 30),
        (lambda: delete(engine, two, "a"), 10),
        (lambda: delete(engine, two, "a"), 10),
    ]
    for step, expected in steps:
        await step()
        assert expected == await held(engine)

    failed = writer.intent("b", 50)
    await writer.open(failed)
    assert 60 == await held(engine)
    await writer.drop(failed.storage_key)
    assert 10 == await held(engine)


async def test_the_quota_is_exact(engine):
    """Full to the last byte, over by none, across buckets and uploads under way."""
    one, two = await make(engine, "one"), await make(engine, "two")
    writer, other = Writer(engine, one), Writer(engine, two)
    other.count = 1000
    under_way = writer.intent("a", 60)
    await writer.open(under_way)
    with pytest.raises(QuotaExceeded) as refusal:
        await other.open(other.intent("a", 41))
    await other.put("a", 40)

    assert (41, QUOTA) == (refusal.value.size_bytes, refusal.value.limit_bytes)
    assert QUOTA == await held(engine)
    await other.open(other.intent("empty", 0))
    with pytest.raises(QuotaExceeded):
        await other.open(other.intent("b", 1))
    await writer.commit(under_way.storage_key)
    assert QUOTA == await held(engine)
    (quota,) = await engine.read(quota_rows)
    assert (0, 28) == (quota.orphan_bytes, quota.reserved_bytes)


async def test_others_pay_for_themselves(engine):
    """No limit is none, and buckets of the configuration have no account."""
    await Writer(engine, await make(engine, "bobs", "bob")).put("a", 5000)
    photos = await engine.write(lambda tx: ensure_bucket(tx, PHOTOS, NOW_US))
    writer = Writer(engine, photos)
    writer.count = 1000
    await writer.put("a", 7000)
    await writer.put("a", 8000)

    assert (0, 5000) == (await held(engine), await held(engine, "bob"))


async def test_copies_of_the_operator_are_not_charged(engine):
    """Replicas and moves are the operator's decision."""
    writer = Writer(engine, await make(engine, "one"))
    await writer.put("a", 60)
    copy = writer.intent("a", 60, kind="copy")
    await writer.open(copy)

    assert 60 == await held(engine)
    await writer.drop(copy.storage_key)
    assert 60 == await held(engine)


async def test_a_lower_limit_takes_nothing_away(engine):
    """What is there stays, and nothing more comes."""
    writer = Writer(engine, await make(engine, "one"))
    await writer.put("a", 60)
    await engine.write(lambda tx: sync_accounts(tx, {"ann": 50}))

    assert 60 == await held(engine)
    with pytest.raises(QuotaExceeded):
        await writer.open(writer.intent("b", 1))


async def test_an_account_pays_for_parts_until_their_upload_ends(engine):
    """An upload is a way to store bytes, so it must not be a way around the quota."""
    writer = Writer(engine, await make(engine, "one"))
    uploader = Uploader(writer)
    upload = await uploader.bind(await uploader.create())
    first = await uploader.put(upload, 1, 30)
    await uploader.put(upload, 2, 20, is_native=False)
    again = await uploader.put(upload, 2, 25, is_native=False)
    assert 55 == await held(engine)

    with pytest.raises(QuotaExceeded):
        await uploader.open(uploader.new_part(upload, 3, 46))
    with pytest.raises(QuotaExceeded):
        await writer.open(writer.intent("a", 46))
    flying = await uploader.open(uploader.new_part(upload, 3, 45))
    assert QUOTA == await held(engine)
    assert await uploader.drop(flying, was_started=False)
    assert 55 == await held(engine)

    begun = await uploader.begin(upload, manifest_of(first, again))
    assert 55 == await held(engine)
    await uploader.finish(begun)
    assert 55 == await held(engine)
    await delete(engine, writer.bucket, "k")
    assert 0 == await held(engine)


async def test_aborting_and_deleting_the_bucket_give_the_bytes_back(engine):
    """Whatever state the parts are in."""
    bucket = await make(engine, "one")
    uploader = Uploader(Writer(engine, bucket))
    for end in ("abort", "bucket"):
        upload = await uploader.bind(await uploader.create())
        await uploader.put(upload, 1, 10)
        await uploader.put(upload, 1, 11)
        await uploader.put(upload, 2, 12, is_native=False)
        await uploader.open(uploader.new_part(upload, 3, 13))
        await uploader.open(uploader.new_part(upload, 3, 14))
        assert 60 == await held(engine)
        if end == "abort":
            await uploader.abort(upload)
        else:
            await engine.write(lambda tx: delete_bucket(tx, bucket, NOW_US))
        assert 0 == await held(engine)


async def test_an_upload_of_a_deleted_bucket_is_nobodys(engine):
    """Its id leads nowhere, also in a bucket of the same name made later."""
    bucket = await make(engine, "one")
    uploader = Uploader(Writer(engine, bucket))
    upload = await uploader.create()
    await engine.write(lambda tx: delete_bucket(tx, bucket, NOW_US))
    again = await make(engine, "one", "bob")

    for bucket_id in (bucket.id, again.id):
        with pytest.raises(NoSuchUpload):
            await engine.read(
                partial(
                    find_upload,
                    bucket_id=bucket_id,
                    key=upload.key,
                    upload_id=upload.upload_id,
                )
            )


CONFIG = BucketConfig(
    cors=(
        CorsRule(
            id="one",
            allowed_origins=("https://*.example.com",),
            allowed_methods=("GET", "PUT"),
            allowed_headers=("*",),
            expose_headers=("etag",),
            max_age_s=0,
        ),
        CorsRule(allowed_origins=("*",), allowed_methods=("GET",)),
    ),
    lifecycle=(
        LifecycleRule(
            id="old",
            is_enabled=True,
            prefix="logs/",
            tags=(("k", ""),),
            size_above=0,
            size_below=5,
            expire_days=3,
            abort_upload_days=7,
        ),
        LifecycleRule(
            id="then",
            is_enabled=False,
            has_filter=False,
            prefix="",
            expire_at_us=1_900_000_000_000_000,
        ),
    ),
    tags=(("team", "ä"),),
)


async def test_a_configuration_is_read_as_it_was_written(engine):
    """And a bucket without one has none."""
    bucket = await make(engine, "mine", config=CONFIG)

    assert CONFIG == bucket.config

    async def clear(tx: Tx) -> None:
        held = await hold_bucket_alone(tx, bucket.id, bucket.name)
        assert CONFIG == held.config
        plain = Bucket(
            id=held.id, name=held.name, created_at_us=held.created_at_us, owner="ann"
        )
        await set_config(tx, plain)

    await engine.write(clear)
    found = await engine.read(lambda tx: find_bucket(tx, bucket.name))
    assert BucketConfig() == found.config
    assert config_text(BucketConfig(public_read=True)) is None


@pytest.mark.parametrize(
    "text",
    [
        5,
        "",
        "[]",
        '{"cors":{}}',
        '{"more":[]}',
        '{"cors":[{"origins":[1],"methods":[]}]}',
        '{"cors":[{"max_age_s":true}]}',
        '{"lifecycle":[{"id":"a","transition_days":1}]}',
        '{"tags":[["a"]]}',
        '{"tags":["ab"]}',
    ],
)
def test_a_configuration_that_we_never_wrote_is_refused(text):
    """Half a lifecycle rule deletes what it must not."""
    with pytest.raises(ValueError):
        config_of(text)
