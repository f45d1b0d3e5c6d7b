"""Buckets that keep versions: deleted means that no version is left.

Otherwise every overwrite stays on the operator's bill, and the quota says it is gone.
"""

from collections.abc import Iterable

import pytest
import trio

from s3o.model.errors import (
    BackendError,
    BackendProtocolError,
    BackendRefused,
    BackendThrottled,
)
from s3o.model.values import BlobHeaders
from tests.backends.s3_house import NAME, OTHER, S3House, error, settings_of
from tests.fakes.scripted_server import render
from tests.fakes.sources import BytesSource

ENABLED = render(
    body=b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
)


def versions(
    *found: tuple[str, str, str], more: tuple[str, str] | None = None
) -> bytes:
    """A page of versions: kind, name, id."""
    entries = "".join(
        f"<{kind}><Key>{name}</Key><VersionId>{version}</VersionId></{kind}>"
        for kind, name, version in found
    )
    markers = (
        f"<NextKeyMarker>{more[0]}</NextKeyMarker>"
        f"<NextVersionIdMarker>{more[1]}</NextVersionIdMarker>"
        if more
        else ""
    )
    truncated = str(more is not None).lower()
    body = (
        f"<ListVersionsResult><IsTruncated>{truncated}</IsTruncated>{markers}{entries}"
        "</ListVersionsResult>"
    )
    return render(body=body.encode())


def deleted(names: Iterable[str], failed: str = "") -> bytes:
    """The answer to a multi-delete."""
    body = "".join(f"<Deleted><Key>{name}</Key></Deleted>" for name in names)
    return render(body=f"<DeleteResult>{body}{failed}</DeleteResult>".encode())


@pytest.fixture
def house(nursery: trio.Nursery) -> S3House:
    """A backend whose profile knows nothing of versions."""
    return S3House(nursery, settings_of(profile="generic"))


async def test_all_versions_of_a_name_are_deleted(house: S3House) -> None:
    """Markers too, and never those of a name that only begins alike."""
    house.server.add(
        ENABLED,
        versions(
            ("DeleteMarker", NAME, "m1"),
            ("Version", NAME, "v1"),
            ("Version", NAME + "x", "v2"),
        ),
        deleted([NAME, NAME]),
    )
    (outcome,) = await house.backend.delete([NAME])
    body = house.requests[2].body.decode()
    await house.backend.aclose()

    assert outcome.error is None
    assert ["GET", "GET", "POST"] == [one.method for one in house.requests]
    assert "/bucket?versioning=" == house.requests[0].target
    assert "<VersionId>m1</VersionId>" in body
    assert "<VersionId>v1</VersionId>" in body
    assert "v2" not in body


async def test_single_version_is_deleted_by_its_id(house: S3House) -> None:
    """The usual case: written once, never hidden."""
    house.server.add(ENABLED, versions(("Version", NAME, "v/1+")), render(204))
    (outcome,) = await house.backend.delete([NAME])
    await house.backend.aclose()

    assert outcome.error is None
    assert house.requests[2].target.endswith("?versionId=v%2F1%2B")


async def test_name_without_versions_is_gone(house: S3House) -> None:
    """Nothing more is asked."""
    house.server.add(ENABLED, versions(), versions())
    (outcome,) = await house.backend.delete([NAME])
    (again,) = await house.backend.delete([NAME])
    await house.backend.aclose()

    assert outcome.error is again.error is None
    assert 3 == len(house.requests)


async def test_name_is_gone_only_when_every_version_is(house: S3House) -> None:
    """One confirmed of two asked is a failure, and so is one refused."""
    two = versions(("Version", NAME, "v1"), ("Version", NAME, "v2"))
    refused = f"<Error><Key>{NAME}</Key><Code>SlowDown</Code></Error>"
    house.server.add(ENABLED, two, deleted([NAME]), two, deleted([NAME], refused))
    (unconfirmed,) = await house.backend.delete([NAME])
    (throttled,) = await house.backend.delete([NAME])
    await house.backend.aclose()

    assert isinstance(unconfirmed.error, BackendProtocolError)
    assert isinstance(throttled.error, BackendThrottled)


async def test_pages_of_versions_are_followed_and_bounded(house: S3House) -> None:
    """A name written many times has more than one page; a liar never ends."""
    first = versions(("Version", NAME, "v1"), more=(NAME, "v1"))
    house.server.add(
        ENABLED, first, versions(("Version", NAME, "v2")), deleted([NAME, NAME])
    )
    (outcome,) = await house.backend.delete([NAME])
    asked = house.requests[2].target
    house.server.add(*[first] * 100)
    (endless,) = await house.backend.delete([NAME])
    await house.backend.aclose()

    assert outcome.error is None
    assert "version-id-marker=v1" in asked
    assert isinstance(endless.error, BackendProtocolError)


async def test_failed_listing_fails_its_own_name_only(house: S3House) -> None:
    """The others of the batch are deleted all the same."""
    house.server.add(
        ENABLED, error(403, "AccessDenied"), versions(("Version", OTHER, "v1"))
    )
    outcomes = await house.backend.delete([NAME, OTHER])
    await house.backend.aclose()

    assert 1 == len([one for one in outcomes if isinstance(one.error, BackendRefused)])


