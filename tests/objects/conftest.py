"""The house most tests of objects begin with."""

from collections.abc import AsyncIterator

import pytest

from tests.objects.house import House, open_house


@pytest.fixture
async def house() -> AsyncIterator[House]:
    """An empty house over the identity transform."""
    async with open_house() as built:
        yield built
