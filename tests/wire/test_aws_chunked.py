"""The aws-chunked body: AWS's examples, every damage, and any split of the input."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3o.model.errors import (
    IncompleteBody,
    InvalidChunkSize,
    InvalidRequest,
    MalformedTrailer,
    S3OError,
    SignatureMismatch,
)
from s3o.wire import sigv4
from s3o.wire.aws_chunked import Decoder, Encoder, Form, encoded_length
from tests.wire.framing import frame_chunks

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
SCOPE = sigv4.Scope("20130524", "us-east-1")
TIMESTAMP = "20130524T000000Z"
KEY = sigv4.SigningKey(sigv4.derive_key(SECRET, SCOPE))
SEED = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"
CRC = "x-amz-checksum-crc32c"
SIGNED, SIGNED_TRAILER, UNSIGNED = Form


def chain(seed=SEED):
    return sigv4.ChunkSigner(KEY, TIMESTAMP, SCOPE, seed)


def frame(form, chunks, trailer=None, line_end=b"\r\n", seed=SEED):
    """Return the chunks framed as a client of that form does."""
    return frame_chunks(form, chunks, chain(seed), trailer, line_end)


def decode(form, framed, size, *, trailer_name=None, split=None, seed=SEED):
    """Return the data and the trailer's value."""
    decoder = Decoder(
        form,
        size,
        signer=chain(seed) if form.is_signed else None,
        trailer_name=trailer_name,
        access_key_id="AK",
    )
    released = []
    step = split or len(framed) or 1
    for position in range(0, len(framed), step):
        released += decoder.feed(framed[position : position + step])
    decoder.finish()
    return b"".join(released), decoder.trailer


# ---- AWS's examples: 66560 times "a" in chunks of 64 KiB

AWS_BODY = b"a" * 66560
AWS_SIGNATURES = (
    "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
    "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
    "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
)
AWS_TRAILER_SEED = "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e"
AWS_TRAILER_SIGNATURES = (
    "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
    "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
    "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
)
AWS_TRAILER_SIGNATURE = (
    "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435"
)


def aws_chunks(signatures):
    first, second, final = (s.encode() for s in signatures)
    return (
        b"10000;chunk-signature=" + first + b"\r\n" + AWS_BODY[:65536] + b"\r\n"
        b"400;chunk-signature=" + second + b"\r\n" + AWS_BODY[65536:] + b"\r\n"
        b"0;chunk-signature=" + final + b"\r\n"
    )


def test_the_seed_of_awss_example_is_the_published_one():
    """The chain of chunk signatures begins with the request's."""
    signer = sigv4.RequestSigner("AKIAIOSFODNN7EXAMPLE", SECRET, "us-east-1")
    canonical = sigv4.canonical_request(
        "PUT",
        "/examplebucket/chunkObject.txt",
        (),
        (
            ("content-encoding", "aws-chunked"),
            ("content-length", "66824"),
            ("host", "s3.amazonaws.com"),
            ("x-amz-content-sha256", SIGNED.value),
            ("x-amz-date", TIMESTAMP),
            ("x-amz-decoded-content-length", "66560"),
            ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
        ),
        SIGNED.value,
    )

    text = sigv4.string_to_sign(TIMESTAMP, SCOPE, canonical)
    assert KEY.sign(text.encode()) == SEED
    assert "us-east-1" == signer.region


def test_awss_signed_example_decodes():
    """The published chunk signatures are the only ones there are."""
    framed = aws_chunks(AWS_SIGNATURES) + b"\r\n"

    assert 66824 == len(framed)
    assert (AWS_BODY, None) == decode(SIGNED, framed, 66560)


def test_awss_trailer_example_decodes():
    """AWS ends the trailer's line with LF CRLF, and minio-go does so too."""
    framed = aws_chunks(AWS_TRAILER_SIGNATURES) + (
        b"x-amz-checksum-crc32c:sOO8/Q==\n\r\n"
        b"x-amz-trailer-signature:" + AWS_TRAILER_SIGNATURE.encode() + b"\r\n\r\n"
    )

    decoded = decode(
        SIGNED_TRAILER, framed, 66560, trailer_name=CRC, seed=AWS_TRAILER_SEED
    )
    assert (AWS_BODY, "sOO8/Q==") == decoded


def test_our_encoder_makes_awss_example():
    """Providers on plain HTTP must accept what we frame."""
    encoder = Encoder(chain())
    framed = [*encoder.feed(AWS_BODY[:100]), *encoder.feed(AWS_BODY[100:])]
    framed += encoder.finish()

    assert aws_chunks(AWS_SIGNATURES) + b"\r\n" == b"".join(framed)


