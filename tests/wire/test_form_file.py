"""The file of a form: exactly its bytes, or nothing that could be committed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3o.model.errors import MalformedForm
from s3o.wire.form_file import FileFraming, split_file

BOUNDARY = b"b"
END = b"\r\n--b--\r\n"
# Bytes of which boundaries are made, so that chance comes close to one.
CLOSE = st.lists(st.sampled_from([b"\r", b"\n", b"-", b"b", b"\r\n--", b"x"])).map(
    b"".join
)


def frame(body: bytes, split: int) -> bytes:
    """Return the file that a whole body yields."""
    framing = FileFraming(BOUNDARY, len(body))
    released = b""
    for at in range(0, len(body), split):
        released += framing.feed(body[at : at + split])
    framing.finish()
    assert len(released) == framing.size
    return released


@given(CLOSE, st.integers(1, 12))
def test_streaming_and_looking_agree(data, split):
    """Where the guess from the length is proved, it is what a search finds."""
    body = data + END
    if body.find(b"\r\n--b") == len(data):
        assert frame(body, split) == split_file(BOUNDARY, body) == data
    else:
        # The file itself holds a boundary: it is shorter than the length says.
        with pytest.raises(MalformedForm):
            frame(body, split)


@given(CLOSE, CLOSE, st.integers(1, 12))
def test_no_early_boundary_gets_through(before, after, split):
    """Fields after a large file would have to be counted off its size."""
    with pytest.raises(MalformedForm):
        frame(before + b"\r\n--b" + after + b"x" + END, split)


@pytest.mark.parametrize(
    "ending",
    [
        b"",
        b"\r\n--b--",
        b"\r\n--b--\n",
        b"\r\n--b--\r\n\r\n",
        b"\r\n--b\r\n--\r\n",
        b"\r\n--B--\r\n",
        b"\n--b--\r\n",
        b"\r\n--c--\r\n",
        b"\r\n--b-- \r\n",
        b"\r\n--b--\r\nepilogue",
    ],
)
@pytest.mark.parametrize("split", [1, 7, 1000])
def test_another_ending_is_refused(ending, split):
    """The size was reserved and promised to a backend before this is known."""
    with pytest.raises(MalformedForm):
        frame(b"data" * 50 + ending, split)


@pytest.mark.parametrize("size", [0, 1, 8])
def test_a_body_too_short_for_its_end(size):
    """Negative sizes never leave this file."""
    with pytest.raises(MalformedForm):
        FileFraming(BOUNDARY, size)


def test_more_than_the_length_is_refused():
    """Whatever the transport lets through."""
    framing = FileFraming(BOUNDARY, len(END) + 2)
    framing.feed(b"ab" + END)
    with pytest.raises(MalformedForm):
        framing.feed(b"c")


@pytest.mark.parametrize(
    ("rest", "file"),
    [
        (b"data" + END, b"data"),
        (END, b""),
        (b"data\r\n--b--", b"data"),
        (b"data\r\n--b--\r\nepilogue", b"data"),
        (b'data\r\n--b\r\nContent-Disposition: form-data; name="x"', b"data"),
        (b"a\r\n--\r\n-b" + END, b"a\r\n--\r\n-b"),
    ],
)
def test_a_small_file_is_found_by_looking(rest, file):
    """Clients that end a form otherwise, or put fields behind it, are served."""
    assert file == split_file(BOUNDARY, rest)


@pytest.mark.parametrize("rest", [b"", b"data", b"data\r\n--b", b"data\r\n--bc--\r\n"])
def test_a_small_file_without_an_end(rest):
    """A truncated form stores nothing."""
    with pytest.raises(MalformedForm):
        split_file(BOUNDARY, rest)
