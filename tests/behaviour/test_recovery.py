"""The ledger is lost; configuration and backends bring every object back."""

import dataclasses
import re
from pathlib import Path

import pytest
import trio

from s3o.daemon.recover import put_in_place
from s3o.ledger.copies import mark_copy
from s3o.model.backup_names import BACKUP_PREFIX
from s3o.model.errors import BackendProtocolError
from s3o.model.names import BackendName
from s3o.model.values import BlobPage, LocationState
from s3o.services import ledger_backup
from s3o.services.recovery import RecoveryError
from tests.behaviour.multipart import SMALL, Client
from tests.behaviour.service import SECRETS, Service, open_service
from tests.fakes.faults import Fault
from tests.fakes.liar import Liar
from tests.fakes.sources import pattern
from tests.recovering import OBJECTS, Recovered, recover_from

TWO = {"one": 1 << 30, "two": 1 << 30}
SECRETS["bobskey"] = "bobssecret"


async def recover(service: Service, **options: object) -> Recovered:
    """Recover the service's ledger into an empty one, as the command does."""
    return await recover_from(service.backends, service.house.live.current, **options)


def before(service: Service) -> list[tuple[object, ...]]:
    """The objects of the ledger that is about to be lost."""
    return service.connection.execute(OBJECTS).fetchall()


async def back_up(service: Service) -> None:
    """One pass of the backup service, as its interval would make it."""
    await service.services.ledger_backup.write_now()


async def fill(service: Service) -> None:
    """Objects of every kind: described, empty, of parts, deleted, replaced."""
    await service.ask("PUT", "/photos/a/plain", body=b"hello")
    await service.ask(
        "PUT",
        "/photos/b ü",
        headers={
            "content-type": "text/plain",
            "content-encoding": "gzip",
            "cache-control": "no-cache",
            "x-amz-meta-colour": "blue",
            "x-amz-tagging": "k=v",
        },
        body=b"described",
    )
    await service.ask("PUT", "/others/empty", body=b"", who="otherskey")
    await service.ask("PUT", "/photos/replaced", body=b"old")
    await service.ask("PUT", "/photos/replaced", body=b"new")
    await service.ask("PUT", "/photos/deleted", body=b"gone")
    await service.ask("DELETE", "/photos/deleted")
    client = Client(service, "/photos/parts")
    await client.create({})
    await client.parts(pattern(70_000), pattern(1_000), b"the end")
    assert 200 == (await client.complete()).status


async def test_snapshot_brings_every_object_back(autojump_clock: object) -> None:
    """Every column of every object, tags included, and nothing that was deleted."""
    async with open_service(quotas=TWO, extra={"server": SMALL}) as service:
        await fill(service)
        await back_up(service)
        recovered = await recover(service)

        assert before(service) == recovered.objects()
        assert {"live"} == {row[-1] for row in recovered.located()}
        told = recovered.ask("SELECT tags FROM objects WHERE key = 'b ü'")
        assert [('[["k","v"]]',)] == told
        assert 5 == recovered.report.base.objects
        assert 0 == recovered.report.objects
        usage = recovered.ask("SELECT value FROM ledger_sequence")[0][0]
        assert usage > 1_000_000


async def test_what_came_after_the_snapshot_is_in_the_logs(
    autojump_clock: object,
) -> None:
    """Writes, overwrites, deletes and tags between two passes."""
    async with open_service(quotas=TWO, extra={"server": SMALL}) as service:
        await fill(service)
        await back_up(service)
        await service.ask("PUT", "/photos/late", body=b"late")
        await service.ask("PUT", "/photos/replaced", body=b"newer")
        await service.ask("DELETE", "/photos/a/plain")
        tagging = (
            b"<Tagging><TagSet><Tag><Key>k</Key><Value>w</Value></Tag>"
            b"</TagSet></Tagging>"
        )
        answer = await service.ask(
            "PUT", "/photos/b ü", (("tagging", ""),), {}, tagging
        )
        assert 200 == answer.status
        await back_up(service)
        recovered = await recover(service)

        assert before(service) == recovered.objects()
        assert [('[["k","w"]]',)] == recovered.ask(
            "SELECT tags FROM objects WHERE key = 'b ü'"
        )


