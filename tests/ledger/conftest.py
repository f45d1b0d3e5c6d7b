"""Both engines, so that no test can tell them apart."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from s3o.ledger.seam import Engine
from s3o.ledger.sqlite import InlineEngine, open_inline, open_sqlite
from tests.ledger.house import NOW_US, Writer, furnish


def never_broken(reason: str) -> None:
    """Fail the test in which a healthy engine breaks."""
    raise AssertionError(reason)


@pytest.fixture(params=["threads", "inline"])
async def engine(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[Engine]:
    """An empty ledger."""
    if request.param == "inline":
        connection = open_inline(now_us=NOW_US)
        yield InlineEngine(connection, on_broken=never_broken)
        connection.close()
        return
    path = tmp_path / "ledger.db"
    async with open_sqlite(path, now_us=NOW_US, on_broken=never_broken) as threads:
        yield threads


@pytest.fixture
async def writer(engine: Engine) -> Writer:
    """A ledger with the bucket photos and the backends one and two."""
    return await furnish(engine)
