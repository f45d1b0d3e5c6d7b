"""A browser's form, up to the first byte of its file.

multipart/form-data is read in one spelling. Rules:

- The body begins with the boundary; every part names itself once; text is UTF-8.
- What precedes the file is bounded in bytes, in fields and per part, so it may be read
  before anybody knows who sent it. The part called `file` ends the reading.
- A field may be there once: two readers of a repeated one could differ.
- A part that is encoded in transfer (base64) is refused, not stored encoded.

Sources: RFC 7578, RFC 2046 section 5.1; AWS, "POST Object".
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from s3o.model import limits
from s3o.model.errors import FormFieldsTooLarge, InvalidArgument, MalformedForm
from s3o.model.forms import fold_name

FILE = "file"
KIND = "multipart/form-data"

_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]++"
# A browser writes `"` as %22 and leaves a backslash alone; older clients write \".
_QUOTED = r'"((?:\\"|[^"\\]|\\(?!"))*+)"'
_PARAMETER = re.compile(rf";[ \t]*+({_WORD})=(?:{_QUOTED}|([^;\" \t]++))[ \t]*+")
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=? -]*[0-9A-Za-z'()+_,./:=?-]", re.ASCII)
_HEADER = re.compile(rf"({_WORD}):[ \t]*+([^\x00-\x08\x0a-\x1f\x7f]*)")
_PLAIN_ENCODINGS = frozenset({"7bit", "8bit", "binary"})
_TRANSFER = "content-transfer-encoding"
_HEAD_END = b"\r\n\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class FormHead:
    """All fields before a form's file.

    fields: names folded. file_name: as sent, perhaps a path. file_offset: where in
    the body the file's data begins.
    """

    fields: Mapping[str, str]
    file_name: str
    file_offset: int


def is_form(content_type: str) -> bool:
    """Whether a Content-Type announces a form."""
    return content_type.partition(";")[0].strip(" \t").lower() == KIND


def parse_boundary(content_type: str) -> bytes:
    """Return the boundary that a form's Content-Type names; raises MalformedForm."""
    _, semicolon, rest = content_type.partition(";")
    found = _parse_parameters(semicolon + rest)
    boundary = found.get("boundary", "")
    if len(boundary) > limits.FORM_BOUNDARY_BYTES or not _BOUNDARY.fullmatch(boundary):
        raise MalformedForm("no boundary of 1 to 70 characters")
    return boundary.encode("ascii")


def delimiter_of(boundary: bytes) -> bytes:
    """Return what ends each part's data."""
    return b"\r\n--" + boundary


class FormReader:
    """Reads a form's fields from pieces of any size; one use."""

    def __init__(self, boundary: bytes) -> None:
        self._delimiter = delimiter_of(boundary)
        # The first boundary has no line before it; this makes it like all others.
        self._buffer = bytearray(b"\r\n")
        self._at = 0
        self._searched = 0
        self._awaited = self._delimiter
        self._name: str | None = None
        self._file_name = ""
        self._fields: dict[str, str] = {}
        self._head: FormHead | None = None

    def feed(self, data: bytes) -> FormHead | None:
        """Take the next bytes; return the head once the file's data begins.

        Raises MalformedForm, FormFieldsTooLarge, InvalidArgument.
        """
        assert self._head is None, "the form's fields were read"
        self._buffer += data
        while self._head is None and self._step():
            pass
        offset = len(self._buffer) if self._head is None else self._at
        if offset - 2 > limits.FORM_HEAD_BYTES:
            raise FormFieldsTooLarge(limits.FORM_HEAD_BYTES)
        return self._head

    @property
    def rest(self) -> bytes:
        """What was fed beyond the head."""
        assert self._head is not None, "the file has not begun"
        return bytes(self._buffer[self._at :])

    def _step(self) -> bool:
        """Take what ends with what is awaited; False if more bytes are needed."""
        found = self._buffer.find(self._awaited, self._searched)
        end = found + len(self._awaited)
        if found < 0 or (self._awaits_value and len(self._buffer) < end + 2):
            self._searched = max(
                self._at, len(self._buffer) - len(self._awaited) - 2, self._searched
            )
            return False
        piece = bytes(self._buffer[self._at : found])
        if self._awaits_value:
            self._end_value(piece, bytes(self._buffer[end : end + 2]))
            self._at, self._awaited = end, _HEAD_END
        else:
            self._begin_part(piece)
            self._at, self._awaited = end, self._delimiter
        self._searched = self._at
        if self._name == FILE:
            self._head = FormHead(
                fields=self._fields, file_name=self._file_name, file_offset=end - 2
            )
        return True

    @property
    def _awaits_value(self) -> bool:
        return self._awaited is self._delimiter

    def _end_value(self, value: bytes, following: bytes) -> None:
        if self._name is None:
            # Before the first boundary some clients send an empty line.
            if value not in (b"", b"\r\n"):
                raise MalformedForm("the body does not begin with the boundary")
        else:
            self._fields[self._name] = _decode(value)
        if following == b"--":
            raise InvalidArgument(
                FILE, "0", "POST requires exactly one file upload per request."
            )
        if following != b"\r\n":
            raise MalformedForm("a boundary that goes on")

    def _begin_part(self, block: bytes) -> None:
        if len(block) > limits.FORM_PART_HEAD_BYTES:
            raise FormFieldsTooLarge(limits.FORM_PART_HEAD_BYTES)
        name, self._file_name = _parse_part_head(_decode(block))
        if name in self._fields:
            raise InvalidArgument(name[:64], "", "This field may be there only once.")
        if len(self._fields) >= limits.FORM_FIELDS:
            raise MalformedForm(f"over {limits.FORM_FIELDS} fields")
        self._name = name


def _parse_part_head(block: str) -> tuple[str, str]:
    """Return the field's name, folded, and its file's name or ""."""
    disposition = None
    for line in block.split("\r\n")[1:]:
        header = _HEADER.fullmatch(line)
        if header is None:
            raise MalformedForm("a part with a malformed header")
        name, value = header[1].lower(), header[2].strip(" \t")
        if name == "content-disposition":
            if disposition is not None:
                raise MalformedForm("a part with two Content-Dispositions")
            disposition = value
        elif name == _TRANSFER and value.lower() not in _PLAIN_ENCODINGS:
            raise MalformedForm("a part with a Content-Transfer-Encoding")
    kind, semicolon, rest = (disposition or "").partition(";")
    if kind.strip(" \t").lower() != "form-data":
        raise MalformedForm("a part that is no form-data")
    parameters = _parse_parameters(semicolon + rest)
    if not parameters.get("name"):
        raise MalformedForm("a part without a name")
    return fold_name(parameters["name"]), parameters.get("filename", "")


def _parse_parameters(text: str) -> dict[str, str]:
    """Return `; name=value` parameters; raises MalformedForm."""
    found: dict[str, str] = {}
    at = 0
    while at < len(text):
        match = _PARAMETER.match(text, at)
        if match is None or match[1].lower() in found:
            raise MalformedForm("malformed or repeated parameters of a header")
        quoted, token = match[2], match[3]
        value = token if quoted is None else quoted.replace('\\"', '"')
        found[match[1].lower()] = value
        at = match.end()
    return found


def _decode(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise MalformedForm("text that is not UTF-8") from None
