"""A backend that cannot be made is told by name, before anything is served."""

import pytest

from s3o.config import settings_from
from s3o.daemon.backends import build_fleet
from s3o.model.errors import InvalidArgument
from s3o.net.client import system_network
from tests.fakes.clock import ManualClock
from tests.fakes.entropy import SeededEntropy
from tests.fakes.observer import RecordingObserver

BACKEND = {
    "name": "one",
    "endpoint": "http://127.0.0.1:9",
    "bucket": "bucket",
    "access_key_id": "key",
    "secret_access_key": "secret",
}


async def test_unusable_endpoint_is_named() -> None:
    """A typo must not become a traceback."""
    settings = settings_from(
        {
            "server": {"listen_addr": "127.0.0.1:0"},
            "buckets": [{"name": "photos", "credentials": [{"token": "long-token"}]}],
            "backends": [BACKEND | {"endpoint": "http://h/path"}],
        }
    )

    with pytest.raises(InvalidArgument) as caught:
        await build_fleet(
            settings,
            RecordingObserver(),
            ManualClock(),
            SeededEntropy(),
            system_network(),
        )

    assert "endpoint" == caught.value.name
