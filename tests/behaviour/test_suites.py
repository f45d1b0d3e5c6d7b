"""Cases of the public conformance suites, where they agree with AWS.

The names in comments are those of ceph/s3-tests and of versitygw's client suite.
"""

from urllib.parse import quote

import pytest

from tests.behaviour.multipart import SMALL, Client, tag, tags
from tests.behaviour.service import Service, open_service

NONE: list[str] = []


async def fill(service: Service, *keys: str) -> None:
    """Store small objects."""
    for key in keys:
        answer = await service.ask("PUT", f"/photos/{key}", body=b"x")
        assert 200 == answer.status, answer.text


async def entries(
    service: Service, version: int = 1, **query: str
) -> tuple[list[str], list[str], str]:
    """Keys, common prefixes and the whole text of a listing."""
    pairs = [(name.replace("_", "-"), value) for name, value in query.items()]
    if version == 2:
        pairs.append(("list-type", "2"))
    answer = await service.ask("GET", "/photos", tuple(sorted(pairs)))
    assert 200 == answer.status, answer.text
    found = [tag(one, "Prefix") for one in tags(answer.text, "CommonPrefixes")]
    return tags(answer.text, "Key"), found, answer.text


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize(
    ("keys", "query", "found", "prefixes"),
    [
        # bucket_list_delimiter_alt
        (("bar", "baz", "cab", "foo"), {"delimiter": "a"}, ["foo"], ["ba", "ca"]),
        # bucket_list_delimiter_percentage, _whitespace, _dot
        (("b%ar", "b%az", "foo"), {"delimiter": "%"}, ["foo"], ["b%"]),
        (("b ar", "b az", "foo"), {"delimiter": " "}, ["foo"], ["b "]),
        (("b.ar", "b.az", "foo"), {"delimiter": "."}, ["foo"], ["b."]),
        # bucket_list_delimiter_not_exist
        (("bar", "foo"), {"delimiter": "/"}, ["bar", "foo"], NONE),
        # bucket_list_delimiter_prefix_ends_with_delimiter
        (
            ("asdf/",),
            {"delimiter": "/", "prefix": "asdf/", "max_keys": "1000"},
            ["asdf/"],
            NONE,
        ),
        # bucket_list_prefix_delimiter_basic, _alt
        (
            ("foo/bar", "foo/baz/xyzzy", "quux/thud"),
            {"delimiter": "/", "prefix": "foo/"},
            ["foo/bar"],
            ["foo/baz/"],
        ),
        (
            ("bar", "bazar", "cab", "foo"),
            {"delimiter": "a", "prefix": "ba"},
            ["bar"],
            ["baza"],
        ),
        # bucket_list_prefix_delimiter_prefix_not_exist, _delimiter_not_exist
        (("b/a/r", "b/a/c"), {"delimiter": "d", "prefix": "/"}, NONE, NONE),
        (
            ("b/a/c", "b/a/r", "b/a/g", "g"),
            {"delimiter": "z", "prefix": "b"},
            ["b/a/c", "b/a/g", "b/a/r"],
            NONE,
        ),
        # bucket_list_prefix_not_exist
        (("foo/bar",), {"prefix": "d"}, NONE, NONE),
    ],
)
async def test_delimiters_and_prefixes(
    version: int,
    keys: tuple[str, ...],
    query: dict[str, str],
    found: list[str],
    prefixes: list[str],
) -> None:
    """Any text delimits."""
    async with open_service() as service:
        await fill(service, *keys)
        listed = await entries(service, version, **query)

        assert (found, prefixes) == listed[:2]
        assert "<IsTruncated>false</IsTruncated>" in listed[2]


async def test_special_characters_are_not_skipped() -> None:
    """bucket_list_delimiter_not_skip_special."""
    rest = ["1999", "1999#", "1999+", "2000"]
    async with open_service() as service:
        await fill(service, "0/", *(f"0/{number}" for number in range(100, 120)))
        await fill(service, *rest)

        assert (rest, ["0/"]) == (await entries(service, delimiter="/"))[:2]


async def test_pages_of_prefixes_go_on_behind_the_last() -> None:
    """bucket_list_delimiter_prefix: asdf, boo/bar, boo/baz/xyzzy, cquux/..."""
    keys = ["asdf", "boo/bar", "boo/baz/xyzzy", "cquux/thud", "cquux/bla"]
    async with open_service() as service:
        await fill(service, *keys)
        seen, marker = [], ""
        for _ in range(3):
            found, prefixes, text = await entries(
                service, delimiter="/", max_keys="1", marker=marker
            )
            seen += [*found, *prefixes]
            if "<IsTruncated>true" in text:
                marker = tag(text, "NextMarker")

        assert ["asdf", "boo/", "cquux/"] == seen
        assert "<IsTruncated>false" in text


