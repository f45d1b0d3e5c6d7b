"""Delete blobs at a provider: many with one call where it can, else one by one.

A name counts as deleted only when the provider says so of that very name: a
multi-delete asks for every outcome (never Quiet), and what its answer does not mention
has failed. Where the bucket keeps versions, every version of the name must go. A
provider that says it has no multi-delete is not asked again.
"""

import base64
import hashlib
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

import trio

from s3o.backends import s3_answers
from s3o.backends.s3_calls import Call, Caller
from s3o.backends.s3_signing import HeadWriter
from s3o.backends.s3_versions import Versions
from s3o.backends.seam import DeleteOutcome
from s3o.model import limits
from s3o.model.errors import (
    BackendError,
    BackendProtocolError,
    BackendRefused,
    MalformedXml,
)
from s3o.model.names import StorageKey
from s3o.wire.backend_documents import DeleteResult, ErrorAnswer, read_delete_result
from s3o.wire.sigv4 import EMPTY_SHA256
from s3o.wire.xml_read import parse_xml
from s3o.wire.xml_write import document, element, leaf, optional_leaf

_ONE = "DeleteObject"
_MANY = "DeleteObjects"
_UNKNOWN_STATUSES = frozenset((405, 501))
T = TypeVar("T")
_Errors = dict[StorageKey, BackendError]


@dataclass(frozen=True, slots=True)
class _Target:
    """What one deletion names: a blob, or one of its versions."""

    name: StorageKey
    version: str | None = None


class Deleter:
    """Deletes in one bucket."""

    def __init__(
        self,
        caller: Caller,
        writer: HeadWriter,
        bucket_path: str,
        versions: Versions,
        *,
        has_multi_delete: bool,
    ) -> None:
        self._caller = caller
        self._writer = writer
        self._bucket_path = bucket_path
        self._versions = versions
        self._has_multi_delete = has_multi_delete

    async def delete(self, storage_keys: Sequence[StorageKey]) -> list[DeleteOutcome]:
        """Delete blobs; raises BackendError only when none could be tried."""
        assert len(storage_keys) <= limits.DELETE_KEYS
        errors: _Errors = {}
        if await self._versions.are_kept():
            targets = await self._find_versions(storage_keys, errors)
        else:
            targets = [_Target(name) for name in storage_keys]
        if targets:
            errors |= await self._delete_targets(targets)
        return [DeleteOutcome(name, errors.get(name)) for name in storage_keys]

    async def _find_versions(
        self, storage_keys: Sequence[StorageKey], errors: _Errors
    ) -> list[_Target]:
        targets: list[_Target] = []

        async def find(name: StorageKey) -> None:
            try:
                found = await self._versions.of(name)
            except BackendError as error:
                errors[name] = error
            else:
                targets.extend(_Target(name, version) for version in found)

        await _each(find, storage_keys)
        return targets

    async def _delete_targets(self, targets: list[_Target]) -> _Errors:
        if len(targets) == 1:
            return await self._delete_one(targets[0])
        if self._has_multi_delete:
            try:
                return await self._delete_batches(targets)
            except BackendRefused as refused:
                if refused.status not in _UNKNOWN_STATUSES:
                    raise
                self._has_multi_delete = False
        return await self._delete_each(targets)

    async def _delete_one(self, target: _Target) -> _Errors:
        version = target.version
        call = Call(
            operation=_ONE,
            method="DELETE",
            path=self._writer.object_path(target.name),
            query=() if version is None else (("versionId", version),),
            payload_hash=EMPTY_SHA256,
        )
        try:
            await self._caller.ask(call, limits.BACKEND_ERROR_BYTES)
        except BackendRefused as refused:
            if refused.status != 404 or refused.code not in s3_answers.ABSENT_CODES:
                return {target.name: refused}
        return {}

    async def _delete_each(self, targets: list[_Target]) -> _Errors:
        errors: _Errors = {}

        async def delete(target: _Target) -> None:
            try:
                errors.update(await self._delete_one(target))
            except BackendError as error:
                errors[target.name] = error

        await _each(delete, targets)
        return errors

    async def _delete_batches(self, targets: list[_Target]) -> _Errors:
        errors: _Errors = {}
        waiting = iter(targets)
        while batch := list(islice(waiting, limits.DELETE_KEYS)):
            errors |= await self._delete_batch(batch)
        return errors

    async def _delete_batch(self, targets: list[_Target]) -> _Errors:
        body = document("Delete", map(_render, targets))
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
            unreadable = self._broken(malformed.reason)
            return {target.name: unreadable for target in targets}
        return self._errors_in(result, targets)

    def _errors_in(self, result: DeleteResult, targets: list[_Target]) -> _Errors:
        absent = [one for one in result.failed if one.code in s3_answers.ABSENT_CODES]
        gone = Counter([*result.deleted, *(one.key for one in absent)])
        asked = Counter(target.name for target in targets)
        errors: _Errors = {
            name: self._broken("the answer does not mention it")
            for name, count in asked.items()
            if gone[name] < count
        }
        for failure in result.failed:
            if failure.code not in s3_answers.ABSENT_CODES:
                error = ErrorAnswer(code=failure.code, message=failure.message)
                errors[StorageKey(failure.key)] = s3_answers.refusal(
                    self._caller.name, _MANY, 200, error, {}
                )
        return errors

    def _broken(self, reason: str) -> BackendProtocolError:
        return BackendProtocolError(self._caller.name, _MANY, reason)


def _render(target: _Target) -> str:
    return element(
        "Object",
        [leaf("Key", target.name), optional_leaf("VersionId", target.version)],
    )


async def _each(work: Callable[[T], Awaitable[None]], items: Sequence[T]) -> None:
    """Do work for each item, a few at a time; work must not raise."""
    waiting: Iterator[T] = iter(items)

    async def lane() -> None:
        for item in waiting:
            await work(item)

    async with trio.open_nursery() as nursery:
        for _ in range(min(limits.BACKEND_DELETES, len(items))):
            nursery.start_soon(lane)
