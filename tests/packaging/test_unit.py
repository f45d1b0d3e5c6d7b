"""The systemd unit and the package say of the service what is true."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from s3o.cli.commands import COMMANDS
from s3o.cli.main import main
from s3o.config import ConfigError, parse
from s3o.daemon.run import END_S
from tests.house.tower import ROOT

UNIT = ROOT / "contrib/systemd/s3-orchestrator.service"
DEBIAN = ROOT / "contrib/debian"
PROGRAM = "/usr/bin/s3-orchestrator"
CONFIG = "/etc/s3-orchestrator/config.yaml"
UNITS = {"s": 1, "min": 60}


def settings(section: str = "Service") -> dict[str, list[str]]:
    """The unit's settings, each with its values in order."""
    found: dict[str, list[str]] = {}
    here = ""
    for line in UNIT.read_text().splitlines():
        if line.startswith("["):
            here = line.strip("[]")
        elif here == section and line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


def seconds(name: str) -> int:
    """A duration of the unit."""
    (text,) = settings()[name]
    match = re.fullmatch(r"(\d+)(s|min)", text)
    assert match
    return int(match[1]) * UNITS[match[2]]


@pytest.mark.parametrize("name", ["ExecStart", "ExecReload"])
def test_commands_are_those_of_the_command_line(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A flag that was renamed would be noticed by every operator at once."""
    program, command, *flags = settings()[name][0].split()

    assert PROGRAM == program
    assert command in COMMANDS
    assert ["--config", CONFIG] == flags
    missing = str(tmp_path / "absent.yaml")
    assert 1 == main([command, "--config", missing])
    assert missing in capsys.readouterr().err


def test_reload_checks_the_file_before_the_signal() -> None:
    """A bad file fails `systemctl reload` instead of a line that nobody reads."""
    check, send = settings()["ExecReload"]

    assert f"{PROGRAM} validate --config {CONFIG}" == check
    assert "/bin/sh -c 'kill -HUP $MAINPID'" == send


def test_supervisor_waits_as_long_as_the_service_may_take() -> None:
    """Who is killed while draining has lied to its clients."""
    assert seconds("TimeoutStopSec") > END_S
    assert seconds("TimeoutStartSec") > 60
    assert ["notify"] == settings()["Type"]
    assert seconds("WatchdogSec") >= 10


def test_package_has_what_the_unit_names() -> None:
    """Paths and the user are written down in several places."""
    build = (DEBIAN / "build.sh").read_text()
    postinst = (DEBIAN / "postinst").read_text()
    (user,) = settings()["User"]

    assert f"user={user}\n" in postinst
    assert f"config={CONFIG}\n" in postinst
    assert f'"$root{PROGRAM}"' in build
    assert f'"$root{CONFIG}"' in build
    assert (
        'sys.path.insert(0, "/usr/lib/s3-orchestrator")'
        in (DEBIAN / "launcher").read_text()
    )
    (environment,) = settings()["EnvironmentFile"]
    assert f'"$root{environment.removeprefix("-")}"' in build
    (state,) = settings()["StateDirectory"]
    assert f"path: /var/lib/{state}/" in (DEBIAN / "config.yaml").read_text()


def test_packaged_configuration_needs_only_its_variables() -> None:
    """With known keys in it, an installed service would be everybody's."""
    raw = (DEBIAN / "config.yaml").read_bytes()
    named = re.findall(r"^#(\w+)=", (DEBIAN / "default").read_text(), re.MULTILINE)
    with pytest.raises(ConfigError) as caught:
        parse(raw, CONFIG, {})

    assert len(named) == len(caught.value.problems)
    assert all("is not set" in str(problem) for problem in caught.value.problems)
    values = dict.fromkeys(named, "value-1") | {
        "BACKEND1_ENDPOINT": "https://a.example"
    }
    assert "photos" == parse(raw, CONFIG, values).buckets[0].name


@pytest.mark.parametrize("name", ["build.sh", "postinst", "prerm", "postrm"])
def test_scripts_are_shell(name: str) -> None:
    """They run as root on other people's machines."""
    checked = subprocess.run(
        ["sh", "-n", DEBIAN / name], capture_output=True, text=True, check=False
    )

    assert (0, "") == (checked.returncode, checked.stderr)
    assert re.search(r"^set -eu?$", (DEBIAN / name).read_text(), re.MULTILINE)


def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    """It ignores what it does not know, and the sandbox with it."""
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("no systemd-analyze")
    program = tmp_path / "s3-orchestrator"
    program.touch()
    program.chmod(0o755)
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace(PROGRAM, str(program)))
    verified = subprocess.run(
        [analyze, "verify", "--man=no", "--recursive-errors=no", str(unit)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "LC_ALL": "C"},
    )

    assert (0, "") == (verified.returncode, verified.stderr)
