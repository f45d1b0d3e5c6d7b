"""Tag sets: the x-amz-tagging header, the Tagging document, and S3's rules for both.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectTagging.html
"""

import re
from urllib.parse import unquote_to_bytes

from s3o.model import limits
from s3o.model.errors import BadRequest, InvalidArgument, InvalidTag, MalformedXml
from s3o.model.values import Pairs
from s3o.wire.xml_read import Element
from s3o.wire.xml_write import document, element, leaf

# Enough for a set that is too large to be told so, instead of that it is malformed.
TAGGING_ELEMENTS = 2 + 3 * 20 * limits.TAGS_PER_OBJECT

# Letters and digits of all scripts, on purpose.
_TAG_TEXT = re.compile(r"[\w \t+\-=._:/@]*")
_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})", re.ASCII)
_TAG_FIELDS = {"Key", "Value"}
_TAGGING = (
    "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded "
    "URL query parameters without tag name duplicates."
)


def parse_tagging_header(value: str) -> Pairs:
    """Return the tags of an x-amz-tagging header; raises RequestError."""
    tags: dict[str, str] = {}
    for pair in value.split("&"):
        if not pair:
            continue
        name, _, text = pair.partition("=")
        try:
            key, tag = _decode(name), _decode(text)
        except ValueError:
            raise InvalidArgument("x-amz-tagging", value, _TAGGING) from None
        if not key or key in tags:
            raise InvalidArgument("x-amz-tagging", value, _TAGGING)
        tags[key] = tag
    found = tuple(tags.items())
    check_tags(found)
    return found


def _decode(text: str) -> str:
    if _BROKEN_ESCAPE.search(text):
        raise ValueError("a percent sign without two hexadecimal digits")
    raw = text.replace("+", " ").encode("latin-1")
    return unquote_to_bytes(raw).decode("utf-8")


def read_tagging(root: Element, most: int = limits.TAGS_PER_OBJECT) -> Pairs:
    """Return the tags of a Tagging document, in its order.

    Raises MalformedXml, InvalidTag, and BadRequest for more than most tags.
    """
    if root.name != "Tagging" or [child.name for child in root.children] != ["TagSet"]:
        raise MalformedXml("the document is no Tagging with one TagSet")
    return read_tag_set(root.children[0], most)


def read_tag_set(tag_set: Element, most: int) -> Pairs:
    """Return the tags in an element full of them; raises as read_tagging."""
    tags = tuple(read_tag(child) for child in tag_set.children)
    check_tags(tags, most)
    if len({key for key, _ in tags}) < len(tags):
        raise InvalidTag("Cannot provide multiple Tags with the same key")
    return tags


def read_tag(tag: Element) -> tuple[str, str]:
    """Return the key and value of a Tag element; raises MalformedXml."""
    texts = {child.name: child.text for child in tag.children if not child.children}
    if tag.name != "Tag" or len(tag.children) != 2 or texts.keys() != _TAG_FIELDS:
        raise MalformedXml("a tag is one Key and one Value")
    return texts["Key"], texts["Value"]


def render_tagging(tags: Pairs) -> bytes:
    """Return the Tagging document of a tag set."""
    rendered = [render_tag(key, value) for key, value in tags]
    return document("Tagging", [element("TagSet", rendered)])


def render_tag(key: str, value: str) -> str:
    """Return one Tag element."""
    return element("Tag", [leaf("Key", key), leaf("Value", value)])


def check_tags(tags: Pairs, most: int = limits.TAGS_PER_OBJECT) -> None:
    """Raise InvalidTag or BadRequest for tags outside S3's rules."""
    if len(tags) > most:
        whose = "Object tags" if most == limits.TAGS_PER_OBJECT else "Bucket tag count"
        raise BadRequest(f"{whose} cannot be greater than {most}")
    for key, value in tags:
        if not 1 <= len(key) <= limits.TAG_KEY_CHARACTERS or not _is_tag_text(key):
            raise InvalidTag("The TagKey you have provided is invalid")
        if len(value) > limits.TAG_VALUE_CHARACTERS or not _is_tag_text(value):
            raise InvalidTag("The TagValue you have provided is invalid")
        if key.lower().startswith("aws:"):
            raise InvalidTag("System tags cannot be added/updated by requester")


def _is_tag_text(text: str) -> bool:
    return _TAG_TEXT.fullmatch(text) is not None