@pytest.mark.parametrize(
    ("marker", "found"),
    [
        ("\n", ["bar", "baz", "foo", "quxx"]),  # bucket_list_marker_unreadable
        ("blah", ["foo", "quxx"]),  # bucket_list_marker_not_in_list
        ("zzz", NONE),  # bucket_list_marker_after_list
        ("", ["bar", "baz", "foo", "quxx"]),  # bucket_list_marker_empty
        ("baz", ["foo", "quxx"]),
    ],
)
async def test_any_marker_will_do(marker: str, found: list[str]) -> None:
    """In both versions of the listing."""
    async with open_service() as service:
        await fill(service, "bar", "baz", "foo", "quxx")

        assert found == (await entries(service, marker=marker))[0]
        assert found == (await entries(service, 2, start_after=marker))[0]


async def test_names_are_encoded_on_request() -> None:
    """bucket_list_encoding_basic, bucket_listv2_encoding_basic."""
    keys = ["foo+1/bar", "foo/bar/xyzzy", "quux ab/thud", "asdf+b"]
    async with open_service() as service:
        await fill(service, *keys)
        for version in (1, 2):
            found = await entries(service, version, delimiter="/", encoding_type="url")
            assert ["asdf%2Bb"] == found[0]
            assert ["foo%2B1/", "foo/", "quux%20ab/"] == found[1]


async def test_token_beats_start_after() -> None:
    """bucket_listv2_both_continuationtoken_startafter."""
    async with open_service() as service:
        await fill(service, "bar", "baz", "foo", "quxx")
        first = await entries(service, 2, start_after="bar", max_keys="1")
        token = tag(first[2], "NextContinuationToken")
        rest = await entries(service, 2, start_after="bar", continuation_token=token)

        assert (["baz"], ["foo", "quxx"]) == (first[0], rest[0])
        assert token == tag(rest[2], "ContinuationToken")
        assert "bar" == tag(rest[2], "StartAfter")
        assert "2" == tag(rest[2], "KeyCount")


# ---- objects


async def test_metadata_is_replaced_by_the_next_put() -> None:
    """object_metadata_replaced_on_put, object_set_get_metadata_overwrite_to_empty."""
    async with open_service() as service:
        headers = {"x-amz-meta-one": "bar", "cache-control": "no-store"}
        await service.ask("PUT", "/photos/a", headers=headers, body=b"x")
        await service.ask("PUT", "/photos/a", headers={"x-amz-meta-two": ""}, body=b"y")
        found = (await service.ask("HEAD", "/photos/a")).headers

        assert "" == found["x-amz-meta-two"]
        assert not {"x-amz-meta-one", "cache-control"} & found.keys()


@pytest.mark.parametrize(
    ("value", "status", "body", "content_range"),
    [
        ("bytes=4-7", 206, b"4567", "bytes 4-7/11"),  # ranged_request_response_code
        ("bytes=4-", 206, b"456789a", "bytes 4-10/11"),  # ..._skip_leading_bytes
        ("bytes=-7", 206, b"456789a", "bytes 4-10/11"),  # ..._return_trailing_bytes
        ("bytes=40-50", 416, None, "bytes */11"),  # ..._invalid_range
    ],
)
async def test_ranges(
    value: str, status: int, body: bytes | None, content_range: str
) -> None:
    """HEAD says the same without the bytes."""
    async with open_service() as service:
        await service.ask("PUT", "/photos/a", body=b"0123456789a")
        got = await service.ask("GET", "/photos/a", headers={"range": value})
        head = await service.ask("HEAD", "/photos/a", headers={"range": value})

        assert (status, status) == (got.status, head.status)
        assert content_range == got.headers["content-range"]
        assert body is None or body == got.body
        assert b"" == head.body


async def test_range_of_an_empty_object() -> None:
    """ranged_request_empty_object."""
    async with open_service() as service:
        await service.ask("PUT", "/photos/a", body=b"")
        got = await service.ask("GET", "/photos/a", headers={"range": "bytes=40-50"})

        assert (416, "InvalidRange") == (got.status, got.code)


async def test_thousand_keys_and_no_more() -> None:
    """multi_object_delete_key_limit: 1001 keys delete nothing."""
    async with open_service() as service:
        await fill(service, "0", "1")
        for count, status in ((1001, 400), (1000, 200)):
            listed = "".join(
                f"<Object><Key>{number}</Key></Object>" for number in range(count)
            )
            answer = await service.ask(
                "POST",
                "/photos",
                (("delete", ""),),
                body=f"<Delete>{listed}</Delete>".encode(),
            )
            assert status == answer.status
            left = (await entries(service))[0]
            assert (["0", "1"] if status == 400 else []) == left
            assert status == 200 or answer.code == "MalformedXML"


# ---- copies


