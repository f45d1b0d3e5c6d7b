"""The product as a process: configuration file in, endpoint out, logs kept.

`with Daemon(tmp_path) as daemon:` starts `s3-orchestrator serve` on free ports with
directory backends, waits until it is ready, and stops it with SIGTERM. Output goes to a
file that a failing test can show.
"""

import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import trustme

COMMAND = Path(sys.executable).parent / "s3-orchestrator"
ACCESS_KEY, SECRET_KEY, BUCKET = "photoskey", "photossecret", "photos"
START_S = 20.0
STOP_S = 20.0


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def directory_backends(
    folder: Path, quotas: Mapping[str, int] | None = None
) -> list[dict[str, Any]]:
    """Return the configuration of directory backends, name -> quota in bytes."""
    quotas = quotas or {"one": 1 << 40}
    return [
        {
            "name": name,
            "type": "directory",
            "path": str(folder / name),
            "quota_bytes": quota,
        }
        for name, quota in quotas.items()
    ]


class Daemon:
    """One running s3-orchestrator."""

    def __init__(
        self,
        folder: Path,
        *,
        backends: list[dict[str, Any]] | None = None,
        tls: bool = False,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        self.folder = folder
        self.port = free_port()
        self.is_tls = tls
        self.ca_file = folder / "ca.pem"
        self.config_file = folder / "config.yaml"
        self.log_file = folder / "service.log"
        self.process: subprocess.Popen[bytes] | None = None
        server: dict[str, Any] = {"listen_addr": f"127.0.0.1:{self.port}"}
        if tls:
            server["tls"] = self._make_certificate()
        self.config: dict[str, Any] = {
            "server": server,
            "buckets": [
                {
                    "name": BUCKET,
                    "credentials": [
                        {
                            "access_key_id": ACCESS_KEY,
                            "secret_access_key": SECRET_KEY,
                        }
                    ],
                }
            ],
            "database": {"driver": "sqlite", "path": str(folder / "ledger.db")},
            "backends": backends or directory_backends(folder),
            "telemetry": {"metrics": {"enabled": True}},
        }
        for section, values in (extra or {}).items():
            if isinstance(values, Mapping):
                self.config.setdefault(section, {}).update(values)
            else:
                self.config[section] = values

    def _make_certificate(self) -> dict[str, str]:
        authority = trustme.CA()
        certificate = authority.issue_cert("localhost", "127.0.0.1", "*.s3.localhost")
        authority.cert_pem.write_to_path(str(self.ca_file))
        key, chain = self.folder / "key.pem", self.folder / "cert.pem"
        certificate.private_key_pem.write_to_path(str(key))
        chain.write_bytes(b"".join(p.bytes() for p in certificate.cert_chain_pems))
        return {"cert_file": str(chain), "key_file": str(key)}

    @property
    def endpoint(self) -> str:
        """The URL clients use."""
        return f"http{'s' if self.is_tls else ''}://localhost:{self.port}"

    def start(self) -> "Daemon":
        """Start and wait until /health/ready says so."""
        # JSON is YAML: no dumper is needed, and the paths need no quoting rules.
        self.config_file.write_text(json.dumps(self.config, indent=1))
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                [COMMAND, "serve", "--config", self.config_file],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.logs()[-4000:]
            try:
                if self.request("GET", "/health/ready")[0] == 200:
                    return self
            except (OSError, http.client.HTTPException):
                pass
            time.sleep(0.02)
        self.kill()
        raise AssertionError(f"not ready in {START_S} s:\n{self.logs()[-4000:]}")

    def request(
        self, method: str, path: str, headers: Mapping[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """Make one plain HTTP request; status, headers in lower case, body."""
        connection: http.client.HTTPConnection
        if self.is_tls:
            context = ssl.create_default_context(cafile=str(self.ca_file))
            connection = http.client.HTTPSConnection(
                "localhost", self.port, timeout=10, context=context
            )
        else:
            connection = http.client.HTTPConnection("localhost", self.port, timeout=10)
        try:
            connection.request(method, path, headers=dict(headers or {}))
            answer = connection.getresponse()
            fields = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, fields, answer.read()
        finally:
            connection.close()

    def stop(self) -> int:
        """Send SIGTERM and return the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(
                f"no end after SIGTERM:\n{self.logs()[-4000:]}"
            ) from None

    def kill(self) -> None:
        """kill -9, and wait until it is gone."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def logs(self) -> str:
        """Everything it has printed so far."""
        return self.log_file.read_text(errors="replace")

    def log_lines(self) -> list[dict[str, Any]]:
        """Its log as objects; every line must be one."""
        return [json.loads(line) for line in self.logs().splitlines() if line]

    def rss_bytes(self) -> int:
        """Resident memory now."""
        assert self.process is not None
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        (line,) = [row for row in status.splitlines() if row.startswith("VmRSS")]
        return int(line.split()[1]) * 1024

    def __enter__(self) -> "Daemon":
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process is not None and self.process.poll() is None:
            code = self.stop()
            assert error is not None or code == 0, self.logs()[-4000:]
