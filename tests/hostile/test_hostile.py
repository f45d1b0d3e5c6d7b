"""At least 400 hostile requests, each judged by its answer and by what it left."""

import gc
import os
import tracemalloc

import pytest
from trio.testing import wait_all_tasks_blocked

from tests.behaviour.service import open_service
from tests.hostile import (
    auth,
    copies,
    framing,
    headers,
    subresources,
    targets,
    tenants,
    uploads,
    xml,
)
from tests.hostile.case import Case, Scene

MODULES = (framing, auth, targets, tenants, subresources, headers, xml, copies, uploads)
CASES: list[Case] = [case for module in MODULES for case in module.cases()]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_a_hostile_request_is_refused_and_leaves_nothing(case: Case) -> None:
    """Status, code, side effects, and the health of the next request."""
    async with open_service() as service:
        scene = Scene(service=service)
        await scene.prepare()
        await scene.judge(case)


def test_there_are_enough_cases_and_no_two_of_one_name() -> None:
    """A class that yields nothing any more is noticed."""
    names = {case.name for case in CASES}

    assert len(CASES) == len(names) >= 400
    assert all(list(module.cases()) for module in MODULES)


async def test_all_of_them_in_a_row_leave_no_descriptor_task_or_memory() -> None:
    """One service takes every case; what it holds is what it held before."""
    async with open_service() as service:
        scene = Scene(service=service)
        await scene.prepare()
        await scene.judge(CASES[0])
        await wait_all_tasks_blocked()
        held = (_descriptors(), len(service.nursery.child_tasks))
        tracemalloc.start()
        try:
            for case in CASES:
                raw = case.make(service)
                await service.send(raw, case.method)
            await wait_all_tasks_blocked()
            gc.collect()
            grown_bytes, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        left = (_descriptors(), len(service.nursery.child_tasks))
        await scene.check_health()

    assert held == left
    assert grown_bytes < 2 << 20


def _descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))
