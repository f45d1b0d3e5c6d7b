"""Dead letters through the admin API: an operator settles what nobody could delete."""

from pathlib import Path

import pytest

from s3o.ledger.cleanup import depths, due_rows, exhaust
from s3o.ledger.cleanup_rows import Discard, enqueue
from s3o.ledger.quotas import QuotaMoves, quota_rows
from s3o.ledger.seam import Tx
from s3o.model.facts import QueueObserved
from s3o.model.names import BackendName, BucketId, ObjectKey, StorageKey
from s3o.services import dead_letters
from tests.admin.house import Office, configured, opened

FAR_US = 1 << 62
ONE = BackendName("one")


async def bury(office: Office, count: int, upload: bool = False) -> None:
    """Let deletions have failed ten times."""

    async def step(tx: Tx) -> None:
        moves = QuotaMoves()
        for number in range(count):
            discard = Discard(
                backend=ONE,
                bucket_id=BucketId(1),
                key=ObjectKey(f"key{number}"),
                storage_key=StorageKey(f"photos/key{number}!{number:032x}"),
                size_bytes=10,
                reason="delete",
                backend_upload_id="native-id" if upload else None,
            )
            await enqueue(tx, discard, moves, 1)
        await moves.apply(tx)
        for row in await due_rows(tx, ONE, FAR_US, 1000):
            assert await exhaust(tx, row.id, "the provider says no", 2)

    await office.desk.ledger.write(step)


async def figures(office: Office) -> tuple[int, int, int]:
    """Queue, dead letters, orphan bytes."""
    found = await office.desk.ledger.scan(depths)
    (quota,) = await office.desk.ledger.scan(quota_rows)
    return found.cleanup_rows, found.dead_letters, quota.orphan_bytes


async def test_dead_letters_are_shown_page_by_page(tmp_path: Path) -> None:
    """With what a person needs to find the bytes at the provider."""
    async with opened(configured(tmp_path)) as office:
        await bury(office, 3)
        first = (await office.admin("GET", "/dead-letters?limit=2")).json
        after = first["next_after"]
        rest = (await office.admin("GET", f"/dead-letters?after={after}")).json
        none = (await office.admin("GET", "/dead-letters?backend=two")).json

    assert ["key0", "key1"] == [item["key"] for item in first["items"]]
    assert ["key2"] == [item["key"] for item in rest["items"]]
    assert {
        "backend": "one",
        "storage_key": f"photos/key0!{0:032x}",
        "reason": "delete",
        "size_bytes": 10,
        "attempts": 1,
        "last_error": "the provider says no",
        "backend_upload_id": None,
    }.items() <= first["items"][0].items()
    assert {"items": []} == none


async def test_retry_queues_the_bytes_again(tmp_path: Path) -> None:
    """Fixed the backend? Then all of its letters get another ten attempts."""
    async with opened(configured(tmp_path)) as office:
        await bury(office, 2)
        await bury(office, 1, upload=True)
        other = await office.admin(
            "POST", "/dead-letters/retry", {"all": True, "backend": "two"}
        )
        reply = await office.admin("POST", "/dead-letters/retry", {"ids": [1, 3, 99]})
        after = await figures(office)
        is_poked = office.one.services.cleanup.wakeup.is_poked
        rows = await office.desk.ledger.scan(lambda tx: due_rows(tx, ONE, FAR_US, 9))
        told = office.one.observer.of(QueueObserved)[-1]

    assert {"status": "ok", "retried": 0, "total_bytes": 0} == other.json
    assert {"status": "ok", "retried": 2, "total_bytes": 20} == reply.json
    assert ((2, 1, 30), True) == (after, is_poked)
    assert [None, "native-id"] == [row.backend_upload_id for row in rows]
    assert (2, 1) == (told.cleanup_rows, told.dead_letters)


@pytest.mark.parametrize("batch", [1, 2, 500])
async def test_write_off_wants_a_confirmation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    """It makes the quota believe a person: nothing by a slip."""
    monkeypatch.setattr(dead_letters, "DEAD_LETTER_BATCH", batch)
    async with opened(configured(tmp_path)) as office:
        await bury(office, 3)
        preview = await office.admin("POST", "/dead-letters/write-off", {"all": True})
        before = await figures(office)
        reply = await office.admin(
            "POST", "/dead-letters/write-off", {"all": True, "confirm": True}
        )
        after = await figures(office)
        told = office.one.observer.of(QueueObserved)[-1]
        acts = [act for act in office.acts if act.action == "WriteOffDeadLetters"]

    assert {
        "status": "confirmation required",
        "count": 3,
        "total_bytes": 30,
    } == preview.json
    assert {"status": "ok", "written_off": 3, "total_bytes": 30} == reply.json
    assert ((0, 3, 30), (0, 0, 0), 0) == (before, after, told.dead_letters)
    assert ["all=True", "all=True confirm=True"] == [act.arguments for act in acts]


@pytest.mark.parametrize("body", [{}, {"ids": []}, {"ids": [1], "all": True}])
@pytest.mark.parametrize("action", ["retry", "write-off"])
async def test_which_letters_must_be_said(
    tmp_path: Path, body: dict[str, object], action: str
) -> None:
    """Nothing said must not mean everything."""
    async with opened(configured(tmp_path)) as office:
        await bury(office, 1)
        reply = await office.admin(
            "POST", f"/dead-letters/{action}", {**body, "backend": "one"}
        )
        after = await figures(office)

    assert (400, (0, 1, 10)) == (reply.status, after)


@pytest.mark.parametrize("ids", [[0], [-1], ["1"], [1.5], [True], 1, [1] * 1001])
async def test_ids_are_whole_numbers(tmp_path: Path, ids: object) -> None:
    """What is no id means no letter."""
    async with opened(configured(tmp_path)) as office:
        reply = await office.admin("POST", "/dead-letters/retry", {"ids": ids})

    assert 400 == reply.status
