"""Wrong bytes on a backend, as clients and operators meet them."""

from dataclasses import replace

import pytest

from s3o.ledger.copy_rows import find_blob
from s3o.model.names import BackendName, ObjectKey, VersionId
from s3o.net.streams import ConnectionBroken
from tests.behaviour.service import Service, open_service
from tests.fakes.sources import pattern

GIB = 1 << 30
TWO = {"one": GIB, "two": GIB}
CHECKED = {
    "integrity": {"enabled": True, "verify_on_read": True, "scrubber_interval": "1h"}
}
SMALL, LARGE = pattern(1000), pattern(3 << 20)


async def _copy_to(service: Service, backend: str, key: str) -> None:
    """Make one more copy of an object, as replication does."""
    house = service.house
    [row] = service.connection.execute(
        "SELECT version_id FROM objects WHERE key = ?", (key,)
    )
    version = VersionId(row[0])
    found = await house.ledger.read(lambda tx: find_blob(tx, version, 0))
    assert found is not None
    assert found[0].key == ObjectKey(key)
    await house.blob_copier.copy(
        found[0], found[1], BackendName(backend), reason="replication"
    )


def _spoil(service: Service, backend: str) -> None:
    blobs = service.backends[backend].blobs
    for name, blob in blobs.items():
        if not name.startswith("."):
            body = blob.body[:-1] + bytes([blob.body[-1] ^ 1])
            blobs[name] = replace(blob, body=body)


def _states(service: Service) -> list[tuple[str, str]]:
    return sorted(
        service.connection.execute("SELECT backend_name, state FROM object_locations")
    )


async def test_client_never_gets_a_complete_wrong_body() -> None:
    """One copy only: 503 for a small body, a cut connection for a large one."""
    async with open_service(extra=CHECKED) as service:
        for key, body in (("small", SMALL), ("large", LARGE)):
            assert 200 == (await service.ask("PUT", f"/photos/{key}", body=body)).status
            assert body == (await service.ask("GET", f"/photos/{key}")).body
        _spoil(service, "one")
        small = await service.ask("GET", "/photos/small")
        with pytest.raises(ConnectionBroken):  # it was never whole
            await service.ask("GET", "/photos/large")

        assert 503 == small.status
        assert [("one", "suspect")] * 2 == _states(service)
        # Of a range nothing is known: it is served while a person decides.
        part = await service.ask("GET", "/photos/large", headers={"range": "bytes=5-8"})
        assert (206, LARGE[5:9]) == (part.status, part.body)


async def test_two_copies_heal_by_themselves() -> None:
    """A read finds it, the scrubber repairs it; nobody has to do anything."""
    async with open_service(quotas=TWO, extra=CHECKED) as service:
        await service.ask("PUT", "/photos/cat", body=SMALL)
        await _copy_to(service, "two", "cat")
        _spoil(service, "one")

        assert SMALL == (await service.ask("GET", "/photos/cat")).body
        await service.services.runner.run_now("scrubber")
        assert [("one", "live"), ("two", "live")] == _states(service)
        service.backends["two"].blobs.clear()
        assert SMALL == (await service.ask("GET", "/photos/cat")).body
        assert [] == await service.complaints()


async def test_last_copy_stays_where_it_is() -> None:
    """Damaged bytes are still bytes; the client hears 503, never wrong bytes."""
    async with open_service(extra=CHECKED) as service:
        await service.ask("PUT", "/photos/cat", body=SMALL)
        _spoil(service, "one")
        before = service.blobs()
        await service.services.scrubber.cycle()
        await service.services.runner.run_now("cleanup-queue")

        assert [("one", "quarantined")] == _states(service)
        assert before == service.blobs()
        assert 503 == (await service.ask("GET", "/photos/cat")).status
        head = await service.ask("HEAD", "/photos/cat")
        assert (200, str(len(SMALL))) == (head.status, head.headers["content-length"])
        # Its owner may still delete or overwrite it.
        assert 200 == (await service.ask("PUT", "/photos/cat", body=b"new")).status
        assert b"new" == (await service.ask("GET", "/photos/cat")).body
