"""Run one fuzz target: `python fuzz/run.py aws_chunked [libFuzzer's arguments]`.

Needs atheris (requirements-fuzz.lock). The committed corpus is where it begins; what
it finds goes to a directory of its own, so that only inputs somebody has looked at are
committed. Crashing inputs become files of the corpus together with the fix.
"""

import importlib
import sys
from pathlib import Path

import atheris

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Fuzz until libFuzzer's limits (`-runs=`, `-max_total_time=`) or a crash."""
    name, *arguments = sys.argv[1:]
    sys.path.insert(0, str(ROOT))
    with atheris.instrument_imports(include=["s3o", "fuzz"]):
        target = importlib.import_module(f"fuzz.target_{name}")
    found = ROOT / ".fuzz" / name
    found.mkdir(parents=True, exist_ok=True)
    seeds = ROOT / "fuzz" / "corpus" / name
    atheris.Setup([sys.argv[0], *arguments, str(found), str(seeds)], target.one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
