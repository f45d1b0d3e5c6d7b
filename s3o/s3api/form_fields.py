"""What the fields of a browser's form mean: the key, and the headers of the object.

Fields speak of the object as a PUT's headers do, some under other names. Only those
that have such a meaning become headers, so that no field can play the part of a header
that steers the request itself (Host, Range, an Authorization).

Source: AWS, "POST Object", form fields.
"""

import re
from collections.abc import Mapping
from urllib.parse import quote

from s3o.model.errors import InvalidArgument, InvalidRequest
from s3o.model.names import ObjectKey, parse_object_key
from s3o.wire.form import FormHead
from s3o.wire.headers import encode_header_value
from s3o.wire.tags import TAGGING_ELEMENTS, read_tagging
from s3o.wire.xml_read import parse_xml

FILE_NAME = "${filename}"
STATUS = "success_action_status"
REDIRECTS = ("success_action_redirect", "redirect")

_HEADERS = frozenset(
    {
        *("cache-control", "content-disposition", "content-encoding"),
        *("content-language", "content-md5", "content-type", "expires"),
        *("if-match", "if-none-match"),
    }
)
_PREFIX = "x-amz-"
_OTHER_NAMES = {"acl": "x-amz-acl"}
_TAGGING, _TAGGING_HEADER = "tagging", "x-amz-tagging"
_SIGNATURE = frozenset(
    {
        *("x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature"),
        "x-amz-security-token",
    }
)
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+", re.ASCII)


def expand_key(head: FormHead) -> str:
    """Return the key that a form asks for, its file's name put in.

    Raises InvalidArgument.
    """
    key = head.fields.get("key")
    if key is None:
        raise InvalidArgument(
            "key",
            "",
            "Bucket POST must contain a field named 'key'. If it is specified, please "
            "check the order of the fields.",
        )
    # Old browsers send the whole path; only what follows the last separator is a name.
    name = re.split(r"[/\\]", head.file_name)[-1]
    return key.replace(FILE_NAME, name)


def parse_form_key(key: str) -> ObjectKey:
    """Return the key as a name; raises KeyTooLong, InvalidArgument."""
    if not key:
        raise InvalidArgument("key", "", "User key must have a length greater than 0.")
    return parse_object_key(key.encode("utf-8"))


def form_headers(fields: Mapping[str, str]) -> dict[str, str]:
    """Return the headers that a form's fields stand for; raises RequestError."""
    headers: dict[str, str] = {}
    for field, value in fields.items():
        name = _OTHER_NAMES.get(field, field)
        if name in _SIGNATURE or not (name in _HEADERS or name.startswith(_PREFIX)):
            continue
        if not _NAME.fullmatch(name):
            raise InvalidArgument(name[:64], value[:64], "not the name of a header")
        if name in headers:
            raise InvalidRequest(f"the field {name} is there under two names")
        headers[name] = encode_header_value(name, value)
    tagging = fields.get(_TAGGING)
    if tagging:
        if _TAGGING_HEADER in headers:
            raise InvalidRequest(f"{_TAGGING} and {_TAGGING_HEADER} contradict")
        headers[_TAGGING_HEADER] = _read_tagging(tagging)
    return headers


def _read_tagging(text: str) -> str:
    tags = read_tagging(parse_xml(text.encode("utf-8"), TAGGING_ELEMENTS))
    return "&".join(f"{quote(key, '')}={quote(value, '')}" for key, value in tags)
