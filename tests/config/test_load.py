"""Loading a configuration."""

import pytest

from s3o.config import ConfigError, Settings, parse

GOOD = """
server:
  listen_addr: ":9000"
buckets:
  - name: photos
    credentials:
      - access_key_id: photoskey
        secret_access_key: photossecret
backends:
  - endpoint: http://127.0.0.1:9001
    bucket: one
    access_key_id: a
    secret_access_key: b
    quota_bytes: 1_000
  - name: disk
    type: directory
    path: /var/lib/disk
    quota_bytes: 2000
"""


def read(text: str, **environ: str) -> Settings:
    """Parse text as config.yaml."""
    return parse(text.encode(), "config.yaml", environ)


def problems(text: str, **environ: str) -> list[str]:
    """Return the problems of text, one a line, without the file's name."""
    with pytest.raises(ConfigError) as caught:
        read(text, **environ)
    return [str(item).removeprefix("config.yaml:") for item in caught.value.problems]


def test_small_file_is_enough():
    """A first configuration is short; everything else has its documented default."""
    settings = read(GOOD)

    assert ("", 9000) == settings.server.address
    assert ["backend-0", "disk"] == [backend.name for backend in settings.backends]
    assert [1000, 2000] == [backend.quota_bytes for backend in settings.backends]
    assert 30.0 == settings.server.backend_timeout
