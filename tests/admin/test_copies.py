"""An operator asks for copies, and for fewer of them."""

from pathlib import Path
from typing import Any

from tests.admin.house import configured, opened
from tests.daemon.house import Running


def several(folder: Path, **replication: Any) -> Running:
    """A house of three directories."""
    one = configured(folder)
    one.config["backends"] = [
        {
            "name": name,
            "type": "directory",
            "path": str(folder / name),
            "quota_bytes": 1000,
        }
        for name in ("one", "two", "three")
    ]
    one.config["replication"] = replication
    return one


async def test_copies_are_made_and_removed_when_asked(tmp_path: Path) -> None:
    """After somebody changed the factor, without waiting for the interval."""
    folder = tmp_path
    async with opened(several(folder, factor=3)) as office:
        await office.one.services.ledger_check.run_once()
        await office.put("cat.jpg", b"x" * 100)
        made = (await office.admin("POST", "/replicate?batch_size=10")).json
        office.one.house.live.current = office.one.house.live.current.model_copy(
            update={
                "replication": office.one.house.live.current.replication.model_copy(
                    update={"factor": 2}
                )
            }
        )
        shown = (await office.admin("GET", "/over-replication")).json
        removed = (await office.admin("POST", "/over-replication")).json
        again = (await office.admin("GET", "/over-replication")).json

    assert ("ok", 2) == (made["status"], made["copies_created"])
    assert {"factor": 2, "pending": 1} == shown
    assert ("ok", 1) == (removed["status"], removed["copies_removed"])
    assert 0 == again["pending"]


async def test_without_replication_nothing_is_done(tmp_path: Path) -> None:
    """The answers are the documented ones."""
    async with opened(configured(tmp_path)) as office:
        made = (await office.admin("POST", "/replicate")).json
        shown = (await office.admin("GET", "/over-replication")).json
        removed = (await office.admin("POST", "/over-replication")).json

    reason = "replication not configured or factor <= 1"
    assert {"status": "skipped", "copies_created": 0, "reason": reason} == made
    assert {
        "factor": 0,
        "pending": 0,
        "status": "replication not configured",
    } == shown
    assert {"status": "skipped", "copies_removed": 0, "reason": reason} == removed
