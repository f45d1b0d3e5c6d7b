"""A bucket's configuration as the column buckets.config holds it: one JSON object.

What is not configured is not in it; a bucket without any has NULL. Readers refuse what
they do not know with ValueError, so that a rule is never half understood.
"""

import json
from collections.abc import Callable
from typing import TypeVar

from s3o.model.tenants import BucketConfig, CorsRule, LifecycleRule

_T = TypeVar("_T")
_Json = dict[str, object]


def config_text(config: BucketConfig) -> str | None:
    """Return the column's text; public_read is the configuration file's."""
    sections: _Json = {
        "cors": [_cors_json(rule) for rule in config.cors],
        "lifecycle": [_lifecycle_json(rule) for rule in config.lifecycle],
        "tags": [list(pair) for pair in config.tags],
    }
    kept = {name: section for name, section in sections.items() if section}
    return json.dumps(kept, separators=(",", ":")) if kept else None


def config_of(value: object) -> BucketConfig:
    """Read the column; raises ValueError for what was not written here."""
    if value is None:
        return BucketConfig()
    sections = _Fields(json.loads(_text(value)))
    config = BucketConfig(
        cors=sections.each("cors", _cors_of),
        lifecycle=sections.each("lifecycle", _lifecycle_of),
        tags=sections.each("tags", _pair),
    )
    sections.finish()
    return config


class _Fields:
    """One JSON object, taken apart field by field until nothing is left."""

    def __init__(self, value: object) -> None:
        self._left = dict(_checked(value, dict))

    def take(self, name: str, kind: type[_T]) -> _T | None:
        value = self._left.pop(name, None)
        return None if value is None else _checked(value, kind)

    def text(self, name: str) -> str:
        return self.take(name, str) or ""

    def each(self, name: str, read: Callable[[object], _T]) -> tuple[_T, ...]:
        items: list[object] = self.take(name, list) or []
        return tuple(map(read, items))

    def finish(self) -> None:
        if self._left:
            raise ValueError(f"unknown field {min(self._left)}")


def _checked(value: object, kind: type[_T]) -> _T:
    # Exactly: True is an int to isinstance.
    if type(value) is not kind:
        raise ValueError(f"not of type {kind.__name__}")
    return value


def _text(value: object) -> str:
    return _checked(value, str)


def _pair(value: object) -> tuple[str, str]:
    key, text = _checked(value, list)
    return _text(key), _text(text)


def _present(fields: _Json) -> _Json:
    return {name: value for name, value in fields.items() if value not in (None, [])}


def _cors_json(rule: CorsRule) -> _Json:
    return _present(
        {
            "id": rule.id,
            "origins": list(rule.allowed_origins),
            "methods": list(rule.allowed_methods),
            "headers": list(rule.allowed_headers),
            "expose": list(rule.expose_headers),
            "max_age_s": rule.max_age_s,
        }
    )


def _cors_of(value: object) -> CorsRule:
    fields = _Fields(value)
    rule = CorsRule(
        id=fields.take("id", str),
        allowed_origins=fields.each("origins", _text),
        allowed_methods=fields.each("methods", _text),
        allowed_headers=fields.each("headers", _text),
        expose_headers=fields.each("expose", _text),
        max_age_s=fields.take("max_age_s", int),
    )
    fields.finish()
    return rule


def _lifecycle_json(rule: LifecycleRule) -> _Json:
    return _present(
        {
            "id": rule.id,
            "enabled": rule.is_enabled,
            "old_form": None if rule.has_filter else True,
            "prefix": rule.prefix,
            "tags": [list(pair) for pair in rule.tags],
            "size_above": rule.size_above,
            "size_below": rule.size_below,
            "expire_days": rule.expire_days,
            "expire_at_us": rule.expire_at_us,
            "abort_upload_days": rule.abort_upload_days,
        }
    )


def _lifecycle_of(value: object) -> LifecycleRule:
    fields = _Fields(value)
    rule = LifecycleRule(
        id=fields.text("id"),
        is_enabled=fields.take("enabled", bool) is True,
        has_filter=fields.take("old_form", bool) is not True,
        prefix=fields.take("prefix", str),
        tags=fields.each("tags", _pair),
        size_above=fields.take("size_above", int),
        size_below=fields.take("size_below", int),
        expire_days=fields.take("expire_days", int),
        expire_at_us=fields.take("expire_at_us", int),
        abort_upload_days=fields.take("abort_upload_days", int),
    )
    fields.finish()
    return rule
