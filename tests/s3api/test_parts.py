"""partNumber on GET and HEAD: the parts that the object was uploaded in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3o.model.errors import InvalidPartNumber
from s3o.model.names import BucketId, ObjectKey, VersionId
from s3o.model.values import (
    Checksum,
    ChecksumAlgorithm,
    ChecksumType,
    Interval,
    ObjectFacts,
    ObjectVersion,
)
from s3o.wire.parts import find_part, part_checksum
from tests.s3api.house import House

BODY = bytes(range(256)) * 10
SIZES = (1000, 0, 1560)
COMPOSITE = Checksum(ChecksumAlgorithm.SHA1, "abc=-3", ChecksumType.COMPOSITE)
MODE = {"x-amz-checksum-mode": "ENABLED"}


@pytest.fixture
async def house():
    """A door with a plain object, an empty one, and one of three parts."""
    house = House()
    await house.put("plain", BODY, {"x-amz-checksum-crc32": "w7grbA=="})
    await house.put("empty", b"")
    await house.put("parts", BODY)
    house.objects.change(
        "parts",
        etag="abc-3",
        part_sizes=SIZES,
        checksum=COMPOSITE,
        part_checksums=("one=", "two=", "three="),
    )
    return house


async def ask(house, key, number, headers=None):
    """GET and HEAD one part; they agree on everything but the bytes."""
    target = f"/photos/{key}?partNumber={number}"
    fields = {"x-request-id": "same", **(headers or {})}
    get = await house.ask("GET", target, fields)
    head = await house.ask("HEAD", target, fields)
    if get.status < 400:
        assert (get.status, get.headers) == (head.status, head.headers)
    assert (get.status, b"") == (head.status, head.body)
    return get


@pytest.mark.parametrize(
    ("number", "start", "stop"), [(1, 0, 1000), (3, 1000, 2560), ("03", 1000, 2560)]
)
async def test_a_part_is_its_bytes_and_says_of_how_many(house, number, start, stop):
    """Parallel downloads ask for part 1 and learn from it how many there are."""
    part = await ask(house, "parts", number)

    assert (206, BODY[start:stop]) == (part.status, part.body)
    assert f"bytes {start}-{stop - 1}/2560" == part.headers["content-range"]
    assert str(stop - start) == part.headers["content-length"]
    assert ("3", '"abc-3"') == (
        part.headers["x-amz-mp-parts-count"],
        part.headers["etag"],
    )
    assert not [name for name in part.headers if "checksum" in name]


async def test_a_part_without_bytes_has_no_range(house):
    """Some clients end every upload with an empty part."""
    part = await ask(house, "parts", 2)

    assert (206, b"", "0") == (part.status, part.body, part.headers["content-length"])
    assert "content-range" not in part.headers
    assert "3" == part.headers["x-amz-mp-parts-count"]


async def test_a_part_has_its_own_checksum(house):
    """The whole object's would not fit these bytes."""
    part = await ask(house, "parts", 3, MODE)
    plain = await ask(house, "plain", 1, MODE)
    house.objects.change("parts", part_checksums=())
    unknown = await ask(house, "parts", 3, MODE)

    assert ("three=", "COMPOSITE") == (
        part.headers["x-amz-checksum-sha1"],
        part.headers["x-amz-checksum-type"],
    )
    assert ("w7grbA==", "FULL_OBJECT") == (
        plain.headers["x-amz-checksum-crc32"],
        plain.headers["x-amz-checksum-type"],
    )
    assert not [name for name in unknown.headers if "checksum" in name]


async def test_a_plain_object_is_its_part_one(house):
    """206 like any part, but no count: it was no multipart upload."""
    plain = await ask(house, "plain", 1)
    empty = await ask(house, "empty", 1)

    assert (206, BODY) == (plain.status, plain.body)
    assert "bytes 0-2559/2560" == plain.headers["content-range"]
    assert (200, b"") == (empty.status, empty.body)
    for reply in (plain, empty):
        assert "x-amz-mp-parts-count" not in reply.headers
    assert "content-range" not in empty.headers


@pytest.mark.parametrize(
    ("key", "number", "count"),
    [("parts", 4, 3), ("plain", 2, 1), ("empty", 2, 1), ("parts", 10_000, 3)],
)
async def test_a_part_behind_the_last_one_is_416(house, key, number, count):
    """How clients find the end that do not read the count."""
    reply = await ask(house, key, number)

    assert 416 == reply.status
    assert (
        "<Code>InvalidPartNumber</Code>"
        "<Message>The requested partnumber is not satisfiable</Message>"
        f"<PartNumberRequested>{number}</PartNumberRequested>"
        f"<ActualPartCount>{count}</ActualPartCount>"
    ) in reply.text


@pytest.mark.parametrize("number", ["0", "10001", "-1", "", "x", "1.0", "9" * 30])
async def test_a_part_number_is_1_to_10000(house, number):
    """The same limits as an upload's."""
    reply = await ask(house, "parts", number)

    assert (400, True) == (reply.status, "<Code>InvalidArgument</Code>" in reply.text)
    assert "<ArgumentName>partNumber</ArgumentName>" in reply.text


@pytest.mark.parametrize(
    "query", ["partNumber=0", "partNumber=1&x=", "response-expires=%0D%0Aset-cookie:a"]
)
async def test_what_was_asked_is_judged_before_the_object(house, query):
    """A malformed request is 400, whether the object is there or not."""
    headers = {"range": "bytes=0-1"}
    for key in ("plain", "none"):
        for method in ("GET", "HEAD"):
            reply = await house.ask(method, f"/photos/{key}?{query}", headers)
            assert 400 == reply.status


async def test_a_part_and_a_range_exclude_each_other(house):
    """Nobody knows a range of what is meant."""
    reply = await ask(house, "parts", 1, {"range": "bytes=0-1"})

    assert (400, True) == (reply.status, "<Code>InvalidRequest</Code>" in reply.text)


async def test_conditions_come_before_the_part(house):
    """Parts of two versions must not be put together."""
    failed = await ask(house, "parts", 4, {"if-match": '"old"'})
    known = await ask(house, "parts", 4, {"if-none-match": '"abc-3"'})
    held = await ask(house, "parts", 1, {"if-match": '"abc-3"'})

    assert [412, 304, 206] == [each.status for each in (failed, known, held)]


@given(st.lists(st.integers(0, 10), max_size=10))
def test_parts_together_are_the_object(sizes):
    """No byte twice, none left out, and none behind the last part."""
    version = ObjectVersion(
        bucket_id=BucketId(1),
        key=ObjectKey("a"),
        version_id=VersionId(""),
        sequence=0,
        size=sum(sizes),
        etag="",
        created_at_us=0,
        facts=ObjectFacts(),
        part_sizes=tuple(sizes),
    )
    count = len(sizes) or 1
    position = 0
    for number in range(1, count + 1):
        part = find_part(version, number)
        assert part_checksum(version, number) is None
        if part is not None:
            assert part == Interval(position, part.stop)
            position = part.stop

    assert version.size == position
    with pytest.raises(InvalidPartNumber):
        find_part(version, count + 1)
