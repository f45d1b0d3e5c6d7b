"""What object a Complete makes: vectors, refusals, and properties over random parts."""

import base64
import hashlib
import random
import zlib
from dataclasses import replace

import pytest

from s3o.model.errors import (
    BadDigest,
    EntityTooSmall,
    InvalidPart,
    InvalidPartOrder,
    InvalidRequest,
)
from s3o.model.multipart import Completion, Manifest, Part, Upload, UploadState
from s3o.model.names import (
    BackendName,
    BucketId,
    ObjectKey,
    StorageKey,
    UploadId,
    VersionId,
)
from s3o.model.values import (
    Checksum,
    ChecksumAlgorithm,
    ChecksumType,
    ManifestPart,
    ObjectFacts,
)
from s3o.policy.multipart import (
    ChecksumMath,
    etag_of,
    manifest_digest,
    plan_completion,
    plan_layout,
)
from s3o.wire.digests import Hasher, checksum_of_bytes, combine_crcs

CRC32, CRC64NVME = ChecksumAlgorithm.CRC32, ChecksumAlgorithm.CRC64NVME
SHA256 = ChecksumAlgorithm.SHA256
FULL_OBJECT, COMPOSITE = ChecksumType.FULL_OBJECT, ChecksumType.COMPOSITE
MATHS = ChecksumMath(combine=combine_crcs, compute=checksum_of_bytes)
MINIMUM = 5
CRC64 = Checksum(CRC64NVME, "AAAAAAAAAAA=")


def upload_of(
    algorithm: ChecksumAlgorithm | None = None, kind: ChecksumType | None = None
) -> Upload:
    """An open upload."""
    return Upload(
        upload_id=UploadId("u"),
        bucket_id=BucketId(1),
        key=ObjectKey("k"),
        version_id=VersionId("v"),
        state=UploadState.OPEN,
        backend=BackendName("one"),
        storage_key=StorageKey("s"),
        backend_upload_id="native",
        facts=ObjectFacts(),
        checksum_algorithm=algorithm,
        checksum_type=kind,
        native_part_size=None,
        manifest=None,
        initiator="me",
        created_at_us=0,
        active_at_us=0,
    )


def part_of(
    number: int,
    data: bytes,
    algorithm: ChecksumAlgorithm = CRC64NVME,
    *,
    blob: int = 0,
) -> Part:
    """A part with that content; blob 0 is the native upload."""
    return Part(
        number=number,
        attempt=1,
        is_native=blob == 0,
        blob=blob,
        backend=BackendName("one"),
        storage_key=StorageKey("s"),
        backend_etag="e",
        backend_version=None,
        size=len(data),
        stored_bytes=len(data),
        stored_md5=None,
        etag=hashlib.md5(data).hexdigest(),
        checksum=checksum_of_bytes(algorithm, data),
        created_at_us=0,
    )


def listed(*parts: Part) -> Manifest:
    """A manifest with everything an SDK sends back."""
    return Manifest(
        parts=tuple(
            ManifestPart(
                number=part.number,
                etag=part.etag,
                checksums=() if part.checksum is None else (part.checksum,),
            )
            for part in parts
        )
    )


def plan(
    parts: list[Part], manifest: Manifest | None = None, upload: Upload | None = None
) -> Completion:
    """Plan with the minimum of these tests."""
    return plan_completion(
        upload or upload_of(), parts, manifest or listed(*parts), MINIMUM, MATHS
    )


def test_the_etag_is_the_md5_of_md5s() -> None:
    """rclone and s3cmd recompute it."""
    parts = [part_of(1, b"hello"), part_of(2, b"world")]
    raw = hashlib.md5(b"hello").digest() + hashlib.md5(b"world").digest()

    assert f"{hashlib.md5(raw).hexdigest()}-2" == plan(parts).etag
    # Independently: both digests through xxd and md5sum.
    assert "065947336a2f2a95ba8899f3675c3be6-2" == etag_of(parts)


def test_numbers_may_have_gaps_and_unlisted_parts_are_dropped() -> None:
    """Only what the client lists is the object."""
    parts = [part_of(number, b"x" * (5 + number)) for number in (1, 3, 7, 9)]
    completion = plan(parts, listed(parts[1], parts[3]))

    assert (parts[1], parts[3]) == completion.pinned
    assert (22, (8, 14)) == (completion.size, completion.part_sizes)


