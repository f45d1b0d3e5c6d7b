"""What the S3 backend's tests share: a backend before a scripted provider in memory."""

from dataclasses import dataclass, field

import trio

from s3o.backends.s3 import S3Backend
from s3o.backends.s3_settings import S3Settings
from s3o.model.names import BackendName, StorageKey
from s3o.model.values import Interval
from s3o.net.client import ClientPool
from tests.contract.factories import CountingMeter
from tests.fakes.clock import ManualClock
from tests.fakes.network import MemoryNetwork
from tests.fakes.scripted_server import Received, ScriptedServer, render

PROGRESS_S = 30.0
NAME = StorageKey("photos/cat.jpg!" + "0" * 32)
OTHER = StorageKey("photos/dog.jpg!" + "1" * 32)
SECRET = "backend-secret"


def settings_of(**changes: object) -> S3Settings:
    """Settings towards the scripted provider."""
    plain: dict[str, object] = {
        "name": BackendName("near"),
        "endpoint": "http://s3.example",
        "bucket": "bucket",
        "access_key_id": "AKID",
        "secret_access_key": SECRET,
        "is_path_style": True,
        "profile": "rclone",
    }
    return S3Settings(**(plain | changes))  # type: ignore[arg-type]


def error(status: int, code: str, message: str = "", **fields: str) -> bytes:
    """An error answer."""
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    )
    named = {name.replace("_", "-"): value for name, value in fields.items()}
    return render(status, named, body.encode())


def listing(*names: str, token: str | None = None, extra: str = "") -> bytes:
    """One page of a listing."""
    contents = "".join(
        f"<Contents><Key>{name}</Key><Size>3</Size><ETag>&quot;e&quot;</ETag></Contents>"
        for name in names
    )
    more = f"<NextContinuationToken>{token}</NextContinuationToken>" if token else ""
    body = (
        f"<ListBucketResult><IsTruncated>{str(token is not None).lower()}"
        f"</IsTruncated>{more}{contents}{extra}</ListBucketResult>"
    )
    return render(body=body.encode())


@dataclass
class S3House:
    """One provider, one backend."""

    nursery: trio.Nursery
    settings: S3Settings = field(default_factory=settings_of)
    server: ScriptedServer = field(default_factory=ScriptedServer)
    clock: ManualClock = field(default_factory=ManualClock)
    meter: CountingMeter = field(default_factory=CountingMeter)

    def __post_init__(self) -> None:
        """Let the provider listen."""
        self.network = MemoryNetwork(self.nursery)
        origin = self.settings.origin
        self.network.listen(origin.host, origin.port, self.server.serve)
        self.pool = ClientPool(origin, self.network, progress_s=PROGRESS_S)
        self.backend = S3Backend(self.settings, self.pool, self.meter, self.clock)

    @property
    def requests(self) -> list[Received]:
        """What the provider has seen."""
        return self.server.requests

    async def get(self, interval: Interval | None = None) -> bytes:
        """Read NAME."""
        pieces = []
        async with self.backend.open(NAME, interval) as blob:
            while piece := await blob.read():
                pieces.append(piece)
        return b"".join(pieces)
