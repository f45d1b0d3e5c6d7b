"""A real S3 server that is full already: `sync`, then clients as if it were ours."""

import json
import subprocess
import time
from pathlib import Path

import pytest

from tests.process.daemon import COMMAND, Daemon
from tests.process.raw import RawClient
from tests.process.test_replication import Provider

pytestmark = pytest.mark.slow

FILES = {
    "2024/cat.jpg": b"a cat " * 1000,
    "2024/dog.jpg": b"a dog",
    "top level.txt": b"text",
    "empty": b"",
}
PATIENCE_S = 30.0


def sync(daemon: Daemon, *flags: str) -> subprocess.CompletedProcess[str]:
    """Run the command over the daemon's configuration."""
    daemon.config_file.write_text(json.dumps(daemon.config))
    return subprocess.run(
        [
            *(str(COMMAND), "sync", "--config", str(daemon.config_file)),
            *("--backend", "full", "--bucket", "photos", *flags),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_full_provider_is_taken_over_and_served(tmp_path: Path) -> None:
    """Preview, import, refusal beside a service; GET, HEAD and DELETE."""
    provider = Provider(tmp_path, "full")
    for name, body in FILES.items():
        file = provider.data / "ours" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(body)
    daemon = Daemon(tmp_path, backends=[provider.settings()])
    provider.start()
    try:
        preview, done = sync(daemon, "--dry-run"), sync(daemon)
        assert (0, 0) == (preview.returncode, done.returncode), done.stderr
        assert "would import: 4 objects" in preview.stdout
        assert "imported: 4 objects" in done.stdout
        with daemon, RawClient(daemon.port) as client:
            beside = sync(daemon)
            assert 1 == beside.returncode
            assert "another process" in beside.stderr
            for name, body in FILES.items():
                path = name.replace(" ", "%20")
                assert (200, body) == client.ask("GET", path)
            answer = client.send("HEAD", "2024/cat.jpg")
            answer.read()
            assert (200, "image/jpeg") == (
                answer.status,
                answer.headers["content-type"],
            )
            assert 204 == client.ask("DELETE", "2024/cat.jpg")[0]
            deadline = time.monotonic() + PATIENCE_S
            while "2024/cat.jpg" in provider.names():
                assert time.monotonic() < deadline, "the bytes stay"
                time.sleep(0.2)
            assert 404 == client.ask("GET", "2024/cat.jpg")[0]
            assert provider.names() == FILES.keys() - {"2024/cat.jpg"}
    finally:
        provider.kill()
