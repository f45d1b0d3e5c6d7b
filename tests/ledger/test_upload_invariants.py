"""Random lives of a ledger with multipart uploads in it: still every sum adds up.

On top of test_invariants' writes, faults and deaths: uploads are begun, bound (or not),
their parts sent, sent again, dropped by a reaper, completed, refused, aborted, and
forgotten by the sweep.
"""

import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from s3o.ledger.audit import audit
from s3o.ledger.intents import list_intents
from s3o.ledger.pending import IntentKind
from s3o.ledger.quotas import quota_rows
from s3o.ledger.sqlite import InlineEngine, open_inline
from s3o.ledger.upload_completion import find_completion, reopen
from s3o.ledger.upload_endings import end_uploads_of_bucket, refuse_complete
from s3o.ledger.upload_listing import list_uploads
from s3o.ledger.upload_parts import OpenedPart, drop_part, list_parts
from s3o.ledger.uploads import expire_completed, finished_native, forget_upload
from s3o.model.errors import ConditionalConflict
from s3o.model.multipart import Upload, UploadState
from s3o.model.values import ChecksumAlgorithm, ChecksumType
from tests.ledger.house import NOW_US, ONE, TWO, furnish
from tests.ledger.test_invariants import LIMITS, STEPS, Life
from tests.ledger.uploading import Uploader, content, manifest_of

FAST_SEEDS = 1  # the others take half a minute and run in `just test`