# ---- what must be accepted

CASES = [
    (SIGNED, None, b""),
    (SIGNED_TRAILER, (CRC, "AAAAAA=="), b"\r\n"),
    (SIGNED_TRAILER, (CRC, "AAAAAA=="), b"\n"),
    (SIGNED_TRAILER, (CRC, "AAAAAA=="), b"\n\r\n"),
    (SIGNED_TRAILER, None, b""),
    (UNSIGNED, (CRC, "AAAAAA=="), b"\r\n"),
    (UNSIGNED, None, b""),
]


@given(
    case=st.sampled_from(CASES),
    big=st.lists(st.sampled_from([8192, 8193, 20_000]), max_size=3),
    last=st.integers(0, 9000),
    split=st.integers(1, 30_000),
)
def test_any_split_of_the_input_gives_the_same_data(case, big, last, split):
    """boto3's HTTP chunks cut aws-chunk headers anywhere."""
    form, trailer, line_end = case
    chunks = [bytes([65 + n]) * size for n, size in enumerate(big)]
    chunks += [b"z" * last] if last else []
    data = b"".join(chunks)
    framed = frame(form, chunks, trailer, line_end)
    name, value = trailer or (None, None)

    decoded = decode(form, framed, len(data), trailer_name=name, split=split)
    assert (data, value) == decoded


@pytest.mark.parametrize("case", CASES)
def test_byte_by_byte_input_decodes(case):
    """The slowest network there is."""
    form, trailer, line_end = case
    chunks = [b"x" * 8192, b"y" * 3]
    framed = frame(form, chunks, trailer, line_end)
    name, value = trailer or (None, None)

    decoded = decode(form, framed, 8195, trailer_name=name, split=1)
    assert (b"".join(chunks), value) == decoded


def test_unsigned_data_flows_before_its_chunk_is_complete():
    """A part of 64 MiB may be one chunk (CRT); memory must not grow with it."""
    decoder = Decoder(UNSIGNED, 1 << 30)

    assert [b"x" * 70_000] == decoder.feed(b"40000000\r\n" + b"x" * 70_000)


def test_signed_data_is_held_until_its_signature_is_verified():
    """Bytes nobody vouched for must not reach a backend (CVE-2021-21390)."""
    framed = frame(SIGNED, [b"x" * 20_000])
    decoder = Decoder(SIGNED, 20_000, signer=chain())
    end_of_data = framed.index(b"x") + 20_000

    assert [] == decoder.feed(framed[: end_of_data - 1])
    assert b"x" * 20_000 == b"".join(decoder.feed(framed[end_of_data - 1 :]))
    decoder.finish()


@given(
    size=st.integers(0, 300_000),
    split=st.integers(1000, 100_000),
    chunk=st.integers(8192, 70_000),
)
def test_what_we_encode_decodes_and_has_the_promised_length(size, split, chunk):
    """Content-Length goes out before the first chunk is signed."""
    data = bytes(size)
    encoder = Encoder(chain(), chunk)
    framed = []
    for position in range(0, size, split):
        framed += encoder.feed(data[position : position + split])
    framed += encoder.finish()
    wire = b"".join(framed)

    assert encoded_length(size, chunk) == len(wire)
    assert (data, None) == decode(SIGNED, wire, size)


# ---- every form, every damage

BIG, SMALL = b"b" * 10_000, b"s" * 5
SIZE = len(BIG) + len(SMALL)


def damaged(form, find, replace, count=1):
    trailer = None if form is SIGNED else (CRC, "AAAAAA==")
    framed = frame(form, [BIG, SMALL], trailer)
    assert find in framed
    return framed.replace(find, replace, count)


def flip(framed, needle):
    """Change the first hex digit after the last needle."""
    position = framed.rindex(needle) + len(needle)
    digit = b"1" if framed[position : position + 1] != b"1" else b"2"
    return framed[:position] + digit + framed[position + 1 :]


SIGNATURE = b"chunk-signature="


