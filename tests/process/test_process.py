"""The service as its supervisor, its operator and its sockets see it."""

import http.client
import json
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import botocore.config
import botocore.exceptions
import pytest

from tests.process.daemon import (
    ACCESS_KEY,
    BUCKET,
    COMMAND,
    SECRET_KEY,
    Daemon,
    directory_backends,
    free_port,
)
from tests.process.raw import RawClient, signed_headers
from tests.process.test_clients import body, boto
from tests.real import servers

pytestmark = pytest.mark.slow

WAIT_S = 20.0
MIB = 1 << 20


def wait_until(is_so: Callable[[], bool], what: str) -> None:
    """Wait for something that a signal set off."""
    deadline = time.monotonic() + WAIT_S
    while not is_so():
        assert time.monotonic() < deadline, f"not within {WAIT_S} s: {what}"
        time.sleep(0.02)


def send_signal(daemon: Daemon, number: signal.Signals) -> None:
    """Send a signal to the service."""
    assert daemon.process is not None
    daemon.process.send_signal(number)


def wait_for_log(daemon: Daemon, message: str, count: int = 1) -> None:
    """Wait until a message was logged so often."""
    wait_until(lambda: messages(daemon).count(message) >= count, message)


def messages(daemon: Daemon) -> list[str]:
    """Return the messages of the whole lines logged so far."""
    whole, _, _ = daemon.logs().rpartition("\n")
    return [json.loads(line).get("msg", "") for line in whole.splitlines() if line]


def is_refused(port: int) -> bool:
    """Say whether nobody listens."""
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) != 0


class SlowPut:
    """A PUT of which only half has been sent. Owns: its connection."""

    def __init__(self, daemon: Daemon, key: str) -> None:
        host, path = f"127.0.0.1:{daemon.port}", f"/{BUCKET}/{key}"
        self._client = http.client.HTTPConnection(host, timeout=WAIT_S)
        self._client.putrequest("PUT", path, skip_host=True)
        for name, value in signed_headers("PUT", path, host).items():
            self._client.putheader(name, value)
        self._client.putheader("Content-Length", "200000")
        self._client.endheaders()
        self._client.send(bytes(100_000))

    def finish(self) -> int:
        """Send the rest; return the status."""
        self._client.send(bytes(100_000))
        answer = self._client.getresponse()
        answer.read()
        self._client.close()
        return answer.status

    def close(self) -> None:
        """Give up."""
        self._client.close()


def test_sigterm_drains(tmp_path: Path) -> None:
    """A rolling restart behind a load balancer loses no request."""
    daemon = Daemon(tmp_path, extra={"server": {"shutdown_delay": "1s"}})
    daemon.start()
    assert daemon.process is not None
    put = SlowPut(daemon, "slow")

    send_signal(daemon, signal.SIGTERM)

    wait_until(
        lambda: daemon.request("GET", "/health/ready")[0] == 503, "readiness off"
    )
    with RawClient(daemon.port) as client:  # the delay: still served
        assert (200, b"") == client.ask("PUT", "late", b"x")
    wait_until(lambda: is_refused(daemon.port), "no new connections")
    assert daemon.process.poll() is None
    assert 200 == put.finish()
    assert 0 == daemon.process.wait(WAIT_S)
    assert "S3 Orchestrator stopped" == messages(daemon)[-1]


def test_second_signal_stops_at_once(tmp_path: Path) -> None:
    """An operator in a hurry need not wait for a client that sleeps."""
    daemon = Daemon(tmp_path).start()
    assert daemon.process is not None
    put = SlowPut(daemon, "slow")
    send_signal(daemon, signal.SIGTERM)
    wait_until(lambda: is_refused(daemon.port), "no new connections")
    assert daemon.process.poll() is None

    began = time.monotonic()
    send_signal(daemon, signal.SIGINT)

    assert 0 == daemon.process.wait(WAIT_S)
    assert time.monotonic() - began < 10
    assert "stopping at once" in messages(daemon)
    put.close()


def reload(daemon: Daemon, *, text: str | None = None) -> None:
    """Write daemon.config, or text, and send SIGHUP."""
    daemon.config_file.write_text(text or json.dumps(daemon.config))
    send_signal(daemon, signal.SIGHUP)


def status_as(daemon: Daemon, access_key: str, secret_key: str) -> int:
    """Return the status of a GET of a missing key with some credential."""
    path = f"/{BUCKET}/missing"
    host = f"localhost:{daemon.port}"
    headers = signed_headers(
        "GET", path, host, access_key=access_key, secret_key=secret_key
    )
    return daemon.request("GET", path, headers)[0]


