"""What lies beside the code: locks without addresses, a wheel that is whole."""

import re
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from tests.house.tower import ROOT

LOCKS = sorted(ROOT.glob("requirements*.lock"))


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_locks_name_no_index(lock: Path) -> None:
    """Whose mirror is used is the installer's business."""
    text = lock.read_text()

    assert not re.search(r"https?://", text)
    assert "--hash=sha256:" in text


def test_no_lock_with_addresses_is_tracked() -> None:
    """uv.lock and pylock.toml embed index addresses."""
    assert not (ROOT / "uv.lock").exists()
    assert not (ROOT / "pylock.toml").exists()


@pytest.mark.slow
def test_the_wheel_is_whole(tmp_path: Path) -> None:
    """The schema must come with the package: the service applies it at start."""
    run = subprocess.run(
        [
            sys.executable,
            "-m",
            "build",
            "--wheel",
            "--no-isolation",
            "-o",
            str(tmp_path),
            str(ROOT),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    shipped = {name.removeprefix("s3o/_schema/") for name in names if "_schema" in name}
    expected = {
        str(path.relative_to(ROOT / "schema"))
        for path in (ROOT / "schema").rglob("*")
        if path.is_file()
    }
    assert expected == shipped

    venv.create(tmp_path / "empty", with_pip=True)
    python = tmp_path / "empty" / "bin" / "python"
    subprocess.run(
        [python, "-m", "pip", "install", "-q", "--no-deps", "--no-index", wheel],
        check=True,
    )
    # The schema is the wheel's; what the product depends on may be ours.
    ours = sysconfig.get_path("purelib")
    shown = subprocess.run(
        [
            python,
            "-I",
            "-c",
            f"import sys; sys.path.append({ours!r})\n"
            "from s3o.ledger.queries import schema_folder\n"
            "print(sorted(path.name for path in schema_folder().iterdir()))",
        ],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert "migrations" in shown.stdout
