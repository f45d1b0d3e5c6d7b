"""Fuzz the headers that describe an object, and the parameters that choose of it.

Whatever text arrives, it is understood within S3's limits or refused with a domain
error; and what was kept of a PUT, sent again as a GET tells it, is kept the same.
"""

from dataclasses import replace

from s3o.model import limits
from s3o.model.errors import RequestError, StateError
from s3o.model.names import BucketId, ObjectKey, VersionId
from s3o.model.values import ObjectFacts, ObjectVersion
from s3o.s3api.attributes import parse_attributes_request
from s3o.wire.conditions import parse_delete_conditions, parse_write_conditions
from s3o.wire.digests import parse_declared_checksum
from s3o.wire.headers import parse_object_facts, render_object_headers
from s3o.wire.parts import parse_part_number
from s3o.wire.tags import render_tagging
from s3o.wire.target import parse_query
from s3o.wire.versions import names_null_version

_PARSERS = (
    parse_attributes_request,
    parse_declared_checksum,
    parse_delete_conditions,
    parse_write_conditions,
)
# What the listener never lets through in a header's value.
_FORBIDDEN = {code: None for code in range(0x20) if code != 0x09} | {0x7F: None}


def one(data: bytes) -> None:
    """Take the first line as a query, the others as headers."""
    query, *lines = data.decode("latin-1").split("\n")
    fields: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        text = value.translate(_FORBIDDEN).strip(" \t")
        if name.isascii() and name.isprintable():
            name = name.strip().lower()
            fields[name] = f"{fields[name]},{text}" if name in fields else text
    _choose(query, fields)
    for parse in _PARSERS:
        try:
            parse(fields)
        except RequestError:
            pass
    try:
        facts = parse_object_facts(fields)
    except RequestError:
        return
    _check(facts)


def _choose(query: str, fields: dict[str, str]) -> None:
    try:
        parsed = parse_query(query)
        names_null_version(parsed, "key")
        number = parse_part_number(parsed, fields)
    except (RequestError, StateError):
        return
    assert number is None or 1 <= number <= limits.PARTS


def _check(facts: ObjectFacts) -> None:
    assert len(facts.tags) <= limits.TAGS_PER_OBJECT
    assert len(dict(facts.tags)) == len(facts.tags), "a tag twice"
    render_tagging(facts.tags)
    kept = sum(len(name) + len(value) for name, value in facts.metadata)
    assert kept <= limits.USER_METADATA_BYTES
    version = ObjectVersion(
        bucket_id=BucketId(1),
        key=ObjectKey("key"),
        version_id=VersionId(""),
        sequence=0,
        size=0,
        etag="",
        created_at_us=0,
        facts=facts,
    )
    told = dict(render_object_headers(version))
    again = parse_object_facts(told)
    assert replace(again, tags=facts.tags) == facts, "told otherwise than it was kept"