def test_sighup_reloads(tmp_path: Path) -> None:
    """Keys are rotated and quotas raised without a restart."""
    backends = directory_backends(tmp_path, {"one": 1000})
    with Daemon(tmp_path, backends=backends) as daemon, RawClient(daemon.port) as raw:
        assert 404 == status_as(daemon, ACCESS_KEY, SECRET_KEY)
        assert 507 == raw.ask("PUT", "big", bytes(5000))[0]

        daemon.config["buckets"][0]["credentials"] = [
            {"access_key_id": "newkey", "secret_access_key": "newsecret"}
        ]
        daemon.config["backends"][0]["quota_bytes"] = 1_000_000
        daemon.config["server"]["region"] = "eu-central-1"
        reload(daemon)
        wait_for_log(daemon, "configuration reloaded")

        assert 403 == status_as(daemon, ACCESS_KEY, SECRET_KEY)
        assert 404 == status_as(daemon, "newkey", "newsecret")
        warned = [
            line.get("field")
            for line in daemon.log_lines()
            if line.get("msg") == "setting needs a restart"
        ]
        assert ["server.region"] == warned
        headers = signed_headers(
            "PUT",
            f"/{BUCKET}/big",
            f"127.0.0.1:{daemon.port}",
            access_key="newkey",
            secret_key="newsecret",
        )
        raw.connection.request(
            "PUT", f"/{BUCKET}/big", body=bytes(5000), headers=headers
        )
        assert 200 == raw.connection.getresponse().status

        reload(daemon, text="buckets: 7")
        wait_for_log(daemon, "reload failed, nothing changed")
        assert 404 == status_as(daemon, "newkey", "newsecret")


def test_systemd_is_notified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Type=notify: units that need the service start when it serves."""
    address = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.bind(str(address))
        supervisor.settimeout(WAIT_S)
        monkeypatch.setenv("NOTIFY_SOCKET", str(address))
        daemon = Daemon(tmp_path)
        with daemon:
            assert b"READY=1" == supervisor.recv(4096)
            reload(daemon)
            assert supervisor.recv(4096).startswith(b"RELOADING=1\nMONOTONIC_USEC=")
            assert b"READY=1" == supervisor.recv(4096)
        assert supervisor.recv(4096).startswith(b"STOPPING=1\nEXTEND_TIMEOUT_USEC=")


def serve(config_file: Path) -> subprocess.CompletedProcess[str]:
    """Run a service that must end by itself."""
    return subprocess.run(
        [COMMAND, "serve", "--config", config_file],
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
    )


def test_second_daemon_on_the_ledger_fails(tmp_path: Path) -> None:
    """Two services on one file would each believe they know it all."""
    with Daemon(tmp_path) as daemon:
        config = json.loads(json.dumps(daemon.config))
        config["server"]["listen_addr"] = f"127.0.0.1:{free_port()}"
        second = tmp_path / "second.yaml"
        second.write_text(json.dumps(config))

        done = serve(second)

        assert 1 == done.returncode
        (failure,) = [
            line
            for line in map(json.loads, done.stdout.splitlines())
            if line.get("level") == "ERROR"
        ]
        assert "service failed" == failure["msg"]
        assert "ledger.db" in failure["reason"]
        assert "Traceback" not in done.stdout + done.stderr
        assert 200 == daemon.request("GET", "/health/ready")[0]


def test_bad_configuration_is_refused_with_positions(tmp_path: Path) -> None:
    """All mistakes at once, each with its line; nothing is opened."""
    config = tmp_path / "config.yaml"
    config.write_text("server:\n  listen_addr: nowhere\nbuckets: []\nbackend: []\n")

    done = serve(config)

    assert 1 == done.returncode
    assert f"{config}:2:" in done.stderr
    assert f"{config}:4:" in done.stderr
    assert "" == done.stdout


def test_demo_leaves_nothing_behind(tmp_path: Path) -> None:
    """The first thing anybody tries."""
    port, folder = free_port(), tmp_path / "demo"
    process = subprocess.Popen(
        [COMMAND, "demo", "--listen-addr", f"127.0.0.1:{port}", "--folder", folder],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        wait_until(lambda: not is_refused(port), "the demo listens")
        with RawClient(port) as client:
            assert 200 == client.ask("PUT", "hello", b"hello")[0]
            assert (200, b"hello") == client.ask("GET", "hello")
        assert folder.is_dir()
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=WAIT_S)
    finally:
        process.kill()
        process.wait()
    assert 0 == process.returncode, output
    assert not folder.exists()
    assert f"removed {folder}" in output


def test_virtual_host_addressing(tmp_path: Path) -> None:
    """bucket.domain, as SDKs do by default; *.localhost is this machine."""
    extra = {"server": {"domains": ["s3.test"]}}
    with Daemon(tmp_path, extra=extra) as daemon:
        for path, host in (("/k", f"{BUCKET}.s3.test"), (f"/{BUCKET}/k", "s3.test")):
            headers = signed_headers("PUT", path, host)
            status, _, content = daemon.request("PUT", path, headers)
            assert 200 == status, (host, content)
        headers = signed_headers("GET", "/k", f"{BUCKET}.s3.test:{daemon.port}")
        assert 200 == daemon.request("GET", "/k", headers)[0]


def test_pipelined_requests_are_answered_in_order(tmp_path: Path) -> None:
    """Several requests in one packet, as an old proxy may send."""
    with Daemon(tmp_path) as daemon:
        host = f"127.0.0.1:{daemon.port}"
        packet = b""
        for method, key, content in (
            ("PUT", "a", b"first"),
            ("PUT", "b", b"second"),
            ("GET", "a", b""),
            ("GET", "b", b""),
            ("DELETE", "a", b""),
        ):
            path = f"/{BUCKET}/{key}"
            headers = signed_headers(method, path, host)
            headers["content-length"] = str(len(content))
            if method == "DELETE":
                headers["connection"] = "close"
            lines = [f"{method} {path} HTTP/1.1"]
            lines += [f"{name}: {value}" for name, value in headers.items()]
            packet += "\r\n".join([*lines, "", ""]).encode() + content
        with socket.create_connection(("127.0.0.1", daemon.port), WAIT_S) as client:
            client.sendall(packet)
            answer = b"".join(iter(lambda: client.recv(65536), b""))
    statuses = [
        int(part[:3]) for part in answer.decode("latin-1").split("HTTP/1.1 ")[1:]
    ]
    assert [200, 200, 200, 200, 204] == statuses
    assert answer.index(b"first") < answer.index(b"second")


def test_overflow_and_freed_room(tmp_path: Path) -> None:
    """The product's whole point: the first store fills, the next takes over."""
    quotas = {"one": 2 * MIB, "two": 2 * MIB}
    backends = directory_backends(tmp_path, quotas)
    with Daemon(tmp_path, backends=backends) as daemon:
        client = boto(daemon)
        for key in ("a", "b", "c", "d"):
            client.put_object(Bucket=BUCKET, Key=key, Body=body(900_000))

        def held(backend: str) -> list[str]:
            ours = tmp_path / backend / "blobs" / f"{BUCKET}.d"  # no ledger backups
            return sorted(path.name.partition("!")[0] for path in ours.rglob("*.b"))

        assert (["a", "b"], ["c", "d"]) == (held("one"), held("two"))
        with pytest.raises(botocore.exceptions.ClientError) as full:
            client.put_object(Bucket=BUCKET, Key="e", Body=body(900_000))
        assert 507 == full.value.response["ResponseMetadata"]["HTTPStatusCode"]

        client.delete_object(Bucket=BUCKET, Key="a")
        client.put_object(Bucket=BUCKET, Key="e", Body=body(900_000))

        assert (["b", "e"], ["c", "d"]) == (held("one"), held("two"))
        for key in ("b", "c", "d", "e"):
            got = client.get_object(Bucket=BUCKET, Key=key)["Body"].read()
            assert body(900_000) == got


