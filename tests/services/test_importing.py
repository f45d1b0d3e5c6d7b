"""Imports from a directory: no ETags in its listings, none to compare, still whole."""

from pathlib import Path

import pytest

from s3o.backends.call import CallMeter
from s3o.backends.directory import DirectoryBackend
from s3o.ledger.audit import audit
from s3o.ledger.cleanup import due_rows
from s3o.ledger.deletes import delete_object
from s3o.ledger.ledger import Ledger
from s3o.ledger.objects import find_object
from s3o.ledger.sqlite import InlineEngine, open_inline
from s3o.model.names import ObjectKey
from s3o.model.values import WriteConditions
from s3o.policy.breaker import CircuitBreaker
from s3o.policy.importing import map_into
from s3o.services.deleting import delete_blobs
from s3o.services.importing import ImportCounts, Importer
from s3o.services.listing import Listing
from tests.backends.rig import make_rig
from tests.fakes.clock import START_US
from tests.fakes.entropy import SeededEntropy
from tests.ledger.house import ONE, furnish

KEY = ObjectKey("2024/cat.jpg")


@pytest.mark.parametrize("is_changed", [False, True])
async def test_directory_files_are_imported_and_deleted_by_their_size(
    tmp_path: Path, is_changed: bool
) -> None:
    """A file that was replaced by a larger one meanwhile is not ours to delete."""
    file = tmp_path / "blobs" / "2024.d" / "cat.jpg.b"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"cat")
    rig = make_rig(ONE)
    directory = await DirectoryBackend.open_root(
        ONE,
        str(tmp_path),
        meter=CallMeter(rig.counters.of(ONE)),
        entropy=SeededEntropy(0, "directory"),
    )
    backend = make_rig(ONE, instead={ONE: directory}).guarded(ONE)
    connection = open_inline(now_us=START_US)
    engine = InlineEngine(connection)
    writer = await furnish(engine)
    breaker = CircuitBreaker(failure_threshold=3, open_timeout_s=15.0)
    entropy = SeededEntropy(0, "importer")
    ledger = Ledger(engine, breaker, rig.observer, rig.clock, entropy)
    counts = ImportCounts()
    await Importer(ledger, rig.clock, entropy).take_page(
        backend, await Listing(backend).next_page(), map_into(writer.bucket), counts
    )
    stored = await ledger.read(lambda tx: find_object(tx, writer.bucket.id, KEY))
    assert stored is not None
    now_us = rig.clock.now_us()
    await ledger.write(
        lambda tx: delete_object(tx, writer.bucket, KEY, WriteConditions(), now_us)
    )
    if is_changed:
        file.write_bytes(b"another cat")
    rows = await ledger.scan(lambda tx: due_rows(tx, ONE, now_us, 10))
    (outcome,) = await delete_blobs(backend, rows)

    assert (1, 3, 0) == (counts.imported, counts.imported_bytes, counts.skipped)
    assert stored.version.etag.endswith("-1")
    assert is_changed is (outcome.error is not None)
    assert is_changed is file.exists()
    assert [] == await ledger.scan(audit)
    connection.close()