async def test_tail_is_read_from_the_blobs_themselves(autojump_clock: object) -> None:
    """Committed after the last log: the record on the backend tells."""
    async with open_service(quotas=TWO) as service:
        await service.ask("PUT", "/photos/first", body=b"1")
        await service.ask("PUT", "/photos/kept", body=b"as it was")
        await back_up(service)
        await service.ask(
            "PUT",
            "/photos/tail",
            headers={"content-type": "text/x", "x-amz-meta-m": "v"},
            body=b"after the log",
        )
        await service.ask("PUT", "/photos/first", body=b"2")
        expected = before(service)
        recovered = await recover(service)

        found = {row[1]: row for row in recovered.objects()}
        assert {"first", "kept", "tail"} == set(found)
        for row in expected:
            # All but the time: a backend keeps when its blob came, not the commit.
            assert row[:-1] == found[row[1]][:-1]
        assert 2 == recovered.report.objects


async def test_deleted_after_the_last_log_stays_deleted_once_its_bytes_are_gone(
    autojump_clock: object,
) -> None:
    """No row without bytes comes back; it is reported."""
    async with open_service(quotas=TWO) as service:
        await service.ask("PUT", "/photos/a", body=b"1")
        await service.ask("PUT", "/photos/b", body=b"2")
        await back_up(service)
        await service.ask("DELETE", "/photos/a")
        await trio.sleep(30)
        recovered = await recover(service)

        assert ["b"] == [row[1] for row in recovered.objects()]
        assert ["a"] == [key for _, key in recovered.report.gone]


async def test_garbage_of_before_the_log_does_not_come_back(
    autojump_clock: object,
) -> None:
    """Displaced bytes that a backend still holds are older than the log's word."""
    async with open_service(quotas=TWO) as service:
        await service.ask("PUT", "/photos/a", body=b"old")
        old = dict(service.backends["one"].blobs)
        await service.ask("PUT", "/photos/a", body=b"new")
        await service.ask("PUT", "/photos/b", body=b"doomed")
        doomed = {
            name: blob
            for name, blob in service.backends["one"].blobs.items()
            if "/b!" in name
        }
        await service.ask("DELETE", "/photos/b")
        await trio.sleep(30)
        await back_up(service)
        service.backends["one"].blobs.update(old)
        service.backends["one"].blobs.update(doomed)
        recovered = await recover(service)

        assert before(service) == recovered.objects()
        assert {"older": 2} == recovered.report.fates
        queued = recovered.ask("SELECT storage_key FROM cleanup_queue")
        assert {*old, *doomed} == {row[0] for row in queued}


async def test_without_any_backup_the_records_tell(autojump_clock: object) -> None:
    """Named by hand, a cluster is rebuilt from blobs alone; the newest write wins."""
    async with open_service(
        quotas=TWO, extra={"ledger_backup": {"enabled": False}}
    ) as service:
        await service.ask("PUT", "/photos/a", body=b"1")
        old = dict(service.backends["one"].blobs)
        await service.ask("PUT", "/photos/a", body=b"22")
        await service.ask("PUT", "/others/b", body=b"333", who="otherskey")
        await trio.sleep(30)
        service.backends["one"].blobs.update(old)
        cluster = service.rows("meta")["meta"]
        [cluster_id] = [value for name, value in cluster if name == "cluster_id"]
        with pytest.raises(RecoveryError):
            await recover(service)
        recovered = await recover(service, cluster=cluster_id)

        assert [("a", 2), ("b", 3)] == recovered.ask(
            "SELECT key, size FROM objects ORDER BY key"
        )
        assert [("others",), ("photos",)] == recovered.ask(
            "SELECT name FROM buckets ORDER BY id"
        )


async def test_damaged_copy_of_a_segment_costs_nothing(autojump_clock: object) -> None:
    """Each lies on two backends; a flipped bit is noticed."""
    async with open_service(quotas=TWO) as service:
        await service.ask("PUT", "/photos/a", body=b"1")
        await back_up(service)
        for name, blob in list(service.backends["one"].blobs.items()):
            if name.startswith(".s3o/"):
                body = bytes([*blob.body[:-5], blob.body[-5] ^ 1, *blob.body[-4:]])
                service.backends["one"].blobs[name] = dataclasses.replace(
                    blob, body=body
                )
        recovered = await recover(service)

        assert before(service) == recovered.objects()
        assert recovered.report.base.complaints


