"""A provider whose listing comes from a script, over and over, without an end."""

from collections.abc import Sequence

import trio

from s3o.model.values import BlobPage, ListedBlob
from tests.fakes.memory_backend import MemoryBackend


class Liar:
    """Takes the place of a backend's listing, of the names with one prefix."""

    def __init__(
        self,
        backend: MemoryBackend,
        pages: Sequence[Sequence[str]],
        *,
        token: str = "",
        prefix: str = "",
    ) -> None:
        """token: the one that always comes; "" for another one each time."""
        self.calls = 0
        self._honest = backend.list_page
        self._pages = pages
        self._token = token
        self._prefix = prefix
        backend.list_page = self.list_page  # type: ignore[method-assign]

    async def list_page(
        self, prefix: str, token: str | None = None, limit: int = 1000
    ) -> BlobPage:
        """The next page; the truth for other prefixes."""
        if prefix != self._prefix:
            return await self._honest(prefix, token, limit)
        await trio.lowlevel.checkpoint()
        names = self._pages[self.calls % len(self._pages)]
        self.calls += 1
        return BlobPage(
            blobs=tuple(ListedBlob(name=name, stored_bytes=1) for name in names),
            next_token=self._token or str(self.calls),
        )
