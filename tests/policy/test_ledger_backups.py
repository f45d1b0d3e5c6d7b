"""Which segments make a whole, and which nobody needs."""

import pytest

from s3o.model.backup_names import BackupKind, BackupName, parse_backup_name
from s3o.model.names import WriteId
from s3o.policy.ledger_backups import (
    complete_snapshots,
    follow_logs,
    known_through,
    unneeded,
)


def snapshot(
    through: int, run: int, parts: int = 1, epoch: int = 0
) -> list[BackupName]:
    """The segments of one snapshot."""
    return [
        BackupName(
            cluster_id="c",
            kind=BackupKind.SNAPSHOT,
            epoch=epoch,
            after=0,
            through=through,
            run=f"{run:012x}",
            number=number,
            is_last=number == parts - 1,
        )
        for number in range(parts)
    ]


def log(after: int, through: int, run: int = 0, epoch: int = 0) -> BackupName:
    """One log."""
    return BackupName(
        cluster_id="c",
        kind=BackupKind.LOG,
        epoch=epoch,
        after=after,
        through=through,
        run=f"{run:012x}",
        number=0,
        is_last=True,
    )


def test_names_come_back():
    """A listing alone says how far the backends' knowledge reaches."""
    for name in (*snapshot(7, 3, 2, epoch=2), log(1, 1 << 40)):
        raw = name.storage_key(WriteId("0" * 32))
        assert name == parse_backup_name(raw)


def test_snapshot_without_a_segment_is_none():
    """Neither the middle nor the end may be missing."""
    whole = snapshot(10, 1, parts=3)

    assert [tuple(whole)] == complete_snapshots(whole)
    for missing in whole:
        assert [] == complete_snapshots({*whole} - {missing})


def test_segments_of_two_passes_do_not_make_one_snapshot():
    """Pages end elsewhere in another pass."""
    first, second = snapshot(10, 1, parts=2), snapshot(10, 2, parts=2)

    assert [] == complete_snapshots([first[0], second[1]])


def test_newest_is_last_whatever_life_it_is_of():
    """A later life of the ledger beats a higher sequence."""
    old, new = snapshot(100, 1), snapshot(50, 2, epoch=1)

    assert [tuple(old), tuple(new)] == complete_snapshots([*new, *old])


def test_logs_are_followed_until_a_gap():
    """What comes behind a gap would pretend to know what lies in it."""
    chain = [log(10, 20), log(20, 20, run=1), log(20, 30, run=2)]

    assert chain == follow_logs([log(31, 40), *reversed(chain)], 0, 10)
    assert [] == follow_logs(chain[1:], 0, 10)
    assert [] == follow_logs([log(10, 20, epoch=1)], 0, 10)


def test_overlapping_logs_lead_on():
    """A pass that died after its write is repeated from the same place."""
    assert [log(10, 20), log(10, 25, run=1)] == follow_logs(
        [log(10, 20), log(10, 25, run=1)], 0, 10
    )


def test_log_of_changes_before_the_snapshot_is_not_told_again():
    """Tags and moves draw no sequence: an earlier pass is not a later word."""
    before, after = log(20, 20, run=1), log(20, 20, run=3)
    run = snapshot(20, 2)[0].run

    assert [after] == follow_logs([before, after], 0, 20, run)


def test_known_through_needs_a_snapshot():
    """Logs alone tell of nothing."""
    assert known_through({log(0, 10)}, 0) is None
    assert 10 == known_through({*snapshot(10, 1)}, 0)
    assert 25 == known_through({*snapshot(10, 1), log(5, 12), log(12, 25)}, 0)
    assert known_through({*snapshot(10, 1)}, 1) is None


def test_what_two_snapshots_make_useless_goes():
    """The newest may be damaged, so the one before stays with its logs."""
    first, second, third = (snapshot(n, n) for n in (10, 20, 30))
    logs = [log(5, 10), log(10, 20), log(20, 30), log(30, 40)]
    segments = {*first, *second, *third, *logs}

    assert {*first, logs[0]} == unneeded(segments)
    assert set() == unneeded({*first, *logs})
    assert set() == unneeded({*logs})
    half = snapshot(40, 40, parts=2)[0]
    assert {*first, logs[0], half} == unneeded({*segments, half})
    assert {*first, logs[0]} == unneeded({*segments, half}, run=half.run)


@pytest.mark.parametrize("word", [log(0, 10**18 - 1), log(0, 1, epoch=10**8 - 1)])
def test_word_beyond_any_ledger_is_none_of_ours(word: BackupName):
    """Whoever believed it could not count on above it."""
    with pytest.raises(ValueError, match="beyond"):
        parse_backup_name(word.storage_key(WriteId("0" * 32)))
