"""Check plain values against the models: the settings, or everything wrong with them.

Each section, and each entry of the lists, is read for itself, so that one fault
hides no other; rules between sections run over whatever was readable.
"""

from collections.abc import Callable, Iterator
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from s3o.config.accounts import AccountSettings
from s3o.config.backends import BackendSettings, read_backend
from s3o.config.buckets import BucketSettings
from s3o.config.keys import sections_in, suggest_word
from s3o.config.later import later_faults
from s3o.config.problems import UNKNOWN_KEY, Fault, Path
from s3o.config.settings import LISTS, Parts, RoutingStrategy, Settings, rule_faults

_T = TypeVar("_T")
_STRATEGY: TypeAdapter[str] = TypeAdapter(RoutingStrategy)


def check(data: object) -> tuple[Settings | None, list[Fault]]:
    """Return the settings in data, or None and what is wrong with it."""
    if not isinstance(data, dict):
        return None, [Fault((), "must be a section: keys with values")]
    given = {key: value for key, value in data.items() if value is not None}
    faults = [
        Fault((key,), UNKNOWN_KEY) for key in data if key not in Settings.model_fields
    ]
    accounts = _read_list(given, "accounts", _read_account, faults, is_needed=False)
    buckets = _read_list(
        given, "buckets", _read_bucket, faults, is_needed=not given.get("accounts")
    )
    backends: dict[int, BackendSettings] = _read_list(
        given, "backends", read_backend, faults, is_needed=True
    )
    broken = {fault.path[0] for fault in faults if fault.path}
    parts = Parts(
        sections=_read_sections(given, faults),
        buckets=buckets,
        accounts=accounts,
        backends=backends,
        are_backends_whole="backends" not in broken,
        are_buckets_whole="buckets" not in broken,
    )
    faults += rule_faults(parts)
    faults += later_faults(parts)
    if faults:
        return None, faults
    whole = dict(parts.sections)
    whole["buckets"] = tuple(buckets.values())
    whole["accounts"] = tuple(accounts.values())
    whole["backends"] = tuple(backends.values())
    return Settings.model_validate(whole), []


def _read_sections(given: dict[str, object], faults: list[Fault]) -> dict[str, object]:
    """Return the readable sections by name, the absent ones with their defaults."""
    sections: dict[str, object] = {}
    for name, field in Settings.model_fields.items():
        if name in LISTS:
            continue
        if name not in given:
            if field.is_required():
                faults.append(Fault((name,), "is required"))
            else:
                sections[name] = field.get_default()
            continue
        models = list(sections_in(field.annotation))
        read = models[0].model_validate if models else _STRATEGY.validate_python
        try:
            sections[name] = read(given[name])
        except ValidationError as error:
            faults += _translate(error, (name,))
    return sections


def _read_list(
    given: dict[str, object],
    name: str,
    read: Callable[[object, int], _T | Fault],
    faults: list[Fault],
    *,
    is_needed: bool,
) -> dict[int, _T]:
    """Return the readable entries of a list by position."""
    items = given.get(name, [])
    if not isinstance(items, list | tuple):
        faults.append(Fault((name,), "must be a list"))
        return {}
    if not items and is_needed:
        faults.append(Fault((name,), f"at least one {name[:-1]} is required"))
    found: dict[int, _T] = {}
    for position, item in enumerate(items):
        try:
            entry = read(item, position)
        except ValidationError as error:
            faults += _translate(error, (name, position))
            continue
        if isinstance(entry, Fault):
            faults.append(Fault((name, position, *entry.path), entry.message))
        else:
            found[position] = entry
    return found


def _read_bucket(item: object, _position: int) -> BucketSettings | Fault:
    return BucketSettings.model_validate(item)


def _read_account(item: object, _position: int) -> AccountSettings | Fault:
    return AccountSettings.model_validate(item)


# ---- pydantic's findings in our words


def _translate(error: ValidationError, at: Path) -> Iterator[Fault]:
    for details in error.errors(include_url=False):
        path = (*at, *details["loc"])
        if details["type"] == "extra_forbidden":
            yield Fault(path, UNKNOWN_KEY)
        else:
            yield Fault(path, _word(details))


def _word(details: ErrorDetails) -> str:
    context = details.get("ctx", {})
    match details["type"]:
        case "missing":
            return "is required"
        case "value_error":
            return str(context["error"])
        case "literal_error":
            expected = str(context["expected"])
            meant = suggest_word(str(details["input"]), expected)
            return f"must be {expected}" + (
                f" (did you mean '{meant}'?)" if meant else ""
            )
        case "model_type" | "model_attributes_type":
            return "must be a section: keys with values"
        case "tuple_type":
            return "must be a list"
        case "greater_than_equal":
            bound = context["ge"]
            return "must not be negative" if bound == 0 else f"must be at least {bound}"
        case "less_than_equal":
            return f"must be at most {context['le']}"
        case "greater_than":
            return f"must be more than {context['gt']}"
        case "less_than":
            return f"must be less than {context['lt']}"
    # Never pydantic's own words: they might repeat the value.
    return "is not valid"