class UploadingLife(Life):
    """A life in which multipart uploads are most of what happens."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.uploader: Uploader
        self.attempts: list[OpenedPart] = []
        self.seen: dict[str, int] = {}

    async def begin(self) -> None:
        """Furnish before the faults begin."""
        await super().begin()
        self.uploader = Uploader(self.writer)

    def actions(self) -> list[Callable[[], Awaitable[None]]]:
        """Parts happen most."""
        parts = [self.announce_part, self.acknowledge_part]
        return [
            *super().actions(),
            *parts * 4,
            *[self.create, self.bind, self.complete, self.finish] * 2,
            *[self.drop_attempt, self.reap_attempts, self.refuse],
            *[self.abort, self.open_again, self.sweep, self.lose_bucket],
        ]

    async def uploads(self) -> list[Upload]:
        """Every upload in progress, read without faults."""
        page = await InlineEngine(self.connection).scan(
            lambda tx: list_uploads(
                tx,
                self.writer.bucket.id,
                prefix="",
                delimiter="",
                key_marker="",
                upload_id_marker="",
                limit=1000,
            )
        )
        return [entry for entry in page.entries if isinstance(entry, Upload)]

    async def any_upload(self, *states: UploadState) -> Upload | None:
        """One in one of those states, or in any."""
        found = [
            upload
            for upload in await self.uploads()
            if not states or upload.state in states
        ]
        return self.chance.choice(found) if found else None

    async def create(self) -> None:
        """CreateMultipartUpload, of any kind."""
        algorithm, kind = self.chance.choice(
            [
                (None, None),
                (ChecksumAlgorithm.CRC32, ChecksumType.COMPOSITE),
                (ChecksumAlgorithm.CRC32C, ChecksumType.FULL_OBJECT),
            ]
        )
        await self.uploader.create(
            self.key(), algorithm=algorithm, kind=kind, max_uploads=6
        )

    async def bind(self) -> None:
        """Begin, and hear the answer now, later or never."""
        upload = await self.any_upload()
        if upload is None:
            return
        is_asked = upload.state is UploadState.OPENING or (
            await self.uploader.begin_binding(upload) is not None
        )
        if is_asked and self.chance.random() < 0.8:
            await self.uploader.finish_binding(upload)

    async def announce_part(self) -> None:
        """Begin an attempt, natively or not."""
        upload = await self.any_upload()
        if upload is None:
            return
        part = replace(
            self.uploader.new_part(
                upload, self.chance.randrange(1, 4), self.chance.randrange(1, 300)
            ),
            is_native_wanted=self.chance.random() < 0.7,
            needs_equal_parts=self.chance.random() < 0.2,
        )
        opened = await self.uploader.open(part)
        self.attempts.append(opened)
        self.seen[opened.intent_key] = part.size

    def any_attempt(self) -> OpenedPart | None:
        """One that was announced some time, the later ones rather."""
        return self.chance.choice(self.attempts[-8:]) if self.attempts else None

    async def acknowledge_part(self) -> None:
        """End an attempt well, with another one as a failed attempt before it."""
        opened, failed = self.any_attempt(), self.any_attempt()
        if opened is None or failed is None:
            return
        size = self.seen[opened.intent_key]
        commit = self.uploader.commit_of(opened, content(1, size, len(self.attempts)))
        if failed.intent_key != opened.intent_key and self.chance.random() < 0.2:
            commit = replace(commit, extra_failed=(failed.intent_key,))
        await self.uploader.commit(commit)

    async def drop_attempt(self) -> None:
        """End an attempt badly."""
        opened = self.any_attempt()
        if opened is not None:
            await self.uploader.drop(
                opened,
                is_ambiguous=self.chance.random() < 0.5,
                was_started=self.chance.random() < 0.7,
            )

    async def reap_attempts(self) -> None:
        """Be the reaper: whoever announced them is dead."""
        for intent in await self.writer.engine.scan(lambda tx: list_intents(tx, 5)):
            if intent.kind is not IntentKind.PART:
                continue
            is_dropped = await self.writer.engine.write(
                lambda tx, key=intent.storage_key: drop_part(
                    tx, key, "silent", self.now_us, is_ambiguous=True, was_started=True
                )
            )
            assert is_dropped is not intent.is_native_part

    async def complete(self) -> None:
        """Begin to complete with some of the parts."""
        upload = await self.any_upload(UploadState.OPEN, UploadState.OPENING)
        if upload is None:
            return
        parts = await InlineEngine(self.connection).read(
            lambda tx: list_parts(tx, upload.upload_id, 0, 100)
        )
        wanted = [part for part in parts if self.chance.random() < 0.8]
        if wanted:
            await self.uploader.begin(upload, manifest_of(*wanted), self.conditions())

    async def finish(self) -> None:
        """The backend did its part; publish, or end a refused one."""
        upload = await self.any_upload(UploadState.COMPLETING)
        if upload is None:
            return
        begun = await InlineEngine(self.connection).read(
            lambda tx: find_completion(tx, upload.upload_id)
        )
        assert begun is not None
        try:
            await self.change(
                upload.key,
                begun.completion.size,
                self.uploader.finish(begun, is_unattended=self.chance.random() < 0.3),
            )
        except ConditionalConflict:
            if self.chance.random() < 0.7:
                await self.refuse()

    async def refuse(self) -> None:
        """End an upload that was refused at the last moment."""
        upload = await self.any_upload(UploadState.COMPLETING)
        if upload is not None and self.chance.random() < 0.4:
            await self.writer.engine.write(
                lambda tx: refuse_complete(tx, upload.upload_id, self.now_us)
            )

    async def open_again(self) -> None:
        """The backend refused."""
        upload = await self.any_upload()
        if upload is not None:
            await self.writer.engine.write(
                lambda tx: reopen(tx, upload.upload_id, self.now_us)
            )

    async def abort(self) -> None:
        """AbortMultipartUpload."""
        upload = await self.any_upload()
        if upload is not None and self.chance.random() < 0.5:
            await self.uploader.abort(upload)

    async def sweep(self) -> None:
        """The backend's listing is clean."""
        for backend in (ONE, TWO):
            found = await self.writer.engine.scan(
                lambda tx, backend=backend: finished_native(tx, backend, 9)
            )
            for upload in found:
                await self.writer.engine.write(
                    lambda tx, upload=upload: forget_upload(tx, upload.upload_id)
                )
        await self.writer.engine.write(
            lambda tx: expire_completed(tx, self.now_us - 400_000_000)
        )

    async def lose_bucket(self) -> None:
        """Rarely: DeleteBucket's part in it."""
        if self.chance.random() < 0.1:
            await self.writer.engine.write(
                lambda tx: end_uploads_of_bucket(tx, self.writer.bucket.id, self.now_us)
            )