@pytest.mark.parametrize("numbers", [(2, 1), (1, 1), (1, 3, 2)])
def test_parts_ascend(numbers: tuple[int, ...]) -> None:
    """The order is the object; a wrong one is nobody's intention."""
    parts = {number: part_of(number, b"hello") for number in (1, 2, 3)}

    with pytest.raises(InvalidPartOrder):
        plan(list(parts.values()), listed(*(parts[number] for number in numbers)))


def test_a_part_is_known_by_number_and_etag() -> None:
    """Quotes are decoration, the digest is not."""
    part = part_of(1, b"hello")
    quoted = Manifest(parts=(ManifestPart(number=1, etag=f'"{part.etag}"'),))
    assert (part,) == plan([part], quoted).pinned

    for number, etag in ((2, part.etag), (10_001, part.etag), (1, "0" * 32), (1, "")):
        wrong = Manifest(parts=(ManifestPart(number=number, etag=etag),))
        with pytest.raises(InvalidPart) as refused:
            plan([part], wrong)
        assert (number, etag) == (refused.value.part_number, refused.value.etag)


def test_every_part_but_the_last_has_the_minimum_size() -> None:
    """Counted among the listed ones, in the client's bytes."""
    small, fine = part_of(1, b"1234"), part_of(2, b"12345")
    assert 5 == plan([fine, replace(small, number=3)], listed(fine)).size
    assert 9 == plan([fine, replace(small, number=3)]).size
    assert 4 == plan([small]).size

    with pytest.raises(EntityTooSmall) as refused:
        plan([small, fine])
    assert (4, 5, 1, small.etag) == (
        refused.value.size_bytes,
        refused.value.minimum_bytes,
        refused.value.part_number,
        refused.value.etag,
    )


def test_without_an_algorithm_the_object_has_crc64nvme() -> None:
    """What the Complete says about checksums is ignored then, where it is another."""
    parts = [part_of(1, b"12345"), part_of(2, b"6789")]
    manifest = replace(
        listed(*parts),
        checksum=Checksum(CRC32, "AAAAAA=="),
        checksum_type=COMPOSITE,
    )
    foreign = Manifest(
        parts=tuple(
            replace(one, checksums=(Checksum(CRC32, "AAAAAA=="),))
            for one in manifest.parts
        )
    )

    for said in (manifest, foreign, listed(*parts)):
        completion = plan(parts, said)
        assert Checksum(CRC64NVME, "rosUhgp5mIg=") == completion.checksum
        assert () == completion.part_checksums


def test_a_full_object_checksum_is_verified() -> None:
    """The one number that proves all bytes end to end."""
    upload = upload_of(CRC32, FULL_OBJECT)
    parts = [part_of(1, b"12345", CRC32), part_of(2, b"6789", CRC32)]
    unnamed = Manifest(
        parts=tuple(replace(one, checksums=()) for one in listed(*parts).parts)
    )
    good = replace(unnamed, checksum=Checksum(CRC32, "y/Q5Jg=="))

    completion = plan(parts, replace(good, checksum_type=FULL_OBJECT), upload)
    assert Checksum(CRC32, "y/Q5Jg==") == completion.checksum
    assert 2 == len(completion.part_checksums)
    with pytest.raises(BadDigest) as refused:
        plan(parts, replace(good, checksum=Checksum(CRC32, "AAAAAA==")), upload)
    assert ("CRC32", "AAAAAA==", "y/Q5Jg==") == (
        refused.value.algorithm,
        refused.value.expected,
        refused.value.computed,
    )
    for wrong in (
        replace(good, checksum=Checksum(SHA256, "AAAA")),
        replace(good, checksum_type=COMPOSITE),
    ):
        with pytest.raises(InvalidRequest):
            plan(parts, wrong, upload)


