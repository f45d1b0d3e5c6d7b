"""A small good configuration, and how these tests read variations of it."""

import pytest

from s3o.config import ConfigError, Settings, parse

GOOD = """\
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
    """Return the settings in text."""
    return parse(text.encode(), "config.yaml", environ)


def problems(text: str | bytes, **environ: str) -> list[str]:
    """Return the problems of text as line:column: path: message."""
    raw = text.encode() if isinstance(text, str) else text
    with pytest.raises(ConfigError) as caught:
        parse(raw, "config.yaml", environ)
    return [str(item).removeprefix("config.yaml:") for item in caught.value.problems]


def problem(text: str | bytes, **environ: str) -> str:
    """Return the only problem of text."""
    found = problems(text, **environ)
    assert 1 == len(found), found
    return found[0]


def with_line(text: str, old: str, new: str) -> str:
    """Return text with the only occurrence of old replaced."""
    assert 1 == text.count(old)
    return text.replace(old, new)
