"""The command `recover`: flags, progress, a report for a person or a program."""

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

from s3o.cli.failures import tell_failure

if TYPE_CHECKING:
    from s3o.daemon.recover import Outcome

FAILURE = 1
_SHOWN = 20


def add_recover_flags(parser: argparse.ArgumentParser) -> None:
    """Add the command's own flags."""
    parser.add_argument(
        "-dry-run",
        "--dry-run",
        action="store_true",
        help="rebuild beside the ledger and tell, but change nothing",
    )
    parser.add_argument(
        "-cluster",
        "--cluster",
        metavar="ID",
        default=None,
        help="whose ledger, where the backends hold backups of several, or none",
    )
    parser.add_argument(
        "-without",
        "--without",
        metavar="BACKEND",
        action="append",
        default=[],
        help="do not ask this backend; what backups say of it is believed",
    )
    parser.add_argument(
        "-json", "--json", action="store_true", help="print the report as JSON"
    )


def recover(options: argparse.Namespace) -> int:
    """Rebuild the ledger; return the exit code."""
    import os

    from s3o.config.problems import ConfigError
    from s3o.daemon.recover import Wish, run_recovery
    from s3o.model.errors import S3OError
    from s3o.services.recovery import RecoveryError

    wish = Wish(
        config_path=str(options.config),
        is_dry=options.dry_run,
        cluster_id=options.cluster,
        without=tuple(options.without),
    )

    def say(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    try:
        outcome = run_recovery(wish, os.environ, say)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return FAILURE
    except RecoveryError as error:
        print(f"error: {error}", file=sys.stderr)
        return FAILURE
    except (S3OError, OSError) as error:
        tell_failure(error)
        return FAILURE
    document = describe_outcome(outcome, is_dry=wish.is_dry)
    if options.json:
        print(json.dumps(document, indent=2))
    else:
        print(render(document))
    return 0


def describe_outcome(outcome: "Outcome", *, is_dry: bool) -> dict[str, Any]:
    """Return the report as plain values."""
    from s3o.ledger.recovery_candidates import Fate

    report = outcome.report
    base, seen = report.base, report.seen
    return {
        "cluster": report.cluster_id,
        "dry_run": is_dry,
        "ledger": None if is_dry else outcome.ledger_path,
        "old_ledger": outcome.kept_as,
        "backups": {
            "through_sequence": base.through if base.through >= 0 else None,
            "object_rows": base.objects,
            "delete_rows": base.tombstones,
            "damaged_rows": base.damaged_lines,
        },
        "backends": {
            "names": seen.names,
            "known": seen.known,
            "of_wrong_size": seen.wrong_size,
            "read": seen.candidates,
            "foreign": seen.foreign,
            "of_other_clusters": seen.other_clusters,
            "parts_of_unknown_uploads": report.fates.get(Fate.PART, 0),
        },
        "from_blobs_alone": dict(sorted(report.fates.items())),
        "gone": {"count": report.gone_count, "first": [key for _, key in report.gone]},
        "incomplete": [key for _, key in report.incomplete],
        "quotas": {row.backend: row.used_bytes for row in report.quotas},
        "complaints": [*base.complaints, *seen.complaints],
    }


def render(document: dict[str, Any]) -> str:
    """Return the report for a person."""
    backups, backends = document["backups"], document["backends"]
    alone = document["from_blobs_alone"]
    lines = [
        f"cluster {document['cluster']}",
        f"  from backups: {backups['object_rows']} object rows, "
        f"{backups['delete_rows']} deletes, {backups['damaged_rows']} damaged rows",
        f"  on backends:  {backends['names']} names, {backends['known']} as told, "
        f"{backends['of_wrong_size']} of a wrong size, {backends['foreign']} foreign",
        f"  after the last log: {alone.get('object', 0)} objects, "
        f"{alone.get('copy', 0)} copies, {alone.get('older', 0)} outdated",
    ]
    if backends["parts_of_unknown_uploads"]:
        lines.append(
            f"  {backends['parts_of_unknown_uploads']} pieces of uploads completed "
            "after the last log: kept as dead letters"
        )
    gone = document["gone"]
    if gone["count"]:
        lines.append(
            f"  {gone['count']} objects have no bytes anywhere (deleted after the "
            "last log, or lost):"
        )
        lines += [f"    {key!r}" for key in gone["first"][:_SHOWN]]
    if document["incomplete"]:
        count = len(document["incomplete"])
        lines.append(f"  {count} objects miss some of their bytes:")
        lines += [f"    {key!r}" for key in document["incomplete"][:_SHOWN]]
    if document["complaints"]:
        lines.append(f"  {len(document['complaints'])} things looked wrong, see above")
    if document["dry_run"]:
        lines.append("nothing was changed (--dry-run)")
    else:
        lines.append(f"recovered: {document['ledger']}")
        if document["old_ledger"]:
            lines.append(f"the old ledger is kept as {document['old_ledger']}")
    return "\n".join(lines)
