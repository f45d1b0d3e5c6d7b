"""What the showing actions tell."""

from pathlib import Path

from s3o.model.errors import LedgerUnavailable
from tests.admin.house import configured, opened


async def test_status_tells_of_each_backend(tmp_path: Path) -> None:
    """One look must answer: how full, how used, does it answer."""
    async with opened(configured(tmp_path)) as office:
        await office.put("cat.jpg", b"x" * 100)
        await office.put("dog.jpg", b"x" * 50)
        await office.delete("dog.jpg")
        status = (await office.admin("GET", "/status")).json
        (backend,) = status["backends"]

    assert (True, "closed") == (status["db_healthy"], status["db_circuit"])
    assert 1 == status["cleanup_queue_depth"]
    assert {
        "name": "one",
        "circuit": "closed",
        "bytes_used": 100,
        "bytes_orphaned": 50,
        "bytes_limit": 1000,
        "object_count": 1,
        "api_requests": 2,
        "ingress_bytes": 150,
    }.items() <= backend.items()


async def test_status_answers_without_the_database(tmp_path: Path) -> None:
    """That is when an operator asks for it."""
    async with opened(configured(tmp_path)) as office:
        office.one.ledger_error = LedgerUnavailable("down")
        reply = await office.admin("GET", "/status")

    assert (200, False) == (reply.status, reply.json["db_healthy"])
    assert "closed" == reply.json["backends"][0]["circuit"]
    assert "bytes_used" not in reply.json["backends"][0]


async def test_actions_without_the_database_are_503(tmp_path: Path) -> None:
    """Not 404: the object may well be there."""
    async with opened(configured(tmp_path)) as office:
        office.one.ledger_error = LedgerUnavailable("down")
        reply = await office.admin("GET", "/object-locations?key=photos/cat.jpg")

    assert 503 == reply.status
    assert "LedgerUnavailable" in reply.json["error"]


async def test_object_locations_tell_where_the_bytes_are(tmp_path: Path) -> None:
    """Keys may hold anything, so the parameter is percent-decoded once."""
    async with opened(configured(tmp_path)) as office:
        await office.put("a%20b%26c/%C3%A4", b"12345")
        reply = await office.admin(
            "GET", "/object-locations?key=photos%2Fa%20b%26c%2F%C3%A4"
        )
        (location,) = reply.json["locations"]

    assert ("photos/a b&c/\u00e4", 5) == (reply.json["key"], reply.json["size"])
    assert {
        "backend": "one",
        "blob": 0,
        "state": "live",
        "stored_bytes": 5,
    }.items() <= (location.items())
    assert location["storage_key"].startswith("photos/a=20b=26c/=C3=A4!")


async def test_cleanup_queue_shows_what_is_due_next(tmp_path: Path) -> None:
    """Depth for the alarm, rows for the cause."""
    async with opened(configured(tmp_path)) as office:
        await office.put("cat.jpg", b"12345")
        await office.delete("cat.jpg")
        reply = await office.admin("GET", "/cleanup-queue")
        (item,) = reply.json["items"]

    assert 1 == reply.json["depth"]
    assert {
        "backend": "one",
        "key": "photos/cat.jpg",
        "reason": "delete",
        "size_bytes": 5,
        "attempts": 0,
        "last_error": None,
    }.items() <= item.items()


async def test_usage_flush_writes_the_counters(tmp_path: Path) -> None:
    """Before a planned stop, or to see the month's figures now."""
    async with opened(configured(tmp_path)) as office:
        await office.put("cat.jpg", b"12345")
        reply = await office.admin("POST", "/usage-flush")
        taken = office.desk.fleet.counters.take()

    assert {"status": "flushed"} == reply.json
    assert {} == taken
