"""Read one blob, or an interval of it, from a provider's answer.

Exactly the bytes asked for, or an error: the answer's head must promise them
(Content-Length, Content-Range), and its body must be that long, no more and no less. A
provider that ignores Range and answers with everything is read past the beginning, as
long as that is not much.
"""

from dataclasses import dataclass

from s3o.backends import s3_answers
from s3o.backends.s3_calls import Call, Caller
from s3o.model import limits
from s3o.model.errors import BlobDamaged
from s3o.model.names import StorageKey
from s3o.model.values import BlobInfo, Interval
from s3o.net.client import Answer, BadAnswer, ClientError

OPERATION = "GetObject"


class S3Blob:
    """An open answer. Owns: the connection, until its end is read or aclose()."""

    __slots__ = ("_answer", "_caller", "_is_tail_unwanted", "_left", "_skip", "info")

    def __init__(
        self, caller: Caller, answer: Answer, info: BlobInfo, plan: "_Plan"
    ) -> None:
        self._caller = caller
        self._answer = answer
        self._skip = plan.skip_bytes
        self._left = plan.wanted_bytes
        self._is_tail_unwanted = plan.is_tail_unwanted
        #: what the answer's head said
        self.info: BlobInfo = info

    async def read(self) -> bytes:
        """Return the next piece, or b"" at the end; raises BackendError."""
        while self._left:
            try:
                piece = await self._receive()
            except ClientError as error:
                raise self._caller.translate(error, OPERATION) from error
            if piece:
                return piece
        return b""

    async def _receive(self) -> bytes:
        piece = await self._answer.read()
        if not piece:
            raise BadAnswer("the answer is shorter than its head promised")
        self._caller.meter.count_egress(len(piece))
        if self._skip:
            skipped = min(self._skip, len(piece))
            piece = piece[skipped:]
            self._skip -= skipped
        if self._is_tail_unwanted:
            piece = piece[: self._left]
        elif len(piece) > self._left:
            raise BadAnswer("the answer is longer than its head promised")
        self._left -= len(piece)
        if not self._left:
            # The connection serves others while the last piece is on its way.
            if not self._is_tail_unwanted and await self._answer.read():
                raise BadAnswer("the answer is longer than its head promised")
            await self._answer.aclose()
        return piece

    async def aclose(self) -> None:
        """Give the connection back, or up if bytes are still to come."""
        await self._answer.aclose()


@dataclass(frozen=True, slots=True)
class _Plan:
    """What of the answer's body to hand on, and the whole blob's size."""

    stored_bytes: int
    wanted_bytes: int
    skip_bytes: int = 0
    is_tail_unwanted: bool = False


async def open_blob(
    caller: Caller, call: Call, storage_key: StorageKey, interval: Interval | None
) -> S3Blob:
    """Make call and return the blob it opens; raises BackendError."""
    answer = await caller.start(call)
    try:
        plan: _Plan | None
        if interval is None:
            plan = _plan_whole(answer)
        elif answer.status == 206 or "content-range" in answer.fields:
            # rclone answers a range with status 200 and a Content-Range.
            plan = _plan_part(answer, interval)
        else:
            plan = _plan_skipping(answer, interval)
    except BadAnswer as error:
        await answer.aclose()
        raise caller.translate(error, OPERATION) from error
    if plan is None:
        await answer.aclose()
        raise BlobDamaged(caller.name, OPERATION, "it is shorter", storage_key)
    info = s3_answers.read_info(answer.fields, plan.stored_bytes, has_date=False)
    if not plan.wanted_bytes:
        await answer.aclose()
    return S3Blob(caller, answer, info, plan)


def _plan_whole(answer: Answer) -> _Plan:
    if answer.status != 200 or "content-range" in answer.fields:
        raise BadAnswer("a part was answered to a request for the whole")
    size = s3_answers.read_length(answer.fields)
    return _Plan(size, size)


def _plan_part(answer: Answer, interval: Interval) -> _Plan | None:
    start, stop, size = s3_answers.read_content_range(answer.fields)
    if size < interval.stop:
        return None
    if (start, stop) != (interval.start, interval.stop):
        raise BadAnswer("another range was answered than was asked for")
    length = answer.fields.get("content-length")
    if length is not None and s3_answers.read_length(answer.fields) != stop - start:
        raise BadAnswer("Content-Length and Content-Range contradict each other")
    return _Plan(size, stop - start)


def _plan_skipping(answer: Answer, interval: Interval) -> _Plan | None:
    if answer.status != 200:
        raise BadAnswer("neither the range nor the whole was answered")
    size = s3_answers.read_length(answer.fields)
    if size < interval.stop:
        return None
    if interval.start > limits.BACKEND_SKIP_BYTES:
        raise BadAnswer("the range was ignored and its beginning is far away")
    return _Plan(
        size,
        interval.length,
        skip_bytes=interval.start,
        is_tail_unwanted=size > interval.stop,
    )
