"""The only way to a body: each mode, each digest, each damage."""

import base64
import hashlib
import io
import zlib

import pytest
from botocore.httpchecksum import AwsChunkedWrapper, Crc32Checksum
from hypothesis import given
from hypothesis import strategies as st

from s3o.model import limits
from s3o.model.errors import (
    BadDigest,
    ContentSha256Mismatch,
    EntityTooLarge,
    IncompleteBody,
    InvalidArgument,
    InvalidChunkSize,
    InvalidDigest,
    InvalidRequest,
    MalformedTrailer,
    MessageTooLong,
    MissingContentLength,
    SignatureMismatch,
)
from s3o.model.values import Checksum, ChecksumAlgorithm
from s3o.s3api.body import open_body, read_document
from s3o.wire.aws_chunked import Form
from s3o.wire.digests import DIGEST_BYTES, Hasher, checksum_header
from tests.s3api.callers import Sent, check, make_head, presign, sha256, sign_head
from tests.wire.framing import frame_chunks

SIGNED, SIGNED_TRAILER, UNSIGNED = Form
DATA = b"the quick brown fox " * 1000  # 20 000 bytes
PLAIN_MODES = ("UNSIGNED-PAYLOAD", "hash")
TRAILER_FORMS = (SIGNED_TRAILER, UNSIGNED)


def b64(raw):
    return base64.b64encode(raw).decode()


def md5(data):
    return b64(hashlib.md5(data).digest())


def crc32(data):
    return b64(zlib.crc32(data).to_bytes(4, "big"))


class Upload:
    """One PUT in the making: change its parts, then open it."""

    def __init__(self, mode, data=DATA, *, headers=(), trailer=None, announced=None):
        self.mode = mode
        self.data = data
        headers = list(headers)
        announced = announced or (trailer and trailer[0])
        if announced:
            headers.append(("x-amz-trailer", announced))
        if mode == "hash":
            payload, is_framed = sha256(data), False
        else:
            payload, is_framed = str(mode), isinstance(mode, Form)
        if is_framed:
            headers.append(("x-amz-decoded-content-length", str(len(data))))
        head, chain = sign_head("PUT", headers=headers, payload=payload)
        self.wire = data
        if is_framed:
            chunks = [data[at : at + 8192] for at in range(0, len(data), 8192)]
            self.wire = frame_chunks(mode, chunks, chain, trailer)
        self.head = head

    def open(self, *, split=None, length="wire", is_chunked=False, **limit):
        size = len(self.wire) if length == "wire" else length
        head = make_head(
            "PUT",
            self.head.target,
            self.head.headers,
            length=None if is_chunked else size,
            is_chunked=is_chunked,
        )
        step = split or limits.PIECE_BYTES
        pieces = [self.wire[at : at + step] for at in range(0, len(self.wire), step)]
        self.sent = Sent(pieces)
        return open_body(self.sent, check(head).body, **limit)


async def read_all(source, pieces=None):
    pieces = [] if pieces is None else pieces
    while piece := await source.read():
        assert len(piece) <= limits.PIECE_BYTES
        pieces.append(piece)
    return pieces


async def read_until_refused(source, error):
    """Return the bytes that got out before the refusal."""
    seen = []
    with pytest.raises(error) as refusal:
        await read_all(source, seen)
    seen = b"".join(seen)
    assert len(seen) < source.size or not source.size
    with pytest.raises(AssertionError):
        source.digests  # noqa: B018
    return seen, refusal.value


ALL_MODES = [*PLAIN_MODES, *Form]


async def test_another_checksum_than_the_declared_one_can_be_kept():
    """An upload needs one algorithm of all its parts; its clients may send any."""
    wrong = Upload("hash", headers=[("x-amz-checksum-crc32", crc32(b"other"))])
    right = Upload("hash", headers=[("x-amz-checksum-crc32", crc32(DATA))])
    kept = ChecksumAlgorithm.SHA1

    with pytest.raises(BadDigest):
        await read_all(wrong.open(algorithm=kept))
    source = right.open(algorithm=kept)
    await read_all(source)

    expected = b64(hashlib.sha1(DATA).digest())
    assert Checksum(kept, expected) == source.digests.checksum
    assert Checksum(ChecksumAlgorithm.CRC32, crc32(DATA)) == source.digests.declared


