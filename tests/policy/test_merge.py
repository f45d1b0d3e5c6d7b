"""The merge of a listing with the ledger: right for every page size, or refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3o.policy.merge import Disorder, SortedMerge

NAMES = st.lists(
    st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=4),
    unique=True,
    max_size=30,
)


def pages_of(names: list[str], size: int) -> list[list[str]]:
    """Cut names into pages; none at all is one empty page."""
    return [names[at : at + size] for at in range(0, len(names), size)] or [[]]


def merge(
    left: list[list[str]], right: list[list[str]]
) -> list[tuple[str | None, str | None]]:
    """Merge two streams of pages."""
    merged = SortedMerge[str, str](str, str)
    found: list[tuple[str | None, str | None]] = []
    lefts, rights = iter(left), iter(right)
    left_count, right_count = len(left), len(right)
    while not merged.is_over:
        if merged.wants_left:
            left_count -= 1
            merged.feed_left(next(lefts), is_last=not left_count)
        if merged.wants_right:
            right_count -= 1
            merged.feed_right(next(rights), is_last=not right_count)
        found += merged.pairs()
    return found


@given(NAMES, NAMES, st.integers(1, 7), st.integers(1, 7))
def test_merge_is_the_union_in_byte_order(
    left: list[str], right: list[str], left_size: int, right_size: int
) -> None:
    """Whatever the pages' sizes, every name comes once, with who holds it."""
    left.sort(key=str.encode)
    right.sort(key=str.encode)
    expected = [
        (name if name in left else None, name if name in right else None)
        for name in sorted({*left, *right}, key=str.encode)
    ]

    assert expected == merge(pages_of(left, left_size), pages_of(right, right_size))


def test_empty_pages_in_the_middle_are_passed_over() -> None:
    """Some providers answer them."""
    left = [["a"], [], [], ["c"], []]

    assert [("a", None), ("b", "b"), ("c", None)] == merge(
        [["a"], [], ["b"], ["c"], []], [["b"]]
    )
    assert [("a", "a"), (None, "b"), ("c", None)] == merge(left, [[], ["a", "b"]])


@pytest.mark.parametrize(
    "pages",
    [
        [["b", "a"]],
        [["a", "a"]],
        [["a", "b"], ["b"]],
        [["a", "c"], [], ["b"]],
        [["a", "b"], ["a", "b"]],
    ],
)
def test_stream_that_steps_back_is_refused(pages: list[list[str]]) -> None:
    """Everything it would seem to lack would be wrong, on either side."""
    with pytest.raises(Disorder):
        merge(pages, [["z"]])
    with pytest.raises(Disorder):
        merge([["z"]], pages)


def test_merge_holds_one_page_of_each_side() -> None:
    """Millions of names must not gather: a side is only fed when it is used up."""
    merged = SortedMerge[str, str](str, str)
    merged.feed_left(["a", "b"], is_last=False)
    merged.feed_right(["z"], is_last=True)
    assert [("a", None), ("b", None)] == list(merged.pairs())

    assert merged.wants_left
    assert not merged.wants_right
    with pytest.raises(AssertionError):
        merged.feed_right(["zz"], is_last=True)
