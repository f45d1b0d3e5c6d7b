"""Servers that check signatures are the only proof that ours are right."""

from contextlib import aclosing

import pytest

from s3o.model.errors import BackendRefused
from s3o.model.names import StorageKey
from s3o.model.values import BlobHeaders
from tests.contract.factories import CountingMeter
from tests.fakes.sources import BytesSource, pattern
from tests.real import servers
from tests.real.ceph import ceph
from tests.real.servers import RealServer, create_bucket, make_backend
from tests.real.swift import swift

NAME = StorageKey(f"photos/a b=+é!{'0' * 32}")
SERVERS = [
    pytest.param(servers.rclone, id="rclone"),
    pytest.param(swift, id="swift", marks=pytest.mark.real),
    pytest.param(ceph, id="ceph", marks=pytest.mark.real),
]


@pytest.fixture(params=SERVERS)
async def server(request: pytest.FixtureRequest) -> RealServer:
    """A running server with the bucket `signatures`."""
    found: RealServer = request.param()
    await create_bucket(found.settings("signatures"))
    return found


@pytest.mark.parametrize("is_payload_unsigned", [True, False])
@pytest.mark.parametrize("size", [0, 5, 300_000, 2_000_000])
async def test_server_accepts_every_way_of_signing(
    server: RealServer, is_payload_unsigned: bool, size: int
) -> None:
    """Unsigned, hashed, and chunk by chunk for what is longer than one piece."""
    body = pattern(size)
    settings = server.settings("signatures", is_payload_unsigned=is_payload_unsigned)
    pieces = []
    async with aclosing(make_backend(settings, CountingMeter())) as backend:
        await backend.put(NAME, BytesSource(body), BlobHeaders())
        async with backend.open(NAME) as reader:
            while piece := await reader.read():
                pieces.append(piece)

    assert body == b"".join(pieces)


async def test_server_rejects_a_wrong_secret(server: RealServer) -> None:
    """A server that takes any signature proves nothing."""
    settings = server.settings("signatures", secret="wrong")
    async with aclosing(make_backend(settings, CountingMeter())) as backend:
        with pytest.raises(BackendRefused) as caught:
            await backend.put(NAME, BytesSource(b"meow"), BlobHeaders())

    assert caught.value.status in (400, 401, 403)
