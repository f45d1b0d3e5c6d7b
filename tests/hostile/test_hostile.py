"""Hostile requests, each judged by its answer and by what it left."""

import pytest

from tests.behaviour.service import open_service
from tests.hostile import auth, framing
from tests.hostile.case import Case, Scene

CASES: list[Case] = [*framing.cases(), *auth.cases()]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_a_hostile_request_is_refused_and_leaves_nothing(case: Case) -> None:
    """Status, code, side effects, and the health of the next request."""
    async with open_service() as service:
        scene = Scene(service=service)
        await scene.prepare()
        await scene.judge(case)
