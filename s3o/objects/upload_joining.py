"""A backend's part of a Complete: make one blob of the pinned parts, once.

Whether it has been made is never guessed. A blob of the upload's own name, which is
used once, with the size of the pinned parts can only be theirs; while the backend still
lists them all, they have certainly not been joined.

A part that the backend has copied by itself is looked at before it is joined: some
backends cut a range short and say nothing.
"""

from s3o.backends.guard import Guarded
from s3o.ledger.upload_completion import BegunCompletion
from s3o.model.errors import (
    NOTHING_WAS_SENT,
    BackendError,
    BackendProtocolError,
    BlobMissing,
    UploadMissing,
)
from s3o.model.values import PutReceipt


class JoinRefused(Exception):
    """The backend will not join the parts, and certainly has not."""

    def __init__(self, reason: BackendError) -> None:
        super().__init__(str(reason))
        self.reason = reason


class JoinStuck(Exception):
    """The backend knows neither the joined blob nor the parts."""


class Joining:
    """One backend's part of a Complete."""

    def __init__(self, backend: Guarded, begun: BegunCompletion) -> None:
        upload = begun.upload
        assert upload.storage_key is not None, "native parts are somewhere"
        assert upload.backend_upload_id is not None
        self._backend = backend
        self._storage_key = upload.storage_key
        self._backend_upload_id = upload.backend_upload_id
        self._native = begun.completion.native_parts
        self._stored_bytes = begun.completion.native_stored_bytes
        self._has_copies = any(part.checksum is None for part in self._native)

    async def send(self) -> PutReceipt:
        """Ask for the first time; where the outcome is unknown, find out.

        Raises JoinRefused, JoinStuck, BackendError.
        """
        try:
            if self._has_copies:
                await self._holds_parts()
            return await self._send()
        except BackendError as error:
            if error.is_definite:
                raise JoinRefused(error) from error
        return await self.settle()

    async def settle(self) -> PutReceipt:
        """Find out whether the blob is there; ask once more if it certainly is not.

        Raises JoinRefused, JoinStuck, BackendError.
        """
        if (receipt := await self._look()) is not None:
            return receipt
        if await self._holds_parts():
            try:
                return await self._send()
            except UploadMissing:
                pass  # the earlier request was faster
            except NOTHING_WAS_SENT:
                raise  # says nothing about the earlier request
            except BackendError as error:
                if error.is_definite:
                    raise JoinRefused(error) from error
                raise
        # It may have been joined between the two questions.
        if (receipt := await self._look()) is not None:
            return receipt
        raise JoinStuck("neither the blob nor its parts are there")

    async def _send(self) -> PutReceipt:
        parts = [(part.number, part.backend_etag or "") for part in self._native]
        return await self._backend.complete_upload(
            self._storage_key, self._backend_upload_id, parts
        )

    async def _look(self) -> PutReceipt | None:
        """Return the blob's receipt if it lies there with the size it must have."""
        try:
            info = await self._backend.head(self._storage_key)
        except BlobMissing:
            return None
        if info.stored_bytes != self._stored_bytes:
            raise JoinStuck("the blob has another size than its parts")
        return PutReceipt(etag=info.etag)

    async def _holds_parts(self) -> bool:
        """Whether the backend still lists every pinned part as it was sent.

        Raises JoinRefused if one of them was copied, and is not what it should be: then
        no Complete was ever sent, for this is asked before.
        """
        try:
            listed = await self._backend.list_parts(
                self._storage_key, self._backend_upload_id
            )
        except UploadMissing:
            return False
        held = {part.number: (part.etag, part.stored_bytes) for part in listed}
        others = [
            part.number
            for part in self._native
            if held.get(part.number) != (part.backend_etag, part.stored_bytes)
        ]
        if others and self._has_copies:
            reason = f"part {others[0]} is not what was to be copied"
            raise JoinRefused(
                BackendProtocolError(self._backend.name, "ListParts", reason)
            )
        return not others
