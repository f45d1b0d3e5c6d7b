"""Delete blobs at a provider: many with one call where it can, else one by one.

A name counts as deleted only when the provider says so of that very name: a
multi-delete asks for every outcome (never Quiet), and what its answer does not mention
has failed.
A provider that says it has no multi-delete is not asked again.
"""

import base64
import hashlib
from collections.abc import Sequence

import trio

from s3o.backends import s3_answers
from s3o.backends.s3_calls import Call, Caller
from s3o.backends.s3_signing import HeadWriter
from s3o.backends.seam import DeleteOutcome
from s3o.model import limits
from s3o.model.errors import (
    BackendError,
    BackendProtocolError,
    BackendRefused,
    MalformedXml,
)
from s3o.model.names import StorageKey
from s3o.wire.backend_documents import (
    DeleteResult,
    ErrorAnswer,
    FailedDelete,
    read_delete_result,
)
from s3o.wire.sigv4 import EMPTY_SHA256
from s3o.wire.xml_read import parse_xml
from s3o.wire.xml_write import document, element, leaf

_ONE = "DeleteObject"
_MANY = "DeleteObjects"
_UNKNOWN_STATUSES = frozenset((405, 501))


class Deleter:
    """Deletes in one bucket."""

    def __init__(
        self,
        caller: Caller,
        writer: HeadWriter,
        bucket_path: str,
        *,
        has_multi_delete: bool,
    ) -> None:
        self._caller = caller
        self._writer = writer
        self._bucket_path = bucket_path
        self._has_multi_delete = has_multi_delete

    async def delete(self, storage_keys: Sequence[StorageKey]) -> list[DeleteOutcome]:
        """Delete blobs; raises BackendError only when none could be tried."""
        assert len(storage_keys) <= limits.DELETE_KEYS
        if len(storage_keys) == 1:
            return [await self._delete_one(storage_keys[0])]
        if self._has_multi_delete and storage_keys:
            try:
                return await self._delete_many(storage_keys)
            except BackendRefused as refused:
                if refused.status not in _UNKNOWN_STATUSES:
                    raise
                self._has_multi_delete = False
        return await self._delete_each(storage_keys)

    async def _delete_one(self, storage_key: StorageKey) -> DeleteOutcome:
        call = Call(
            operation=_ONE,
            method="DELETE",
            path=self._writer.object_path(storage_key),
            payload_hash=EMPTY_SHA256,
        )
        try:
            await self._caller.ask(call, limits.BACKEND_ERROR_BYTES)
        except BackendRefused as refused:
            if refused.status != 404 or refused.code not in s3_answers.ABSENT_CODES:
                return DeleteOutcome(storage_key, refused)
        return DeleteOutcome(storage_key)

    async def _delete_each(
        self, storage_keys: Sequence[StorageKey]
    ) -> list[DeleteOutcome]:
        outcomes: dict[StorageKey, DeleteOutcome] = {}
        waiting = iter(storage_keys)

        async def work() -> None:
            for storage_key in waiting:
                try:
                    outcomes[storage_key] = await self._delete_one(storage_key)
                except BackendError as error:
                    outcomes[storage_key] = DeleteOutcome(storage_key, error)

        async with trio.open_nursery() as nursery:
            for _ in range(min(limits.BACKEND_DELETES, len(storage_keys))):
                nursery.start_soon(work)
        return [outcomes[storage_key] for storage_key in storage_keys]

    async def _delete_many(
        self, storage_keys: Sequence[StorageKey]
    ) -> list[DeleteOutcome]:
        body = document(
            "Delete",
            [element("Object", [leaf("Key", name)]) for name in storage_keys],
        )
        # AWS and Swift demand the MD5; it is no checksum header that others refuse.
        md5 = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest())
        call = Call(
            operation=_MANY,
            method="POST",
            path=self._bucket_path,
            query=(("delete", ""),),
            payload_hash=hashlib.sha256(body).hexdigest(),
            signed=(
                ("content-md5", md5.decode("ascii")),
                ("content-type", "application/xml"),
            ),
            plain=f"Content-Length: {len(body)}\r\n",
            body=body,
        )
        reply = await self._caller.ask(call, limits.BACKEND_XML_BYTES)
        try:
            result = read_delete_result(parse_xml(reply.body))
        except MalformedXml as malformed:
            unreadable = BackendProtocolError(
                self._caller.name, _MANY, malformed.reason
            )
            return [DeleteOutcome(name, unreadable) for name in storage_keys]
        return self._match(storage_keys, result)

    def _match(
        self, storage_keys: Sequence[StorageKey], result: DeleteResult
    ) -> list[DeleteOutcome]:
        deleted = set(result.deleted)
        failed = {one.key: one for one in result.failed}
        return [
            DeleteOutcome(name, self._error_of(name, deleted, failed))
            for name in storage_keys
        ]

    def _error_of(
        self, name: StorageKey, deleted: set[str], failed: dict[str, FailedDelete]
    ) -> BackendError | None:
        failure = failed.get(name)
        if failure is None:
            if name in deleted:
                return None
            return BackendProtocolError(
                self._caller.name, _MANY, "the answer does not mention it"
            )
        if failure.code in s3_answers.ABSENT_CODES:
            return None
        error = ErrorAnswer(code=failure.code, message=failure.message)
        return s3_answers.refusal(self._caller.name, _MANY, 200, error, {})