@pytest.mark.parametrize("form", [SIGNED, SIGNED_TRAILER])
@pytest.mark.parametrize(
    ("damage", "error"),
    [
        (lambda raw: raw.replace(b"b", b"c", 1), SignatureMismatch),
        (lambda raw: raw.replace(b"sssss", b"sssst"), SignatureMismatch),
        (lambda raw: flip(raw, SIGNATURE), SignatureMismatch),
        (lambda raw: flip(raw, b"2710;" + SIGNATURE), SignatureMismatch),
        (lambda raw: flip(raw, b"\r\n5;" + SIGNATURE), SignatureMismatch),
        (lambda raw: raw.replace(b";" + SIGNATURE, b"", 1), InvalidRequest),
        (lambda raw: raw.replace(SIGNATURE, b"chunk-sig=", 1), InvalidRequest),
        (lambda raw: raw.replace(SIGNATURE, SIGNATURE + b"\xff"), InvalidRequest),
        (lambda raw: raw.replace(b"2710;", b"2710 ;"), InvalidRequest),
        (lambda raw: raw.replace(b"2710;", b" 2710;"), InvalidRequest),
        (lambda raw: raw.replace(b"2710;", b"+2710;"), InvalidRequest),
        (lambda raw: raw.replace(b"2710;", b"27_10;"), InvalidRequest),
        (lambda raw: raw.replace(b"2710;", b"0x2710;"), InvalidRequest),
        (lambda raw: raw.replace(b"2710;", b"2710;a=b;"), InvalidRequest),
        (lambda raw: raw.replace(b"2710;", b"2710;;"), InvalidRequest),
        (lambda raw: raw.replace(b"2710;", b"00000000000002710;"), InvalidRequest),
        (lambda raw: raw.replace(b"2710;", b"2710" * 2000), InvalidRequest),
        (lambda raw: raw.replace(b"2710;", b"ffffffffffffffff;"), IncompleteBody),
        (lambda raw: raw.replace(b"2710;", b"270f;"), SignatureMismatch),
        (lambda raw: raw.replace(b"\r\n", b"\n", 1), InvalidRequest),
        (lambda raw: raw[: raw.index(b"\r\n0;") + 2], IncompleteBody),
        (lambda raw: raw[:5000], IncompleteBody),
        (lambda raw: raw[:30], IncompleteBody),
        (lambda raw: b"", IncompleteBody),
    ],
)
def test_a_damaged_signed_body_is_refused(form, damage, error):
    """Each of these has been a hole in some server."""
    trailer = None if form is SIGNED else (CRC, "AAAAAA==")
    framed = damage(frame(form, [BIG, SMALL], trailer))
    name = trailer and CRC

    # What is no chunk header at all may also be refused for its missing signature.
    allowed = (error, SignatureMismatch) if error is InvalidRequest else error
    with pytest.raises(allowed):
        decode(form, framed, SIZE, trailer_name=name)


@pytest.mark.parametrize(
    ("damage", "error"),
    [
        (lambda raw: raw[:-2], IncompleteBody),
        (lambda raw: raw[:-1], InvalidRequest),
        (lambda raw: raw + b"\r\n", InvalidRequest),
        (lambda raw: raw + b"0", InvalidRequest),
        (lambda raw: raw[:-2] + b"x-amz-meta-a:b\r\n\r\n", InvalidRequest),
    ],
)
def test_the_end_of_a_signed_body_is_exact(damage, error):
    """A trailer nobody signed, or a second body, must not ride along."""
    with pytest.raises(error):
        decode(SIGNED, damage(frame(SIGNED, [BIG, SMALL])), SIZE)


@pytest.mark.parametrize(
    ("damage", "error"),
    [
        (lambda raw: flip(raw, b"trailer-signature:"), SignatureMismatch),
        (lambda raw: raw.replace(b"AAAAAA==", b"BAAAAA=="), SignatureMismatch),
        (lambda raw: raw.replace(CRC.encode(), b"x-amz-checksum-crc32"), S3OError),
        (
            lambda raw: raw[: raw.index(b"x-amz-trailer-signature")] + b"\r\n",
            MalformedTrailer,
        ),
        (lambda raw: raw[: raw.index(b"x-amz-checksum")] + b"\r\n", MalformedTrailer),
        (lambda raw: raw[: raw.index(b"x-amz-checksum")], IncompleteBody),
        (lambda raw: raw[:-2], MalformedTrailer),
        (lambda raw: raw + b"\r\n", MalformedTrailer),
        (lambda raw: raw.replace(b":AAAA", b": AAAA"), MalformedTrailer),
        (
            lambda raw: raw.replace(b"x-amz-trailer", b"x-amz-a:b\r\nx-amz-trailer"),
            MalformedTrailer,
        ),
        (lambda raw: raw[:-2] + b"a" * 20_000 + b"\r\n", MalformedTrailer),
    ],
)
def test_a_damaged_signed_trailer_is_refused(damage, error):
    """The trailer holds the checksum, so its signature counts like a chunk's."""
    framed = damage(frame(SIGNED_TRAILER, [BIG, SMALL], (CRC, "AAAAAA==")))

    with pytest.raises(error):
        decode(SIGNED_TRAILER, framed, SIZE, trailer_name=CRC)


