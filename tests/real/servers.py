"""Real S3 servers, started once per test process, that prove what no fake can.

They verify signatures, and each has the quirks of its provider. rclone's comes from
PyPI; OpenStack Swift with s3api and Ceph RGW from Debian (install.sh). All listen on
loopback only, keep their data in one folder and end with the process.
"""

import atexit
import base64
import hashlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import trustme

from s3o.backends.s3 import S3Backend
from s3o.backends.s3_calls import Call, Caller
from s3o.backends.s3_settings import S3Settings
from s3o.backends.s3_signing import HeadWriter
from s3o.backends.seam import Meter
from s3o.model.errors import BackendRefused
from s3o.model.names import BackendName
from s3o.net.client import ClientPool, system_network
from s3o.net.tls import client_context

_START_S = 60.0


@dataclass(frozen=True, kw_only=True)
class RealServer:
    """A running server and the credential it knows."""

    name: str
    port: int
    access_key_id: str
    secret_access_key: str = field(repr=False)
    region: str = "us-east-1"
    ca_file: str = ""  # signs the server's certificate; "" without TLS

    def settings(
        self,
        bucket: str,
        *,
        secret: str | None = None,
        is_payload_unsigned: bool | None = None,
    ) -> S3Settings:
        """Settings of a backend over one of its buckets."""
        return S3Settings(
            name=BackendName(self.name),
            endpoint=f"http{'s' if self.ca_file else ''}://127.0.0.1:{self.port}",
            bucket=bucket,
            access_key_id=self.access_key_id,
            secret_access_key=secret or self.secret_access_key,
            region=self.region,
            is_path_style=True,
            is_payload_unsigned=is_payload_unsigned,
            profile=self.name,
        )


class WallClock:
    """The machine's clock: real servers check the date of a signature."""

    def now_us(self) -> int:
        """The wall clock."""
        return time.time_ns() // 1000

    def monotonic_s(self) -> float:
        """Seconds that never run backwards."""
        return time.monotonic()


class _NoMeter:
    def count_request(self) -> None:
        pass

    def count_ingress(self, size_bytes: int) -> None:
        pass

    def count_egress(self, size_bytes: int) -> None:
        pass


def make_pool(settings: S3Settings, ca_file: str = "") -> ClientPool:
    """Return connections to a running server."""
    return ClientPool(
        settings.origin,
        system_network(),
        progress_s=20.0,
        tls=client_context(ca_file) if settings.origin.is_tls else None,
    )


def make_backend(settings: S3Settings, meter: Meter, ca_file: str = "") -> S3Backend:
    """Return a backend over a running server."""
    return S3Backend(settings, make_pool(settings, ca_file), meter, WallClock())


async def create_bucket(settings: S3Settings, ca_file: str = "") -> None:
    """Make a bucket if need be, which the product never does on a backend."""
    try:
        await call_bucket(settings, "PUT", ca_file=ca_file)
    except BackendRefused as refused:
        if refused.code not in ("BucketAlreadyExists", "BucketAlreadyOwnedByYou"):
            raise


async def call_bucket(
    settings: S3Settings,
    method: str,
    query: tuple[tuple[str, str], ...] = (),
    body: bytes = b"",
    *,
    ca_file: str = "",
) -> bytes:
    """Make one call to a bucket itself and return what it answers."""
    pool = make_pool(settings, ca_file)
    writer = HeadWriter(
        settings.address,
        region=settings.region,
        access_key_id=settings.access_key_id,
        secret_access_key=settings.secret_access_key,
        clock=WallClock(),
    )
    md5 = hashlib.md5(body, usedforsecurity=False).digest()
    call = Call(
        operation="Bucket",
        method=method,
        path=settings.address.bucket_path,
        query=query,
        payload_hash=hashlib.sha256(body).hexdigest(),
        signed=(("content-md5", base64.b64encode(md5).decode()),) if body else (),
        plain=f"Content-Length: {len(body)}\r\n",
        body=body,
    )
    try:
        reply = await Caller(settings.name, pool, writer, _NoMeter()).ask(call, 1 << 20)
    finally:
        await pool.aclose()
    return reply.body


def free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def start_process(
    arguments: list[str], folder: Path, *, environment: dict[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start a daemon that ends with this process; its output goes to folder/log."""
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=folder,
            env=environment,
        )
    atexit.register(_stop, process)
    return process


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def make_folder(name: str) -> Path:
    """Return a folder that is removed when this process ends."""
    folder = Path(tempfile.mkdtemp(prefix=f"s3o-{name}-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def wait_port(process: subprocess.Popen[bytes], port: int, folder: Path) -> None:
    """Wait until our own process accepts connections on port."""
    wait_until(lambda: _accepts(port), process, folder)


def wait_until(
    is_ready: Callable[[], bool], process: subprocess.Popen[bytes], folder: Path
) -> None:
    """Wait until is_ready(); fails with the log's end if process ends first."""
    deadline = time.monotonic() + _START_S
    while not is_ready():
        if process.poll() is not None or time.monotonic() > deadline:
            log = (folder / "log").read_text(errors="replace")
            raise RuntimeError(f"{process.args!r} did not start:\n{log[-2000:]}")
        time.sleep(0.05)


def _accepts(port: int) -> bool:
    with socket.socket() as client:
        client.settimeout(1)
        return client.connect_ex(("127.0.0.1", port)) == 0


@cache
def rclone() -> RealServer:
    """rclone's S3 server over a folder: a weak provider that checks signatures."""
    return _serve_rclone(make_folder("rclone"))


@cache
def rclone_tls() -> RealServer:
    """The same behind TLS, with a certificate of an authority of its own."""
    folder = make_folder("rclone-tls")
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    chain = b"".join(part.bytes() for part in certificate.cert_chain_pems)
    (folder / "cert.pem").write_bytes(chain)
    certificate.private_key_pem.write_to_path(str(folder / "key.pem"))
    return _serve_rclone(
        folder,
        *("--cert", str(folder / "cert.pem")),
        *("--key", str(folder / "key.pem")),
        ca_file=str(folder / "ca.pem"),
    )


def _serve_rclone(folder: Path, *more: str, ca_file: str = "") -> RealServer:
    (folder / "data").mkdir()
    port = free_port()
    program = Path(sys.executable).with_name("rclone")
    process = start_process(
        [
            str(program),
            *("serve", "s3", str(folder / "data")),
            *("--addr", f"127.0.0.1:{port}"),
            *("--auth-key", "rclonekey,rclonesecret"),
            *("--config", "/dev/null"),
            *more,
        ],
        folder,
    )
    wait_port(process, port, folder)
    return RealServer(
        name="rclone",
        port=port,
        access_key_id="rclonekey",
        secret_access_key="rclonesecret",
        ca_file=ca_file,
    )
