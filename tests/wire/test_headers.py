"""The headers of objects: kept, refused, given back."""

import pytest

from s3o.model.errors import (
    AclNotSupported,
    BadRequest,
    InvalidArgument,
    InvalidStorageClass,
    InvalidTag,
    MetadataTooLarge,
)
from s3o.model.names import BucketId, ObjectKey, VersionId
from s3o.model.values import ObjectFacts, ObjectVersion
from s3o.wire import headers
from s3o.wire.headers import parse_object_facts


def test_a_bare_put_has_awss_default_type():
    """s3-tests and versitygw expect binary/octet-stream."""
    assert ObjectFacts() == parse_object_facts({"host": "x", "content-length": "0"})
    assert (
        "binary/octet-stream" == parse_object_facts({"content-type": ""}).content_type
    )


def test_standard_headers_and_metadata_are_kept_as_they_came():
    """A web site is served from its Cache-Control and Content-Disposition."""
    facts = parse_object_facts(
        {
            "content-type": "text/html; charset=utf-8",
            "cache-control": "no-cache",
            "expires": "whenever",
            "content-encoding": "aws-chunked, gzip,AWS-Chunked",
            "x-amz-meta-b": "\xc3\xa9 ",
            "x-amz-meta-a": "=?UTF-8?B?w6k=?=",
            "x-amz-storage-class": "GLACIER",
            "x-amz-acl": "private",
            "x-amz-tagging": "a=1&b=x+y%2B&c=",
        }
    )

    assert (
        ObjectFacts(
            content_type="text/html; charset=utf-8",
            headers=(
                ("cache-control", "no-cache"),
                ("content-encoding", "gzip"),
                ("expires", "whenever"),
            ),
            metadata=(("b", "\xc3\xa9 "), ("a", "=?UTF-8?B?w6k=?=")),
            tags=(("a", "1"), ("b", "x y+"), ("c", "")),
            storage_class="GLACIER",
        )
        == facts
    )


def test_content_encoding_vanishes_when_only_the_transfer_had_one():
    """`Content-Encoding: aws-chunked` on a GET makes browsers give up."""
    assert () == parse_object_facts({"content-encoding": "aws-chunked"}).headers


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"x-amz-meta-a": "x" * 2048}, MetadataTooLarge),
        ({"x-amz-meta-": "x"}, InvalidArgument),
        ({"x-amz-storage-class": "COLD"}, InvalidStorageClass),
        ({"x-amz-storage-class": ""}, InvalidStorageClass),
        ({"x-amz-acl": "public-read"}, AclNotSupported),
        ({"x-amz-acl": "mine"}, InvalidArgument),
        ({"x-amz-grant-read": "id=x"}, AclNotSupported),
        ({"content-encoding": "x" * 65}, InvalidArgument),
        ({"x-amz-tagging": "a=1&a=2"}, InvalidArgument),
        ({"x-amz-tagging": "a=%FF"}, InvalidArgument),
        ({"x-amz-tagging": "=1"}, InvalidArgument),
        ({"x-amz-tagging": "="}, InvalidArgument),
        ({"x-amz-tagging": "a%"}, InvalidArgument),
        ({"x-amz-tagging": "a=%2"}, InvalidArgument),
        ({"x-amz-tagging": "a=%zz"}, InvalidArgument),
        ({"x-amz-tagging": "a&a="}, InvalidArgument),
        ({"x-amz-tagging": "a=1?"}, InvalidTag),
        ({"x-amz-tagging": "a=%00"}, InvalidTag),
        ({"x-amz-tagging": "a=" + "x" * 257}, InvalidTag),
        ({"x-amz-tagging": "x" * 129 + "=1"}, InvalidTag),
        ({"x-amz-tagging": "aws:a=1"}, InvalidTag),
        ({"x-amz-tagging": "&".join(f"k{at}=1" for at in range(11))}, BadRequest),
    ],
)
def test_headers_outside_s3s_rules_are_refused(fields, error):
    """Nothing a client asked for may be dropped silently."""
    with pytest.raises(error):
        parse_object_facts(fields)


def test_metadata_of_exactly_two_kib_is_kept():
    """The limit counts names and values together."""
    assert parse_object_facts({"x-amz-meta-a": "x" * 2047}).metadata


VERSION = ObjectVersion(
    bucket_id=BucketId(1),
    key=ObjectKey("k"),
    version_id=VersionId("0" * 32),
    sequence=1,
    size=3,
    etag="abc",
    created_at_us=784_111_777_900_000,
    facts=ObjectFacts(
        content_type="text/plain",
        headers=(("cache-control", "no-cache"), ("content-language", "de")),
        metadata=(("a", "1"),),
        tags=(("t", "1"),),
        storage_class="GLACIER",
    ),
)


def test_an_answer_has_all_that_was_kept():
    """HEAD and GET tell the same."""
    assert [
        ("accept-ranges", "bytes"),
        ("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT"),
        ("etag", '"abc"'),
        ("content-type", "text/plain"),
        ("cache-control", "no-cache"),
        ("content-language", "de"),
        ("x-amz-meta-a", "1"),
        ("x-amz-storage-class", "GLACIER"),
        ("x-amz-tagging-count", "1"),
    ] == headers.render_object_headers(VERSION)


def test_overrides_replace_and_add():
    """Presigned downloads name the file they want."""
    overrides = headers.parse_overrides(
        [
            ("response-content-disposition", 'attachment; filename="é"'),
            ("response-content-type", "a/b"),
            ("other", "x"),
        ]
    )
    rendered = dict(headers.render_object_headers(VERSION, overrides))

    assert 'attachment; filename="\xc3\xa9"' == rendered["content-disposition"]
    assert "a/b" == rendered["content-type"]
    assert "no-cache" == rendered["cache-control"]


@pytest.mark.parametrize("value", ["a\r\nset-cookie: x", "a\x00", "\x7f"])
def test_an_override_cannot_split_the_answer(value):
    """Response splitting: no client's text may end a header."""
    with pytest.raises(InvalidArgument):
        headers.parse_overrides([("response-expires", value)])


def test_a_304_keeps_what_caches_need():
    """RFC 9110: the headers that a cache refreshes."""
    assert [
        ("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT"),
        ("etag", '"abc"'),
        ("cache-control", "no-cache"),
    ] == headers.render_not_modified_headers(VERSION)
