"""Which segments of the ledger's backups make a whole, and which nobody needs.

Pure: names in, decisions out. A segment is a BackupName; its copies are the same name.
"""

from collections.abc import Collection, Iterable

from s3o.model.backup_names import BackupKind, BackupName

KEPT_SNAPSHOTS = 2  # the newest may turn out to be damaged

Snapshot = tuple[BackupName, ...]  # its segments by number


def complete_snapshots(segments: Iterable[BackupName]) -> list[Snapshot]:
    """Return the snapshots of which every segment is there, oldest first."""
    runs: dict[tuple[int, int, str], dict[int, BackupName]] = {}
    for one in segments:
        if one.kind is BackupKind.SNAPSHOT:
            run = runs.setdefault((one.epoch, one.through, one.run), {})
            run[one.number] = one
    whole = []
    for _, run in sorted(runs.items()):
        row = [run[number] for number in sorted(run)]
        numbers = [one.number for one in row]
        if numbers == list(range(len(row))) and row[-1].is_last:
            whole.append(tuple(row))
    return whole


def follow_logs(
    segments: Iterable[BackupName], epoch: int, through: int, run: str = ""
) -> list[BackupName]:
    """Return the logs that lead on from through without a gap, in order.

    run: the snapshot's. What an earlier pass told of the same sequence, changes without
    one of their own, is older than the snapshot's word.
    """
    logs = sorted(
        (one for one in segments if one.kind is BackupKind.LOG and one.epoch == epoch),
        key=lambda one: (one.after, one.through, one.run, one.number),
    )
    chain: list[BackupName] = []
    for one in logs:
        if one.after > through:
            break
        is_later = one.after == one.through == through and (
            bool(chain) or one.run >= run
        )
        if one.through > through or is_later:
            chain.append(one)
            through = one.through
    return chain


def known_through(segments: Collection[BackupName], epoch: int) -> int | None:
    """Return the sequence up to which segments tell all of epoch; None: of nothing."""
    snapshots = [one for one in complete_snapshots(segments) if one[0].epoch == epoch]
    if not snapshots:
        return None
    first = snapshots[-1][0]
    through = first.through
    logs = follow_logs(segments, epoch, through, first.run)
    return logs[-1].through if logs else through


def unneeded(segments: Collection[BackupName], run: str = "") -> set[BackupName]:
    """Return the segments that recovery would never look at.

    Kept are the newest snapshots, every log behind the older of them, and what the pass
    called run is writing. Without a complete snapshot all are kept.
    """
    kept = complete_snapshots(segments)[-KEPT_SNAPSHOTS:]
    if not kept:
        return set()
    oldest = kept[0][0]
    needed = {one for snapshot in kept for one in snapshot}
    return {
        one
        for one in segments
        if one not in needed
        and one.run != run
        and not (
            one.kind is BackupKind.LOG
            and (one.epoch, one.through) >= (oldest.epoch, oldest.through)
        )
    }
