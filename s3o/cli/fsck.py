"""The command `fsck`: flags, differences as they are found, a summary, an exit code.

0: everything was compared and nothing differs. 1: there are differences, each told with
what to do. 2: the comparison could not be made, or not to its end.
"""

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

from s3o.cli.failures import tell_failure

if TYPE_CHECKING:
    from s3o.services.fsck import Difference, FsckReport

CLEAN, DIFFERENT, UNABLE = 0, 1, 2


def add_fsck_flags(parser: argparse.ArgumentParser) -> None:
    """Add the command's own flags."""
    parser.add_argument(
        "-deep",
        "--deep",
        action="store_true",
        help="also read every byte and compare it with its digests (egress!)",
    )
    parser.add_argument(
        "-json",
        "--json",
        action="store_true",
        help="print one JSON object per line: differences, then a summary",
    )


def fsck(options: argparse.Namespace) -> int:
    """Compare ledger and backends; return the exit code."""
    import os

    from s3o.config.problems import ConfigError
    from s3o.daemon.fsck import FsckWish, run_fsck
    from s3o.model.errors import S3OError

    wish = FsckWish(config_path=str(options.config), is_deep=options.deep)
    show = _show_json if options.json else _show
    try:
        report = run_fsck(wish, os.environ, show)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return UNABLE
    except (S3OError, OSError) as error:
        tell_failure(error)
        print("fsck compares while the service is stopped", file=sys.stderr)
        return UNABLE
    document = describe_report(report)
    print(json.dumps(document) if options.json else render(document))
    if report.unable:
        return UNABLE
    return CLEAN if report.is_clean else DIFFERENT


def _show(difference: "Difference") -> None:
    print(f"{difference.text}\n  {difference.advice}", flush=True)


def _show_json(difference: "Difference") -> None:
    print(
        json.dumps(
            {
                "difference": str(difference.kind),
                "text": difference.text,
                "advice": difference.advice,
                "backend": difference.backend,
                "storage_key": difference.storage_key,
                "bucket": difference.bucket,
                "key": difference.key,
            }
        ),
        flush=True,
    )


def describe_report(report: "FsckReport") -> dict[str, Any]:
    """Return the summary as plain values."""
    waiting = report.waiting
    return {
        "summary": "clean" if report.is_clean else "different",
        "differences": {
            str(kind): count for kind, count in sorted(report.differences.items())
        },
        "objects": report.objects,
        "names": report.names,
        "read": report.read_blobs,
        "read_without_digest": report.unproved_blobs,
        "waiting": {
            "cleanup": waiting.cleanup_rows,
            "dead_letters": waiting.dead_letters,
            "writes": waiting.intents,
        },
        "unable": report.unable,
    }


def render(document: dict[str, Any]) -> str:
    """Return the summary for a person."""
    waiting, names = document["waiting"], document["names"]
    lines = [
        f"{backend!r} was not compared to its end: {reason}"
        for backend, reason in document["unable"].items()
    ]
    if document["read"]:
        lines.append(
            f"{document['read']} blobs were read, "
            f"{document['read_without_digest']} of them have no digest to compare with"
        )
    lines.append(
        f"waiting, and no difference: {waiting['cleanup']} names to be deleted, "
        f"{waiting['dead_letters']} dead letters, {waiting['writes']} writes to settle"
    )
    found = sum(document["differences"].values())
    lines.append(
        f"{document['objects']} objects, {sum(names.values())} names on "
        f"{len(names)} backends: "
        + ("1 difference" if found == 1 else f"{found} differences")
    )
    return "\n".join(lines)