@pytest.mark.parametrize("algorithm", list(ChecksumAlgorithm))
def test_a_composite_checksum_is_of_the_parts_checksums(
    algorithm: ChecksumAlgorithm,
) -> None:
    """With the number of parts behind it; SDKs send it back with or without."""
    upload = upload_of(algorithm, COMPOSITE)
    parts = [part_of(1, b"12345", algorithm), part_of(2, b"6789", algorithm)]
    raw = b"".join(
        base64.b64decode(part.checksum.value)
        for part in parts
        if part.checksum is not None
    )
    value = checksum_of_bytes(algorithm, raw).value
    expected = Checksum(algorithm, f"{value}-2", COMPOSITE)

    for claimed in (None, value, f"{value}-2"):
        final = None if claimed is None else Checksum(algorithm, claimed)
        manifest = replace(listed(*parts), checksum=final, checksum_type=COMPOSITE)
        assert expected == plan(parts, manifest, upload).checksum
    final = Checksum(algorithm, f"{value}-3")
    with pytest.raises(BadDigest):
        plan(parts, replace(listed(*parts), checksum=final), upload)


def test_a_composite_checksum_known_from_elsewhere() -> None:
    """CRC32 of two CRC32s, computed with zlib."""
    upload = upload_of(CRC32, COMPOSITE)
    parts = [part_of(1, b"hello", CRC32), part_of(2, b"world", CRC32)]
    raw = b"".join(zlib.crc32(word).to_bytes(4, "big") for word in (b"hello", b"world"))
    value = base64.b64encode(zlib.crc32(raw).to_bytes(4, "big")).decode()

    assert (
        Checksum(CRC32, f"{value}-2", COMPOSITE) == plan(parts, None, upload).checksum
    )


def test_a_composite_upload_lists_every_parts_checksum() -> None:
    """AWS's own words name the part."""
    upload = upload_of(SHA256, COMPOSITE)
    parts = [part_of(1, b"12345", SHA256), part_of(2, b"6789", SHA256)]
    first, second = listed(*parts).parts
    for bare in (
        replace(second, checksums=()),
        replace(second, checksums=(Checksum(CRC32, "AAAAAA=="),)),
    ):
        with pytest.raises(InvalidRequest) as refused:
            plan(parts, Manifest(parts=(first, bare)), upload)
        assert "missing for part 2" in refused.value.reason
        assert "sha256 checksum" in refused.value.reason


@pytest.mark.parametrize(
    "upload", [upload_of(), upload_of(CRC64NVME, FULL_OBJECT)], ids=["none", "named"]
)
def test_a_parts_checksum_that_is_wrong_is_no_such_part(upload: Upload) -> None:
    """The client means other bytes than we have."""
    part = part_of(1, b"12345")
    wrong = Manifest(
        parts=(
            ManifestPart(
                number=1,
                etag=part.etag,
                checksums=(Checksum(CRC64NVME, "AAAAAAAAAAA="),),
            ),
        )
    )

    with pytest.raises(InvalidPart):
        plan([part], wrong, upload)


@pytest.mark.parametrize(
    ("algorithm", "checksum"),
    [(None, Checksum(CRC32, "AAAAAA==")), (CRC32, None), (CRC32, CRC64)],
)
def test_a_part_without_its_checksum_is_asked_for_again(
    algorithm: ChecksumAlgorithm | None, checksum: Checksum | None
) -> None:
    """A damaged row must not become a checksum that proves nothing."""
    part = replace(part_of(1, b"12345"), checksum=checksum)
    manifest = Manifest(parts=(ManifestPart(number=1, etag=part.etag),))

    with pytest.raises(InvalidPart):
        plan([part], manifest, upload_of(algorithm))


def test_of_bytes_that_nobody_read_there_is_no_checksum() -> None:
    """A backend has copied the second part by itself; a claim about it is refused."""
    parts = [part_of(1, b"12345"), replace(part_of(2, b"678"), checksum=None)]

    completion = plan(parts, listed(*parts))
    claimed = ManifestPart(number=2, etag=parts[1].etag, checksums=(CRC64,))

    assert (None, ()) == (completion.checksum, completion.part_checksums)
    assert etag_of(parts) == completion.etag
    with pytest.raises(InvalidPart):
        plan(parts, Manifest(parts=(*listed(parts[0]).parts, claimed)))