async def test_backend_that_is_down_stops_the_recovery_unless_left_out(
    autojump_clock: object,
) -> None:
    """What it holds cannot be judged; left out, its locations are believed."""
    async with open_service(quotas=TWO) as service:
        await service.ask("PUT", "/photos/a", body=b"1")
        await back_up(service)
        service.backends["one"].faults.down = Fault.UNREACHABLE
        with pytest.raises(RecoveryError, match="one"):
            await recover(service)
        recovered = await recover(service, without=[BackendName("one")])

        assert before(service) == recovered.objects()
        assert ["live"] == [row[-1] for row in recovered.located()]


ENDLESS = [
    ([["photos/a"]], ""),  # one page for ever, with ever new tokens
    ([["photos/b"], ["photos/a"]], "same"),
    ([[]], ""),
]


@pytest.mark.parametrize(("pages", "token"), ENDLESS)
async def test_listing_without_an_end_stops_the_recovery(
    autojump_clock: object, pages: list[list[str]], token: str
) -> None:
    """Recovering the only backups must not hang on one broken provider."""
    async with open_service(quotas=TWO) as service:
        await service.ask("PUT", "/photos/a", body=b"1")
        await back_up(service)
        liar = Liar(service.backends["one"], pages, token=token)
        with pytest.raises(BackendProtocolError, match="the listing"):
            await recover(service)

        assert liar.calls <= 1000


@pytest.mark.parametrize(("pages", "token"), ENDLESS)
async def test_backups_without_an_end_stop_the_recovery(
    autojump_clock: object, pages: list[list[str]], token: str
) -> None:
    """The operator is told which backend it is, and how to go on without it."""
    async with open_service(quotas=TWO) as service:
        await service.ask("PUT", "/photos/a", body=b"1")
        await back_up(service)
        Liar(service.backends["one"], pages, token=token, prefix=BACKUP_PREFIX)
        with pytest.raises(RecoveryError, match="--without one"):
            await recover(service)


async def test_listing_in_another_order_recovers_all_the_same(
    autojump_clock: object,
) -> None:
    """Servers over folders list in the order of the folders."""
    async with open_service(quotas=TWO, extra={"server": SMALL}) as service:
        await fill(service)
        await back_up(service)
        backend = service.backends["one"]
        honest = backend.list_page

        async def backwards(
            prefix: str, token: str | None = None, limit: int = 1000
        ) -> BlobPage:
            page = await honest(prefix, token, limit)
            return BlobPage(blobs=page.blobs[::-1], next_token=page.next_token)

        backend.list_page = backwards  # type: ignore[method-assign]
        recovered = await recover(service)

        assert before(service) == recovered.objects()


@pytest.mark.parametrize("is_whole", [True, False])
async def test_copies_made_after_the_backup_are_found(
    autojump_clock: object, is_whole: bool
) -> None:
    """Replicated or moved since: the record says whose bytes they are."""
    replicated = {
        "server": SMALL,
        "replication": {"factor": 2, "worker_interval": "1h"},
    }
    async with open_service(quotas=TWO, extra=replicated) as service:
        for backend in service.backends.values():
            backend.traits = dataclasses.replace(backend.traits, has_multipart=False)
        service.backends["two"].faults.down = Fault.UNREACHABLE
        if is_whole:
            await service.ask("PUT", "/photos/a", body=pattern(70_000))
        else:
            client = Client(service, "/photos/a")
            await client.create({})
            await client.parts(pattern(70_000), pattern(1_000), b"the end")
            await client.complete()
        await back_up(service)
        service.backends["two"].faults.down = None
        await trio.sleep(60)
        await service.services.replicator.cycle()
        expected = before(service)
        for name in [one for one in service.backends["one"].blobs if "photos" in one]:
            del service.backends["one"].blobs[name]
        for backend in service.backends.values():
            backend.books.calls.clear()
        recovered = await recover(service)

        assert expected == recovered.objects()
        assert {("two", "live")} == {row[2::3] for row in recovered.located()}
        opened = [
            call for call in service.backends["two"].books.calls if "photos" in call[1]
        ]
        assert {"head"} == {operation for operation, _ in opened}


async def test_pieces_of_an_unknown_upload_are_kept_for_a_person(
    autojump_clock: object,
) -> None:
    """Their layout was in the ledger alone."""
    async with open_service(quotas=TWO, extra={"server": SMALL}) as service:
        await service.ask("PUT", "/photos/b", body=b"1")
        await back_up(service)
        for backend in service.backends.values():
            backend.traits = dataclasses.replace(backend.traits, has_multipart=False)
        client = Client(service, "/photos/a")
        await client.create({})
        await client.parts(pattern(70_000), b"the end")
        await client.complete()
        recovered = await recover(service)

        assert ["b"] == [row[1] for row in recovered.objects()]
        assert {"part of an unknown upload": 2} == recovered.report.fates
        assert 2 == len(recovered.ask("SELECT * FROM cleanup_dlq"))


