"""Reload in place: all of it or nothing, and at once."""

from collections.abc import Callable
from pathlib import Path

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from s3o.ledger.buckets import list_buckets
from s3o.ledger.quotas import quota_rows
from s3o.model.errors import LedgerUnavailable
from s3o.model.facts import Happened, ServiceRan
from s3o.model.names import BucketName
from s3o.model.tenants import BucketConfig
from tests.daemon.house import Running, running


def messages(one: Running) -> list[str]:
    """What the operator was told."""
    return [fact.message for fact in one.observer.of(Happened)]


def fail_commit(number: int) -> Callable[[], None]:
    """Fail the commit of that number from now on, and those after it."""
    count = 0

    def before_commit() -> None:
        nonlocal count
        count += 1
        if count >= number:
            raise LedgerUnavailable("the disk is full")

    return before_commit


async def test_failed_reload_changes_nothing(tmp_path: Path) -> None:
    """The log says so, and the operator who reads it goes on with the old settings."""
    one = Running(tmp_path)
    one.use_certificate()
    async with running(one):
        settings, certificate = one.house.live.current, one.doors.certificate
        one.use_certificate()
        one.config["buckets"].append(
            {"name": "documents", "credentials": [{"token": "another-token"}]}
        )
        one.config["backends"][0]["quota_bytes"] = 2000
        one.write_config()
        one.before_commit = fail_commit(1)

        assert not await one.reloader.reload()
        assert settings is one.house.live.current
        assert certificate is one.doors.certificate
        buckets = await one.house.ledger.read(list_buckets)
        assert ["photos"] == [bucket.name for bucket in buckets]
        (quota,) = await one.house.ledger.read(quota_rows)
        assert 1000 == quota.limit_bytes
        assert "reload failed, nothing changed" == messages(one)[-1]


async def test_reload_writes_the_ledger_in_one_transaction(tmp_path: Path) -> None:
    """Between two, the process may die or the disk fill up: half would be changed."""
    one = Running(tmp_path)
    async with running(one):
        one.config["buckets"].append(
            {"name": "documents", "credentials": [{"token": "another-token"}]}
        )
        one.config["backends"][0]["quota_bytes"] = 2000
        one.write_config()
        one.before_commit = fail_commit(2)

        assert await one.reloader.reload()
        assert "documents" == one.house.buckets.find("documents").name
        (quota,) = await one.house.ledger.read(quota_rows)
        assert 2000 == quota.limit_bytes


async def test_unusable_certificate_touches_no_ledger(tmp_path: Path) -> None:
    """It is read first: what cannot be served must not be half in force."""
    one = Running(tmp_path)
    one.use_certificate()
    async with running(one):
        (tmp_path / "key.pem").write_bytes(b"half a key")
        one.config["backends"][0]["quota_bytes"] = 2000
        one.write_config()

        assert not await one.reloader.reload()
        (quota,) = await one.house.ledger.read(quota_rows)
        assert 1000 == quota.limit_bytes


async def test_renewed_certificate_is_shown_after_a_reload(tmp_path: Path) -> None:
    """Certificates last ninety days; services longer."""
    one = Running(tmp_path)
    one.use_certificate()
    async with running(one):
        before = one.doors.certificate
        one.use_certificate()

        assert await one.reloader.reload()
        assert before is not one.doors.certificate


async def test_changed_interval_counts_from_the_reload_on(
    tmp_path: Path, mock_clock: MockClock
) -> None:
    """Who shortens an hour to a minute does not want to wait the hour."""
    one = Running(tmp_path)
    one.config["usage_flush"] = {"interval": "1h"}

    def passes() -> int:
        return sum(
            fact.service == "usage-flush" for fact in one.observer.of(ServiceRan)
        )

    async with running(one), trio.open_nursery() as nursery:
        await one.services.start(nursery)
        await wait_all_tasks_blocked()
        mock_clock.jump(1800)  # the first pass comes within half the interval
        await wait_all_tasks_blocked()
        assert 1 == passes()
        one.config["usage_flush"] = {"interval": "1m"}
        one.write_config()
        assert await one.reloader.reload()
        mock_clock.jump(61)
        await wait_all_tasks_blocked()

        assert 2 == passes()
        nursery.cancel_scope.cancel()


async def test_accounts_come_and_go_by_reload(tmp_path: Path) -> None:
    """A tenant is let in without a restart, and shut out with the buckets kept."""
    one = Running(tmp_path)
    async with running(one):
        one.config["accounts"] = [
            {"name": "ann", "credentials": [{"token": "anns-token"}], "quota_bytes": 7}
        ]
        one.write_config()
        assert await one.reloader.reload()
        made = await one.house.buckets.create("ann", BucketName("anns"), BucketConfig())
        caller = one.doors._book.find_token("anns-token")
        assert caller is not None
        assert "ann" == caller.principal

        del one.config["accounts"]
        one.write_config()
        assert await one.reloader.reload()
        assert one.doors._book.find_token("anns-token") is None
        assert made.id == one.house.buckets.find("anns").id


async def test_a_name_that_a_tenant_has_is_not_taken_by_reload(tmp_path: Path) -> None:
    """The new bucket's credentials would open what the tenant stored."""
    one = Running(tmp_path)
    async with running(one):
        one.config["accounts"] = [
            {"name": "ann", "credentials": [{"token": "anns-token"}]}
        ]
        one.write_config()
        assert await one.reloader.reload()
        await one.house.buckets.create("ann", BucketName("anns"), BucketConfig())
        before = one.house.live.current
        one.config["buckets"].append(
            {"name": "anns", "credentials": [{"token": "another-token"}]}
        )
        one.write_config()

        assert not await one.reloader.reload()
        assert before is one.house.live.current
        assert "ann" == one.house.buckets.find("anns").owner
        assert one.doors._book.find_token("another-token") is None
        assert "reload failed, nothing changed" == messages(one)[-1]
