"""Deletes: gone is what the provider says is gone, name by name."""

from collections.abc import AsyncIterator

import pytest
import trio

from s3o.model import limits
from s3o.model.errors import (
    BackendProtocolError,
    BackendRefused,
    BackendThrottled,
)
from tests.backends.s3_house import (
    NAME,
    OTHER,
    S3House,
    error,
    settings_of,
)
from tests.fakes.scripted_server import render


@pytest.fixture
async def house(nursery: trio.Nursery) -> AsyncIterator[S3House]:
    """A backend before a scripted provider; no call may keep a slot."""
    house = S3House(nursery)
    yield house
    assert limits.BACKEND_CONNECTIONS == house.pool.free_slots
    await house.backend.aclose()


def deleted(*names: str, failed: str = "") -> bytes:
    """The answer to a multi-delete."""
    body = "".join(f"<Deleted><Key>{name}</Key></Deleted>" for name in names)
    return render(body=f"<DeleteResult>{body}{failed}</DeleteResult>".encode())


async def test_only_names_the_provider_confirms_are_deleted(house: S3House) -> None:
    """Bytes stay on the quota until the provider says they are gone."""
    failed = (
        f"<Error><Key>{OTHER}</Key><Code>AccessDenied</Code><Message/></Error>"
        "<Error><Key>c</Key><Code>NoSuchKey</Code></Error>"
        "<Error><Key>d</Key><Code>SlowDown</Code></Error>"
    )
    house.server.add(deleted(NAME, "foreign", failed=failed))
    names = [NAME, OTHER, *map(type(NAME), ("c", "d", "unmentioned"))]
    outcomes = await house.backend.delete(names)

    assert names == [outcome.storage_key for outcome in outcomes]
    assert [
        type(None),
        BackendRefused,
        type(None),
        BackendThrottled,
        BackendProtocolError,
    ] == [type(outcome.error) for outcome in outcomes]


@pytest.mark.parametrize("body", [b"", b"OK", b"<DeleteResult>", b"<Other/>"])
async def test_unreadable_answer_deletes_nothing(house: S3House, body: bytes) -> None:
    """Nobody was named, so nobody is known to be gone."""
    house.server.add(render(body=body))
    outcomes = await house.backend.delete([NAME, OTHER])

    assert [BackendProtocolError] * 2 == [type(one.error) for one in outcomes]


@pytest.mark.parametrize("status", [405, 501])
async def test_provider_without_multi_delete_is_asked_one_by_one(
    house: S3House, status: int
) -> None:
    """And only once which it is."""
    house.server.add(error(status, "NotImplemented"))
    for _ in range(2):
        outcomes = await house.backend.delete([NAME, OTHER])
        assert [None, None] == [outcome.error for outcome in outcomes]

    assert ["POST", *["DELETE"] * 4] == [one.method for one in house.requests]


async def test_profile_knows_who_has_no_multi_delete(nursery: trio.Nursery) -> None:
    """No request is wasted on finding out."""
    house = S3House(nursery, settings_of(profile="gcs"))
    unversioned = render(body=b"<VersioningConfiguration/>")
    house.server.add(unversioned, render(204), error(500, "InternalError"))
    outcomes = await house.backend.delete([NAME, OTHER])
    await house.backend.aclose()

    assert 1 == [one.error for one in outcomes].count(None)
    assert ["GET", "DELETE", "DELETE"] == [one.method for one in house.requests]
