"""The command `sync`: flags, a line per page, a summary."""

import argparse
import sys
from typing import TYPE_CHECKING

from s3o.cli.failures import tell_failure

if TYPE_CHECKING:
    from s3o.services.importing import ImportCounts

FAILURE = 1
INTERRUPTED = 130  # as a shell calls a program that ended by SIGINT


def add_sync_flags(parser: argparse.ArgumentParser) -> None:
    """Add the command's own flags."""
    parser.add_argument(
        "-backend",
        "--backend",
        metavar="NAME",
        required=True,
        help="the backend whose objects to import",
    )
    parser.add_argument(
        "-bucket",
        "--bucket",
        metavar="NAME",
        required=True,
        help="the bucket that gets them, each under the name it has there",
    )
    parser.add_argument(
        "-prefix",
        "--prefix",
        metavar="TEXT",
        default="",
        help="only objects whose name begins with it (default: all)",
    )
    parser.add_argument(
        "-dry-run",
        "--dry-run",
        action="store_true",
        help="tell what would be imported, import nothing",
    )


def sync(options: argparse.Namespace) -> int:
    """Import; return the exit code."""
    import os

    from s3o.config.problems import ConfigError
    from s3o.daemon.sync import SyncError, SyncWish, run_sync
    from s3o.model.errors import S3OError

    wish = SyncWish(
        config_path=str(options.config),
        backend=options.backend,
        bucket=options.bucket,
        prefix=options.prefix,
        is_dry=options.dry_run,
    )

    def say(text: str) -> None:
        print(text, flush=True)

    try:
        counts = run_sync(wish, os.environ, say)
    except KeyboardInterrupt:
        print("interrupted: what was imported stays, run it again", file=sys.stderr)
        return INTERRUPTED
    except (ConfigError, SyncError) as error:
        print(f"error: {error}", file=sys.stderr)
        return FAILURE
    except (S3OError, OSError) as error:
        tell_failure(error)
        return FAILURE
    print(render(counts, wish.backend, wish.bucket, is_dry=wish.is_dry))
    return 0


def render(counts: "ImportCounts", backend: str, bucket: str, *, is_dry: bool) -> str:
    """Return the summary."""
    verb = "would import" if is_dry else "imported"
    lines = [
        f"sync {'preview' if is_dry else 'complete'}: {backend} into {bucket}",
        f"  {verb}: {counts.imported} objects, {counts.imported_bytes} bytes",
        f"  skipped:  {counts.skipped} ({counts.known} known, {counts.taken} with a "
        f"version here, {counts.deleted} deleted here, {counts.unfit} not importable)",
    ]
    if is_dry:
        lines.append("nothing was imported (--dry-run)")
    return "\n".join(lines)
