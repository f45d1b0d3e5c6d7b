"""The record of a blob: small, and readable by the recovery of years to come."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3o.model import limits
from s3o.model.names import (
    BucketId,
    BucketName,
    ObjectKey,
    VersionId,
    WriteId,
    make_storage_key,
)
from s3o.model.values import ObjectFacts
from s3o.wire import record as records
from s3o.wire.record import Record, RecordedBlob, parse_record, render_record

SMALL = Record(
    cluster_id="c1", bucket_id=BucketId(1), version_id=VersionId("0" * 32), sequence=9
)
LARGEST = RecordedBlob(
    record=Record(
        cluster_id="c" * 36,
        bucket_id=BucketId((1 << 63) - 1),
        version_id=VersionId("f" * 32),
        sequence=(1 << 63) - 1,
        blob=10_000,
        is_whole=False,
        stored_bytes=1 << 50,
        stored_md5="f" * 32,
        stored_sha256="f" * 64,
        data_key=b"\xff" * 64,
        key_id="f" * 16,
    ),
    key=ObjectKey("k" * 1024),
    content_encoding="x" * 64,
)

RECORDS = st.builds(
    Record,
    cluster_id=st.from_regex(r"[a-f0-9-]{1,36}", fullmatch=True),
    bucket_id=st.integers(0, 1 << 62),
    version_id=st.from_regex(r"[a-f0-9]{32}", fullmatch=True),
    sequence=st.integers(0, 1 << 62),
    blob=st.integers(0, 10_000),
    is_whole=st.booleans(),
    stored_bytes=st.none() | st.integers(0, 1 << 60),
    stored_md5=st.none() | st.from_regex(r"[a-f0-9]{32}", fullmatch=True),
    stored_sha256=st.none() | st.from_regex(r"[a-f0-9]{64}", fullmatch=True),
    data_key=st.none() | st.binary(max_size=64),
    key_id=st.none() | st.from_regex(r"[a-f0-9]{0,16}", fullmatch=True),
    unknown=st.just(()) | st.just((("zz", "future"), ("y", ""))),
)
KEYS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=256)


@given(
    st.builds(
        RecordedBlob,
        record=RECORDS,
        key=st.none() | KEYS,
        content_encoding=st.none()
        | st.text(st.characters(max_codepoint=255), max_size=64),
    )
)
def test_a_record_comes_back_from_its_headers(blob):
    """What cannot be read back cannot rebuild a ledger."""
    pairs = render_record(blob)

    assert blob == parse_record(dict(pairs))
    assert all(len(value) <= 240 and value.isascii() for _, value in pairs)
    assert all(value.isprintable() and " " not in value for _, value in pairs)
    assert records.measure(pairs) < 2048


def test_the_largest_record_fits():
    """Room is reserved before any user metadata, so it must be known to suffice."""
    pairs = render_record(LARGEST)

    assert records.measure(pairs) < limits.RECORD_BYTES
    assert LARGEST == parse_record(dict(pairs))


def test_the_text_is_fixed():
    """Blobs written today are read by every later version."""
    assert (("s3o", f"1;c=c1;b=1;v={'0' * 32};q=9;n=0;k=w;!"),) == render_record(
        RecordedBlob(record=SMALL)
    )


def test_fields_of_a_later_version_are_kept():
    """A copy made by an older process must not lose what a newer one wrote."""
    text = f"1;c=c1;b=1;v={'0' * 32};q=9;n=0;k=w;mac=AbC_-;!"
    parsed = parse_record({"s3o": text})

    assert (("mac", "AbC_-"),) == parsed.record.unknown
    assert text == dict(render_record(parsed))["s3o"]


def test_a_blob_without_a_record_is_somebody_elses():
    """Imported objects carry none."""
    assert parse_record({"mtime": "1"}) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "rubbish",
        "2;c=c1;b=1;v=" + "0" * 32 + ";q=9;n=0;k=w;!",
        "1;c=c1;b=1;v=" + "0" * 32 + ";q=9;n=0;k=w",
        "1;c=c1;b=1;v=" + "0" * 32 + ";q=9;n=0;!",
        "1;c=c1;b=1;v=" + "0" * 32 + ";q=9;n=0;k=x;!",
        "1;c=c1;b=1;v=" + "0" * 31 + ";q=9;n=0;k=w;!",
        "1;c=c1;b=-1;v=" + "0" * 32 + ";q=9;n=0;k=w;!",
        "1;c=c1;b=1;b=2;v=" + "0" * 32 + ";q=9;n=0;k=w;!",
        "1;c=c1;b=1;v=" + "0" * 32 + ";q=9;n=0;k=w;m=AAAA;!",
        "1;c=c1;b=1;v=" + "0" * 32 + ";q=9;n=0;k=w;d=A;!",
    ],
)
def test_a_damaged_record_is_told_from_none(text):
    """Recovery reports it instead of believing or overlooking it."""
    with pytest.raises(ValueError):
        parse_record({"s3o": text})


@given(st.dictionaries(st.sampled_from(["s3o", "s3o1", "s3o-key"]), st.text()))
def test_no_headers_are_a_crash(headers):
    """A provider's headers are hearsay."""
    try:
        parse_record(headers)
    except ValueError:
        pass


def test_metadata_travels_where_it_fits():
    """The record's room comes first; odd text stays in the ledger alone."""
    facts = ObjectFacts(
        content_type="text/\xe4",
        headers=(
            ("cache-control", "no-cache"),
            ("content-encoding", "gzip"),
            ("x-amz-website-redirect-location", "/x"),
        ),
        metadata=(
            ("a", "1"),
            ("s3o1", "forged"),
            ("odd_name", "1"),
            ("b", "\xc3\xa9"),
            ("long", "x" * 241),
            *((f"m{at}", "x" * 240) for at in range(8)),
        ),
    )
    key = ObjectKey("cat.jpg")
    planned = records.plan_blob_headers(
        LARGEST.record,
        facts,
        storage_key=make_storage_key(BucketName("photos"), key, WriteId("0" * 32)),
        key=key,
        stored_md5="0" * 32,
    )
    recorded = parse_record(dict(planned.record))

    assert (None, "gzip") == (recorded.key, recorded.content_encoding)
    assert "binary/octet-stream" == planned.content_type
    assert (("cache-control", "no-cache"),) == planned.headers
    assert ["a", "m0", "m1", "m2", "m3", "m4", "m5"] == [
        name for name, _ in planned.metadata
    ]
    assert records.measure(planned.record + planned.metadata) <= limits.RECORD_BYTES
    assert "0" * 32 == planned.stored_md5


def test_a_key_travels_where_the_storage_key_has_only_its_digest():
    """Recovery must find the name of every object, the longest too."""
    key = ObjectKey("ü" * 512)
    planned = records.plan_blob_headers(
        LARGEST.record,
        ObjectFacts(headers=(("content-encoding", "x" * 64),)),
        storage_key=make_storage_key(BucketName("photos"), key, WriteId("0" * 32)),
        key=key,
    )

    assert key == parse_record(dict(planned.record)).key
