"""Delete objects, and abort uploads, whose time is over.

Rules come from the configuration file, for its own buckets, and from each bucket's
owner through the S3 API. A pass goes through the keys of every prefix that has a rule,
page by page, and deletes single versions: what was overwritten, tagged anew or deleted
between the page and the delete is left alone (ledger/expiry).

Ages are not told by the wall clock alone, which may jump years ahead, or stand years
behind until a time server has answered: the time believed follows it at most CATCH_UP
times as fast as our own clock (policy/lifecycle.believe); the earlier of both judges.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import trio

from s3o.ledger.expiry import START, AgingRow, expire_versions, list_due
from s3o.ledger.ledger import Ledger
from s3o.ledger.meta import believed_us, counted_us, note_believed
from s3o.ledger.reconcile import version_before_us
from s3o.ledger.seam import Tx
from s3o.ledger.upload_endings import abort_upload
from s3o.ledger.upload_listing import list_uploads
from s3o.model.backup_names import LAST_SEQUENCE
from s3o.model.errors import LedgerDamaged, NoSuchBucket, StateError
from s3o.model.facts import Happened, LifecycleExpired, LifecycleRan
from s3o.model.limits import LIFECYCLE_PAGE, UPLOAD_BATCH
from s3o.model.multipart import Upload
from s3o.model.names import ObjectKey
from s3o.model.seams import Clock, Observer
from s3o.model.values import Bucket, ObjectVersion
from s3o.policy.lifecycle import (
    DAY_US,
    Abort,
    Aging,
    Expiry,
    aborts_of,
    believe,
    cover,
    expiries_of,
    find_abort,
    find_expiry,
    oldest_due,
)
from s3o.services.service import Wakeup

INTERVAL_S = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Expired:
    """What one pass did; failed: buckets and batches that wait for the next one."""

    deleted: int = 0
    aborted: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    bucket: Bucket
    expiries: Sequence[Expiry]
    aborts: Sequence[Abort]


class Lifecycle:
    """The service. file_rules: the configuration's rules for one of its buckets."""

    name = "lifecycle"
    is_exclusive = True
    gather_s = 0.0
    interval_s = INTERVAL_S

    def __init__(
        self,
        ledger: Ledger,
        observer: Observer,
        clock: Clock,
        *,
        buckets: Callable[[], Sequence[Bucket]],
        file_rules: Callable[[Bucket], Sequence[Expiry]],
        batch: Callable[[], int],
        poke_cleanup: Callable[[], None],
        stopping: trio.Event,
        may_destroy: Callable[[], bool],
    ) -> None:
        self.wakeup = Wakeup()
        self._ledger = ledger
        self._observer = observer
        self._clock = clock
        self._buckets = buckets
        self._file_rules = file_rules
        self._batch = batch
        self._poke_cleanup = poke_cleanup
        self._stopping = stopping
        self._may_destroy = may_destroy
        self._believed_at_s: float | None = None  # None: not yet in this process
        self._is_behind = False

    async def run_once(self) -> str:
        """Make a pass and say what it did."""
        done = await self.cycle()
        found = [
            f"expired {done.deleted} objects" if done.deleted else "",
            f"aborted {done.aborted} uploads" if done.aborted else "",
            f"{done.failed} failed" if done.failed else "",
        ]
        return ", ".join(text for text in found if text)

    async def cycle(self) -> Expired:
        """Make a pass; without a rule nothing is asked of the ledger."""
        work = [one for one in map(self._work_of, self._buckets()) if _has_rules(one)]
        if not work or not self._may_go_on():
            return Expired()
        now_us = await self._tell_time()
        done = Expired()
        try:
            for one in work:
                if self._may_go_on():
                    done = await self._serve(one, now_us, done)
        finally:
            if done.deleted or done.aborted:
                self._poke_cleanup()
            self._observer.note(LifecycleRan(deleted=done.deleted, failed=done.failed))
        return done

    def _work_of(self, bucket: Bucket) -> _Work:
        rules = bucket.config.lifecycle
        return _Work(
            bucket=bucket,
            expiries=(*expiries_of(rules), *self._file_rules(bucket)),
            aborts=aborts_of(rules),
        )

    def _may_go_on(self) -> bool:
        return not self._stopping.is_set() and self._may_destroy()

    async def _tell_time(self) -> int:
        """Return the time that ages are judged by, and write it down."""
        wall_us, now_s = self._clock.now_us(), self._clock.monotonic_s()
        passed_s = 0.0 if self._believed_at_s is None else now_s - self._believed_at_s

        async def tell(tx: Tx) -> int:
            before_us = await believed_us(tx)
            if before_us is None:
                before_us = min(wall_us, await _first_belief_us(tx) or wall_us)
            after_us = believe(before_us, round(passed_s * 1_000_000), wall_us)
            await note_believed(tx, after_us)
            return after_us

        now_us = min(await self._ledger.write(tell), wall_us)
        self._believed_at_s = now_s
        self._warn_if_behind(wall_us - now_us)
        return now_us

    def _warn_if_behind(self, behind_us: int) -> None:
        was_behind, self._is_behind = self._is_behind, behind_us > DAY_US
        if self._is_behind and not was_behind:
            self._observer.note(
                Happened(
                    level="warning",
                    message="the clock is far ahead of the time that lifecycle rules "
                    "believe; is it right?",
                    fields=(("ahead_s", behind_us // 1_000_000),),
                )
            )

    async def _serve(self, work: _Work, now_us: int, done: Expired) -> Expired:
        """Serve one bucket; one that is gone or damaged keeps no other waiting."""
        try:
            for prefix in cover(rule.prefix for rule in work.expiries):
                done = await self._expire_below(work, prefix, now_us, done)
            for prefix in cover(rule.prefix for rule in work.aborts):
                done = await self._abort_below(work, prefix, now_us, done)
        except NoSuchBucket:
            return done
        except LedgerDamaged as error:
            return self._note_damage(work, str(error), 1, done)
        return done

    def _note_damage(
        self, work: _Work, reason: str, count: int, done: Expired
    ) -> Expired:
        """Count what is left for a person; a pass tells of the first, fsck of all."""
        if count and not done.failed:
            self._observer.note(
                Happened(
                    level="error",
                    message="lifecycle rules meet a damaged ledger",
                    fields=(("bucket", work.bucket.name), ("reason", reason)),
                )
            )
        return replace(done, failed=done.failed + count)

    async def _expire_below(
        self, work: _Work, prefix: str, now_us: int, done: Expired
    ) -> Expired:
        made_until_us = oldest_due(work.expiries, now_us)
        after: ObjectKey | None = None if made_until_us is None else START
        while after is not None and self._may_go_on():
            assert made_until_us is not None
            page = await self._ledger.scan(
                partial(
                    list_due,
                    bucket_id=work.bucket.id,
                    prefix=prefix,
                    after=after,
                    made_until_us=made_until_us,
                    is_due=lambda row: _is_due(work.expiries, _of_row(row), now_us),
                    limit=LIFECYCLE_PAGE,
                )
            )
            done = self._note_damage(
                work, "rows that cannot be read", page.damaged, done
            )
            size = self._batch()
            for start in range(0, len(page.due), size):
                if not self._may_go_on():
                    return done
                batch = page.due[start : start + size]
                done = await self._expire_or_leave(work, batch, now_us, done)
            after = page.next_after
        return done

    async def _expire_or_leave(
        self, work: _Work, due: Sequence[AgingRow], now_us: int, done: Expired
    ) -> Expired:
        """Delete a batch; where one row of it cannot be true, the others one by one."""
        try:
            count = await self._expire(work, due, now_us)
        except LedgerDamaged as error:
            if len(due) == 1:
                return self._note_damage(work, str(error), 1, done)
            for row in due:
                done = await self._expire_or_leave(work, [row], now_us, done)
            return done
        return replace(done, deleted=done.deleted + count)

    async def _expire(self, work: _Work, due: Sequence[AgingRow], now_us: int) -> int:
        bucket = work.bucket
        expired = await self._ledger.write(
            partial(
                expire_versions,
                bucket=bucket,
                proposed=[(row.key, row.version_id) for row in due],
                is_due=lambda v: _is_due(work.expiries, _of_version(v), now_us),
                now_us=self._clock.now_us(),
            )
        )
        for version in expired:
            found = find_expiry(work.expiries, _of_version(version))
            assert found is not None, "it was due"
            _, rule = found
            self._observer.note(
                LifecycleExpired(
                    bucket=bucket.name,
                    key=version.key,
                    version_id=version.version_id,
                    size=version.size,
                    rule=rule.id,
                    prefix=rule.prefix,
                    expiration_days=rule.days,
                )
            )
        return len(expired)

    async def _abort_below(
        self, work: _Work, prefix: str, now_us: int, done: Expired
    ) -> Expired:
        key_marker = upload_marker = ""
        while self._may_go_on():
            page = await self._ledger.scan(
                partial(
                    list_uploads,
                    bucket_id=work.bucket.id,
                    prefix=prefix,
                    delimiter="",
                    key_marker=key_marker,
                    upload_id_marker=upload_marker,
                    limit=UPLOAD_BATCH,
                )
            )
            for upload in page.entries:
                assert isinstance(upload, Upload), "no delimiter"
                due_us = find_abort(work.aborts, upload.key, upload.created_at_us)
                if due_us is not None and due_us <= now_us and self._may_go_on():
                    is_aborted = await self._abort(upload)
                    done = replace(done, aborted=done.aborted + is_aborted)
            if page.next_key_marker is None:
                break
            key_marker, upload_marker = page.next_key_marker, page.next_upload_id_marker
        return done

    async def _abort(self, upload: Upload) -> bool:
        try:
            await self._ledger.write(
                partial(
                    abort_upload,
                    bucket_id=upload.bucket_id,
                    key=upload.key,
                    upload_id=upload.upload_id,
                    now_us=self._clock.now_us(),
                )
            )
        except StateError:
            return False  # it has ended by itself
        except LedgerDamaged:
            return False  # for a person; fsck tells of it
        return True


def file_expiries(prefixes: Sequence[tuple[str, int]]) -> list[Expiry]:
    """Return the rules of the configuration file: prefix and days of each."""
    return [
        Expiry(id=f"config:{prefix}", prefix=prefix, days=days, is_rounded=False)
        for prefix, days in prefixes
    ]


def _has_rules(work: _Work) -> bool:
    return bool(work.expiries or work.aborts)


def _is_due(rules: Sequence[Expiry], aging: Aging, now_us: int) -> bool:
    found = find_expiry(rules, aging)
    return found is not None and found[0] <= now_us


def _of_row(row: AgingRow) -> Aging:
    return Aging(
        key=row.key, size=row.size, created_at_us=row.created_at_us, tags=row.tags
    )


def _of_version(version: ObjectVersion) -> Aging:
    return Aging(
        key=ObjectKey(version.key),
        size=version.size,
        created_at_us=version.created_at_us,
        tags=version.facts.tags,
    )


async def _first_belief_us(tx: Tx) -> int:
    """Return a time that is over, where rules never ran; 0: the ledger is all new.

    The wall clock of that very moment may be the one that is wrong.
    """
    counted = await counted_us(tx) or 0
    newest = await version_before_us(tx, LAST_SEQUENCE) or 0
    return max(counted, newest)
