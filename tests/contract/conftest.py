"""The subjects of the contract suite."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.contract.factories import FACTORIES, CountingMeter
from tests.contract.subject import Subject


@pytest.fixture(
    params=[
        pytest.param(name, marks=contracted.marks, id=name)
        for name, contracted in FACTORIES.items()
    ]
)
async def subject(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[Subject]:
    """One implementation, empty."""
    contracted = FACTORIES[request.param]
    meter = CountingMeter()
    async with AsyncExitStack() as stack:
        backend = await stack.enter_async_context(contracted.make(tmp_path, meter))
        yield Subject(backend, meter, contracted.is_write_once, contracted.has_folders)
