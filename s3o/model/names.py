"""Names: parsed once at the edge, then trusted.

A storage key names a blob on one backend: `{bucket}/{escaped key}!{write id}`. It is
written at most once and never used again, so a late write or a late delete of a
request that timed out can never hit live bytes (ADR 0001). Rules:

- Escaping is reversible: `=XX` per UTF-8 byte for everything providers mistreat; `=`
  and `!` always; `/` is kept except where it would make an empty, `.` or `..` segment.
- A name over 900 bytes, or with a segment over 200 (write id included), becomes
  `{bucket}/!{digest}!{write id}`; the key then travels beside the record.
- Names are parsed from the right: an escaped key never holds a `!`.
"""

import hashlib
import re
from dataclasses import dataclass
from typing import Literal, NewType

from s3o.model import limits
from s3o.model.errors import InvalidBucketName, InvalidUri, KeyTooLong

BucketName = NewType("BucketName", str)
BucketId = NewType("BucketId", int)
ObjectKey = NewType("ObjectKey", str)
BackendName = NewType("BackendName", str)
StorageKey = NewType("StorageKey", str)
VersionId = NewType("VersionId", str)  # 32 hex digits, time-ordered
WriteId = NewType("WriteId", str)  # 32 hex digits, fresh per attempt and per copy
UploadId = NewType("UploadId", str)  # 44 hex digits, time-ordered and unpredictable

# The providers whose ways are known; backends/profiles says what each means.
ProfileName = Literal[
    "aws",
    "oci",
    "b2",
    "r2",
    "gcs",
    "wasabi",
    "minio",
    "ceph",
    "swift",
    "rclone",
    "generic",
]

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", re.ASCII)
_IP_ADDRESS = re.compile(r"[0-9]{1,3}(\.[0-9]{1,3}){3}", re.ASCII)
_BUCKET_PREFIXES = ("xn--", "sthree-", "amzn-s3-demo-")
_BUCKET_SUFFIXES = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")
_BACKEND = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", re.ASCII)
_KEPT = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_./")
_ESCAPE = re.compile(r"=([0-9A-F]{2})", re.ASCII)
_STORAGE_KEY = re.compile(
    r"(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/"
    r"(?:(?P<escaped>[A-Za-z0-9=._/-]+)|!(?P<digest>[0-9a-f]{64}))"
    r"!(?P<write_id>[0-9a-f]{32})",
    re.ASCII,
)


def parse_bucket_name(text: str) -> BucketName:
    """Return text as a bucket name, or raise InvalidBucketName (AWS naming rules)."""
    if (
        not _BUCKET.fullmatch(text)
        or ".." in text
        or ".-" in text
        or "-." in text
        or _IP_ADDRESS.fullmatch(text)
        or text.startswith(_BUCKET_PREFIXES)
        or text.endswith(_BUCKET_SUFFIXES)
    ):
        raise InvalidBucketName(text)
    return BucketName(text)


def parse_object_key(raw: bytes) -> ObjectKey:
    """Return the key in raw (already percent-decoded once), never normalised.

    Raises KeyTooLong above 1024 bytes and InvalidUri for anything but UTF-8 or empty.
    """
    if len(raw) > limits.OBJECT_KEY_BYTES:
        raise KeyTooLong(len(raw), limits.OBJECT_KEY_BYTES)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidUri("the key is not valid UTF-8") from None
    if not text:
        raise InvalidUri("the key is empty")
    return ObjectKey(text)


def parse_backend_name(text: str) -> BackendName:
    """Return text as a backend name, or raise ValueError."""
    if not _BACKEND.fullmatch(text):
        raise ValueError("letters, digits, '.', '_' and '-' only, at most 63")
    return BackendName(text)


def make_version_id(now_us: int, randomness: bytes) -> VersionId:
    """Return a time-ordered 128-bit id: 48 bits of milliseconds, 80 of randomness."""
    assert len(randomness) == 10
    milliseconds = (now_us // 1000) & ((1 << 48) - 1)
    return VersionId(f"{milliseconds:012x}{randomness.hex()}")


def make_upload_id(now_us: int, randomness: bytes) -> UploadId:
    """Return an id for clients from 16 unpredictable bytes.

    It begins with 48 bits of milliseconds, so that the order of ids is the order of
    initiation that listings need.
    """
    assert len(randomness) == 16
    milliseconds = (now_us // 1000) & ((1 << 48) - 1)
    return UploadId(f"{milliseconds:012x}{randomness.hex()}")


def make_write_id(randomness: bytes) -> WriteId:
    """Return a write id from 16 unpredictable bytes."""
    assert len(randomness) == 16
    return WriteId(randomness.hex())


def escape_key(key: ObjectKey) -> str:
    """Return key with every byte escaped that a provider might mistreat."""
    parts: list[str] = []
    is_segment_empty = True
    for position, segment in enumerate(key.split("/")):
        if position and is_segment_empty:
            parts.append("=2F")
            is_segment_empty = False
        elif position:
            parts.append("/")
            is_segment_empty = True
        if segment:
            parts.append(_escape_segment(segment))
            is_segment_empty = False
    return "".join(parts)


def _escape_segment(segment: str) -> str:
    if segment in (".", ".."):
        return segment.replace(".", "=2E")
    return "".join(
        chr(byte) if byte in _KEPT else f"={byte:02X}"
        for byte in segment.encode("utf-8")
    )


def unescape_key(escaped: str) -> ObjectKey:
    """Return the key that escape_key was given; raises ValueError for anything else."""
    raw = bytearray()
    position = 0
    for match in _ESCAPE.finditer(escaped):
        raw += escaped[position : match.start()].encode("ascii")
        raw += bytes.fromhex(match[1])
        position = match.end()
    raw += escaped[position:].encode("ascii")
    key = ObjectKey(raw.decode("utf-8"))
    if escape_key(key) != escaped:
        raise ValueError("not an escaped key")
    return key


def make_storage_key(
    bucket: BucketName, key: ObjectKey, write_id: WriteId
) -> StorageKey:
    """Return the name of one write of key; readable, or hashed when too long."""
    escaped = escape_key(key)
    name = f"{bucket}/{escaped}!{write_id}"
    if (
        len(name) > limits.STORAGE_KEY_BYTES
        or max(map(len, name.split("/"))) > limits.STORAGE_KEY_SEGMENT_BYTES
    ):
        digest = hashlib.sha256(key.encode("utf-8")).hexdigest()
        name = f"{bucket}/!{digest}!{write_id}"
    return StorageKey(name)


def storage_key_prefix(bucket: BucketName, key: ObjectKey) -> str:
    """Return what every storage key of bucket and key starts with."""
    return make_storage_key(bucket, key, WriteId("0" * 32))[:-32]


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageName:
    """A storage key taken apart; key is None where the name holds only its digest."""

    bucket: BucketName
    key: ObjectKey | None
    key_digest: str | None
    write_id: WriteId


def parse_storage_key(text: str) -> StorageName:
    """Take a name of our own shape apart; raises ValueError for any other name."""
    match = _STORAGE_KEY.fullmatch(text)
    if match is None:
        raise ValueError("not a storage key of ours")
    escaped = match["escaped"]
    return StorageName(
        bucket=BucketName(match["bucket"]),
        key=unescape_key(escaped) if escaped is not None else None,
        key_digest=match["digest"],
        write_id=WriteId(match["write_id"]),
    )
