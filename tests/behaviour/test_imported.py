"""Objects that were there before: imported, and then objects like any other."""

import pytest
import trio

from s3o.model.names import BackendName, StorageKey
from s3o.model.values import BlobHeaders
from tests.behaviour.service import Service, open_service
from tests.fakes.faults import Fault
from tests.fakes.sources import BytesSource
from tests.fakes.transform import FramingTransform

ONE = BackendName("one")
# So that a virtual day costs little.
SELDOM = {
    "usage_flush": {"interval": "1h"},
    "write_path": {"pending_pattern": {"reaper_tick": "1h"}},
}
BODY = b"was there before"
NAME = StorageKey("photos/2024/cat é.jpg")
PATH = "/photos/2024/cat é.jpg"
HEADERS = BlobHeaders(
    content_type="image/jpeg",
    headers=(("cache-control", "no-store"),),
    metadata=(("colour", "blue"),),
)


async def put_foreign(
    service: Service, name: StorageKey = NAME, body: bytes = BODY
) -> None:
    """Let somebody else put an object on the backend."""
    await service.backends[ONE].put(name, BytesSource(body), HEADERS)


async def reconcile(service: Service) -> int:
    """Compare everything; return how many objects were imported."""
    await service.services.ledger_check.run_once()  # before it, nothing is imported
    done = await service.services.reconciler.reconcile(None)
    assert () == done.errors
    return done.imported


async def test_imported_object_is_served_with_its_headers(
    autojump_clock: object,
) -> None:
    """HEAD, GET, ranges and listings; its headers are asked for once."""
    async with open_service() as service:
        await put_foreign(service)
        assert 1 == await reconcile(service)
        calls = service.backends[ONE].books.calls
        calls.clear()
        listed = await service.ask("GET", "/photos", query=(("list-type", "2"),))
        assert "<Key>2024/cat é.jpg</Key>" in listed.text
        assert [] == calls
        head = await service.ask("HEAD", PATH)
        whole = await service.ask("GET", PATH)
        part = await service.ask("GET", PATH, headers={"range": "bytes=4-8"})

        assert [("head", NAME), ("open", NAME), ("open", NAME)] == calls
        assert (200, BODY, b"there") == (head.status, whole.body, part.body)
        for answer in (head, whole):
            assert ("image/jpeg", "no-store", "blue", str(len(BODY))) == (
                answer.headers["content-type"],
                answer.headers["cache-control"],
                answer.headers["x-amz-meta-colour"],
                answer.headers["content-length"],
            )
        etag = service.backends[ONE].blobs[NAME].etag
        assert f'"{etag}"' == head.headers["etag"]
        assert [] == await service.complaints()


async def test_headers_nobody_can_tell_are_no_guess(autojump_clock: object) -> None:
    """503 while the backend is silent; the next request asks again."""
    async with open_service() as service:
        await put_foreign(service)
        await reconcile(service)
        service.backends[ONE].faults.next("head", Fault.UNREACHABLE)
        silent = await service.ask("HEAD", PATH)
        told = await service.ask("HEAD", PATH)

        assert (503, 200, "image/jpeg") == (
            silent.status,
            told.status,
            told.headers["content-type"],
        )


async def test_copy_of_an_import_is_an_object_of_ours(autojump_clock: object) -> None:
    """With the source's headers, and the source stays as it is."""
    async with open_service() as service:
        await put_foreign(service)
        await reconcile(service)
        source = "/photos/2024/cat%20%C3%A9.jpg"
        copied = await service.ask(
            "PUT", "/photos/copy", headers={"x-amz-copy-source": source}
        )
        assert 200 == copied.status
        assert 204 == (await service.ask("DELETE", PATH)).status
        got = await service.ask("GET", "/photos/copy")

        assert (BODY, "image/jpeg", "blue") == (
            got.body,
            got.headers["content-type"],
            got.headers["x-amz-meta-colour"],
        )
        assert [] == await service.complaints()


