"""Decide what object a Complete makes, from what was uploaded and what is listed.

Rules (AWS): parts ascend, numbers may have gaps, parts that are not listed are dropped;
an ETag counts with or without quotes; every part but the last has the minimum size. The
ETag is the MD5 of the parts' MD5s with their number. A FULL_OBJECT checksum is the
parts' CRCs combined; a COMPOSITE one is the checksum of the parts' raw checksums with
their number, and then each listed part must bring its own. An upload whose Create named
no algorithm has CRC64NVME, and what its Complete says about checksums is ignored where
it is of another one; its object has none if a backend has copied a part by itself.
Nothing here is looked up, nothing changed.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html
"""

import base64
import hashlib
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from s3o.model.checksums import DEFAULT_ALGORITHM
from s3o.model.errors import (
    BadDigest,
    EntityTooSmall,
    InvalidPart,
    InvalidPartOrder,
    InvalidRequest,
)
from s3o.model.multipart import NATIVE_BLOB, Completion, Manifest, Part, Upload
from s3o.model.values import Checksum, ChecksumAlgorithm, ChecksumType, ManifestPart

Layout = tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, slots=True)
class ChecksumMath:
    """What wire.digests knows and a neighbour on this floor must be handed.

    combine: the CRC of two byte strings from both CRCs and the second's length.
    compute: the checksum of a few bytes.
    """

    combine: Callable[[Checksum, Checksum, int], Checksum]
    compute: Callable[[ChecksumAlgorithm, bytes], Checksum]


def plan_completion(
    upload: Upload,
    parts: Sequence[Part],
    manifest: Manifest,
    min_part_bytes: int,
    checksums: ChecksumMath,
) -> Completion:
    """Return the object that manifest makes of the latest attempts of upload's parts.

    Raises InvalidPartOrder, InvalidPart, EntityTooSmall, InvalidRequest, BadDigest.
    """
    pinned = _pin(upload, parts, manifest)
    _require_sizes(pinned, min_part_bytes)
    _require_part_checksums(upload, pinned, manifest)
    checksum = _checksum_of(upload, pinned, checksums)
    _require_final_checksum(upload, checksum, manifest)
    size = sum(part.size for part in pinned)
    if manifest.object_size not in (None, size):
        raise InvalidRequest(
            "The provided 'x-amz-mp-object-size' header does not match what was "
            "computed."
        )
    values = [part.checksum.value for part in pinned if part.checksum is not None]
    return Completion(
        pinned=tuple(pinned),
        etag=etag_of(pinned),
        checksum=checksum,
        size=size,
        part_sizes=tuple(part.size for part in pinned),
        part_checksums=tuple(values) if upload.checksum_algorithm else (),
        layout=plan_layout(pinned),
    )


def manifest_digest(manifest: Manifest) -> str:
    """Return what tells whether two Completes say the same, quotes of ETags aside."""
    lines = [
        f"{part.number} {_unquoted(part.etag)} "
        + " ".join(sorted(f"{one.algorithm}={one.value}" for one in part.checksums))
        for part in manifest.parts
    ]
    final = manifest.checksum
    lines.append(f"{final.algorithm}={final.value}" if final is not None else "")
    lines.append(f"{manifest.checksum_type} {manifest.object_size}")
    return hashlib.sha256("\n".join(lines).encode("utf-8")).hexdigest()


def etag_of(parts: Sequence[Part]) -> str:
    """Return the MD5 of the parts' MD5s, and how many they are."""
    raw = b"".join(bytes.fromhex(part.etag) for part in parts)
    return f"{hashlib.md5(raw, usedforsecurity=False).hexdigest()}-{len(parts)}"


def plan_layout(parts: Sequence[Part]) -> Layout:
    """Return where the bytes of parts are, in order; () is blob 0 as a whole.

    A backend's own upload joins its parts without the gaps that others leave, so runs
    of native parts continue each other.
    """
    runs: list[tuple[int, int, int]] = []
    native_bytes = 0
    for part in parts:
        if not part.is_native:
            runs.append((part.blob, 0, part.size))
            continue
        if runs and runs[-1][0] == NATIVE_BLOB:
            _, offset, length = runs.pop()
            runs.append((NATIVE_BLOB, offset, length + part.size))
        else:
            runs.append((NATIVE_BLOB, native_bytes, part.size))
        native_bytes += part.size
    is_whole = len(runs) == 1 and runs[0][0] == NATIVE_BLOB
    return () if is_whole else tuple(runs)


