"""The S3 client wired to the fake provider over a network in memory."""

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass

import trio

from s3o.backends.s3 import S3Backend
from s3o.backends.s3_settings import S3Settings
from s3o.backends.seam import Meter
from s3o.model.names import BackendName, ProfileName
from s3o.net.client import ClientPool
from tests.fakes.clock import TrioClock
from tests.fakes.network import MemoryNetwork
from tests.fakes.s3_quirks import Quirks
from tests.fakes.s3_server import S3Server

PROGRESS_S = 30.0
_ACCESS_KEY_ID, _SECRET = "AKID", "backend-secret"


@dataclass(frozen=True, kw_only=True)
class Provider:
    """One provider and the client that talks to it."""

    server: S3Server
    network: MemoryNetwork
    pool: ClientPool
    backend: S3Backend


@asynccontextmanager
async def open_provider(
    meter: Meter,
    profile: ProfileName = "aws",
    quirks: Quirks | None = None,
    name: str = "near",
    region: str = "us-east-1",
    access_key_id: str = _ACCESS_KEY_ID,
) -> AsyncIterator[Provider]:
    """Open a provider with quirks, and a client of profile's ways."""
    settings = S3Settings(
        name=BackendName(name),
        endpoint="http://s3.example",
        bucket="bucket",
        access_key_id=access_key_id,
        secret_access_key=_SECRET,
        region=region,
        is_path_style=True,
        profile=profile,
    )
    server = S3Server(
        access_key_id=access_key_id, secret=_SECRET, quirks=quirks or Quirks()
    )
    async with trio.open_nursery() as nursery:
        network = MemoryNetwork(nursery)
        origin = settings.origin
        network.listen(origin.host, origin.port, server.serve)
        pool = ClientPool(origin, network, progress_s=PROGRESS_S)
        async with aclosing(S3Backend(settings, pool, meter, TrioClock())) as backend:
            yield Provider(server=server, network=network, pool=pool, backend=backend)
        nursery.cancel_scope.cancel()
