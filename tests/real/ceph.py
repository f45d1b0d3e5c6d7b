"""Ceph RGW from Debian: one monitor, manager and in-memory OSD, then the gateway.

Authentication inside the cluster is off (it listens on loopback only); the gateway
itself checks signatures. RGW 16 stands for providers of an older day: no trailers.
"""

import json
import shutil
import subprocess
import time
import uuid
from functools import cache
from pathlib import Path

import pytest

from tests.real.servers import (
    RealServer,
    free_port,
    make_folder,
    start_process,
    wait_port,
    wait_until,
)

_PROGRAMS = (
    *("ceph", "ceph-mon", "ceph-mgr", "ceph-osd", "monmaptool"),
    *("radosgw", "radosgw-admin"),
)
_ACCESS_KEY = "cephkey"
_SECRET = "cephsecret"
_CONFIG = """\
[global]
fsid = {fsid}
mon host = v1:127.0.0.1:{mon_port}
auth cluster required = none
auth service required = none
auth client required = none
ms bind msgr2 = false
public addr = 127.0.0.1
public network = 127.0.0.0/8
run dir = {folder}
admin socket = {folder}/$name.asok
log file = {folder}/$name.log
pid file = {folder}/$name.pid
mon data = {folder}/mon
mgr data = {folder}/mgr
osd data = {folder}/osd
osd objectstore = memstore
memstore device bytes = 1073741824
osd memory target = 536870912
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon max pg per osd = 1000
mon allow pool size one = true
mon data avail crit = 1
mon data avail warn = 2
mgr initial modules =
rgw data = {folder}/rgw
pid file =
rgw dns name =
rgw enable usage log = false
rgw enable quota threads = false
rgw lc max worker = 1
"""


@cache
def ceph() -> RealServer:
    """An RGW that checks signatures; skips where Debian's is not installed."""
    if not all(map(shutil.which, _PROGRAMS)):
        pytest.skip("Ceph RGW is not installed (tests/real/install.sh)")
    folder = make_folder("ceph")
    mon_port = free_port()
    fsid = str(uuid.uuid4())
    config = folder / "ceph.conf"
    config.write_text(_CONFIG.format(folder=folder, fsid=fsid, mon_port=mon_port))
    for name in ("mon", "mgr", "osd", "rgw"):
        (folder / name).mkdir()
    _start_monitor(folder, config, fsid, mon_port)
    start_process(["ceph-mgr", "-f", "-i", "x", "-c", str(config)], folder)
    _start_osd(folder, config)
    _run(
        ["radosgw-admin", "-c", str(config), "user", "create", "--uid", "tester"],
        *("--display-name", "tester"),
        *("--access-key", _ACCESS_KEY, "--secret-key", _SECRET),
    )
    port = free_port()
    gateway = start_process(
        [
            *("radosgw", "-f", "-c", str(config), "-n", "client.rgw"),
            *("--rgw-frontends", f"beast endpoint=127.0.0.1:{port}"),
        ],
        folder,
    )
    wait_port(gateway, port, folder)
    return RealServer(
        name="ceph",
        port=port,
        access_key_id=_ACCESS_KEY,
        secret_access_key=_SECRET,
    )


def _start_monitor(folder: Path, config: Path, fsid: str, port: int) -> None:
    monmap = str(folder / "monmap")
    _run(
        ["monmaptool", "--create", "--fsid", fsid, monmap],
        *("--addv", "a", f"[v1:127.0.0.1:{port}/0]"),
    )
    monitor = ["ceph-mon", "-i", "a", "-c", str(config)]
    _run(monitor, "--mkfs", "--monmap", monmap)
    process = start_process([*monitor, "-f"], folder)
    wait_port(process, port, folder)


def _start_osd(folder: Path, config: Path) -> None:
    osd_uuid = str(uuid.uuid4())
    _run_when_ready(["ceph", "-c", str(config), "osd", "new", osd_uuid])
    osd = ["ceph-osd", "-i", "0", "-c", str(config)]
    _run(osd, "--mkfs", "--osd-uuid", osd_uuid)
    # radosgw-admin waits for ever if it asks for pools before somebody can hold them.
    for attempt in range(10):
        process = start_process([*osd, "-f"], folder)
        try:
            wait_until(lambda: _is_osd_up(config), process, folder)
        except RuntimeError:
            # It may ask the monitor before it knows the cluster's id ("wrong fsid").
            if attempt == 9:
                raise
            # The one before must be gone, or it still holds the store's lock.
            process.kill()
            process.wait()
            time.sleep(1)
        else:
            return


def _is_osd_up(config: Path) -> bool:
    status = ["ceph", "-c", str(config), "status", "--format", "json"]
    found = json.loads(_run(status))
    is_served = bool(found["mgrmap"]["available"])
    return is_served and found["osdmap"]["num_up_osds"] == 1


def _run_when_ready(command: list[str]) -> bytes:
    """Run what a monitor refuses with EPERM while it is still forming its quorum."""
    for _ in range(29):
        try:
            return _run(command)
        except RuntimeError as error:
            if "EPERM" not in str(error):
                raise
            time.sleep(1)
    return _run(command)


def _run(command: list[str], *more: str) -> bytes:
    done = subprocess.run(
        [*command, *more],
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
    )
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {done.stderr[-2000:]!r}")
    return done.stdout
