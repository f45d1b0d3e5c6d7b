"""At least 400 hostile requests, each judged by its answer and by what it left."""

import gc
import os
import tracemalloc

import pytest
from trio.testing import wait_all_tasks_blocked

from tests.behaviour.service import open_service
from tests.hostile import (
    auth,
    chunked,
    copies,
    framing,
    headers,
    listings,
    signed,
    subresources,
    targets,
    tenants,
    transfer,
    uploads,
    xml,
)
from tests.hostile.case import Case, Scene

MODULES = (
    *(framing, auth, targets, tenants, subresources, headers, xml, copies),
    *(uploads, chunked, listings, transfer),
)
CASES: list[Case] = [case for module in MODULES for case in module.cases()]


# Whoever changes nothing leaves the scene to the next: setting it is what takes time.
_AT_ONCE = 10
RUNS = [CASES[start : start + _AT_ONCE] for start in range(0, len(CASES), _AT_ONCE)]


@pytest.mark.slow
@pytest.mark.parametrize("cases", RUNS, ids=lambda cases: f"from {cases[0].name}")
async def test_hostile_requests_are_refused_and_leave_nothing(
    cases: list[Case],
) -> None:
    """Status, code, side effects, and the health of the next request; of each."""
    async with open_service() as service:
        scene = Scene(service=service)
        await scene.prepare()
        for case in cases:
            await scene.judge(case)


@pytest.mark.parametrize(
    "make",
    [
        *(chunked.Upload(form=form).make for form in chunked.Form),
        transfer.make_upload(),
        signed.Ask(method="PUT", path="/photos/new", body=b"x").make,
    ],
)
async def test_what_the_cases_spoil_would_be_served(make) -> None:
    """Else a case would be refused for what it has in common with all others."""
    async with open_service() as service:
        answer = await service.send(make(service), "PUT")

        assert 200 == answer.status, answer.text


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_a_request_that_leaves_something_is_noticed(method) -> None:
    """The judge looks at rows and bytes, not only at the answer that was expected."""
    done = {"PUT": 200, "DELETE": 204}[method]
    (case,) = signed.rows("served", [("it", signed.Ask(method=method), done, "")])
    async with open_service() as service:
        scene = Scene(service=service)
        await scene.prepare()

        with pytest.raises(AssertionError, match="served: it"):
            await scene.judge(case)


def test_there_are_enough_cases_and_no_two_of_one_name() -> None:
    """A class that yields nothing any more is noticed."""
    names = {case.name for case in CASES}

    assert len(CASES) == len(names) >= 400
    assert all(list(module.cases()) for module in MODULES)


@pytest.mark.slow
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
