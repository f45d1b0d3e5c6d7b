"""Buckets that keep what is deleted: find every version of a name.

Where a bucket keeps versions, a plain DELETE only hides the bytes, and they stay on the
operator's bill. So deletes there name versions, and a name is gone when none is left.
Whether a bucket does so is asked once, at the start or before its first delete. Where
the credential may not ask but may list versions, they are listed before each delete,
which is right for any bucket; where it may do neither, nothing can be proved gone.
"""

from s3o.backends.s3_calls import Call, Caller
from s3o.model import limits
from s3o.model.errors import BackendProtocolError, BackendRefused, MalformedXml
from s3o.model.names import StorageKey
from s3o.policy.health import Verdict, judge
from s3o.wire.backend_documents import (
    VersionsPage,
    read_is_versioned,
    read_versions_page,
)
from s3o.wire.sigv4 import EMPTY_SHA256
from s3o.wire.xml_read import parse_xml

_LIST = "ListObjectVersions"
_ASK = "GetBucketVersioning"
# Neither implemented nor known.
_SILENT_STATUSES = frozenset((400, 404, 405, 501))
# A slow moment, whatever was asked.
PASSING_CODES = frozenset(("RequestTimeout",))
_ANY_NAME = (("max-keys", "1"), ("versions", ""))


class Versions:
    """The versions in one bucket."""

    def __init__(
        self, caller: Caller, bucket_path: str, *, are_kept: bool | None
    ) -> None:
        self._caller = caller
        self._bucket_path = bucket_path
        self._are_kept = are_kept

    def note_version(self, version_id: str | None) -> None:
        """Learn from the answer to a PUT."""
        if version_id is not None:
            self._are_kept = True

    async def are_kept(self) -> bool:
        """Whether the bucket keeps versions; raises BackendError."""
        if self._are_kept is None:
            found = await self._ask()
            # A PUT may have been answered meanwhile.
            self._are_kept = self._are_kept or found
        return self._are_kept

    async def verify(self) -> None:
        """Ask for what deletes will need; raises BackendError where it is refused."""
        if await self.are_kept():
            await self._page(_ANY_NAME)

    async def _ask(self) -> bool:
        call = self._get(_ASK, (("versioning", ""),))
        try:
            reply = await self._caller.ask(call, limits.BACKEND_ERROR_BYTES)
        except BackendRefused as refused:
            if _says_nothing(refused):
                return False
            if refused.status != 403:
                raise
            await self._page(_ANY_NAME)
            return True
        try:
            return read_is_versioned(parse_xml(reply.body))
        except MalformedXml:
            return False

    async def of(self, name: StorageKey) -> list[str]:
        """Return the ids of all versions of name; raises BackendError."""
        found: list[str] = []
        query: tuple[tuple[str, str], ...] = (("prefix", name), ("versions", ""))
        for _ in range(limits.BACKEND_VERSION_PAGES):
            page = await self._page(query)
            found += [version for key, version in page.versions if key == name]
            # Names come in order, and those that only begin like this one follow it.
            if page.next is None or page.next[0] != name:
                return found
            query = (
                ("key-marker", page.next[0]),
                ("prefix", name),
                ("version-id-marker", page.next[1]),
                ("versions", ""),
            )
        raise BackendProtocolError(self._caller.name, _LIST, "versions without end")

    async def _page(self, query: tuple[tuple[str, str], ...]) -> VersionsPage:
        call = self._get(_LIST, query)
        reply = await self._caller.ask(call, limits.BACKEND_XML_BYTES)
        try:
            return read_versions_page(parse_xml(reply.body))
        except MalformedXml as malformed:
            raise BackendProtocolError(
                self._caller.name, _LIST, malformed.reason
            ) from None

    def _get(self, operation: str, query: tuple[tuple[str, str], ...]) -> Call:
        return Call(
            operation=operation,
            method="GET",
            path=self._bucket_path,
            query=query,
            payload_hash=EMPTY_SHA256,
        )


def _says_nothing(refused: BackendRefused) -> bool:
    """Whether the question is unknown there; a credential's trouble is no answer."""
    return (
        refused.status in _SILENT_STATUSES
        and refused.code not in PASSING_CODES
        and judge(refused) is not Verdict.SICK
    )
