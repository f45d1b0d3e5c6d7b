"""A backend that cannot be made, or used, is told by name before anything is served."""

from collections.abc import Sequence

import pytest
import trio
from trio.testing import MockClock

from s3o.backends.fleet import Fleet
from s3o.config import settings_from
from s3o.config.settings import Settings
from s3o.daemon.advice import advise_on_profiles
from s3o.daemon.backends import CHECK_S, build_fleet
from s3o.model.errors import InvalidArgument
from s3o.net.client import Network, system_network
from tests.backends.s3_house import error
from tests.fakes.clock import ManualClock
from tests.fakes.entropy import SeededEntropy
from tests.fakes.network import MemoryNetwork
from tests.fakes.observer import RecordingObserver
from tests.fakes.scripted_server import Scripted, ScriptedServer, Then, render

BACKEND = {
    "name": "one",
    "endpoint": "http://127.0.0.1:9",
    "bucket": "bucket",
    "access_key_id": "key",
    "secret_access_key": "secret",
    "force_path_style": True,
    "quota_bytes": 1,
}


def settings_with(backends: Sequence[dict[str, object]]) -> Settings:
    """Settings with these backends."""
    return settings_from(
        {
            "server": {"listen_addr": "127.0.0.1:0"},
            "buckets": [{"name": "photos", "credentials": [{"token": "long-token"}]}],
            "routing_strategy": "pack",
            "backends": list(backends),
        }
    )


async def build(network: Network, backends: Sequence[dict[str, object]]) -> Fleet:
    """Make a fleet as the daemon does."""
    return await build_fleet(
        settings_with(backends),
        *(RecordingObserver(), ManualClock(), SeededEntropy(), network),
    )


def test_backend_of_an_unknown_provider_is_advised_on() -> None:
    """Whoever names it gets native uploads and copies; generic keeps us quiet."""
    known = BACKEND | {"endpoint": "https://s3.wasabisys.com", "name": "known"}
    named = BACKEND | {"profile": "minio", "name": "named"}
    quiet = BACKEND | {"profile": "generic", "name": "quiet"}
    disk = {"type": "directory", "path": "/d", "name": "disk", "quota_bytes": 1}

    (advice,) = advise_on_profiles(settings_with([BACKEND, known, named, quiet, disk]))
    assert advice.startswith("backends[one].profile is not set")


async def test_unusable_endpoint_is_named() -> None:
    """A typo must not become a traceback."""
    with pytest.raises(InvalidArgument) as caught:
        await build(system_network(), [BACKEND | {"endpoint": "http://h/path"}])

    assert "endpoint" == caught.value.name


async def test_bucket_that_hides_its_versions_is_refused_by_name(
    nursery: trio.Nursery,
) -> None:
    """Else every overwrite stays on the bill, and the quota says it is gone."""
    network = MemoryNetwork(nursery)
    denied = ScriptedServer([error(403, "AccessDenied")] * 2 + [render()])
    network.listen("denied.example", 80, denied.serve)
    network.listen("fine.example", 80, ScriptedServer([error(501, "No")]).serve)
    backends = [
        BACKEND | {"name": name, "endpoint": f"http://{name}.example"}
        for name in ("fine", "denied")
    ]
    with pytest.raises(InvalidArgument) as caught:
        await build(network, backends)

    assert "denied" == caught.value.value
    assert "s3:ListBucketVersions" in caught.value.reason
    assert "403 AccessDenied" in caught.value.reason
    assert 1 == len(str(caught.value).splitlines())


@pytest.mark.parametrize("trouble", ["refused", "blackhole", "hangs"])
async def test_unreachable_backend_does_not_stop_the_start(
    nursery: trio.Nursery, autojump_clock: MockClock, trouble: str
) -> None:
    """The others can serve, and its circuit breaker knows what to do."""
    network = MemoryNetwork(nursery)
    network.is_blackhole = trouble == "blackhole"
    if trouble == "hangs":
        server = ScriptedServer([Scripted(then=Then.HANG)] * 2)
        network.listen("127.0.0.1", 9, server.serve)
    began_s = trio.current_time()
    two = [BACKEND, BACKEND | {"name": "two"}]
    fleet = await build(network, two)
    await fleet.aclose()

    assert ("one", "two") == fleet.names
    assert trio.current_time() - began_s <= CHECK_S
