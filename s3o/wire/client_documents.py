"""The documents clients send: Delete and CreateBucketConfiguration.

An element that is not known is refused: one day it is a condition, and a deletion that
ignores its condition deletes what it must not.
"""

from dataclasses import dataclass

from s3o.model import limits
from s3o.model.errors import MalformedXml
from s3o.model.values import Pairs
from s3o.wire.tags import read_tag_set
from s3o.wire.xml_read import Element

DELETE_ELEMENTS = 2 + 6 * limits.DELETE_KEYS  # root, Quiet, and six per object
CREATE_BUCKET_ELEMENTS = 200  # tags included

_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
_OBJECT_FIELDS = frozenset({"Key", "VersionId", "ETag", "LastModifiedTime", "Size"})
_LATER_BUCKET_FIELDS = frozenset({"Location", "Bucket"})  # directory buckets'
_BUCKET_FIELDS = _LATER_BUCKET_FIELDS | {"LocationConstraint", "Tags"}


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteEntry:
    """One object to delete, as its client wrote it; the conditions are unparsed."""

    key: str
    version_id: str | None = None
    etag: str | None = None
    last_modified: str | None = None
    size: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteDocument:
    """A Delete document: 1..1000 entries in order."""

    entries: tuple[DeleteEntry, ...]
    is_quiet: bool


def read_delete(root: Element) -> DeleteDocument:
    """Return the Delete document under root; raises MalformedXml."""
    _require_root(root, "Delete")
    entries: list[DeleteEntry] = []
    is_quiet = False
    for child in root.children:
        if child.name == "Object":
            entries.append(_read_entry(child))
        elif child.name == "Quiet":
            is_quiet = _read_boolean(child)
        else:
            raise MalformedXml(f"unexpected element {child.name} in Delete")
    if not 1 <= len(entries) <= limits.DELETE_KEYS:
        raise MalformedXml(f"not 1 to {limits.DELETE_KEYS} objects")
    return DeleteDocument(entries=tuple(entries), is_quiet=is_quiet)


def _read_entry(element: Element) -> DeleteEntry:
    texts = _leaves(element, _OBJECT_FIELDS)
    key = texts.get("Key")
    if not key:
        raise MalformedXml("an object without a key")
    return DeleteEntry(
        key=key,
        version_id=texts.get("VersionId"),
        etag=texts.get("ETag"),
        last_modified=texts.get("LastModifiedTime"),
        size=texts.get("Size"),
    )


def _read_boolean(element: Element) -> bool:
    value = _BOOLEANS.get(element.text.strip().lower())
    if value is None or element.children:
        raise MalformedXml(f"{element.name} is neither true nor false")
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateBucketDocument:
    """A CreateBucketConfiguration document; unsupported names what we do not have."""

    location_constraint: str | None
    tags: Pairs = ()
    unsupported: tuple[str, ...] = ()


def read_create_bucket(root: Element) -> CreateBucketDocument:
    """Return the CreateBucketConfiguration under root.

    Raises MalformedXml, InvalidTag, BadRequest.
    """
    _require_root(root, "CreateBucketConfiguration")
    for child in root.children:
        if child.name not in _BUCKET_FIELDS:
            raise MalformedXml(f"unexpected element {child.name}")
    constraint = root.text_of("LocationConstraint")
    tags = root.find("Tags")
    return CreateBucketDocument(
        location_constraint=None if constraint is None else constraint.strip(),
        tags=() if tags is None else read_tag_set(tags, limits.TAGS_PER_BUCKET),
        unsupported=tuple(
            child.name
            for child in root.children
            if child.name in _LATER_BUCKET_FIELDS and child.children
        ),
    )


def _require_root(root: Element, name: str) -> None:
    if root.name != name:
        raise MalformedXml(f"the document is a {root.name}, not a {name}")


def _leaves(element: Element, known: frozenset[str]) -> dict[str, str]:
    """Return the texts of element's children, each known, once and without children."""
    texts: dict[str, str] = {}
    for child in element.children:
        if child.name not in known or child.name in texts or child.children:
            raise MalformedXml(f"unexpected element {child.name} in {element.name}")
        texts[child.name] = child.text
    return texts
