"""One backend's listing, page by page, that comes to an end whatever it answers.

A provider may repeat a token, hand out new ones for ever, begin again, or answer page
after page of nothing. Each is a broken answer, after a bounded number of calls.
"""

from collections.abc import Sequence

from s3o.backends.guard import Guarded
from s3o.model.errors import BackendProtocolError
from s3o.model.limits import BACKEND_EMPTY_PAGES, BACKEND_LIST_PAGES, RECONCILE_PAGE
from s3o.model.values import ListedBlob

OPERATION = "ListObjects"


class Listing:
    """All names with a prefix; holds no page but the one handed out.

    Who compares it with something sorted needs it to ascend; who only wants the names
    must_ascend=False, for some servers list in the order of their folders.
    """

    def __init__(
        self, backend: Guarded, prefix: str = "", *, must_ascend: bool = True
    ) -> None:
        self._backend = backend
        self._prefix = prefix
        self._must_ascend = must_ascend
        self._token: str | None = None
        self._first = ""
        self._pages = 0
        self._empty_pages = 0
        self._last = ""
        #: whether the last page was handed out
        self.is_over = False

    async def next_page(self) -> tuple[ListedBlob, ...]:
        """Return the next page, which may be empty; raises BackendError."""
        assert not self.is_over
        page = await self._backend.list_page(self._prefix, self._token, RECONCILE_PAGE)
        self._judge(page.blobs)
        self._pages += 1
        self._empty_pages = 0 if page.blobs else self._empty_pages + 1
        if page.next_token is None:
            self.is_over = True
        elif page.next_token == self._token:
            raise self._broken("the listing repeats its token")
        elif self._empty_pages >= BACKEND_EMPTY_PAGES:
            raise self._broken("the listing has one empty page after the other")
        elif self._pages >= BACKEND_LIST_PAGES:
            raise self._broken("the listing does not end")
        self._token = page.next_token
        return page.blobs

    def _judge(self, blobs: Sequence[ListedBlob]) -> None:
        if blobs and blobs[0].name == self._first:
            raise self._broken("the listing repeats a page")
        for blob in blobs:
            if self._must_ascend and blob.name <= self._last:
                raise self._broken("the listing does not ascend")
            self._last = blob.name
        self._first = blobs[0].name if blobs else self._first

    def _broken(self, reason: str) -> BackendProtocolError:
        return BackendProtocolError(self._backend.name, OPERATION, reason)