@pytest.mark.parametrize("method", ["DELETE", "PUT"])
async def test_foreign_bytes_go_when_a_client_says_so(
    autojump_clock: object, method: str
) -> None:
    """A DELETE or an overwrite, and a HEAD that shows the bytes that were imported."""
    async with open_service() as service:
        await put_foreign(service)
        await reconcile(service)
        await service.ask(method, PATH, body=b"new" if method == "PUT" else b"")
        await service.services.runner.run_now("ledger-check")
        await service.services.cleanup.run_once()
        await trio.sleep(120.0)

        assert (ONE, NAME) not in service.blobs()
        assert 0 == await reconcile(service)
        expected = 404 if method == "DELETE" else 200
        assert expected == (await service.ask("GET", PATH)).status
        assert [] == await service.complaints()


async def test_bytes_replaced_behind_our_back_are_neither_served_nor_deleted(
    autojump_clock: object,
) -> None:
    """They are somebody else's object by now; only a person can say what to do."""
    async with open_service() as service:
        await put_foreign(service)
        await reconcile(service)
        assert 200 == (await service.ask("GET", PATH)).status
        service.backends[ONE].lose(NAME)
        service.backends[ONE]._written.clear()
        await put_foreign(service, body=b"WAS THERE BEFORE")
        served = await service.ask("GET", PATH)
        done = await service.services.reconciler.reconcile(None)
        await service.ask("DELETE", PATH)
        await trio.sleep(120.0)
        dead = service.rows("cleanup_dlq")["cleanup_dlq"]

        assert (503, 1) == (served.status, done.changed)
        assert (ONE, NAME) in service.blobs()
        assert 1 == len(dead)
        assert 0 == await reconcile(service)
        assert 404 == (await service.ask("GET", PATH)).status


async def test_imported_bytes_are_as_they_are(autojump_clock: object) -> None:
    """What this product adds to its own bytes is not in anybody else's."""
    async with open_service(transform=FramingTransform()) as service:
        await put_foreign(service)
        await reconcile(service)
        part = await service.ask("GET", PATH, headers={"range": "bytes=4-8"})

        assert BODY == (await service.ask("GET", PATH)).body
        assert b"there" == part.body


@pytest.mark.slow
async def test_lost_last_copy_is_503_and_stays_listed(autojump_clock: object) -> None:
    """A backend's 404 is never a client's."""
    async with open_service(extra=SELDOM) as service:
        await service.ask("PUT", "/photos/cat", body=b"hello")
        await service.services.runner.run_now("ledger-check")
        await trio.sleep(2 * 3600.0)
        (name,) = [key for _, key in service.blobs()]
        service.backends[ONE].lose(StorageKey(name))
        await reconcile(service)
        await trio.sleep(25 * 3600.0)
        done = await service.services.reconciler.reconcile(None)
        listed = await service.ask("GET", "/photos", query=(("list-type", "2"),))

        assert 1 == done.lost
        assert 503 == (await service.ask("GET", "/photos/cat")).status
        assert "<Key>cat</Key>" in listed.text
        assert [] == await service.complaints()


async def test_copies_of_an_import_keep_its_headers(autojump_clock: object) -> None:
    """Asked for before the first copy: the backend that tells them may be drained."""
    two = {"one": 1 << 30, "two": 1 << 30}
    async with open_service(
        quotas=two, extra={"replication": {"factor": 2}}
    ) as service:
        await put_foreign(service)
        await reconcile(service)
        done = await service.services.replicator.cycle()
        service.backends[ONE].faults.down = Fault.UNREACHABLE
        got = await service.ask("GET", PATH)

        assert 1 == done.created
        assert (200, BODY, "image/jpeg", "blue") == (
            got.status,
            got.body,
            got.headers["content-type"],
            got.headers["x-amz-meta-colour"],
        )
        (copied,) = service.backends["two"].blobs.values()
        assert "image/jpeg" == copied.headers.content_type
        assert [] == await service.complaints()
