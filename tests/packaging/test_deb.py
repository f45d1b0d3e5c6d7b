"""The Debian package, built for real: needs dpkg-deb and a package index."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.tower import ROOT

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="no dpkg-deb"),
]


def run(*words: object, fails: bool = False) -> str:
    """Run a program; return its output."""
    done = subprocess.run(
        [str(word) for word in words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHON": sys.executable},
    )
    assert fails == bool(done.returncode), done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package, built once."""
    folder = tmp_path_factory.mktemp("deb")
    run("sh", ROOT / "contrib/debian/build.sh", folder)
    (built,) = folder.glob("s3-orchestrator_*.deb")
    return built


def test_package_says_what_it_is_and_needs(package: Path) -> None:
    """The compiled libraries in it fit one minor version of Python."""
    control = run("dpkg-deb", "-f", package)
    minor = sys.version_info.minor

    assert "Package: s3-orchestrator\n" in control
    assert f"python3 (>= 3.{minor}), python3 (<< 3.{minor + 1})" in control


def test_secrets_are_not_for_everybody(package: Path) -> None:
    """The files are filled in with keys, by people in a hurry."""
    modes = {
        words[-1]: words[0]
        for words in map(str.split, run("dpkg-deb", "-c", package).splitlines())
    }

    assert "-rw-r-----" == modes["./etc/s3-orchestrator/config.yaml"]
    assert "-rw-r-----" == modes["./etc/default/s3-orchestrator"]
    assert "drwxr-x---" == modes["./etc/s3-orchestrator/"]
    assert not [
        name for name, mode in modes.items() if mode[8] == "w" and mode[0] != "l"
    ]


def test_what_is_inside_runs_by_itself(package: Path, tmp_path: Path) -> None:
    """Nothing but Python's own library may be needed outside."""
    run("dpkg-deb", "-x", package, tmp_path)
    launcher = tmp_path / "usr/bin/s3-orchestrator"
    library = "/usr/lib/s3-orchestrator"
    code = launcher.read_text()
    assert f'"{library}"' in code
    launcher.write_text(code.replace(library, f"{tmp_path}{library}"))
    configuration = tmp_path / "etc/s3-orchestrator/config.yaml"
    python = (sys.executable, "-IS", launcher)

    assert run(*python, "version").startswith("s3-orchestrator v")
    told = run(*python, "validate", "--config", configuration, fails=True)
    assert "BACKEND1_BUCKET is not set" in told
    everything = "import s3o.daemon.run, asyncpg, trio_asyncio, cryptography.fernet"
    path = f"import sys; sys.path.insert(0, {str(tmp_path) + library!r})"
    run(sys.executable, "-IS", "-c", f"{path}; {everything}")
