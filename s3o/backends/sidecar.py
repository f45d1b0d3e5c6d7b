"""The sidecar of a blob in a directory: what headers are to a blob on S3.

JSON, read with suspicion: it lies on a disk that others may write to.
"""

import json
from dataclasses import dataclass

from s3o.model.values import BlobHeaders, Pairs

FORMAT = 1
SIDECAR_BYTES = 256 * 1024  # record, metadata and headers are a few KiB


@dataclass(frozen=True, slots=True, kw_only=True)
class Sidecar:
    """What was known of the blob when it was written."""

    stored_bytes: int
    headers: BlobHeaders


def render_sidecar(sidecar: Sidecar) -> bytes:
    """Return the sidecar's text."""
    headers = sidecar.headers
    document = {
        "format": FORMAT,
        "stored_bytes": sidecar.stored_bytes,
        "record": headers.record,
        "content_type": headers.content_type,
        "headers": headers.headers,
        "metadata": headers.metadata,
        "stored_md5": headers.stored_md5,
        "stored_sha256": headers.stored_sha256,
    }
    return json.dumps(document, indent=1).encode("ascii") + b"\n"


def parse_sidecar(raw: bytes) -> Sidecar:
    """Return what the text says; ValueError if it is damaged or of another format."""
    try:
        document: object = json.loads(raw)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ValueError("not a sidecar of this format")
    stored_bytes, content_type = (
        document.get("stored_bytes"),
        document.get("content_type"),
    )
    if type(stored_bytes) is not int or not isinstance(content_type, str):
        raise ValueError("a field is missing")
    return Sidecar(
        stored_bytes=stored_bytes,
        headers=BlobHeaders(
            record=_pairs(document.get("record")),
            content_type=content_type,
            headers=_pairs(document.get("headers")),
            metadata=_pairs(document.get("metadata")),
            stored_md5=_optional(document.get("stored_md5")),
            stored_sha256=_optional(document.get("stored_sha256")),
        ),
    )


def _pairs(value: object) -> Pairs:
    if not isinstance(value, list):
        raise ValueError("not a list of pairs")  # noqa: TRY004 - input, not a bug
    pairs: list[tuple[str, str]] = []
    for item in value:
        match item:
            case [str(name), str(text)]:
                pairs.append((name, text))
            case _:
                raise ValueError("not a pair of texts")
    return tuple(pairs)


def _optional(value: object) -> str | None:
    if value is not None and not isinstance(value, str):
        raise ValueError("not a text")
    return value
