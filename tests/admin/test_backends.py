"""An operator empties a backend, takes it away, and evens the others out."""

from pathlib import Path

import pytest
import trio

from tests.admin.house import Office, opened
from tests.admin.test_copies import several


async def drained(office: Office) -> dict[str, object]:
    """Wait for a drain's end, doing what its services do."""
    services = office.one.services
    for _ in range(10):
        await services.drains.run_once()
        status = (await office.admin("GET", "/backends/one/drain")).json
        if not status["active"]:
            return status
        await trio.sleep(1.1)  # the readers' grace
        await services.cleanup.run_once()
    raise AssertionError(status)


async def clean_up(office: Office) -> None:
    """Do what the cleanup queue's runner does, after the readers' grace."""
    while True:
        await trio.sleep(1.1)
        await office.one.services.cleanup.run_once()


@pytest.mark.slow
async def test_a_drain_from_start_to_removal(tmp_path: Path) -> None:
    """With the documented answers."""
    async with opened(several(tmp_path)) as office:
        await office.one.services.ledger_check.run_once()
        await office.put("cat.jpg", b"x" * 100)
        started = await office.admin("POST", "/backends/one/drain")
        again = await office.admin("POST", "/backends/one/drain")
        begun = (await office.admin("GET", "/backends/one/drain")).json
        ended = await drained(office)
        removed = await office.admin("DELETE", "/backends/one")
        cancelled = await office.admin("DELETE", "/backends/one/drain")
        nobody = await office.admin("POST", "/backends/nobody/drain")

    assert 202 == started.status
    assert {"status": "drain started", "backend": "one"} == started.json
    assert 409 == again.status
    assert (True, "draining", 1, 100) == (
        begun["active"],
        begun["state"],
        begun["objects_remaining"],
        begun["bytes_remaining"],
    )
    assert (False, "drained", 0, 1) == (
        ended["active"],
        ended["state"],
        ended["objects_remaining"],
        ended["objects_moved"],
    )
    assert {"status": "backend removed", "backend": "one"} == removed.json
    assert {"status": "drain cancelled", "backend": "one"} == cancelled.json
    assert 404 == nobody.status


@pytest.mark.slow
async def test_a_purge_is_shown_before_it_is_done(tmp_path: Path) -> None:
    """And without a purge nothing goes that has no other copy."""
    async with opened(several(tmp_path)) as office:
        await office.one.services.ledger_check.run_once()
        await office.put("cat.jpg", b"x" * 100)
        refused = await office.admin("DELETE", "/backends/one")
        preview = await office.admin("DELETE", "/backends/one?purge=true")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(clean_up, office)
            purged = await office.admin(
                "DELETE", "/backends/one?purge=true&confirm=true"
            )
            nursery.cancel_scope.cancel()

    assert 409 == refused.status
    assert "1 objects have no other good copy" in refused.json["error"]
    assert {
        "status": "confirmation required",
        "backend": "one",
        "object_count": 1,
        "total_bytes": 100,
        "only_copies": 1,
        "only_copies_bytes": 100,
    } == preview.json
    assert {"status": "backend purged", "backend": "one"} == purged.json


async def test_a_rebalance_when_asked(tmp_path: Path) -> None:
    """Also while the service is switched off."""
    async with opened(several(tmp_path)) as office:
        await office.one.services.ledger_check.run_once()
        await office.put("cat.jpg", b"x" * 50)
        skipped = (await office.admin("POST", "/rebalance")).json
        for number in range(4):
            await office.put(f"{number}.jpg", b"x" * 100)
        packed = (await office.admin("POST", "/rebalance")).json

    assert {"status": "skipped", "objects_moved": 0, "reason": "threshold"} == skipped
    assert {"status": "skipped", "objects_moved": 0, "reason": "empty_plan"} == packed