@pytest.mark.parametrize(
    "key", [" ", "_", "__", "?versionId", "a+b", "ü/%41", "a//b", "~!$&'()*,;=:@"]
)
async def test_any_key_is_a_source(key: str) -> None:
    """multipart_copy_special_names, CopyObject_special_char_object_keys."""
    source = {"x-amz-copy-source": quote(f"photos/{key}")}
    async with open_service(extra={"server": SMALL}) as service:
        await service.ask("PUT", f"/photos/{key}", body=b"special")
        copied = await service.ask("PUT", "/photos/copy", headers=source)
        client = Client(service, "/photos/parts")
        await client.create()
        part = await client.ask("PUT", {"partNumber": "1"}, source)
        client.etags[1] = tag(part.text, "ETag")
        await client.complete()

        assert 200 == copied.status, copied.text
        assert b"special" == (await service.ask("GET", "/photos/copy")).body
        assert b"special" == await client.get()


@pytest.mark.parametrize(
    ("source", "target", "code"),
    [
        ("nowhere/a", "/photos/b", "NoSuchBucket"),  # object_copy_bucket_not_found
        ("photos/none", "/photos/b", "NoSuchKey"),  # object_copy_key_not_found
    ],
)
async def test_source_that_is_not_there(source: str, target: str, code: str) -> None:
    """A configured bucket's own credentials learn nothing of other buckets."""
    async with open_service() as service:
        answer = await service.ask("PUT", target, headers={"x-amz-copy-source": source})

        expected = (403, "AccessDenied") if code == "NoSuchBucket" else (404, code)
        assert expected == (answer.status, answer.code)
        assert 404 == (await service.ask("HEAD", target)).status


@pytest.mark.parametrize(
    ("condition", "value", "status"),
    [
        ("if-match", "{etag}", 200),  # copy_object_ifmatch_good
        ("if-match", '"ABCORZ"', 412),  # copy_object_ifmatch_failed
        ("if-none-match", "{etag}", 412),  # copy_object_ifnonematch_good
        ("if-none-match", '"ABCORZ"', 200),  # copy_object_ifnonematch_failed
    ],
)
async def test_conditions_on_a_source(condition: str, value: str, status: int) -> None:
    """And nothing is there when one fails."""
    async with open_service() as service:
        put = await service.ask("PUT", "/photos/a", body=b"x")
        headers = {
            "x-amz-copy-source": "photos/a",
            f"x-amz-copy-source-{condition}": value.format(etag=put.headers["etag"]),
        }
        answer = await service.ask("PUT", "/photos/b", headers=headers)

        assert status == answer.status, answer.text
        found = (await service.ask("HEAD", "/photos/b")).status
        assert (404 if status == 412 else 200) == found


# ---- uploads


async def test_upload_over_an_existing_object() -> None:
    """multipart_upload_overwrite_existing_object: the old one until the end."""
    async with open_service(extra={"server": SMALL}) as service:
        await service.ask("PUT", "/photos/a", body=b"old")
        client = Client(service)
        await client.create()
        await client.parts(b"new", b"er")
        before = await client.get()
        await client.complete()

        assert (b"old", b"newer") == (before, await client.get())
        assert ["a"] == (await entries(service))[0]


@pytest.mark.parametrize(
    ("parts", "code"),
    [
        ([], "MalformedXML"),  # multipart_upload_empty
        ([(9999, "{etag}")], "InvalidPart"),  # multipart_upload_missing_part
        ([(1, '"ffffffffffffffffffffffffffffffff"')], "InvalidPart"),  # incorrect_etag
    ],
)
async def test_manifest_that_names_nothing(
    parts: list[tuple[int, str]], code: str
) -> None:
    """The upload goes on."""
    async with open_service(extra={"server": SMALL}) as service:
        client = Client(service)
        await client.create()
        await client.parts(b"part")
        named = [(number, etag.format(etag=client.etags[1])) for number, etag in parts]
        refused = await client.complete(named)
        await client.complete()

        assert (400, code) == (refused.status, refused.code)
        assert b"part" == await client.get()


@pytest.mark.parametrize(
    "query",
    [
        (("max-parts", "-1"),),  # ListParts_invalid_max_parts
        (("max-parts", "x"),),
        (("part-number-marker", "-1"),),
        (("part-number-marker", "x"),),
    ],
)
async def test_odd_pages_of_parts(query: tuple[tuple[str, str], ...]) -> None:
    """400 InvalidArgument."""
    async with open_service() as service:
        client = Client(service)
        await client.create()
        answer = await client.ask("GET", dict(query))

        assert (400, "InvalidArgument") == (answer.status, answer.code), answer.text


@pytest.mark.parametrize("value", ["-1", "x"])
async def test_odd_pages_of_uploads(value: str) -> None:
    """ListMultipartUploads_invalid_max_uploads."""
    async with open_service() as service:
        query = (("max-uploads", value), ("uploads", ""))
        answer = await service.ask("GET", "/photos", query)

        assert (400, "InvalidArgument") == (answer.status, answer.code), answer.text


async def test_upload_id_marker_alone_means_nothing() -> None:
    """ListMultipartUploads_ignore_upload_id_marker."""
    async with open_service() as service:
        client = Client(service)
        await client.create()
        query = (("upload-id-marker", client.upload_id), ("uploads", ""))
        answer = await service.ask("GET", "/photos", query)

        assert [client.upload_id] == tags(answer.text, "UploadId")
