"""The headers of copies, as clients write them."""

import pytest

from s3o.model.errors import InvalidArgument, KeyTooLong, PreconditionFailed
from s3o.model.values import Interval
from s3o.wire.copy_source import (
    CopySource,
    check_source_conditions,
    is_replacing,
    parse_copy_range,
    parse_copy_source,
)
from s3o.wire.dates import parse_http_date

NOON = "Sun, 22 Nov 2026 12:00:00 GMT"
EARLIER = "Sun, 22 Nov 2026 11:00:00 GMT"


@pytest.mark.parametrize(
    ("text", "key", "version"),
    [
        ("photos/a", "a", None),
        ("/photos/a", "a", None),
        ("/photos/a/b//c", "a/b//c", None),
        ("photos//a", "/a", None),
        ("photos/a%20b%2Bc+d", "a b+c+d", None),
        ("photos%2Fa", "a", None),
        ("photos/%E2%82%AC", "€", None),
        ("photos/\xe2\x82\xac", "€", None),  # raw UTF-8, as Latin-1 header text
        ("photos/a%3FversionId=x", "a?versionId=x", None),
        ("photos/a?versionId=null", "a", "null"),
        ("photos/a?versionId=", "a", ""),
        ("photos/a?other=1", "a?other=1", None),
        ("photos/%2525", "%25", None),  # decoded once
    ],
)
def test_a_source_is_decoded_once(text, key, version):
    assert CopySource(bucket="photos", key=key, version_id=version) == (
        parse_copy_source(text)
    )


@pytest.mark.parametrize(
    "text",
    [
        *("", "/", "photos", "photos/", "/photos/", "//a", "PHOTOS/a", "ph/a"),
        *("photos/%zz", "photos/%", "photos/%ff", "arn:aws:s3:::photos/a"),
        *("photos/a%00/\xff", "..%2Fphotos/a"),
    ],
)
def test_what_names_no_source_is_refused(text):
    with pytest.raises(InvalidArgument):
        parse_copy_source(text)


def test_a_long_key_is_told_so():
    with pytest.raises(KeyTooLong):
        parse_copy_source("photos/" + "k" * 1025)


def test_a_range_has_two_bounds_within_the_source():
    assert Interval(0, 1) == parse_copy_range("bytes=0-0", 10)
    assert Interval(2, 10) == parse_copy_range("bytes=2-9", 10)


@pytest.mark.parametrize(
    "text",
    [
        *("bytes=0-10", "bytes=5-4", "bytes=0-", "bytes=-5", "bytes=a-b", "0-5"),
        *("bytes=0-1,3-4", "bytes= 0-1", "bytes=+0-1", "bytes=0_0-1", "", "bytes=0-٣"),
        "bytes=0-99999999999999999999",
    ],
)
def test_other_ranges_are_refused(text):
    with pytest.raises(InvalidArgument):
        parse_copy_range(text, 10)


def test_an_empty_source_has_no_range():
    with pytest.raises(InvalidArgument):
        parse_copy_range("bytes=0-0", 0)


@pytest.mark.parametrize(
    ("conditions", "holds"),
    [
        ({}, True),
        ({"if-match": '"e"'}, True),
        ({"if-match": "e"}, True),
        ({"if-match": "other"}, False),
        ({"if-none-match": "other"}, True),
        ({"if-none-match": '"e"'}, False),
        ({"if-none-match": "*"}, False),
        ({"if-modified-since": EARLIER}, True),
        ({"if-modified-since": NOON}, False),
        ({"if-unmodified-since": NOON}, True),
        ({"if-unmodified-since": EARLIER}, False),
        ({"if-match": "e", "if-unmodified-since": EARLIER}, True),
        ({"if-none-match": "e", "if-modified-since": EARLIER}, False),
    ],
)
def test_a_source_that_is_not_as_expected_fails_the_copy(conditions, holds):
    modified_us = parse_http_date(NOON)
    fields = {f"x-amz-copy-source-{name}": text for name, text in conditions.items()}
    fields |= {"if-match": "about the destination"}

    if holds:
        check_source_conditions(fields, "e", modified_us)
        return
    with pytest.raises(PreconditionFailed):
        check_source_conditions(fields, "e", modified_us)


def test_a_directive_is_copy_or_replace():
    name = "x-amz-metadata-directive"

    assert not is_replacing({}, name)
    assert not is_replacing({name: "COPY"}, name)
    assert is_replacing({name: "REPLACE"}, name)
    for text in ("copy", "", "KEEP"):
        with pytest.raises(InvalidArgument):
            is_replacing({name: text}, name)