@pytest.mark.parametrize(
    "seed",
    [
        pytest.param(seed, marks=() if seed < FAST_SEEDS else pytest.mark.slow)
        for seed in range(25)
    ],
)
async def test_every_life_with_uploads_adds_up(seed: int) -> None:
    """A reservation that an upload forgets is room nobody gets back."""
    life = UploadingLife(seed)
    await life.begin()
    for _ in range(STEPS):
        await life.step()
        await life.check()
    life.connection.close()


ENDS = {
    "completed": "SELECT 1 FROM completed_uploads",
    "native blobs": "SELECT 1 FROM object_locations AS l"
    " JOIN multipart_uploads AS u ON u.storage_key = l.storage_key",
    "several blobs": "SELECT 1 FROM object_locations WHERE blob > 1",
    "aborted": "SELECT 1 FROM multipart_uploads WHERE state = 'aborted'",
    "native aborts": "SELECT 1 FROM cleanup_queue WHERE backend_upload_id IS NOT NULL",
    "attempts again": "SELECT 1 FROM multipart_parts WHERE attempt > 1",
    "failed native attempts": "SELECT 1 FROM pending_objects WHERE upload_id IS NOT"
    " NULL AND kind = 'part' AND blob = 0",
    "completing": "SELECT 1 FROM multipart_uploads WHERE state = 'completing'",
}


@pytest.mark.slow
async def test_the_lives_reach_every_end() -> None:
    """Random operations that never complete anything would prove nothing."""
    missing = dict(ENDS)
    seeds = iter(range(25))
    while missing and (seed := next(seeds, None)) is not None:
        life = UploadingLife(seed)
        await life.begin()
        for _ in range(STEPS):
            await life.step()
            for name, query in list(missing.items()):
                if life.connection.execute(query).fetchone() is not None:
                    del missing[name]
        life.connection.close()

    assert {} == missing


async def test_the_audit_notices_damage_to_uploads() -> None:
    """An audit that never complains proves nothing."""
    connection = open_inline(now_us=NOW_US)
    uploader = Uploader(await furnish(InlineEngine(connection), LIMITS))
    upload = await uploader.bind(await uploader.create("a"))
    await uploader.put(upload, 1)
    await uploader.put(upload, 1, take=1)
    await uploader.open(uploader.new_part(upload, 2))
    done = await uploader.create("b")
    blob = await uploader.put(done, 1)
    await uploader.finish(await uploader.begin(done, manifest_of(blob)))
    completing = await uploader.create("c")
    part = await uploader.put(completing, 1)
    await uploader.begin(completing, manifest_of(part))
    assert [] == await uploader.engine.scan(audit)
    damages = {
        "reserved is": "DELETE FROM multipart_parts WHERE is_native = 1",
        "objects is": "UPDATE backend_quotas SET object_count = 0",
        "without a quota": "UPDATE multipart_parts SET backend_name = 'x'",
        "bucket that is gone": "UPDATE multipart_uploads SET bucket_id = 7",
        "part without its upload": "UPDATE multipart_uploads SET state = 'aborted'",
        "half begun": "DELETE FROM pending_objects WHERE kind = 'complete'",
        "two purposes": "UPDATE multipart_parts SET storage_key = 's'",
    }
    for complaint, damage in damages.items():
        damaged = sqlite3.connect(":memory:", isolation_level=None)
        connection.backup(damaged)
        damaged.execute(damage)
        heard = await InlineEngine(damaged).scan(audit)
        damaged.close()

        assert any(complaint in line for line in heard), (complaint, heard)
    assert [10 + 28] == [
        row.used_bytes
        for row in await uploader.engine.read(quota_rows)
        if row.backend == ONE
    ]
    connection.close()
