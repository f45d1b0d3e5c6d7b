"""Fuzz the XML reader and every document read from it.

Whatever bytes arrive, they are read or refused with a domain error; what was read as a
Delete document has between one and a thousand keys.
"""

from collections.abc import Callable
from functools import partial

from s3o.ledger.bucket_config import config_of, config_text
from s3o.model.errors import MalformedXml, RequestError
from s3o.model.tenants import BucketConfig
from s3o.wire import (
    acl_documents,
    backend_documents,
    client_documents,
    cors_documents,
    lifecycle_documents,
    tags,
    upload_documents,
)
from s3o.wire.xml_read import Element, XmlReader, parse_xml

_READERS: tuple[Callable[[Element], object], ...] = (
    client_documents.read_create_bucket,
    backend_documents.read_list_page,
    backend_documents.read_delete_result,
    backend_documents.read_error,
    upload_documents.read_manifest,
    cors_documents.read_cors,
    tags.read_tagging,
    partial(acl_documents.check_acl_document, owner_id="x"),
    acl_documents.check_ownership_document,
)


def one(data: bytes) -> None:
    """Read data whole and in two pieces, as every document there is."""
    root = _read(data)
    assert root == _read_in_two(data)
    if root is None:
        return
    for read in _READERS:
        try:
            read(root)
        except RequestError:
            pass
    _check_lifecycle(root)
    try:
        document = client_documents.read_delete(root)
    except MalformedXml:
        return
    assert 1 <= len(document.entries) <= 1000
    assert all(entry.key for entry in document.entries)


def _check_lifecycle(root: Element) -> None:
    """Rules that were understood say the same when they are read again."""
    try:
        rules = lifecycle_documents.read_lifecycle(root)
    except RequestError:
        return
    written = lifecycle_documents.render_lifecycle(rules)
    assert rules == lifecycle_documents.read_lifecycle(parse_xml(written))
    assert rules == config_of(config_text(BucketConfig(lifecycle=rules))).lifecycle


def _read(data: bytes) -> Element | None:
    try:
        return parse_xml(data)
    except MalformedXml:
        return None


def _read_in_two(data: bytes) -> Element | None:
    reader = XmlReader()
    half = len(data) // 2
    try:
        reader.feed(data[:half])
        reader.feed(data[half:])
        return reader.finish()
    except MalformedXml:
        return None
