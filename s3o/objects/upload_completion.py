"""Complete an upload: decide, let the backend join its parts, make the object current.

Theory of what can go wrong. Once begun, the row is `completing` and holds everything
that the object will be; from there the client's retry and the reaper do the same thing,
`_join` and `_publish`, whatever was done before:

- the backend refuses for certain: the upload is open again, with all its parts;
- nobody knows whether it joined them: HEAD says (a blob of that name and size can only
  be the joined one), else its list of parts says that they may be joined again;
- it knows neither: nothing is guessed; the upload stays, and an operator hears of it;
- the object may not become current any more (its conditions, its bucket): the upload
  ends, and everything it stored is queued.

No byte is deleted on doubt, and until the last step the key answers as before.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import trio

from s3o.backends.fleet import Fleet
from s3o.ledger.ledger import Ledger
from s3o.ledger.seam import Step
from s3o.ledger.upload_completion import (
    BegunCompletion,
    CompleteRequest,
    Finish,
    begin_complete,
    find_completion,
    finish_complete,
    reopen,
)
from s3o.ledger.upload_endings import refuse_complete
from s3o.ledger.uploads import CompletedUpload, find_completed
from s3o.model.errors import (
    BackendError,
    BackendsFailed,
    NoSuchUpload,
    StateError,
    WriteLost,
)
from s3o.model.facts import Happened
from s3o.model.multipart import Manifest
from s3o.model.names import BucketName, ObjectKey, UploadId
from s3o.model.seams import Clock, Observer
from s3o.model.values import Bucket, Checksum, PutReceipt, WriteConditions
from s3o.objects.live import LiveWrites
from s3o.objects.room import RoomMaker
from s3o.objects.upload_joining import Joining, JoinRefused, JoinStuck
from s3o.objects.wanted import CopiesWanted
from s3o.policy.multipart import manifest_digest

OPERATION = "CompleteMultipartUpload"
END_S = 10.0  # to write down a refusal, whatever is going on


@dataclass(frozen=True, slots=True, kw_only=True)
class CompleteCall:
    """One Complete as the door understood it."""

    bucket: Bucket
    key: ObjectKey
    upload_id: str
    manifest: Manifest
    conditions: WriteConditions


@dataclass(frozen=True, slots=True)
class Completed:
    """What a Complete is answered."""

    etag: str
    checksum: Checksum | None


@dataclass(frozen=True, slots=True)
class Completing:
    """A Complete that nothing of the client's own can refuse any more."""

    call: CompleteCall
    begun: BegunCompletion

    @property
    def size(self) -> int:
        """Plaintext bytes of the object."""
        return self.begun.completion.size


