"""Conditional GET and HEAD through the door: each header, each order, with a range."""

import pytest

from s3o.wire.dates import render_http_date
from tests.fakes.clock import START_US
from tests.s3api.house import House

ETAG = '"5d41402abc4b2a76b9719d911017c592"'
BARE = ETAG.strip('"')
BEFORE, SAME, AFTER = (
    render_http_date(START_US + seconds * 1_000_000) for seconds in (-1, 0, 1)
)
ROWS = [
    (200, {"if-match": ETAG}),
    (200, {"if-match": BARE}),
    (200, {"if-match": "*"}),
    (200, {"if-match": f'"x", {ETAG}'}),
    (412, {"if-match": '"x"'}),
    (412, {"if-match": '"x","y"'}),
    (200, {"if-unmodified-since": SAME}),
    (200, {"if-unmodified-since": AFTER}),
    (412, {"if-unmodified-since": BEFORE}),
    (304, {"if-none-match": ETAG}),
    (304, {"if-none-match": BARE}),
    (304, {"if-none-match": f"W/{ETAG}"}),
    (304, {"if-none-match": "*"}),
    (304, {"if-none-match": f'"x", {ETAG}'}),
    (200, {"if-none-match": '"x"'}),
    (200, {"if-modified-since": BEFORE}),
    (304, {"if-modified-since": SAME}),
    (304, {"if-modified-since": AFTER}),
    (200, {"if-modified-since": "yesterday"}),
    (200, {"if-unmodified-since": "yesterday"}),
    # A true If-Match hides If-Unmodified-Since; a false one decides.
    (200, {"if-match": ETAG, "if-unmodified-since": BEFORE}),
    (412, {"if-match": '"x"', "if-unmodified-since": AFTER}),
    # If-None-Match hides If-Modified-Since.
    (200, {"if-none-match": '"x"', "if-modified-since": SAME}),
    (304, {"if-none-match": ETAG, "if-modified-since": BEFORE}),
    # The first two come before the last two.
    (412, {"if-match": '"x"', "if-none-match": ETAG}),
    (304, {"if-match": ETAG, "if-none-match": ETAG}),
    (412, {"if-unmodified-since": BEFORE, "if-modified-since": SAME}),
    (304, {"if-unmodified-since": SAME, "if-modified-since": SAME}),
]


@pytest.fixture
async def house():
    """A door with one object."""
    house = House()
    await house.put("a", b"hello")
    return house


@pytest.mark.parametrize("range_", [None, "bytes=1-2", "bytes=9-"])
@pytest.mark.parametrize(("status", "headers"), ROWS)
async def test_conditions_decide_before_anything_is_read(
    house, status, headers, range_
):
    """Also before the range, whether it can be served or not."""
    fields = {**headers, "x-request-id": "r"}
    if range_ is not None:
        fields["range"] = range_
    get = await house.ask("GET", "/photos/a", fields)
    head = await house.ask("HEAD", "/photos/a", fields)

    if status == 200 and range_ is not None:
        status = 206 if range_ == "bytes=1-2" else 416
    assert [status, status] == [get.status, head.status]
    assert b"" == head.body
    expected = {200: b"hello", 206: b"el", 304: b""}
    if status in expected:
        assert expected[status] == get.body
        assert get.headers == head.headers
    if status == 304:
        assert ETAG == get.headers["etag"]
        assert "content-length" not in get.headers


@pytest.mark.parametrize(
    ("headers", "condition"),
    [
        ({"if-match": '"x"'}, "If-Match"),
        ({"if-unmodified-since": BEFORE}, "If-Unmodified-Since"),
    ],
)
async def test_a_412_names_the_condition(house, headers, condition):
    """Clients with two conditions want to know which."""
    reply = await house.ask("GET", "/photos/a", headers)

    assert (
        "<Error><Code>PreconditionFailed</Code><Message>"
        "At least one of the pre-conditions you specified did not hold</Message>"
        f"<Condition>{condition}</Condition><Resource>/photos/a</Resource>"
    ) in reply.text


@pytest.mark.parametrize(
    ("key", "range_", "status", "body", "content_range"),
    [
        ("a", "bytes=-99", 206, b"hello", "bytes 0-4/5"),
        ("a", "bytes=3-99", 206, b"lo", "bytes 3-4/5"),
        ("a", "bytes=5-", 416, None, "bytes */5"),
        ("a", "bytes=-0", 416, None, "bytes */5"),
        ("empty", "bytes=0-", 416, None, "bytes */0"),
        ("empty", "bytes=-1", 200, b"", None),
        ("empty", "bytes=x", 200, b"", None),
    ],
)
async def test_ranges_at_the_edges(house, key, range_, status, body, content_range):
    """HEAD answers what GET answers."""
    await house.put("empty", b"")
    get = await house.ask("GET", f"/photos/{key}", {"range": range_})
    head = await house.ask("HEAD", f"/photos/{key}", {"range": range_})

    assert [status, status] == [get.status, head.status]
    for reply in (get, head):
        assert content_range == reply.headers.get("content-range")
    if body is not None:
        assert (body, "bytes") == (get.body, get.headers["accept-ranges"])
    else:
        size = content_range.removeprefix("bytes */")
        assert (
            "<Code>InvalidRange</Code>"
            "<Message>The requested range is not satisfiable</Message>"
            f"<RangeRequested>{range_}</RangeRequested>"
            f"<ActualObjectSize>{size}</ActualObjectSize>"
        ) in get.text


@pytest.mark.parametrize(
    "name",
    [
        *("content-type", "content-language", "content-disposition"),
        *("content-encoding", "cache-control", "expires"),
    ],
)
async def test_every_override_replaces_its_header(house, name):
    """Presigned links say how their answer is to be taken."""
    await house.put("b", b"", {name: "old"})
    for method in ("GET", "HEAD"):
        reply = await house.ask(method, f"/photos/b?response-{name}=new+one")
        assert (200, "new one") == (reply.status, reply.headers[name])
