"""Print the package's copyright file: ours, and that of every library inside."""

import sys
from importlib.metadata import Distribution, distributions
from pathlib import Path

HEAD = """\
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: s3-orchestrator

Files: *
Copyright: the s3-orchestrator developers
License: Apache-2.0
 On Debian systems, the full text of the Apache License, Version 2.0 can be found in
 /usr/share/common-licenses/Apache-2.0.
"""


def licence_of(distribution: Distribution) -> str:
    """Return a library's licence in the words of its own metadata."""
    about = distribution.metadata
    stated = about.get("License-Expression") or about.get("License") or ""
    if stated and "\n" not in stated and len(stated) < 80:
        return stated
    kinds = about.get_all("Classifier") or []
    named = [kind.rpartition(" :: ")[2] for kind in kinds if kind.startswith("License")]
    return ", ".join(named) or "see its files"


def main(library: str) -> None:
    """Print what stands in library."""
    print(HEAD)
    found = sorted(distributions(path=[library]), key=lambda one: one.name.lower())
    for distribution in found:
        if distribution.name == "s3-orchestrator":
            continue
        folder = Path(str(distribution.locate_file(""))).name
        name = distribution.name.lower().replace("-", "_")
        print(f"Files: usr/lib/{folder}/{name}*")
        print(f"Copyright: the authors of {distribution.name} {distribution.version}")
        print(f"License: {licence_of(distribution)}")
        print(
            f" Its text is in /usr/lib/{folder}/{name}-{distribution.version}.dist-info"
        )
        print()


if __name__ == "__main__":
    main(sys.argv[1])
