"""Merge two streams of names in ascending order, page by page, in bounded memory.

A listing and the ledger are compared like two sorted decks: whatever only one of them
holds shows where the names part. That is true only of streams that ascend. One that
does not, or that shows a name twice, would make every later conclusion wrong, so it is
refused at the first step back (Disorder), and its caller gives up the comparison
without any conclusion.

Text is compared character by character, which for text without surrogates (nothing that
was decoded from UTF-8 has any) is the byte order of S3 and of the ledger.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar

L = TypeVar("L")
R = TypeVar("R")
T = TypeVar("T")


class Disorder(Exception):
    """A stream does not ascend."""


class _Side(Generic[T]):
    """What was fed of one stream and not taken yet."""

    def __init__(self, what: str, name_of: Callable[[T], str]) -> None:
        self._what = what
        self._name_of = name_of
        self._page: Sequence[T] = ()
        self._position = 0
        self._last: str | None = None
        self.is_over = False

    def feed(self, page: Sequence[T], *, is_last: bool) -> None:
        assert not self.has_items
        assert not self.is_over
        last = self._last
        for item in page:
            name = self._name_of(item)
            if last is not None and name <= last:
                raise Disorder(f"{self._what} does not ascend")
            last = name
        self._page, self._position = page, 0
        self._last, self.is_over = last, is_last

    @property
    def has_items(self) -> bool:
        return self._position < len(self._page)

    @property
    def is_empty(self) -> bool:
        """Whether it is over, and all was taken."""
        return self.is_over and not self.has_items

    def peek(self) -> str:
        return self._name_of(self._page[self._position])

    def take(self) -> T:
        item = self._page[self._position]
        self._position += 1
        return item


class SortedMerge(Generic[L, R]):
    """Two streams, fed page by page.

    Feed whichever side is wanted until neither is, taking pairs() in between. Holds at
    most one page of each side.
    """

    def __init__(
        self,
        left_name: Callable[[L], str],
        right_name: Callable[[R], str],
        *,
        left: str = "the left stream",
        right: str = "the right stream",
    ) -> None:
        self._left = _Side(left, left_name)
        self._right = _Side(right, right_name)

    @property
    def wants_left(self) -> bool:
        """Whether the next pair cannot be told without more of the left stream."""
        return not self._left.has_items and not self._left.is_over

    @property
    def wants_right(self) -> bool:
        """Whether the next pair cannot be told without more of the right stream."""
        return not self._right.has_items and not self._right.is_over

    @property
    def is_over(self) -> bool:
        """Whether all pairs were taken."""
        return self._left.is_empty and self._right.is_empty

    def feed_left(self, page: Sequence[L], *, is_last: bool) -> None:
        """Take the next page; an empty one is fine. Raises Disorder."""
        self._left.feed(page, is_last=is_last)

    def feed_right(self, page: Sequence[R], *, is_last: bool) -> None:
        """Take the next page; an empty one is fine. Raises Disorder."""
        self._right.feed(page, is_last=is_last)

    def pairs(self) -> Iterator[tuple[L | None, R | None]]:
        """Yield (left, right) in order, None for who does not have the name.

        Ends when a page is wanted, or at the end of both streams.
        """
        left, right = self._left, self._right
        while not (self.wants_left or self.wants_right):
            if left.is_empty and right.is_empty:
                return
            if right.is_empty:
                yield left.take(), None
            elif left.is_empty:
                yield None, right.take()
            else:
                left_name, right_name = left.peek(), right.peek()
                yield (
                    left.take() if left_name <= right_name else None,
                    right.take() if right_name <= left_name else None,
                )
