"""An operator has bytes read, and missing checksums computed."""

from pathlib import Path

from tests.admin.house import configured, opened
from tests.admin.test_copies import several


async def test_bytes_are_read_when_asked(tmp_path: Path) -> None:
    """Before a backend is trusted with more, without waiting for the interval."""
    one = several(tmp_path, factor=1)
    one.config["integrity"] = {"enabled": True}
    async with opened(one) as office:
        await office.put("cat.jpg", b"x" * 100)
        await office.put("dog.jpg", b"y" * 100)
        first = (await office.admin("POST", "/scrub?batch_size=1")).json
        rest = (await office.admin("POST", "/scrub")).json
        filled = (await office.admin("POST", "/backfill-checksums")).json

    assert ("ok", 1, 0) == (first["status"], first["checked"], first["failed"])
    assert ("ok", 1) == (rest["status"], rest["checked"])
    assert {"status": "ok", "processed": 0, "failed": 0} == filled


async def test_without_integrity_nothing_is_read(tmp_path: Path) -> None:
    """The answers are the documented ones."""
    async with opened(configured(tmp_path)) as office:
        scrubbed = (await office.admin("POST", "/scrub")).json
        filled = (await office.admin("POST", "/backfill-checksums")).json

    reason = "integrity verification is not enabled"
    assert {"status": "skipped", "reason": reason} == scrubbed == filled
