"""A ledger that is old, or new in place of a lost one, deletes nothing."""

import pytest
import trio
from trio.testing import MockClock

from s3o.services.ledger_check import LedgerCheck
from s3o.services.safety import Safety
from tests.behaviour.service import Service, open_service
from tests.fakes.observer import RecordingObserver

TWO = {"one": 1 << 30, "two": 1 << 30}


def doomed(service: Service) -> int:
    """How many blobs wait to be deleted."""
    return service.connection.execute("SELECT COUNT(*) FROM cleanup_queue").fetchone()[
        0
    ]


async def overwrite(service: Service) -> None:
    """Leave bytes that the cleanup queue would delete."""
    await service.ask("PUT", "/photos/a", body=b"old")
    await service.ask("PUT", "/photos/a", body=b"new")


async def test_ledger_of_nobodys_past_may_delete(autojump_clock: MockClock) -> None:
    """The ordinary start: backends know nothing that the ledger does not."""
    async with open_service(quotas=TWO) as service:
        await overwrite(service)
        await trio.sleep(60)

        assert service.services.safety.may_destroy
        assert 0 == doomed(service)


async def test_old_ledger_deletes_nothing_until_an_operator_decides(
    autojump_clock: MockClock,
) -> None:
    """The backends know more: the ledger is a copy of before."""
    async with open_service(quotas=TWO) as service:
        await overwrite(service)
        await service.services.ledger_backup.write_now()
        await trio.sleep(60)
        known = {
            name: dict(backend.blobs) for name, backend in service.backends.items()
        }
        cluster = service.connection.execute(
            "SELECT value FROM meta WHERE name = 'cluster_id'"
        ).fetchone()[0]
    async with open_service(quotas=TWO, blobs=known, cluster_id=cluster) as old:
        await trio.sleep(60)
        await overwrite(old)
        await trio.sleep(600)

        assert not old.services.safety.may_destroy
        assert "old copy" in old.services.safety.reason
        assert 1 == doomed(old)
        assert 1 == await old.services.ledger_check.accept()
        await trio.sleep(60)
        assert old.services.safety.may_destroy
        assert 0 == doomed(old)


async def test_old_ledger_stays_old_however_much_it_writes(
    autojump_clock: MockClock,
) -> None:
    """It soon has drawn as many sequences as the one that was lost, restarts or not."""
    async with open_service(quotas=TWO) as service:
        await overwrite(service)
        await service.services.ledger_backup.write_now()
        known = {
            name: dict(backend.blobs) for name, backend in service.backends.items()
        }
        cluster = service.connection.execute(
            "SELECT value FROM meta WHERE name = 'cluster_id'"
        ).fetchone()[0]
    async with open_service(quotas=TWO, blobs=known, cluster_id=cluster) as old:
        await trio.sleep(60)
        for _ in range(5):
            await overwrite(old)
        await old.services.ledger_check.run_once()
        assert not old.services.safety.may_destroy
        after_a_start = Safety()
        check = LedgerCheck(
            old.house.ledger,
            old.house.fleet,
            RecordingObserver(),
            after_a_start,
            copies=lambda: 2,
            poke=lambda: None,
        )
        await check.run_once()
        assert "old copy" in after_a_start.reason
        await check.accept()
        assert after_a_start.may_destroy


async def test_new_ledger_over_anothers_backups_deletes_nothing(
    autojump_clock: MockClock,
) -> None:
    """The file was lost and the service started again: recover comes first."""
    async with open_service(quotas=TWO) as service:
        await overwrite(service)
        await service.services.ledger_backup.write_now()
        known = {
            name: dict(backend.blobs) for name, backend in service.backends.items()
        }
    async with open_service(quotas=TWO, blobs=known, cluster_id="another") as fresh:
        await overwrite(fresh)
        await trio.sleep(60)

        assert "lost" in fresh.services.safety.reason
        assert 1 == doomed(fresh)
        await fresh.services.ledger_check.accept()
        await trio.sleep(60)
        assert 0 == doomed(fresh)
        restarted = fresh.services.ledger_check
        await restarted.run_once()
        assert fresh.services.safety.may_destroy


@pytest.mark.parametrize(("down", "may_destroy"), [(1, True), (2, False)])
async def test_not_every_backend_has_to_answer(
    autojump_clock: MockClock, down: int, may_destroy: bool
) -> None:
    """Two copies of each backup: one that is down can hide none of them."""
    async with open_service(quotas=TWO, down=["one", "two"][:down]) as service:
        await trio.sleep(300)

        assert may_destroy is service.services.safety.may_destroy
        for backend in service.backends.values():
            backend.faults.down = None
        await trio.sleep(300)
        assert service.services.safety.may_destroy
