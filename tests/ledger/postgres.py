"""A throw-away PostgreSQL from the machine's own packages."""

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

_PLACES = "/usr/lib/postgresql/*/bin"


def binaries() -> Path:
    """Return the folder with initdb; a machine without one fails the test, loudly."""
    newest = sorted(Path("/").glob(_PLACES.removeprefix("/")), reverse=True)
    found = shutil.which("initdb")
    for folder in [*newest, *([Path(found).parent] if found else [])]:
        if (folder / "initdb").exists():
            return folder
    raise AssertionError(
        f"no PostgreSQL in {_PLACES} or PATH: apt-get install postgresql"
    )


class Server:
    """One running server; psql speaks to it over a socket in its own folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.binaries = binaries()
        # initdb refuses to run as root.
        self.user = _other_user() if os.geteuid() == 0 else None

    def call(self, *arguments: str, text: str = "") -> str:
        """Run one of PostgreSQL's programs; return what it printed."""
        command = [str(self.binaries / arguments[0]), *arguments[1:]]
        if self.user is not None:
            command = ["runuser", "-u", self.user, "--", *command]
        ended = subprocess.run(
            command, input=text, capture_output=True, text=True, cwd="/", timeout=60
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    def psql(self, text: str) -> list[str]:
        """Run statements, stop at the first error; return the rows' lines."""
        printed = self.call(
            *("psql", "-X", "-q", "-t", "-A", "-v", "ON_ERROR_STOP=1"),
            *("-h", str(self.folder), "-U", "s3o", "-d", "postgres", "-f", "-"),
            text=text,
        )
        return printed.splitlines()


def _other_user() -> str:
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


@contextlib.contextmanager
def running() -> Iterator[Server]:
    """Start a server in a folder of its own; stop and remove it."""
    folder = Path(tempfile.mkdtemp(prefix="s3o-pg-", dir="/tmp"))
    server = Server(folder)
    if server.user is not None:
        shutil.chown(folder, server.user)
    data = str(folder / "data")
    try:
        server.call(
            *("initdb", "-D", data, "-U", "s3o", "-A", "trust", "-E", "UTF8"),
            *("--no-sync", "--locale=C.UTF-8"),
        )
        options = f"-k {folder} -c listen_addresses='' -c fsync=off"
        log = str(folder / "log")
        server.call("pg_ctl", "-D", data, "-w", "-l", log, "-o", options, "start")
        try:
            yield server
        finally:
            server.call("pg_ctl", "-D", data, "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder)
