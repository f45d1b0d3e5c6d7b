"""Conditional requests: the headers of reads decided, those of writes parsed.

A read is decided here, against the row that was read. A write is only parsed here:
policy/conditional decides it in the transaction that publishes, for a HEAD before an
upload proves nothing about the moment after it.

Rules for reads (RFC 9110 section 13.2.2): If-Match hides If-Unmodified-Since,
If-None-Match hides If-Modified-Since; dates have seconds; a date that does not parse is
as if it were not there. S3 also takes ETags without quotes.
"""

from collections.abc import Mapping
from enum import Enum

from s3o.model.errors import InvalidArgument, NotSupported, PreconditionFailed
from s3o.model.numbers import parse_uint
from s3o.model.values import WriteConditions
from s3o.wire.dates import parse_any_date, parse_http_date, whole_seconds


class ReadOutcome(Enum):
    """What the conditions of a read that did not fail ask for."""

    PROCEED = "proceed"
    NOT_MODIFIED = "not modified"


def evaluate_read(
    fields: Mapping[str, str], etag: str, modified_us: int
) -> ReadOutcome:
    """Decide a GET's or HEAD's conditions against an object (etag without quotes).

    Raises PreconditionFailed, which names the header that did not hold.
    """
    if_match = fields.get("if-match")
    if if_match is not None:
        if not _matches(if_match, etag, is_weak_allowed=False):
            raise PreconditionFailed("If-Match")
    elif _is_later(modified_us, fields.get("if-unmodified-since")) is True:
        raise PreconditionFailed("If-Unmodified-Since")
    if_none_match = fields.get("if-none-match")
    if if_none_match is not None:
        if _matches(if_none_match, etag, is_weak_allowed=True):
            return ReadOutcome.NOT_MODIFIED
    elif _is_later(modified_us, fields.get("if-modified-since")) is False:
        return ReadOutcome.NOT_MODIFIED
    return ReadOutcome.PROCEED


def is_range_wanted(fields: Mapping[str, str], etag: str, modified_us: int) -> bool:
    """Whether a Range header counts: without If-Range, or while that still holds.

    A client that resumes a download of what has changed gets the whole new object.
    """
    value = fields.get("if-range")
    if value is None:
        return True
    since_us = parse_http_date(value)
    if since_us is not None:
        return whole_seconds(since_us) == whole_seconds(modified_us)
    return value != "*" and _matches(value, etag, is_weak_allowed=False)


def _is_later(modified_us: int, value: str | None) -> bool | None:
    """Whether the object changed after the date in value; None if there is no date."""
    since_us = parse_http_date(value) if value is not None else None
    if since_us is None:
        return None
    return whole_seconds(modified_us) > whole_seconds(since_us)


def _matches(value: str, etag: str, *, is_weak_allowed: bool) -> bool:
    return any(
        tag in ("*", etag) and (is_weak_allowed or not is_weak)
        for tag, is_weak in parse_etags(value)
    )


def parse_etags(value: str) -> list[tuple[str, bool]]:
    """Return the ETags of a comma list without quotes, each with whether it is weak."""
    tags: list[tuple[str, bool]] = []
    for item in value.split(","):
        text = item.strip(" \t")
        is_weak = text.startswith("W/")
        tag = unquote_etag(text.removeprefix("W/"))
        if tag:
            tags.append((tag, is_weak))
    return tags


def unquote_etag(text: str) -> str:
    """Return an ETag without the quotes it may have."""
    if len(text) >= 2 and text[0] == text[-1] == '"':
        return text[1:-1]
    return text


def quote_etag(etag: str) -> str:
    """Return an ETag as headers and documents carry it."""
    return f'"{etag}"'


def parse_write_conditions(fields: Mapping[str, str]) -> WriteConditions:
    """Return the conditions of a PUT; raises InvalidArgument and NotSupported.

    AWS knows `If-None-Match: *` and If-Match, one at a time; everything else asks for
    what S3 does not have and must not be taken for an unconditional write.
    """
    _refuse_dates(fields)
    if_match, if_none_match = fields.get("if-match"), fields.get("if-none-match")
    if if_match is not None and if_none_match is not None:
        raise NotSupported("If-Match together with If-None-Match")
    if if_none_match is not None and if_none_match != "*":
        raise NotSupported("If-None-Match with anything but *")
    return WriteConditions(
        if_match=_parse_if_match(if_match),
        if_none_match_any=if_none_match is not None,
    )


def parse_delete_conditions(fields: Mapping[str, str]) -> WriteConditions:
    """Return the conditions of a DELETE; raises InvalidArgument and NotSupported."""
    _refuse_dates(fields)
    if "if-none-match" in fields:
        raise NotSupported("If-None-Match on a DELETE")
    return make_delete_conditions(
        etag=fields.get("if-match"),
        last_modified=fields.get("x-amz-if-match-last-modified-time"),
        size=fields.get("x-amz-if-match-size"),
        names=("If-Match", "x-amz-if-match-last-modified-time", "x-amz-if-match-size"),
    )


def make_delete_conditions(
    *,
    etag: str | None,
    last_modified: str | None,
    size: str | None,
    names: tuple[str, str, str] = ("ETag", "LastModifiedTime", "Size"),
) -> WriteConditions:
    """Return the conditions of one deletion; names is what errors call the three."""
    modified_us: int | None = None
    if last_modified is not None:
        modified_us = parse_any_date(last_modified)
        if modified_us is None:
            raise InvalidArgument(names[1], last_modified, "not a date")
    size_bytes: int | None = None
    if size is not None:
        try:
            size_bytes = parse_uint(size)
        except ValueError:
            raise InvalidArgument(names[2], size, "not a size") from None
    return WriteConditions(
        if_match=_parse_if_match(etag, names[0]),
        if_match_last_modified_us=modified_us,
        if_match_size=size_bytes,
    )


def _parse_if_match(value: str | None, name: str = "If-Match") -> tuple[str, ...]:
    """Return the ETags to match; a weak one cannot match and stays as it is."""
    if value is None:
        return ()
    tags = parse_etags(value)
    if not tags:
        # Dropping it would turn a conditional write into an unconditional one.
        raise InvalidArgument(name, value, "no ETag in it")
    return tuple(f"W/{tag}" if is_weak else tag for tag, is_weak in tags)


def _refuse_dates(fields: Mapping[str, str]) -> None:
    for name in ("if-modified-since", "if-unmodified-since"):
        if name in fields:
            raise NotSupported(f"{name} on a write")
