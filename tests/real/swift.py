"""OpenStack Swift with s3api from Debian: four daemons and a memcached on loopback.

One ring of one device each; the paste pipelines are the smallest that serve S3
(`symlink` is required by versioned_writes). swift.conf stays Debian's own, for its path
cannot be chosen.
"""

import getpass
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

from tests.real.servers import (
    RealServer,
    free_port,
    make_folder,
    start_process,
    wait_port,
)

_PROGRAMS = (
    "swift-proxy-server",
    "swift-account-server",
    "swift-container-server",
    "swift-object-server",
    "swift-ring-builder",
    "memcached",
)
_PIPELINE = (
    "catch_errors gatekeeper healthcheck cache listing_formats s3api tempauth copy slo "
    "dlo symlink versioned_writes proxy-logging proxy-server"
)
_FILTERS = (
    *("catch_errors", "gatekeeper", "healthcheck", "listing_formats", "copy", "slo"),
    *("dlo", "symlink", "versioned_writes"),
)


@cache
def swift() -> RealServer:
    """A Swift whose s3api checks signatures; skips where Debian's is not installed."""
    if not all(map(shutil.which, _PROGRAMS)):
        pytest.skip("Swift is not installed (tests/real/install.sh)")
    folder = make_folder("swift")
    (folder / "devices" / "d1").mkdir(parents=True)
    memcached = free_port()
    process = start_process(
        ["memcached", "-l", "127.0.0.1", "-p", str(memcached), "-u", getpass.getuser()],
        folder,
    )
    wait_port(process, memcached, folder)
    for kind in ("account", "container", "object"):
        _start_storage(folder, kind)
    port = _start_proxy(folder, memcached)
    return RealServer(
        name="swift",
        port=port,
        access_key_id="test:tester",
        secret_access_key="testing",
    )


def _defaults(folder: Path, port: int) -> str:
    return (
        "[DEFAULT]\nbind_ip = 127.0.0.1\n"
        f"bind_port = {port}\nuser = {getpass.getuser()}\nswift_dir = {folder}\n"
        "workers = 0\nlog_level = WARNING\n"
    )


def _start_storage(folder: Path, kind: str) -> None:
    port = free_port()
    builder = folder / f"{kind}.builder"
    ring = ["swift-ring-builder", str(builder)]
    for step in (
        ["create", "4", "1", "1"],
        ["add", f"r1z1-127.0.0.1:{port}/d1", "1"],
        ["rebalance"],
    ):
        subprocess.run([*ring, *step], check=False, capture_output=True)
    config = folder / f"{kind}.conf"
    config.write_text(
        _defaults(folder, port)
        + f"devices = {folder / 'devices'}\nmount_check = false\n"
        f"disable_fallocate = true\nrecon_cache_path = {folder}\n"
        f"[pipeline:main]\npipeline = {kind}-server\n"
        f"[app:{kind}-server]\nuse = egg:swift#{kind}\n"
    )
    process = start_process([f"swift-{kind}-server", str(config)], folder)
    wait_port(process, port, folder)


def _start_proxy(folder: Path, memcached: int) -> int:
    port = free_port()
    filters = "".join(f"[filter:{one}]\nuse = egg:swift#{one}\n" for one in _FILTERS)
    config = folder / "proxy.conf"
    config.write_text(
        _defaults(folder, port) + f"[pipeline:main]\npipeline = {_PIPELINE}\n"
        "[app:proxy-server]\nuse = egg:swift#proxy\naccount_autocreate = true\n"
        "[filter:tempauth]\nuse = egg:swift#tempauth\n"
        "user_test_tester = testing .admin\n"
        "[filter:s3api]\nuse = egg:swift#s3api\nlocation = us-east-1\n"
        "[filter:cache]\nuse = egg:swift#memcache\n"
        f"memcache_servers = 127.0.0.1:{memcached}\n"
        "[filter:proxy-logging]\nuse = egg:swift#proxy_logging\n" + filters
    )
    process = start_process(["swift-proxy-server", str(config)], folder)
    wait_port(process, port, folder)
    return port
