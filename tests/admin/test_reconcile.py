"""An operator has the backends compared with the ledger."""

from pathlib import Path

from tests.admin.house import configured, opened


async def test_comparison_is_told_in_the_documented_words(tmp_path: Path) -> None:
    """Also where reconcile.enabled is off, which is the default."""
    one = configured(tmp_path)
    async with opened(one) as office:
        await office.put("cat.jpg", b"x" * 100)
        everything = (await office.admin("POST", "/reconcile")).json
        name = one.config["backends"][0]["name"]
        single = (await office.admin("POST", f"/reconcile?backend={name}")).json
        unknown = await office.admin("POST", "/reconcile?backend=nobodys")

    assert len(one.config["backends"]) == everything["backends_scanned"]
    assert ("ok", 0, 0, 1, []) == (
        single["status"],
        single["imported"],
        single["removed"],
        single["backends_scanned"],
        single["errors"],
    )
    assert 404 == unknown.status