@pytest.mark.parametrize("mode", ALL_MODES)
@pytest.mark.parametrize("size", [0, 1, 8192, 20_000, 600_000])
@pytest.mark.parametrize("split", [None, 1000])
async def test_every_mode_yields_the_clients_bytes_and_their_digests(mode, size, split):
    """Six ways to send the same object make the same object."""
    data = (DATA * 30)[:size]
    upload = Upload(mode, data, headers=[("content-md5", md5(data))])
    source = upload.open(split=split)

    assert size == source.size
    assert data == b"".join(await read_all(source))
    assert b"" == await source.read()
    assert hashlib.md5(data).hexdigest() == source.digests.md5
    assert ChecksumAlgorithm.CRC64NVME is source.digests.checksum.algorithm
    expected = sha256(data) if mode == "hash" else None
    assert expected == source.digests.sha256 == source.declared_sha256


@given(
    mode=st.sampled_from(ALL_MODES),
    size=st.integers(0, 70_000),
    split=st.integers(1, 70_000),
)
def test_any_split_of_the_input_gives_the_same_object(mode, size, split):
    """Two chunkings and TCP cut where they like."""
    data = (DATA * 4)[:size]
    trailer = ("x-amz-checksum-crc32", crc32(data)) if mode in TRAILER_FORMS else None
    source = Upload(mode, data, trailer=trailer).open(split=max(split, size // 200))

    pieces = run(read_all(source))
    assert data == b"".join(pieces)
    if trailer:
        expected = Checksum(ChecksumAlgorithm.CRC32, trailer[1])
        assert expected == source.digests.checksum


def run(coroutine):
    """Run a coroutine that never waits."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("it waits")


async def test_an_unsigned_trailer_body_comes_without_a_content_length():
    """What boto3 sends over TLS: HTTP chunks around aws-chunks."""
    trailer = ("x-amz-checksum-crc32", crc32(DATA))
    upload = Upload(
        UNSIGNED,
        trailer=trailer,
        headers=[
            ("content-encoding", "aws-chunked"),
            ("x-amz-sdk-checksum-algorithm", "CRC32"),
        ],
    )

    assert DATA == b"".join(await read_all(upload.open(is_chunked=True)))


@pytest.mark.parametrize("size", [0, 1, 20_000])
async def test_what_botocore_frames_decodes(size):
    """Differential: the framing of boto3 and awscli, trailer included."""
    data = DATA[:size]
    framed = AwsChunkedWrapper(
        io.BytesIO(data),
        checksum_cls=Crc32Checksum,
        checksum_name="x-amz-checksum-crc32",
        chunk_size=8192,
    ).read()
    upload = Upload(UNSIGNED, data, announced="x-amz-checksum-crc32")
    upload.wire = framed
    source = upload.open(is_chunked=True)

    assert data == b"".join(await read_all(source))
    assert crc32(data) == source.digests.checksum.value


async def test_tiny_chunks_are_joined():
    """A body of one-byte chunks must not cost a backend call per byte."""
    upload = Upload(UNSIGNED, DATA)
    upload.wire = frame_chunks(UNSIGNED, [b"x"] * 20_000, None)

    assert 1 == len(await read_all(upload.open()))


# ---- the completing piece


@pytest.mark.parametrize("mode", ALL_MODES)
async def test_the_last_bytes_come_out_only_after_everything_was_verified(mode):
    """A backend that has all bytes has an object; there is no taking it back."""
    upload = Upload(mode, headers=[("content-md5", md5(b"something else"))])
    source = upload.open(split=512)

    seen, error = await read_until_refused(source, BadDigest)
    assert seen == DATA[: len(seen)]
    assert "Content-MD5" == error.algorithm
    with pytest.raises((BadDigest, SignatureMismatch)):
        await source.read()


@pytest.mark.parametrize("mode", ALL_MODES)
async def test_an_empty_body_is_verified_in_its_first_read(mode):
    """Nothing may be sent for it before."""
    upload = Upload(mode, b"", headers=[("content-md5", md5(b"x"))])

    await read_until_refused(upload.open(), BadDigest)


async def test_a_body_that_is_not_the_signed_hash_is_refused():
    """The signature covers the hash; the hash must cover the body."""
    upload = Upload("hash")
    upload.wire = DATA[:-1] + b"!"

    _, error = await read_until_refused(upload.open(split=777), ContentSha256Mismatch)
    assert (sha256(DATA), sha256(upload.wire)) == (error.expected, error.computed)


async def test_an_upper_case_hash_is_the_same_hash():
    """Hexadecimal has two spellings."""
    head, _ = sign_head("PUT", payload=sha256(b"x").upper(), length=1)

    source = open_body(Sent([b"x"]), check(head).body)
    assert [b"x"] == await read_all(source)


async def test_a_presigned_hash_is_verified():
    """X-Amz-Content-Sha256 in the query binds the body as the header does."""
    head = presign(
        "PUT", query={"X-Amz-Content-Sha256": sha256(b"x")}, payload=sha256(b"x")
    )
    plan = check(make_head("PUT", head.target, head.headers, length=1)).body

    assert [b"x"] == await read_all(open_body(Sent([b"x"]), plan))
    with pytest.raises(ContentSha256Mismatch):
        await open_body(Sent([b"y"]), plan).read()


# ---- damage on the way, per form

DAMAGE = {
    "a byte of the data": lambda wire: wire.replace(b"quick", b"quack", 1),
    "the last byte": lambda wire: wire.replace(b"fox \r\n", b"fox!\r\n"),
    "the final chunk": lambda wire: wire[: wire.rindex(b"\r\n0") + 2],
    "half of it": lambda wire: wire[: len(wire) // 2],
    "nothing": lambda wire: b"",
    "bytes after the end": lambda wire: wire + b"0\r\n\r\n",
    "no framing": lambda wire: DATA + b" " * 100,
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("form", Form)
async def test_damage_on_the_way_is_refused_in_every_form(form, damage):
    """Whatever is missing, changed or added: nothing is stored."""
    trailer = ("x-amz-checksum-crc32", crc32(DATA)) if form in TRAILER_FORMS else None
    upload = Upload(form, trailer=trailer)
    upload.wire = DAMAGE[damage](upload.wire)
    source = upload.open(is_chunked=True)

    errors = (
        *(BadDigest, IncompleteBody, InvalidRequest, MalformedTrailer),
        SignatureMismatch,
    )
    await read_until_refused(source, errors)


@pytest.mark.parametrize("form", [SIGNED, SIGNED_TRAILER])
async def test_a_wrong_chunk_signature_is_refused_before_its_data_comes_out(form):
    """Also for the final chunk, which has no data."""
    for number in range(4):
        upload = Upload(form)
        parts = upload.wire.split(b"chunk-signature=")
        digit = b"0" if parts[number + 1][:1] != b"0" else b"1"
        parts[number + 1] = digit + parts[number + 1][1:]
        upload.wire = b"chunk-signature=".join(parts)

        seen, _ = await read_until_refused(upload.open(split=4000), SignatureMismatch)
        assert seen == DATA[: min(number, 2) * 8192][: len(seen)]


async def test_small_signed_chunks_are_refused():
    """AWS: all but the last have at least 8 KiB."""
    headers = [("x-amz-decoded-content-length", "20000")]
    head, chain = sign_head("PUT", headers=headers, payload=str(SIGNED))
    wire = frame_chunks(SIGNED, [DATA[:100], DATA[100:]], chain)
    plan = check(make_head("PUT", head.target, head.headers, length=len(wire))).body

    await read_until_refused(open_body(Sent([wire]), plan), InvalidChunkSize)


@pytest.mark.parametrize("mode", PLAIN_MODES)
async def test_a_plain_body_that_breaks_off_is_incomplete(mode):
    """Short data is never returned as if it were whole."""
    source = Upload(mode).open(length=len(DATA) + 1)

    _, error = await read_until_refused(source, IncompleteBody)
    assert (20_001, 20_000) == (error.expected_bytes, error.received_bytes)


# ---- checksums

CRC = ("x-amz-checksum-crc32", "AAAAAA==")


@pytest.mark.parametrize("form", TRAILER_FORMS)
async def test_a_wrong_checksum_in_the_trailer_is_refused(form):
    """The most common declaration there is: every SDK's default over TLS."""
    source = Upload(form, trailer=("x-amz-checksum-crc32", crc32(b"x"))).open()

    _, error = await read_until_refused(source, BadDigest)
    assert ("CRC32", crc32(b"x"), crc32(DATA)) == (
        error.algorithm,
        error.expected,
        error.computed,
    )


@pytest.mark.parametrize("mode", ALL_MODES)
async def test_a_checksum_header_is_verified_and_kept(mode):
    """It is stored with the object and returned."""
    right = Upload(mode, headers=[("x-amz-checksum-crc32", crc32(DATA))]).open()
    wrong = Upload(mode, headers=[("x-amz-checksum-crc32", crc32(b"x"))]).open()

    await read_all(right)
    assert Checksum(ChecksumAlgorithm.CRC32, crc32(DATA)) == right.digests.checksum
    await read_until_refused(wrong, BadDigest)


@pytest.mark.parametrize(
    ("trailer", "announced", "error"),
    [
        (("x-amz-checksum-crc32", "AAAA"), None, InvalidRequest),
        (("x-amz-checksum-crc32", "!"), None, InvalidRequest),
        (None, "x-amz-checksum-crc32", MalformedTrailer),
        (
            ("x-amz-checksum-crc32c", "AAAAAA=="),
            "x-amz-checksum-crc32",
            MalformedTrailer,
        ),
    ],
)
@pytest.mark.parametrize("form", TRAILER_FORMS)
async def test_a_trailer_that_is_not_the_announced_checksum_is_refused(
    form, trailer, announced, error
):
    """x-amz-trailer is signed; the trailer must be what it says."""
    source = Upload(form, trailer=trailer, announced=announced).open()

    await read_until_refused(source, error)


@pytest.mark.parametrize(
    ("mode", "headers", "error"),
    [
        ("hash", [CRC, ("x-amz-checksum-sha1", b64(bytes(20)))], InvalidRequest),
        ("hash", [("x-amz-checksum-crc33", "AAAAAA==")], InvalidRequest),
        ("hash", [("x-amz-checksum-crc32", "AAAA")], InvalidRequest),
        ("hash", [("x-amz-checksum-crc32", "")], InvalidRequest),
        ("hash", [("x-amz-checksum-crc32", "AAAAAA=")], InvalidRequest),
        ("hash", [CRC, ("x-amz-sdk-checksum-algorithm", "SHA1")], InvalidRequest),
        ("hash", [("x-amz-sdk-checksum-algorithm", "CRC32")], InvalidRequest),
        ("hash", [("x-amz-trailer", CRC[0])], InvalidRequest),
        (SIGNED, [("x-amz-trailer", CRC[0])], InvalidRequest),
        (UNSIGNED, [CRC, ("x-amz-trailer", CRC[0])], InvalidRequest),
        (UNSIGNED, [("x-amz-trailer", "x-amz-meta-a")], InvalidRequest),
        (
            UNSIGNED,
            [("x-amz-trailer", f"{CRC[0]},x-amz-checksum-sha1")],
            InvalidRequest,
        ),
        ("hash", [("content-md5", "")], InvalidDigest),
        ("hash", [("content-md5", "AAAA")], InvalidDigest),
        ("hash", [("content-md5", "x" * 24)], InvalidDigest),
    ],
)
async def test_declarations_that_cannot_be_met_are_refused_before_reading(
    mode, headers, error
):
    """A declared digest that nobody checks is a promise broken."""
    upload = Upload(mode, headers=headers)

    with pytest.raises(error):
        upload.open()
    assert 0 == upload.sent.reads


@pytest.mark.parametrize("place", ["header", "trailer"])
@pytest.mark.parametrize("algorithm", list(ChecksumAlgorithm))
async def test_every_algorithm_is_verified_in_header_and_trailer(algorithm, place):
    """SDKs choose any of the ten; one taken on faith is a promise broken."""
    name = checksum_header(algorithm)
    hasher = Hasher(checksum=algorithm)
    hasher.update(DATA)
    right = hasher.checksum()
    wrong = b64(bytes(DIGEST_BYTES[algorithm]))

    def open_with(value):
        if place == "trailer":
            return Upload(UNSIGNED, trailer=(name, value)).open()
        return Upload("hash", headers=[(name, value)]).open()

    source = open_with(right.value)
    assert DATA == b"".join(await read_all(source))
    assert right == source.digests.checksum
    with pytest.raises(BadDigest) as caught:
        await read_all(open_with(wrong))
    assert (str(algorithm), wrong) == (caught.value.algorithm, caught.value.expected)
    with pytest.raises(InvalidRequest, match=f"Value for {name} header is invalid"):
        await read_all(open_with("AA=="))


async def test_checksums_in_a_presigned_query_are_ignored():
    """JS presigns the checksum of an empty body for whatever comes later."""
    query = {
        "x-amz-checksum-crc32": "AAAAAA==",
        "x-amz-sdk-checksum-algorithm": "CRC32",
    }
    head = presign("PUT", query=query)
    plan = check(make_head("PUT", head.target, head.headers, length=1)).body
    source = open_body(Sent([b"x"]), plan)

    assert [b"x"] == await read_all(source)


# ---- length


@pytest.mark.parametrize("mode", PLAIN_MODES)
async def test_a_body_without_a_length_is_refused_before_reading(mode):
    """411: quota and placement need the size."""
    upload = Upload(mode, headers=[("x-amz-decoded-content-length", "20000")])

    for how in ({"is_chunked": True}, {"length": None}):
        with pytest.raises(MissingContentLength):
            upload.open(**how)
        assert 0 == upload.sent.reads


@pytest.mark.parametrize(
    ("length", "error"),
    [
        (None, MissingContentLength),
        ("", InvalidArgument),
        ("-1", InvalidArgument),
        ("1_0", InvalidArgument),
        ("0x10", InvalidArgument),
        ("9" * 40, InvalidArgument),
        (str(limits.PUT_BYTES + 1), EntityTooLarge),
    ],
)
@pytest.mark.parametrize("form", Form)
async def test_streaming_bodies_need_a_decoded_length(form, length, error):
    """Content-Length counts the framing, so it is not the object's size."""
    headers = [("x-amz-decoded-content-length", length)] if length is not None else []
    head, _ = sign_head(
        "PUT", headers=headers, payload=str(form), length=limits.PUT_BYTES * 2
    )

    with pytest.raises(error):
        open_body(Sent([]), check(head).body)


@pytest.mark.parametrize("form", Form)
async def test_a_content_length_without_room_for_the_framing_is_refused(form):
    """Then the body is no aws-chunked body, whatever the header says."""
    upload = Upload(form)

    with pytest.raises(IncompleteBody):
        upload.open(length=len(DATA))


async def test_a_body_over_the_limit_is_refused_before_reading():
    """The operator's limit is in bytes of the object, not of its framing."""
    for mode in ALL_MODES:
        assert 20_000 == Upload(mode).open(limit_bytes=20_000).size
        with pytest.raises(EntityTooLarge):
            Upload(mode).open(limit_bytes=19_999)


async def test_only_an_untouched_body_can_be_rewound():
    """A client sends its bytes once."""
    source = Upload("hash").open()
    assert source.rewind()

    await source.read()
    assert not source.rewind()


# ---- documents


def document_plan(headers=(), payload=None, *, body=b"<Delete/>", **how):
    payload = payload or sha256(body)
    head, _ = sign_head("POST", "/photos?delete", headers, payload=payload, **how)
    return check(head).body


async def test_a_document_is_read_whole_and_verified():
    """DeleteObjects is a body that deletes; it is verified like any other."""
    body = b"<Delete/>"
    crc = ("x-amz-checksum-crc32", crc32(body))
    plan = document_plan([crc, ("content-md5", md5(body))], length=9)

    assert body == await read_document(Sent([b"<Dele", b"te/>"]), plan, 9)
    assert b"" == await read_document(Sent([]), document_plan(body=b""), 9)


@pytest.mark.parametrize(
    ("headers", "error"),
    [
        ((), ContentSha256Mismatch),
        ([("content-md5", md5(b"other"))], ContentSha256Mismatch),
    ],
)
async def test_a_document_that_is_not_the_signed_one_is_refused(headers, error):
    """Its signature names a hash."""
    plan = document_plan(headers, length=9)

    with pytest.raises(error):
        await read_document(Sent([b"<DELETE/>"]), plan, 1000)


async def test_a_checksum_that_is_not_about_the_document_is_left_alone():
    """CompleteMultipartUpload carries the object's checksum in these headers."""
    plan = document_plan([("x-amz-checksum-sha256", "the object's-3")])

    found = await read_document(Sent([b"<Delete/>"]), plan, 9, is_checksummed=False)

    assert b"<Delete/>" == found


async def test_a_document_with_a_wrong_digest_is_refused():
    """Clients over TLS sign no hash and rely on these."""
    for header in (
        ("content-md5", md5(b"other")),
        ("x-amz-checksum-crc32", crc32(b"other")),
    ):
        plan = document_plan([header], "UNSIGNED-PAYLOAD", length=9)
        with pytest.raises(BadDigest):
            await read_document(Sent([b"<Delete/>"]), plan, 1000)


async def test_a_document_over_its_limit_is_refused_as_early_as_possible():
    """By its length before reading, else when the limit is passed."""
    sent = Sent([b"<Delete/>"])
    with pytest.raises(MessageTooLong):
        await read_document(sent, document_plan(length=9), 8)
    assert 0 == sent.reads
    endless = Sent([b"x" * 100] * 100)
    with pytest.raises(MessageTooLong):
        await read_document(endless, document_plan(is_chunked=True), 500)
    assert 6 == endless.reads


async def test_a_document_that_breaks_off_is_incomplete():
    """Half a list of keys is another list of keys."""
    plan = document_plan(payload="UNSIGNED-PAYLOAD", length=10)

    with pytest.raises(IncompleteBody):
        await read_document(Sent([b"<Delete/>"]), plan, 1000)


async def test_a_document_never_comes_in_a_streaming_payload():
    """AWS: those are for PutObject and UploadPart."""
    upload = Upload(UNSIGNED)

    with pytest.raises(InvalidRequest):
        await read_document(Sent([upload.wire]), check(upload.head).body, 1 << 20)
