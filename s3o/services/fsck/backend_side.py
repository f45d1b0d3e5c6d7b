"""One backend's listing against what the ledger says should lie there."""

import re
from collections.abc import Callable
from functools import partial

from s3o.backends.guard import Guarded
from s3o.ledger.checks import ExpectedName, NameKind, expected_names
from s3o.ledger.ledger import Ledger
from s3o.ledger.reconcile import explained
from s3o.model.backup_names import is_backup_name
from s3o.model.errors import BackendCircuitOpen, BackendError, BlobMissing
from s3o.model.limits import RECONCILE_PAGE
from s3o.model.names import parse_storage_key
from s3o.model.values import ListedBlob, LocationState
from s3o.observe.operation import describe
from s3o.policy.merge import SortedMerge
from s3o.services.fsck.deep import DeepCheck
from s3o.services.fsck.difference import Difference, Kind
from s3o.services.listing import Listing

_MD5 = re.compile(r"[0-9a-f]{32}", re.ASCII)
_OF_STATE = {
    LocationState.SUSPECT: (Kind.SUSPECT, "is suspect: a check found wrong bytes"),
    LocationState.LOST: (Kind.LOST, "is lost: the backend did not have it"),
    LocationState.QUARANTINED: (
        Kind.QUARANTINED,
        "is quarantined: no copy of the object has the right bytes",
    ),
}