async def moved_off_one(service: Service) -> None:
    """Everything leaves backend one, and its bytes are deleted there."""
    await service.services.drains.start(BackendName("one"))
    await trio.sleep(120)
    left = service.backends["one"].blobs
    assert [] == [name for name in left if not name.startswith(".s3o/")]


@pytest.mark.parametrize("is_logged", [True, False])
async def test_what_moved_after_the_snapshot_is_found_where_it_is(
    autojump_clock: object, *, is_logged: bool
) -> None:
    """Pieces of uploads too: told by the next log, or by their records."""
    async with open_service(quotas=TWO, extra={"server": SMALL}) as service:
        await fill(service)
        await back_up(service)
        kept = dict(service.backends["two"].blobs)
        await moved_off_one(service)
        if is_logged:
            await back_up(service)
        else:
            blobs = service.backends["two"].blobs
            for name in [one for one in blobs if one.startswith(".s3o/")]:
                del blobs[name]
            blobs.update((n, b) for n, b in kept.items() if n.startswith(".s3o/"))
        expected = before(service)
        recovered = await recover(service)

        assert expected == recovered.objects()
        assert {"live"} == {row[-1] for row in recovered.located()}
        assert [] == recovered.report.gone
        copies = recovered.report.fates.get("copy", 0)
        assert (copies == 0) is is_logged


async def test_what_cannot_be_read_is_kept_for_a_person(
    autojump_clock: object,
) -> None:
    """A moment's trouble must not make garbage of an acknowledged write."""
    async with open_service(quotas=TWO) as service:
        await service.ask("PUT", "/photos/a", body=b"1")
        await back_up(service)
        await service.ask("PUT", "/photos/tail", body=b"2")
        [name] = [one for one in service.backends["one"].blobs if "/tail!" in one]
        for operation in ("head", "open"):
            faults = service.backends["one"].faults
            if operation == "open":
                faults.next(operation, None, None)  # the snapshot, looked at and read
            faults.next(operation, *[Fault.FORBIDDEN] * 3)
            recovered = await recover(service)
            faults.heal()

            assert ["a"] == [row[1] for row in recovered.objects()]
            assert [(name, 1)] == recovered.ask(
                "SELECT storage_key, size_bytes FROM cleanup_dlq"
            )


async def test_moved_object_beats_the_garbage_of_its_key(
    autojump_clock: object,
) -> None:
    """Displaced bytes that no backend was rid of never take a moved version's place."""
    async with open_service(quotas=TWO) as service:
        await service.ask("PUT", "/photos/a", body=b"old")
        old = dict(service.backends["one"].blobs)
        await service.ask("PUT", "/photos/a", body=b"new")
        await back_up(service)
        kept = dict(service.backends["two"].blobs)
        await moved_off_one(service)
        service.backends["one"].blobs.update(old)
        service.backends["two"].blobs.update(kept)
        expected = before(service)
        recovered = await recover(service)

        assert expected == recovered.objects()


async def test_bucket_made_again_after_the_log_does_not_stop_the_recovery(
    autojump_clock: object,
) -> None:
    """Bytes of the deleted one, still on a backend, are garbage."""
    keys = [{"access_key_id": "bobskey", "secret_access_key": "bobssecret"}]
    accounts = [{"name": "bob", "credentials": keys}]
    async with open_service(quotas=TWO, extra={"accounts": accounts}) as service:

        async def ask(method: str, path: str, body: bytes = b"") -> None:
            answer = await service.ask(method, path, body=body, who="bobskey")
            assert answer.status in (200, 204)

        await service.ask("PUT", "/photos/a", body=b"1")
        await back_up(service)
        await ask("PUT", "/again")
        await ask("PUT", "/again/x", b"first")
        old = {n: b for n, b in service.backends["one"].blobs.items() if "again" in n}
        await ask("DELETE", "/again/x")
        await ask("DELETE", "/again")
        await ask("PUT", "/again")
        await ask("PUT", "/again/y", b"second")
        service.backends["one"].blobs.update(old)
        recovered = await recover(service)

        assert ["a", "y"] == [row[1] for row in recovered.objects()]


