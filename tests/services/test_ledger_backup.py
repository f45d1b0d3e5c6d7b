"""Backups of the ledger: when, where, at what cost, and what becomes of old ones."""

from collections import Counter

import pytest
import trio
from trio.testing import MockClock

from s3o.model.backup_names import BackupKind, parse_backup_name
from s3o.model.errors import BackendError, NoRoom
from s3o.wire.ledger_segment import read_segment
from tests.behaviour.multipart import SMALL, Client
from tests.behaviour.service import Service, open_service
from tests.fakes.faults import Fault

TWO = {"one": 1 << 30, "two": 1 << 30}


def held(service: Service) -> dict[str, list[str]]:
    """The kinds of segments on each backend, oldest first."""
    found: dict[str, list[str]] = {}
    for name, backend in service.backends.items():
        names = sorted(
            (parse_backup_name(one) for one in backend.blobs if one.startswith(".s3o")),
            key=lambda one: (one.through, one.run),
        )
        found[name] = [f"{one.kind} {one.after}-{one.through}" for one in names]
    return found


async def back_up(service: Service) -> None:
    """One pass."""
    await service.services.ledger_backup.write_now()


async def test_each_segment_lies_on_two_backends_and_counts(
    autojump_clock: MockClock,
) -> None:
    """Its bytes are used bytes; names and sums agree."""
    async with open_service(quotas=TWO) as service:
        await service.ask("PUT", "/photos/a", body=b"1")
        await back_up(service)
        rows = service.rows("ledger_backups")["ledger_backups"]

        assert ["snapshot 0-2"] == held(service)["one"] == held(service)["two"]
        assert {"whole"} == {row[3] for row in rows}
        assert [] == await service.complaints()


async def test_nothing_new_is_no_call(autojump_clock: MockClock) -> None:
    """An idle service does not cost requests."""
    async with open_service(quotas=TWO) as service:
        await service.ask("PUT", "/photos/a", body=b"1")
        await back_up(service)
        before = held(service)
        await back_up(service)

        assert before == held(service)


async def test_log_tells_of_what_came_since(autojump_clock: MockClock) -> None:
    """Only that, with the deletes."""
    async with open_service(quotas=TWO) as service:
        await service.ask("PUT", "/photos/a", body=b"1")
        await back_up(service)
        await service.ask("PUT", "/photos/b", body=b"2")
        await service.ask("DELETE", "/photos/a")
        await back_up(service)
        [newest] = [
            blob.body
            for name, blob in service.backends["one"].blobs.items()
            if "/log-" in name
        ]
        head, lines = read_segment(newest)

        assert (2, 5) == (head.after, head.through)
        assert {"o": 1, "t": 1, "b": 2} == {
            kind: count
            for kind, count in Counter(line.kind for line in lines).items()
            if kind != "u"
        }


@pytest.mark.slow  # nine days
async def test_daily_snapshots_make_older_ones_leave(autojump_clock: MockClock) -> None:
    """A week of writes leaves two snapshots and the logs behind the older."""
    async with open_service(quotas=TWO) as service:
        for day in range(7):
            for hour in range(3):
                await service.ask("PUT", f"/photos/{day}-{hour}", body=b"x")
                await trio.sleep(8 * 3600)
        await trio.sleep(2 * 86_400)
        names = [
            parse_backup_name(name)
            for name in service.backends["one"].blobs
            if name.startswith(".s3o")
        ]
        kinds = Counter(one.kind for one in names)

        assert 2 == kinds[BackupKind.SNAPSHOT]
        assert kinds[BackupKind.LOG] <= 4
        assert [] == await service.complaints()


async def test_one_backend_down_is_one_copy_and_a_warning(
    autojump_clock: MockClock,
) -> None:
    """Half a backup is better than none; the reservation of the failed half goes."""
    async with open_service(quotas=TWO) as service:
        await service.ask("PUT", "/photos/a", body=b"1")
        service.backends["two"].faults.down = Fault.UNREACHABLE
        await back_up(service)

        assert 1 == len(held(service)["one"])
        assert [] == held(service)["two"]
        assert [] == await service.complaints()
        waiting = service.rows("cleanup_queue")["cleanup_queue"]
        assert ["ledger_backup_unfinished"] == [
            one for row in waiting for one in row if str(one).startswith("ledger_")
        ]


async def test_no_backend_at_all_is_tried_again(autojump_clock: MockClock) -> None:
    """The next pass tells of everything."""
    async with open_service(quotas=TWO) as service:
        await service.ask("PUT", "/photos/a", body=b"1")
        for backend in service.backends.values():
            backend.faults.down = Fault.UNREACHABLE
        with pytest.raises(BackendError):
            await back_up(service)
        for backend in service.backends.values():
            backend.faults.down = None
        await trio.sleep(30)
        await back_up(service)

        assert held(service)["one"]
        assert [] == await service.complaints()


@pytest.mark.slow  # an ambiguous delete is repeated for a day
@pytest.mark.parametrize("fault", [Fault.LOST_ANSWER, Fault.STORE_PART, Fault.FULL])
async def test_segment_that_fails_leaves_nothing(
    autojump_clock: MockClock, fault: Fault
) -> None:
    """Whatever became of the bytes, they are deleted again."""
    async with open_service(quotas=TWO) as service:
        await service.ask("PUT", "/photos/a", body=b"1")
        service.backends["one"].faults.next("put", fault)
        await back_up(service)
        await trio.sleep(2 * 86_400)
        known = {row[1] for row in service.rows("ledger_backups")["ledger_backups"]}
        lying = {
            name
            for backend in service.backends.values()
            for name in backend.blobs
            if name.startswith(".s3o")
        }

        assert known == lying
        assert [] == await service.complaints()


async def test_no_room_for_a_backup_is_told(autojump_clock: MockClock) -> None:
    """Objects come first; the quota is never exceeded for a backup."""
    async with open_service(quotas={"one": 100}) as service:
        await service.ask("PUT", "/photos/a", body=b"1" * 90)
        with pytest.raises(NoRoom):
            await back_up(service)

        assert [] == held(service)["one"]
        assert [] == await service.complaints()


async def test_tags_reach_the_log_without_a_sequence(autojump_clock: MockClock) -> None:
    """A row that changes in place is told again, once."""
    async with open_service(quotas=TWO) as service:
        await service.ask("PUT", "/photos/a", body=b"1")
        await back_up(service)
        body = (
            b"<Tagging><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet>"
            b"</Tagging>"
        )
        await service.ask("PUT", "/photos/a", (("tagging", ""),), {}, body)
        await back_up(service)
        await back_up(service)

        assert ["snapshot 0-2", "log 2-2"] == held(service)["one"]
        assert [] == service.rows("ledger_touched")["ledger_touched"]


async def test_completed_upload_is_logged_within_a_minute(
    autojump_clock: MockClock,
) -> None:
    """Its layout stands nowhere but in the ledger."""
    async with open_service(quotas=TWO, extra={"server": SMALL}) as service:
        await service.ask("PUT", "/photos/a", body=b"1")
        await back_up(service)
        await trio.sleep(1)
        client = Client(service, "/photos/parts")
        await client.create()
        await client.parts(b"one", b"two")
        before = held(service)
        await client.complete()
        await trio.sleep(91)

        assert len(before["one"]) + 1 == len(held(service)["one"])