class BackendSide:
    """The comparison of one backend."""

    def __init__(
        self,
        ledger: Ledger,
        backend: Guarded,
        say: Callable[[Difference], None],
        deep: DeepCheck | None,
    ) -> None:
        self._ledger = ledger
        self._backend = backend
        self._say = say
        self._deep = deep
        self._after = ""
        #: how many names were compared, read whole, and read without a digest known
        self.names = 0
        self.read_blobs = 0
        self.unproved_blobs = 0
        #: why a name could not be read whole
        self.unreadable = ""

    async def compare(self) -> None:
        """Tell every difference. Raises BackendError, Disorder, LedgerError."""
        listing = Listing(self._backend)
        merge: SortedMerge[ListedBlob, ExpectedName] = SortedMerge(
            lambda blob: blob.name,
            lambda expected: expected.storage_key,
            left="the listing",
            right="the ledger",
        )
        unknown: list[ListedBlob] = []
        while not merge.is_over:
            if merge.wants_left:
                blobs = await listing.next_page()
                merge.feed_left(blobs, is_last=listing.is_over)
            elif merge.wants_right:
                await self._feed_expected(merge)
            for blob, expected in merge.pairs():
                self.names += 1
                if expected is not None:
                    await self._judge(expected, blob)
                elif blob is not None:
                    unknown.append(blob)
            await self._explain(unknown)
            unknown.clear()

    async def _feed_expected(
        self, merge: SortedMerge[ListedBlob, ExpectedName]
    ) -> None:
        found = await self._ledger.scan(
            partial(
                expected_names,
                backend=self._backend.name,
                after=self._after,
                limit=RECONCILE_PAGE,
            )
        )
        page: list[ExpectedName] = []
        for expected in found:
            # Of a name with two rows the audit tells.
            if not page or expected.storage_key != page[-1].storage_key:
                page.append(expected)
        if page:
            self._after = page[-1].storage_key
        merge.feed_right(page, is_last=len(found) < RECONCILE_PAGE)

    async def _judge(self, expected: ExpectedName, blob: ListedBlob | None) -> None:
        if expected.damage:
            self._tell(Kind.DAMAGED_ROW, expected, f"has a row that {expected.damage}")
            return
        if expected.state in _OF_STATE:
            kind, what = _OF_STATE[expected.state]
            self._tell(kind, expected, what)
            if expected.state is LocationState.LOST:
                return
        stored_bytes, etag = await self._look(expected, blob)
        if stored_bytes is None:
            self._tell_missing(expected)
        elif stored_bytes != expected.stored_bytes:
            self._tell(
                Kind.WRONG_SIZE,
                expected,
                f"has {stored_bytes} bytes there instead of {expected.stored_bytes}",
            )
        elif _has_changed(expected.backend_etag, etag):
            self._tell(
                Kind.CHANGED, expected, "has another ETag there than when stored"
            )
        elif expected.state is LocationState.LIVE:
            await self._read(expected)

    async def _look(
        self, expected: ExpectedName, blob: ListedBlob | None
    ) -> tuple[int | None, str]:
        """Return size and ETag, asking for what the listing does not show."""
        if blob is not None:
            return blob.stored_bytes, blob.etag
        try:
            info = await self._backend.head(expected.storage_key)
        except BlobMissing:
            return None, ""
        return info.stored_bytes, info.etag

    def _tell_missing(self, expected: ExpectedName) -> None:
        if expected.kind is NameKind.BACKUP:
            self._tell(Kind.BACKUP_MISSING, expected, "is not there")
        elif expected.others:
            self._tell(
                Kind.MISSING,
                expected,
                f"is not there; good copies elsewhere: {expected.others}",
            )
        else:
            self._tell(
                Kind.LAST_MISSING, expected, "is not there, and no other copy is good"
            )

    async def _read(self, expected: ExpectedName) -> None:
        """Read the bytes of an object's copy, if that is asked for."""
        if self._deep is None or expected.kind is not NameKind.OBJECT:
            return
        try:
            judgement = await self._deep.judge(expected, self._backend.name)
        except BackendCircuitOpen:
            raise
        except BackendError as error:
            self.unreadable = self.unreadable or describe(error)
            return
        self.read_blobs += 1
        if judgement is None:
            self.unproved_blobs += 1
        elif judgement:
            self._tell(Kind.WRONG_BYTES, expected, f"is wrong: {judgement}")

    async def _explain(self, unknown: list[ListedBlob]) -> None:
        """Tell of names that no row accounts for."""
        names = [blob.name for blob in unknown]
        accounted = await self._ledger.scan(
            partial(explained, backend=self._backend.name, names=names)
        )
        for blob in unknown:
            if blob.name not in accounted:
                self._tell_unknown(blob)

    def _tell_unknown(self, blob: ListedBlob) -> None:
        if is_backup_name(blob.name):
            kind, what = Kind.UNKNOWN_BACKUP, "a backup of a ledger"
        elif _is_ours(blob.name):
            kind, what = Kind.UNKNOWN_BLOB, "a blob of this product's shape"
        else:
            kind, what = Kind.FOREIGN, "a foreign object"
        name = self._backend.name
        self._say(
            Difference(
                kind=kind,
                text=f"{name!r} holds {what} that the ledger does not know: "
                f"{blob.name!r}, {blob.stored_bytes} bytes",
                backend=name,
                storage_key=blob.name,
            )
        )

    def _tell(self, kind: Kind, expected: ExpectedName, what: str) -> None:
        name = self._backend.name
        whose = _OF_KIND[expected.kind]
        if expected.key:
            whose += f" {expected.key!r} of bucket {expected.bucket!r}"
        self._say(
            Difference(
                kind=kind,
                text=f"{whose} on {name!r}, as {expected.storage_key!r}: it {what}",
                backend=name,
                storage_key=expected.storage_key,
                bucket=expected.bucket,
                key=expected.key,
            )
        )


_OF_KIND = {
    NameKind.OBJECT: "the copy of object",
    NameKind.PART: "a part of an upload to",
    NameKind.BACKUP: "a backup of the ledger",
}


def _has_changed(recorded: str, told: str) -> bool:
    """Whether two MD5s differ; what is no MD5 may be told differently each time."""
    return (
        _MD5.fullmatch(recorded) is not None
        and _MD5.fullmatch(told) is not None
        and recorded != told
    )


def _is_ours(name: str) -> bool:
    try:
        parse_storage_key(name)
    except ValueError:
        return False
    return True