class Completer:
    """Carries out Completes. Owns: which of them this process works on now."""

    def __init__(
        self,
        ledger: Ledger,
        fleet: Fleet,
        observer: Observer,
        clock: Clock,
        *,
        owner: str,
        min_part_bytes: Callable[[], int],
        max_bytes: Callable[[], int],
        live: LiveWrites,
        room: RoomMaker,
        wanted: CopiesWanted,
    ) -> None:
        self._ledger = ledger
        self._fleet = fleet
        self._observer = observer
        self._clock = clock
        self._owner = owner
        self._min_part_bytes = min_part_bytes
        self._max_bytes = max_bytes
        self._live = live
        self._room = room
        self._wanted = wanted
        self._running: dict[UploadId, trio.Event] = {}

    async def begin(self, call: CompleteCall) -> Completed | Completing:
        """Decide whether the object can be made; return what was made before, if so.

        Raises NoSuchUpload, UploadCompleting, PreconditionFailed, NoSuchKey,
        EntityTooLarge, LedgerError, and what a manifest is refused for. Then the upload
        is as it was.
        """
        completed = await self._find_completed(call)
        if completed is not None:
            return completed
        request = CompleteRequest(
            bucket_id=call.bucket.id,
            bucket=call.bucket.name,
            key=call.key,
            upload_id=call.upload_id,
            manifest=call.manifest,
            conditions=call.conditions,
            min_part_bytes=self._min_part_bytes(),
            max_bytes=self._max_bytes(),
            owner=self._owner,
            now_us=self._clock.now_us(),
        )
        try:
            begun = await self._ledger.write(partial(begin_complete, request=request))
        except NoSuchUpload:
            # Somebody may have ended it between the two transactions.
            completed = await self._find_completed(call)
            if completed is None:
                raise
            return completed
        return Completing(call, begun)

    async def finish(self, completing: Completing) -> Completed:
        """Make the object, or wait for whoever in this process is making it.

        Raises BackendsFailed (whether it will be made is open; a repetition finds out),
        ConditionalConflict, NoSuchBucket, NoSuchUpload, WriteLost, LedgerError.
        """
        call, begun = completing.call, completing.begun
        upload_id = begun.upload.upload_id
        running = self._running.get(upload_id)
        if running is not None:
            await running.wait()
            completed = await self._find_completed(call)
            if completed is not None:
                return completed
        try:
            await self._make(begun, call.bucket.name)
        except WriteLost:
            # Another process was faster.
            completed = await self._find_completed(call)
            if completed is None:
                raise
            return completed
        return Completed(begun.completion.etag, begun.completion.checksum)

    async def resume(self, upload_id: UploadId) -> str | None:
        """Go on with a Complete that nobody attends to; None: not now.

        Says what became of it, for the reaper.
        """
        begun = await self._ledger.read(partial(find_completion, upload_id=upload_id))
        if begun is None:
            return "already_resolved"
        try:
            await self._make(begun, None)
        except WriteLost:
            return "already_resolved"
        except StateError:
            return "dropped"
        except BackendsFailed:
            return None
        return "promoted"

    async def _make(self, begun: BegunCompletion, bucket: BucketName | None) -> None:
        """Join the parts and publish; one at a time of an upload in this process.

        bucket: of the client who waits, None if nobody does.
        """
        upload_id = begun.upload.upload_id
        while (running := self._running.get(upload_id)) is not None:
            await running.wait()
        ended = self._running[upload_id] = trio.Event()
        try:
            with self._live.working_on(begun.intent_key):
                if not begun.is_new:
                    begun = await self._look_again(begun)
                receipt = None
                if begun.completion.native_parts:
                    receipt = await self._join(begun)
                await self._publish(begun, receipt, bucket)
        finally:
            del self._running[upload_id]
            ended.set()

    async def _look_again(self, begun: BegunCompletion) -> BegunCompletion:
        """Return the completion as it is now; WriteLost if it is no more.

        Whoever was at it before may have ended it or opened the upload again, and then
        its parts must not be joined.
        """
        found = await self._ledger.read(
            partial(find_completion, upload_id=begun.upload.upload_id)
        )
        if found is None:
            raise WriteLost(begun.intent_key)
        return found

    async def _join(self, begun: BegunCompletion) -> PutReceipt:
        """Let the backend make one blob of its parts, unless it has done so already."""
        upload = begun.upload
        backend = self._fleet.find(upload.backend) if upload.backend else None
        if backend is None:
            raise BackendsFailed(OPERATION, (f"no backend {upload.backend}",))
        joining = Joining(backend, begun)
        try:
            if begun.is_new:
                return await joining.send()
            return await joining.settle()
        except JoinRefused as refused:
            await self._reopen(begun)
            raise BackendsFailed(OPERATION, (str(refused.reason),)) from refused.reason
        except JoinStuck as stuck:
            self._observer.note(
                Happened(
                    level="error",
                    message="a multipart upload is neither there nor complete",
                    fields=(
                        ("backend", backend.name),
                        ("upload_id", upload.upload_id),
                        ("storage_key", upload.storage_key or ""),
                    ),
                )
            )
            raise BackendsFailed(OPERATION, (str(stuck),)) from stuck
        except BackendError as error:
            raise BackendsFailed(OPERATION, (str(error),)) from error

    async def _publish(
        self,
        begun: BegunCompletion,
        receipt: PutReceipt | None,
        bucket: BucketName | None,
    ) -> None:
        upload = begun.upload
        finish = Finish(
            upload=upload,
            bucket=bucket or BucketName(""),
            receipt=receipt,
            now_us=self._clock.now_us(),
            is_unattended=bucket is None,
        )
        try:
            await self._ledger.write(partial(finish_complete, finish=finish))
        except StateError:
            await self._settle(
                partial(
                    refuse_complete,
                    upload_id=upload.upload_id,
                    now_us=self._clock.now_us(),
                )
            )
            self._room.poke()
            raise
        self._room.poke()
        self._wanted.note(upload.version_id)

    async def _reopen(self, begun: BegunCompletion) -> None:
        await self._settle(
            partial(
                reopen,
                upload_id=begun.upload.upload_id,
                now_us=self._clock.now_us(),
            )
        )

    async def _settle(self, step: Step[bool]) -> None:
        """Write a refusal down before it is answered; the reaper comes to it else."""
        with trio.move_on_after(END_S, shield=True):
            await self._ledger.write(step)

    async def _find_completed(self, call: CompleteCall) -> Completed | None:
        """Return the answer that this very Complete was given in the last day.

        Raises NoSuchUpload for another manifest.
        """
        found: CompletedUpload | None = await self._ledger.read(
            partial(
                find_completed,
                bucket_id=call.bucket.id,
                key=call.key,
                upload_id=call.upload_id,
            )
        )
        if found is None:
            return None
        if found.manifest_digest != manifest_digest(call.manifest):
            raise NoSuchUpload(call.upload_id)
        return Completed(found.etag, found.checksum)