def _pin(upload: Upload, parts: Sequence[Part], manifest: Manifest) -> list[Part]:
    """Return the parts that are listed."""
    numbers = [listed.number for listed in manifest.parts]
    if any(later <= earlier for earlier, later in itertools.pairwise(numbers)):
        raise InvalidPartOrder(upload.upload_id)
    latest: Mapping[int, Part] = {part.number: part for part in parts}
    pinned: list[Part] = []
    for listed in manifest.parts:
        part = latest.get(listed.number)
        if part is None or part.etag != _unquoted(listed.etag):
            raise _invalid(upload, listed)
        pinned.append(part)
    return pinned


def _require_sizes(pinned: Sequence[Part], min_part_bytes: int) -> None:
    for part in pinned[:-1]:
        if part.size < min_part_bytes:
            raise EntityTooSmall(part.size, min_part_bytes, part.number, part.etag)


def _require_part_checksums(
    upload: Upload, pinned: Sequence[Part], manifest: Manifest
) -> None:
    """Compare what the manifest says of each part's checksum."""
    named = upload.checksum_algorithm
    is_needed = named is not None and upload.checksum_type is ChecksumType.COMPOSITE
    for part, listed in zip(pinned, manifest.parts, strict=True):
        known = part.checksum.algorithm if part.checksum is not None else None
        if known is not algorithm_of(upload) and known is not named:
            raise _invalid(upload, listed)  # uploading it again cures even that
        claims = {one.algorithm: one.value for one in listed.checksums}
        claimed = claims.get(algorithm_of(upload))
        if claimed is None and is_needed:
            raise InvalidRequest(
                f"The upload was created using a {str(named).lower()} checksum. The "
                "complete request must include the checksum for each part. It was "
                f"missing for part {part.number} in the request."
            )
        if claimed is not None and (
            part.checksum is None or claimed != part.checksum.value
        ):
            raise _invalid(upload, listed)


def algorithm_of(upload: Upload) -> ChecksumAlgorithm:
    """Return the algorithm of each part's stored checksum."""
    return upload.checksum_algorithm or DEFAULT_ALGORITHM


def _checksum_of(
    upload: Upload, pinned: Sequence[Part], checksums: ChecksumMath
) -> Checksum | None:
    known = [(part.checksum, part.size) for part in pinned if part.checksum is not None]
    if len(known) < len(pinned):
        assert upload.checksum_algorithm is None, "checked before"
        return None
    if upload.checksum_type is ChecksumType.COMPOSITE:
        raw = b"".join(base64.b64decode(checksum.value) for checksum, _ in known)
        value = checksums.compute(algorithm_of(upload), raw).value
        return Checksum(
            algorithm_of(upload), f"{value}-{len(known)}", ChecksumType.COMPOSITE
        )
    whole = checksums.compute(algorithm_of(upload), b"")
    for checksum, size in known:
        whole = checksums.combine(whole, checksum, size)
    return whole


def _require_final_checksum(
    upload: Upload, computed: Checksum | None, manifest: Manifest
) -> None:
    """Compare what the request's headers say about the object's checksum."""
    if upload.checksum_algorithm is None or computed is None:
        return
    if manifest.checksum_type not in (None, computed.type):
        raise InvalidRequest(
            f"The upload was created using the {computed.type} checksum mode. The "
            "complete request must use the same checksum mode."
        )
    claimed = manifest.checksum
    if claimed is None:
        return
    if claimed.algorithm is not computed.algorithm:
        raise InvalidRequest(
            "Checksum Type mismatch occurred, expected checksum Type: "
            f"{str(computed.algorithm).lower()}, actual checksum Type: "
            f"{str(claimed.algorithm).lower()}"
        )
    # SDKs send a composite value with or without the number of parts behind it.
    if claimed.value not in (computed.value, computed.value.partition("-")[0]):
        raise BadDigest(str(computed.algorithm), claimed.value, computed.value)


def _invalid(upload: Upload, listed: ManifestPart) -> InvalidPart:
    return InvalidPart(upload.upload_id, listed.number, _unquoted(listed.etag))


def _unquoted(etag: str) -> str:
    return etag.strip('"')