@pytest.mark.parametrize(
    "answer",
    [
        render(body=b"<VersioningConfiguration/>"),
        render(body=b"nonsense"),
        error(404, "NoSuchKey"),
        error(501, "NotImplemented"),
    ],
)
async def test_bucket_that_tells_nothing_of_versions_keeps_none(
    house: S3House, answer: bytes
) -> None:
    """Asked once; many providers never heard of it."""
    house.server.add(answer, render(204), render(204))
    await house.backend.delete([NAME])
    await house.backend.delete([OTHER])
    await house.backend.aclose()

    assert ["GET", "DELETE", "DELETE"] == [one.method for one in house.requests]


async def test_answer_to_a_put_gives_versions_away(house: S3House) -> None:
    """They may have been switched on today."""
    house.server.add(
        error(501, "NotImplemented"),
        render(204),
        render(200, {"x-amz-version-id": "v1"}),
        versions(("Version", NAME, "v1")),
        render(204),
    )
    await house.backend.delete([OTHER])
    await house.backend.put(NAME, BytesSource(b"meow"), BlobHeaders())
    await house.backend.delete([NAME])
    await house.backend.aclose()

    assert house.requests[4].target.endswith("?versionId=v1")


async def test_credential_that_may_not_ask_may_list(house: S3House) -> None:
    """Listing answers the question for each name, whatever the bucket keeps."""
    house.server.add(
        error(403, "AccessDenied"), versions(), versions(("Version", NAME, "null"))
    )
    await house.backend.delete([NAME])
    await house.backend.aclose()

    assert ["GET", "GET", "GET", "DELETE"] == [one.method for one in house.requests]
    assert house.requests[3].target.endswith("?versionId=null")


@pytest.mark.parametrize("code", ["AccessDenied", "InvalidAccessKeyId"])
async def test_nothing_is_gone_while_nobody_tells_of_versions(
    house: S3House, code: str
) -> None:
    """A plain DELETE might only hide the bytes: they stay in the queue and counted."""
    house.server.add(error(403, code), error(403, code))
    with pytest.raises(BackendRefused):
        await house.backend.delete([NAME])
    house.server.add(render(body=b"<VersioningConfiguration/>"), render(204))
    (outcome,) = await house.backend.delete([NAME])
    await house.backend.aclose()

    assert outcome.error is None
    assert ["GET", "GET", "GET", "DELETE"] == [one.method for one in house.requests]


UNFIT = error(403, "AccessDenied")


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ((render(body=b"<VersioningConfiguration/>"),), ""),
        ((error(501, "NotImplemented"),), ""),
        ((ENABLED, versions()), ""),
        ((UNFIT, versions(), versions()), ""),
        ((UNFIT, UNFIT, render()), "ListObjectVersions: 403 AccessDenied"),
        ((ENABLED, UNFIT, render()), "ListObjectVersions: 403 AccessDenied"),
        (
            (ENABLED, error(501, "NotImplemented"), render()),
            "ListObjectVersions: 501 NotImplemented",
        ),
    ],
)
async def test_bucket_that_hides_its_versions_is_unfit(
    house: S3House, answers: tuple[bytes, ...], reason: str
) -> None:
    """Found out at the start, not when the first client writes."""
    house.server.add(*answers)
    found = await house.backend.find_unfitness()
    await house.backend.aclose()

    assert reason == found


@pytest.mark.parametrize(
    "answers",
    [
        (error(503, "SlowDown"),),
        (error(500, "InternalError"),),
        (ENABLED, error(500, "InternalError")),
        (UNFIT, UNFIT, render(403)),  # an account that is locked lets nobody in
    ],
)
async def test_bucket_that_is_down_is_not_unfit(
    house: S3House, answers: tuple[bytes, ...]
) -> None:
    """The other backends must be served meanwhile."""
    house.server.add(*answers)
    with pytest.raises(BackendError):
        await house.backend.find_unfitness()
    await house.backend.aclose()


async def test_unanswered_question_is_asked_again(house: S3House) -> None:
    """Taking an outage for a no would hide bytes for the life of the process."""
    house.server.add(error(503, "SlowDown"), ENABLED, versions())
    with pytest.raises(BackendThrottled):
        await house.backend.delete([NAME])
    (outcome,) = await house.backend.delete([NAME])
    await house.backend.aclose()

    assert outcome.error is None
    assert 3 == len(house.requests)


async def test_b2_is_known_to_keep_versions(nursery: trio.Nursery) -> None:
    """Its buckets do unless a lifecycle rule ends them."""
    house = S3House(nursery, settings_of(profile="b2"))
    house.server.add(versions())
    await house.backend.delete([NAME])
    await house.backend.aclose()

    assert "versions=" in house.requests[0].target


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "AuthorizationHeaderMalformed"),
        (400, "ExpiredToken"),
        (400, "RequestTimeout"),
        (404, "NoSuchBucket"),
    ],
)
async def test_refusal_of_the_moment_teaches_nothing(
    house: S3House, status: int, code: str
) -> None:
    """Else a versioned bucket would hide what it is told to delete from then on."""
    house.server.add(
        error(status, code),
        ENABLED,
        versions(("Version", NAME, "v1")),
        render(204),
    )
    with pytest.raises(BackendRefused):
        await house.backend.delete([NAME])
    (outcome,) = await house.backend.delete([NAME])
    await house.backend.aclose()

    assert outcome.error is None
    assert house.requests[3].target.endswith("?versionId=v1")


async def test_slow_moment_is_no_unfitness(house: S3House) -> None:
    """The start must not be refused for it."""
    house.server.add(error(400, "RequestTimeout"))
    with pytest.raises(BackendRefused):
        await house.backend.find_unfitness()
    await house.backend.aclose()