def test_the_declared_size_of_the_object_is_verified() -> None:
    """x-amz-mp-object-size; 0 is a size, too."""
    parts = [part_of(1, b"12345"), part_of(2, b"6789")]
    assert 9 == plan(parts, replace(listed(*parts), object_size=9)).size
    assert (
        0
        == plan([part_of(1, b"")], replace(listed(part_of(1, b"")), object_size=0)).size
    )

    for size in (0, 8):
        with pytest.raises(InvalidRequest):
            plan(parts, replace(listed(*parts), object_size=size))


def test_layouts() -> None:
    """Native parts continue each other in blob 0, others start blobs of their own."""
    native, blob = part_of(1, b"12345"), part_of(2, b"123456", blob=4)
    last, other = part_of(3, b"1234567"), part_of(4, b"12345678", blob=2)

    assert () == plan_layout([native, last])
    assert ((4, 0, 6),) == plan_layout([blob])
    assert ((0, 0, 5), (4, 0, 6), (0, 5, 7), (2, 0, 8)) == plan_layout(
        [native, blob, last, other]
    )
    assert ((4, 0, 6), (0, 0, 12), (2, 0, 8)) == plan_layout(
        [blob, native, last, other]
    )


def test_a_digest_tells_manifests_apart() -> None:
    """A repetition may join in, another manifest may not."""
    one, two = part_of(1, b"12345"), part_of(2, b"6789")
    base = listed(one, two)
    quoted = replace(
        base,
        parts=tuple(replace(part, etag=f'"{part.etag}"') for part in base.parts),
    )
    others = [
        listed(one),
        listed(two),
        replace(base, object_size=9),
        replace(base, checksum=Checksum(CRC32, "AAAAAA==")),
        replace(base, checksum_type=FULL_OBJECT),
        Manifest(parts=tuple(replace(part, checksums=()) for part in base.parts)),
        Manifest(parts=(replace(base.parts[0], etag="e"), base.parts[1])),
    ]

    assert manifest_digest(base) == manifest_digest(quoted)
    digests = {manifest_digest(one) for one in (base, *others)}
    assert len(others) + 1 == len(digests)


@pytest.mark.parametrize("seed", range(60))
def test_any_parts_make_the_object_of_their_bytes(seed: int) -> None:
    """Whatever is listed of whatever was uploaded: bytes, sizes and sums agree."""
    chance = random.Random(seed)
    algorithm, kind = chance.choice(
        [
            (None, None),
            (CRC64NVME, FULL_OBJECT),
            (CRC32, FULL_OBJECT),
            (ChecksumAlgorithm.CRC32C, FULL_OBJECT),
            (CRC32, COMPOSITE),
            (SHA256, COMPOSITE),
        ]
    )
    blobs = iter(range(1, 99))
    contents: dict[int, bytes] = {}
    parts: list[Part] = []
    for number in sorted(chance.sample(range(1, 10_001), chance.randrange(1, 12))):
        data = chance.randbytes(chance.randrange(MINIMUM, 40))
        blob = 0 if chance.random() < 0.6 else next(blobs)
        contents[number] = data
        parts.append(part_of(number, data, algorithm or CRC64NVME, blob=blob))
    wanted = [part for part in parts if chance.random() < 0.8] or parts[:1]
    completion = plan(parts, listed(*wanted), upload_of(algorithm, kind))

    data = b"".join(contents[part.number] for part in wanted)
    assert tuple(wanted) == completion.pinned
    assert (len(data), sum(completion.part_sizes)) == (completion.size, len(data))
    assert data == _read(completion, contents)
    if kind is COMPOSITE:
        assert completion.checksum.value.endswith(f"-{len(wanted)}")
    else:
        hasher = Hasher(checksum=algorithm or CRC64NVME)
        hasher.update(data)
        assert hasher.checksum() == completion.checksum


def _read(completion: Completion, contents: dict[int, bytes]) -> bytes:
    """Put the object together from its blobs, as a reader does by the layout."""
    blobs: dict[int, bytes] = {}
    for part in completion.pinned:
        blobs[part.blob] = blobs.get(part.blob, b"") + contents[part.number]
    layout = completion.layout or ((0, 0, completion.size),)
    return b"".join(
        blobs[blob][offset : offset + length] for blob, offset, length in layout
    )
