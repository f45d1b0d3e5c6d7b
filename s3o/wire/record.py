"""The record: what every blob says about itself, so that the ledger can be lost.

It travels as user metadata (`s3o`, `s3o1`, ... of at most 240 bytes) or in a sidecar
file. One text, `1;c=...;b=...;...;!`, is cut into header values. Rules: it is known
before the blob's first byte; fields that a later version added are kept, not understood
and no error; the closing `!` shows that nothing was cut off. Beside it, under names of
their own, go the key where the storage key holds only its digest, and the
Content-Encoding, which must never reach a backend as such (some would decompress).

The room for both is taken before any user metadata (ADR: the record).
"""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass

from s3o.model import limits
from s3o.model.names import (
    BucketId,
    ObjectKey,
    StorageKey,
    VersionId,
    parse_storage_key,
)
from s3o.model.numbers import parse_uint
from s3o.model.values import BlobHeaders, ObjectFacts, Pairs

FORMAT = "1"
_NAME = "s3o"
_KEY_NAME = "s3o-key"
_ENCODING_NAME = "s3o-encoding"
_CONTINUATIONS = limits.RECORD_BYTES // limits.RECORD_HEADER_BYTES + 1

_VISIBLE = re.compile(r"[!-~]([ -~]*[!-~])?", re.ASCII)
_TOKEN = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", re.ASCII)
_FIELD = re.compile(r"([a-z][a-z0-9]*)=([A-Za-z0-9_.:-]*)", re.ASCII)
_CLUSTER_ID = re.compile(r"[A-Za-z0-9_.:-]{1,36}", re.ASCII)
_VERSION_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One blob's account of itself.

    Sizes and digests are of the stored bytes, absent when not known beforehand.
    unknown: fields of a later format of the same number.
    """

    cluster_id: str
    bucket_id: BucketId
    version_id: VersionId
    sequence: int  # of the intent; of a further copy, its version's
    blob: int = 0
    is_whole: bool = True  # else of an upload
    stored_bytes: int | None = None
    stored_md5: str | None = None  # hex
    stored_sha256: str | None = None  # hex
    data_key: bytes | None = None  # wrapped
    key_id: str | None = None
    unknown: Pairs = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedBlob:
    """A record with what travelled beside it."""

    record: Record
    key: ObjectKey | None = None
    content_encoding: str | None = None


def render_record(blob: RecordedBlob) -> Pairs:
    """Return the headers of a record, without the x-amz-meta- prefix."""
    pairs = list(_cut(_NAME, _render_text(blob.record)))
    if blob.key is not None:
        pairs += _cut(_KEY_NAME, _encode(blob.key.encode("utf-8")))
    if blob.content_encoding is not None:
        raw = blob.content_encoding.encode("latin-1")
        assert len(raw) <= limits.CONTENT_ENCODING_BYTES
        pairs += _cut(_ENCODING_NAME, _encode(raw))
    assert measure(pairs) < limits.RECORD_BYTES, "a record outgrew its room"
    return tuple(pairs)


def measure(pairs: Pairs | list[tuple[str, str]]) -> int:
    """Return the bytes that pairs take of a provider's room for metadata."""
    return sum(len(name) + len(value) for name, value in pairs)


def _render_text(record: Record) -> str:
    fields: list[tuple[str, str | None]] = [
        ("c", record.cluster_id),
        ("b", str(record.bucket_id)),
        ("v", record.version_id),
        ("q", str(record.sequence)),
        ("n", str(record.blob)),
        ("k", "w" if record.is_whole else "u"),
        ("s", _optional(record.stored_bytes)),
        ("m", _encode_hex(record.stored_md5)),
        ("h", _encode_hex(record.stored_sha256)),
        ("d", None if record.data_key is None else _encode(record.data_key)),
        ("i", record.key_id),
        *record.unknown,
    ]
    parts = [f"{name}={value}" for name, value in fields if value is not None]
    assert all(_FIELD.fullmatch(part) for part in parts)
    return ";".join([FORMAT, *parts, "!"])


def parse_record(headers: Mapping[str, str]) -> RecordedBlob | None:
    """Return the record in a blob's headers, or None if it carries none.

    headers: without the x-amz-meta- prefix, names in lower case.
    Raises ValueError for a record that is damaged or of another format.
    """
    text = _join(_NAME, headers)
    if text is None:
        return None
    record = _parse_text(text)
    key, encoding = _join(_KEY_NAME, headers), _join(_ENCODING_NAME, headers)
    return RecordedBlob(
        record=record,
        key=None if key is None else ObjectKey(_decode(key).decode("utf-8")),
        content_encoding=(
            None if encoding is None else _decode(encoding).decode("latin-1")
        ),
    )


