"""Fuzz the reader of the ledger's backups, as text and as what a backend sends.

Whatever comes back from a backend, it is a whole segment or refused with ValueError;
what is read is written again as it was.
"""

import hashlib
import json
import zlib

from s3o.model.backup_names import parse_backup_name
from s3o.model.names import WriteId
from s3o.wire.ledger_segment import (
    INTENT,
    OBJECT,
    SegmentHead,
    SegmentWriter,
    read_segment,
)


def one(data: bytes) -> None:
    """Read data as it is, as compressed lines, and as lines with a true end."""
    _read(data)
    _read(zlib.compress(data))
    lines = [line for line in data.split(b"\n") if line]
    digest = hashlib.sha256(b"".join(line + b"\n" for line in lines)).hexdigest()
    end = json.dumps({"lines": len(lines) - 1, "sha256": digest}).encode()
    _read(zlib.compress(b"".join(line + b"\n" for line in (*lines, end))))
    _parse_name(data)


def _read(raw: bytes) -> None:
    try:
        head, lines = read_segment(raw)
    except ValueError:
        return
    writer = SegmentWriter(SegmentHead(**{n: getattr(head, n) for n in _FIELDS}))
    for line in lines:
        if line.kind == INTENT:
            writer.add(line.kind, line.name)
        elif line.kind == OBJECT:
            writer.add(line.kind, line.columns, line.locations)
        else:
            writer.add(line.kind, line.columns)
    assert (head, lines) == read_segment(writer.finish())


_FIELDS = tuple(SegmentHead.__slots__)


def _parse_name(data: bytes) -> None:
    text = data.decode("latin-1")
    try:
        name = parse_backup_name(text)
    except ValueError:
        return
    assert name.storage_key(WriteId(text[-32:])) == text