@pytest.mark.parametrize(
    ("damage", "error"),
    [
        (lambda raw: raw.replace(b"2710\r\n", b"2710;a=b\r\n"), InvalidRequest),
        (
            lambda raw: raw.replace(b"2710\r\n", b"2710;chunk-signature=0\r\n"),
            InvalidRequest,
        ),
        (lambda raw: raw.replace(b"2710\r\n", b"2710 \r\n"), InvalidRequest),
        (lambda raw: raw.replace(b"2710\r\n", b"2710\n"), InvalidRequest),
        (lambda raw: raw.replace(b"2710\r\n", b"270f\r\n"), InvalidRequest),
        (lambda raw: raw.replace(b"2710\r\n", b"2711\r\n"), S3OError),
        (lambda raw: raw.replace(b"2710\r\n", b"fffff\r\n"), IncompleteBody),
        (lambda raw: raw.replace(b"2710\r\n", b"\r\n"), InvalidRequest),
        (lambda raw: raw.replace(b"\r\n5\r\nsssss", b""), IncompleteBody),
        (lambda raw: raw.replace(b"\r\n0\r\n", b"\r\n1\r\nx\r\n0\r\n"), IncompleteBody),
        (lambda raw: raw[: raw.index(b"\r\n0\r\n") + 2], IncompleteBody),
        (lambda raw: raw[: raw.index(b"x-amz")], IncompleteBody),
        (lambda raw: raw[: raw.index(b"x-amz")] + b"\r\n", MalformedTrailer),
        (lambda raw: raw[:-2], MalformedTrailer),
        (lambda raw: raw + b"x", MalformedTrailer),
        (lambda raw: raw.replace(b"==\r\n", b"==\n"), MalformedTrailer),
        (lambda raw: raw.replace(b"crc32c", b"crc32"), MalformedTrailer),
        (lambda raw: raw.replace(b":AAAA", b" AAAA"), MalformedTrailer),
        (
            lambda raw: raw[:-2] + b"x-amz-checksum-crc32:AAAAAA==\r\n\r\n",
            MalformedTrailer,
        ),
        (lambda raw: raw[:-2] + b"x-amz-trailer-signature:0\r\n\r\n", MalformedTrailer),
    ],
)
def test_a_damaged_unsigned_body_is_refused(damage, error):
    """What is not exactly the announced body and trailer is not stored."""
    framed = damage(frame(UNSIGNED, [BIG, SMALL], (CRC, "AAAAAA==")))

    with pytest.raises(error):
        decode(UNSIGNED, framed, SIZE, trailer_name=CRC)


def test_a_trailer_that_was_not_announced_is_refused():
    """x-amz-trailer is signed; a trailer beside it comes from somebody else."""
    for form in (SIGNED_TRAILER, UNSIGNED):
        framed = frame(form, [BIG], (CRC, "AAAAAA=="))
        with pytest.raises(MalformedTrailer):
            decode(form, framed, len(BIG))


def test_chunks_are_not_interchangeable():
    """The chain binds order: swapped chunks are two good signatures in bad places."""
    framed = frame(SIGNED, [b"a" * 8192, b"b" * 8192])
    half = (len(framed) - 88) // 2 + 1
    swapped = framed[half : 2 * half] + framed[:half] + framed[2 * half :]

    with pytest.raises(SignatureMismatch):
        decode(SIGNED, swapped, 16384)


def test_small_signed_chunks_before_the_last_are_refused():
    """AWS's rule; a body of tiny signed chunks is work without bytes."""
    framed = frame(SIGNED, [b"a" * 8191, b"b" * 8192])

    with pytest.raises(InvalidChunkSize):
        decode(SIGNED, framed, 16383)


def test_signed_chunks_over_the_buffer_are_refused_at_their_header():
    """A signed chunk is held in memory, so its size has a bound."""
    decoder = Decoder(SIGNED, 1 << 30, signer=chain())

    with pytest.raises(InvalidChunkSize):
        decoder.feed(b"1000001;chunk-signature=" + b"0" * 64 + b"\r\n")


@given(st.binary(max_size=200))
def test_noise_never_raises_anything_but_a_domain_error(noise):
    """A crash in a parser is an outage by mail."""
    for form in Form:
        try:
            decode(form, noise, 3)
        except S3OError:
            continue
