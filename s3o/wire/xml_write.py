"""Write S3's XML by hand, because XML libraries refuse what keys may contain.

A key may hold control characters, which XML 1.0 forbids; S3 sends them as character
references all the same, and clients decode them. Element names and their order are
contract: clients compare them.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
"""

import re
from collections.abc import Iterable
from urllib.parse import quote

DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"

_SPECIAL = re.compile('[&<>"\x00-\x08\x0b-\x1f\x7f\ufffe\uffff\t\n]')
_NAMED = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}


def escape(text: str) -> str:
    """Return text as character data; control characters become `&#x..;`."""
    if _SPECIAL.search(text) is None:
        return text
    return _SPECIAL.sub(_reference, text)


def _reference(match: re.Match[str]) -> str:
    character = match[0]
    return _NAMED.get(character) or f"&#x{ord(character):X};"


def leaf(name: str, text: str) -> str:
    """Return one element with text."""
    return f"<{name}>{escape(text)}</{name}>"


def optional_leaf(name: str, text: str | None) -> str:
    """Return one element with text, or nothing when there is none."""
    return "" if text is None else leaf(name, text)


def element(name: str, parts: Iterable[str]) -> str:
    """Return one element around parts that are XML already."""
    return f"<{name}>{''.join(parts)}</{name}>"


def document(name: str, parts: Iterable[str], *, has_namespace: bool = True) -> bytes:
    """Return a whole document around parts that are XML already."""
    namespace = f' xmlns="{NAMESPACE}"' if has_namespace else ""
    return (f"{DECLARATION}<{name}{namespace}>{''.join(parts)}</{name}>").encode()


def url_encode(text: str) -> str:
    """Return text as encoding-type=url wants it: `/` kept, space %20, plus %2B."""
    return quote(text, safe="/")