async def test_record_beyond_any_sequence_does_not_stop_the_recovery(
    autojump_clock: object,
) -> None:
    """A backend may say anything; the next sequence must still have a place."""
    async with open_service(quotas=TWO) as service:
        await service.ask("PUT", "/photos/a", body=b"1")
        await back_up(service)
        await service.ask("PUT", "/photos/b", body=b"2")
        blobs = service.backends["one"].blobs
        [name] = [one for one in blobs if "/b!" in one]
        headers = blobs[name].headers
        lie = tuple(
            (header, re.sub(r";q=[^;]+", f";q={2**63 - 1}", value))
            for header, value in headers.record
        )
        assert lie != headers.record
        blobs[name] = dataclasses.replace(
            blobs[name], headers=dataclasses.replace(headers, record=lie)
        )
        recovered = await recover(service)

        assert ["a"] == [row[1] for row in recovered.objects()]


async def test_bucket_made_while_a_snapshot_was_written(
    autojump_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its objects are in the snapshot, so it must be, too, without any log."""
    monkeypatch.setattr(ledger_backup, "PAGE_ROWS", 1)
    keys = [{"access_key_id": "bobskey", "secret_access_key": "bobssecret"}]
    accounts = [{"name": "bob", "credentials": keys}]
    async with open_service(quotas=TWO, extra={"accounts": accounts}) as service:
        for number in range(40):
            await service.ask("PUT", f"/photos/{number}", body=b"1")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(service.services.ledger_backup.snapshot_now)
            for _ in range(10):  # it has told of the buckets, and walks on
                await trio.lowlevel.checkpoint()
            await service.ask("PUT", "/late", who="bobskey")
            await service.ask("PUT", "/late/x", body=b"2", who="bobskey")
        for backend in service.backends.values():
            for name in [one for one in backend.blobs if "/log-" in one]:
                del backend.blobs[name]
        recovered = await recover(service)

        assert before(service) == recovered.objects()
        assert 41 == recovered.report.base.objects


def test_ledger_never_stands_there_without_its_log(tmp_path: Path) -> None:
    """Whoever dies between two renames leaves no ledger rather than an older one."""
    path, growing = tmp_path / "ledger.db", tmp_path / "ledger.db.recovering"
    for name in (path, f"{path}-wal", growing):
        Path(name).write_text("old" if name != growing else "new")
    in_the_way = tmp_path / "ledger.db.before-recovery-1-wal"
    in_the_way.mkdir()
    with pytest.raises(OSError):
        put_in_place(path, growing, 1_000_000)
    assert not path.exists()

    in_the_way.rmdir()
    kept = put_in_place(path, growing, 1_000_000)
    assert kept is not None
    assert ("new", "old") == (path.read_text(), kept.read_text())
    assert "old" == Path(f"{kept}-wal").read_text()
    assert not Path(f"{path}-wal").exists()


async def test_a_forged_bucket_takes_nobodys_place(autojump_clock: object) -> None:
    """One record with a higher id must not be enough to forget a bucket."""
    async with open_service(quotas=TWO) as service:
        await service.ask("PUT", "/photos/a", body=b"1")
        await back_up(service)
        await service.ask("PUT", "/photos/b", body=b"2")
        blobs = service.backends["one"].blobs
        [name] = [one for one in blobs if "/b!" in one]
        headers = blobs[name].headers
        forged = tuple(
            (header, re.sub(r";b=[^;]+", ";b=77", value))
            for header, value in headers.record
        )
        blobs[name] = dataclasses.replace(
            blobs[name], headers=dataclasses.replace(headers, record=forged)
        )
        recovered = await recover(service)

        assert ["a"] == [row[1] for row in recovered.objects()]
        assert [(name,)] == recovered.ask("SELECT storage_key FROM cleanup_dlq")


async def test_bytes_in_doubt_come_back_in_doubt(autojump_clock: object) -> None:
    """A listing of the right size proves nothing about a copy that was suspect."""
    async with open_service(quotas=TWO) as service:
        await service.ask("PUT", "/photos/a", body=b"1")
        await back_up(service)
        [(version, key)] = service.connection.execute(
            "SELECT version_id, storage_key FROM object_locations"
        )
        await service.house.ledger.write(
            lambda tx: mark_copy(
                tx,
                version,
                0,
                BackendName("one"),
                LocationState.SUSPECT,
                1 << 60,
                key,
            )
        )
        await back_up(service)
        recovered = await recover(service)

        assert [(None,)] == recovered.ask("SELECT verified_at FROM object_locations")
