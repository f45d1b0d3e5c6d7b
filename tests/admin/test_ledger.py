"""An operator's word for the ledger, and its backup by hand."""

from pathlib import Path

from tests.admin.house import configured, opened


async def test_backup_is_written_when_asked(tmp_path: Path) -> None:
    """Before somebody changes something large."""
    async with opened(configured(tmp_path)) as office:
        await office.one.services.ledger_check.run_once()
        reply = await office.ask("POST", "/admin/api/ledger/backup")

        assert (200, "ok") == (reply.status, reply.json["status"])


async def test_old_ledger_is_accepted(tmp_path: Path) -> None:
    """Status tells what is held back, accept ends it."""
    async with opened(configured(tmp_path)) as office:
        office.desk.safety.close("unasked", "nobody was asked")
        told = (await office.ask("GET", "/admin/api/status")).json
        skipped = await office.ask("POST", "/admin/api/ledger/backup")
        accepted = await office.ask("POST", "/admin/api/ledger/accept")

        assert "nobody was asked" == told["deletes_held_back_by"]
        assert "skipped" == skipped.json["status"]
        assert (200, 1) == (accepted.status, accepted.json["epoch"])
