"""Answer what may take minutes: Complete and the copies.

So that no client or proxy gives up meanwhile, the answer begins after a while, with
spaces. What fails then can only be told as an <Error> inside the 200, which SDKs look
for in these answers and in no others.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html
"""

from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import trio

from s3o.model.errors import ClientGone, ClientTooSlow, S3OError
from s3o.observe.operation import describe
from s3o.s3api.answers import XML, render_error
from s3o.s3api.call import Call
from s3o.s3api.upload_documents import without_declaration
from s3o.wire.xml_write import DECLARATION

KEEP_ALIVE_S = 5.0
T = TypeVar("T")


async def answer_slowly(
    call: Call, work: Callable[[], Awaitable[T]], render: Callable[[T], bytes]
) -> None:
    """Do work and answer 200 with the document that render makes of its result.

    What work raises is raised, or told inside the answer once that has begun. The work
    goes on to its end when the client leaves.
    """
    job = _Job(work)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(job.run)
        await _keep_waiting(call, job.ended)
    if not call.visit.exchange.is_answered:
        await call.respond_xml(render(job.result()))
        return
    await _end(call, job, render)


class _Job(Generic[T]):
    """The work, beside the task that keeps the client waiting."""

    def __init__(self, work: Callable[[], Awaitable[T]]) -> None:
        self._work = work
        self._results: list[T] = []
        self.error: S3OError | None = None
        self.ended = trio.Event()

    async def run(self) -> None:
        """Do it; what it raises is kept for the client."""
        try:
            self._results.append(await self._work())
        except S3OError as error:
            self.error = error
        finally:
            self.ended.set()

    def result(self) -> T:
        """Return what the work returned, or raise what it raised."""
        if self.error is not None:
            raise self.error
        [result] = self._results
        return result


async def _keep_waiting(call: Call, ended: trio.Event) -> None:
    """Wait for the end; say something now and then while the client is there.

    Nothing is sent under a deadline of ours: half a chunk would break the answer.
    """
    while True:
        with trio.move_on_after(KEEP_ALIVE_S):
            await ended.wait()
            return
        try:
            await _send_space(call)
        except (ClientGone, ClientTooSlow):
            # An upload must not stay half completed because its client left.
            await ended.wait()
            return


async def _send_space(call: Call) -> None:
    exchange = call.visit.exchange
    if exchange.is_answered:
        await exchange.send(b" ")
        return
    await call.visit.start(200, [XML], None)
    await exchange.send(DECLARATION.encode())


async def _end(call: Call, job: _Job[T], render: Callable[[T], bytes]) -> None:
    """Send the rest of an answer that has begun."""
    exchange = call.visit.exchange
    if exchange.is_cut:
        raise ClientGone()
    if job.error is None:
        body = render(job.result())
    else:
        call.visit.error = describe(job.error)
        path = exchange.head.target.partition("?")[0]
        _, _, body = render_error(job.error, call.visit.identity, path)
    await exchange.send(without_declaration(body))
    await exchange.finish()
