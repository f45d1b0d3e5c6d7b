"""The file of a browser's form: cut out of the body, its size known before its bytes.

A form does not say how long its file is. But S3 wants the file last, the body's length
is known, and a form ends in one way: closing boundary, end of line. So the size follows
from the length, and the guess is proved by the end of the body: FileFraming releases
the file's bytes and refuses a body that turns out to end otherwise. A body short enough
to be held is not guessed at: split_file() looks.

Source: RFC 7578; AWS, "POST Object" ("the file or content must be the last field").
"""

from s3o.model.errors import MalformedForm
from s3o.wire.form import delimiter_of

_ENDING = (
    "a form this large must end with its file, the closing boundary and one end of line"
)


def split_file(boundary: bytes, rest: bytes) -> bytes:
    """Return the file of a whole form whose other bytes are rest.

    Fields after the file are ignored, as S3 does. Raises MalformedForm.
    """
    delimiter = delimiter_of(boundary)
    size = rest.find(delimiter)
    following = rest[size + len(delimiter) :][:2]
    if size < 0 or following not in (b"--", b"\r\n"):
        raise MalformedForm("the file is not ended by the boundary")
    return rest[:size]


class FileFraming:
    """Releases a file's bytes from a form's remaining body; feed, then finish."""

    def __init__(self, boundary: bytes, body_bytes: int) -> None:
        """Expect body_bytes from the file's first byte to the body's end."""
        self._delimiter = delimiter_of(boundary)
        self._closing = self._delimiter + b"--\r\n"
        self.size = body_bytes - len(self._closing)
        if self.size < 0:
            raise MalformedForm(_ENDING)
        self._seen = 0
        self._last = b""  # what could begin a boundary that the next piece ends
        self._ending = b""

    def feed(self, data: bytes) -> bytes:
        """Return the file's bytes in data; raises MalformedForm at an early boundary.

        The last byte returned is not proved to be the file's last before finish().
        """
        overlap = len(self._delimiter) - 1
        seam = self._last + data[:overlap]
        before = self._seen - len(self._last)
        if 0 <= seam.find(self._delimiter) < self.size - before:
            raise MalformedForm(_ENDING)
        if 0 <= data.find(self._delimiter) < self.size - self._seen:
            raise MalformedForm(_ENDING)
        self._last = (data if len(data) >= overlap else seam)[-overlap:]
        file_bytes = max(0, self.size - self._seen)
        self._seen += len(data)
        if self._seen > self.size + len(self._closing):
            raise MalformedForm(_ENDING)
        self._ending += data[file_bytes:]
        return data[:file_bytes]

    def finish(self) -> None:
        """Raise MalformedForm unless the body ended as expected."""
        if self._ending != self._closing:
            raise MalformedForm(_ENDING)