_KNOWN = frozenset("cbvqnksmhdi")
_NEEDED = frozenset("cbvqnk")


def _parse_text(text: str) -> Record:
    form, *parts, end = text.split(";")
    if form != FORMAT or end != "!":
        raise ValueError("cut off, or not a record of this format")
    fields: dict[str, str] = {}
    for part in parts:
        match = _FIELD.fullmatch(part)
        if match is None or match[1] in fields:
            raise ValueError("a field does not parse")
        fields[match[1]] = match[2]
    if not fields.keys() >= _NEEDED or fields["k"] not in ("w", "u"):
        raise ValueError("a field is missing")
    if not _CLUSTER_ID.fullmatch(fields["c"]) or not _VERSION_ID.fullmatch(fields["v"]):
        raise ValueError("an identity does not parse")
    return Record(
        cluster_id=fields["c"],
        bucket_id=BucketId(parse_uint(fields["b"])),
        version_id=VersionId(fields["v"]),
        sequence=parse_uint(fields["q"]),
        blob=parse_uint(fields["n"]),
        is_whole=fields["k"] == "w",
        stored_bytes=parse_uint(fields["s"]) if "s" in fields else None,
        stored_md5=_decode_hex(fields.get("m"), 16),
        stored_sha256=_decode_hex(fields.get("h"), 32),
        data_key=_decode(fields["d"]) if "d" in fields else None,
        key_id=fields.get("i"),
        unknown=tuple(pair for pair in fields.items() if pair[0] not in _KNOWN),
    )


def plan_blob_headers(
    record: Record,
    facts: ObjectFacts,
    *,
    storage_key: StorageKey,
    key: ObjectKey,
    stored_md5: str | None = None,
    stored_sha256: str | None = None,
) -> BlobHeaders:
    """Return all that travels with a blob: the record, and natively what fits.

    What does not fit, or is not plain visible text, stays in the ledger alone.
    """
    beside = parse_storage_key(storage_key).key is None
    pairs = render_record(
        RecordedBlob(
            record=record,
            key=key if beside else None,
            content_encoding=dict(facts.headers).get("content-encoding"),
        )
    )
    room = limits.RECORD_BYTES - measure(pairs)
    metadata: list[tuple[str, str]] = []
    for pair in facts.metadata:
        if _is_native_metadata(*pair) and measure([pair]) <= room:
            metadata.append(pair)
            room -= measure([pair])
    return BlobHeaders(
        record=pairs,
        content_type=(
            facts.content_type
            if _is_native(facts.content_type)
            else ObjectFacts().content_type
        ),
        headers=tuple(
            (name, value)
            for name, value in facts.headers
            if name != "content-encoding"
            and not name.startswith("x-amz-")
            and _is_native(value)
        ),
        metadata=tuple(metadata),
        stored_md5=stored_md5,
        stored_sha256=stored_sha256,
    )


def _is_native_metadata(name: str, value: str) -> bool:
    """Whether every provider keeps such metadata, and it cannot pass for a record."""
    return (
        _TOKEN.fullmatch(name) is not None
        and not name.startswith(_NAME)
        and _is_native(value)
    )


def _is_native(value: str) -> bool:
    return len(value) <= limits.RECORD_HEADER_BYTES and bool(_VISIBLE.fullmatch(value))


def _cut(name: str, text: str) -> list[tuple[str, str]]:
    step = limits.RECORD_HEADER_BYTES
    return [
        (f"{name}{at // step or ''}", text[at : at + step])
        for at in range(0, len(text) or 1, step)
    ]


def _join(name: str, headers: Mapping[str, str]) -> str | None:
    if name not in headers:
        return None
    values = [headers[name]]
    for number in range(1, _CONTINUATIONS):
        value = headers.get(f"{name}{number}")
        if value is None:
            break
        values.append(value)
    return "".join(values)


def _optional(number: int | None) -> str | None:
    return None if number is None else str(number)


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode("ascii").rstrip("=")


def _decode(text: str) -> bytes:
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if _encode(raw) != text:
        raise ValueError("not base64")
    return raw


def _encode_hex(digest: str | None) -> str | None:
    return None if digest is None else _encode(bytes.fromhex(digest))


def _decode_hex(text: str | None, size: int) -> str | None:
    if text is None:
        return None
    raw = _decode(text)
    if len(raw) != size:
        raise ValueError("a digest has the wrong size")
    return raw.hex()