@pytest.fixture
def rclone_backend() -> Iterator[dict[str, Any]]:
    """The configuration of a backend over rclone's S3 server."""
    server = servers.rclone()
    endpoint = f"http://127.0.0.1:{server.port}"
    keys = {
        "aws_access_key_id": server.access_key_id,
        "aws_secret_access_key": server.secret_access_key,
    }
    style = botocore.config.Config(s3={"addressing_style": "path"})
    client = boto3.client(
        "s3", endpoint_url=endpoint, region_name="us-east-1", config=style, **keys
    )
    client.create_bucket(Bucket="behind")
    yield {
        "name": "rclone",
        "endpoint": endpoint,
        "region": "us-east-1",
        "bucket": "behind",
        "access_key_id": server.access_key_id,
        "secret_access_key": server.secret_access_key,
        "force_path_style": True,
        "quota_bytes": 1 << 30,
    }
    client.close()


def test_s3_backend_behind(tmp_path: Path, rclone_backend: dict[str, Any]) -> None:
    """Client, service and provider are three processes that know only S3."""
    with Daemon(tmp_path, backends=[rclone_backend]) as daemon:
        client = boto(daemon)
        for size in (0, 5000, 3_000_000):
            client.put_object(Bucket=BUCKET, Key=f"size/{size}", Body=body(size))
        for size in (0, 5000, 3_000_000):
            got = client.get_object(Bucket=BUCKET, Key=f"size/{size}")
            assert body(size) == got["Body"].read()
        part = client.get_object(Bucket=BUCKET, Key="size/5000", Range="bytes=10-19")
        assert body(5000)[10:20] == part["Body"].read()
        listed = client.list_objects_v2(Bucket=BUCKET)["Contents"]
        assert {0, 5000, 3_000_000} == {entry["Size"] for entry in listed}
        for entry in listed:
            client.delete_object(Bucket=BUCKET, Key=entry["Key"])
        assert "Contents" not in client.list_objects_v2(Bucket=BUCKET)
