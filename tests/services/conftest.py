"""The house most tests of services begin with."""

from collections.abc import AsyncIterator

import pytest

from tests.services.house import House, open_house


@pytest.fixture
async def house() -> AsyncIterator[House]:
    """An empty house; tests that let time pass ask for autojump_clock, too."""
    async with open_house() as built:
        yield built
