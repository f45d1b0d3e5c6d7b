"""Plan a reload: what takes effect now, what only after a restart.

Pure: two configurations in, one out. Rules:

- The plan holds one whole configuration, so a request sees the old or the new one and
  never a mixture in the making.
- Backends are matched by name, never by position. One that is new, gone or in another
  place needs a restart; limits of those that stay are reloaded.
- Every difference is either applied or named; none is silently ignored.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

from s3o.config.backends import BackendSettings
from s3o.config.kinds import Section
from s3o.config.problems import ConfigError, Problem, render_path
from s3o.config.settings import Settings, parts_of, rule_faults

_S = TypeVar("_S", bound=Section)

RELOADABLE_SECTIONS = (
    "buckets",
    "accounts",
    "rate_limit",
    "rebalance",
    "replication",
    "usage_flush",
    "lifecycle",
    "integrity",
    "ledger_backup",
)
RELOADABLE_SERVER_KEYS = ("log_level",)
RELOADABLE_UI_KEYS = ("admin_key", "admin_token")
RELOADABLE_BACKEND_KEYS = (
    "quota_bytes",
    "api_request_limit",
    "egress_byte_limit",
    "ingress_byte_limit",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReloadPlan:
    """The configuration to run with from now on, and what it could not take over."""

    settings: Settings
    reloaded: tuple[str, ...]  # what differs from before, as sections or keys
    needs_restart: tuple[str, ...]  # keys whose new value waits for a restart


def plan_reload(old: Settings, new: Settings) -> ReloadPlan:
    """Return old with everything of new that may change while running.

    Raises: ConfigError if that mixture breaks a rule that new itself keeps.
    """
    reloaded: list[str] = []
    needs_restart: list[str] = []
    values: dict[str, object] = {}
    for name in Settings.model_fields:
        before, after = getattr(old, name), getattr(new, name)
        if name == "backends":
            values[name] = _merge_backends(old, new, reloaded, needs_restart)
        elif name == "server":
            values[name] = _merge_section(
                before, after, RELOADABLE_SERVER_KEYS, name, reloaded, needs_restart
            )
        elif name == "ui":
            values[name] = _merge_section(
                before, after, RELOADABLE_UI_KEYS, name, reloaded, needs_restart
            )
        elif name in RELOADABLE_SECTIONS:
            values[name] = after
            reloaded += [name] if before != after else []
        else:
            values[name] = before
            needs_restart += _differences(before, after, name)
    settings = old.model_copy(update=values)
    faults = list(rule_faults(parts_of(settings)))
    if faults:
        raise ConfigError(
            tuple(
                Problem(
                    file="reload",
                    path=render_path(path),
                    message=f"{message} (until the service is restarted)",
                )
                for path, message in faults
            )
        )
    return ReloadPlan(
        settings=settings,
        reloaded=tuple(reloaded),
        needs_restart=tuple(needs_restart),
    )


def _merge_backends(
    old: Settings, new: Settings, reloaded: list[str], needs_restart: list[str]
) -> tuple[BackendSettings, ...]:
    after = {backend.name: backend for backend in new.backends}
    names = [backend.name for backend in old.backends]
    needs_restart += [f"backends[{name}]" for name in after if name not in names]
    if [n for n in after if n in names] != [n for n in names if n in after]:
        needs_restart.append("backends (order)")
    merged: list[BackendSettings] = []
    for backend in old.backends:
        at = f"backends[{backend.name}]"
        twin = after.get(backend.name)
        if twin is None:
            needs_restart.append(at)
            merged.append(backend)
        else:
            merged.append(
                _merge_section(
                    backend, twin, RELOADABLE_BACKEND_KEYS, at, reloaded, needs_restart
                )
            )
    return tuple(merged)


def _merge_section(
    before: _S,
    after: Section,
    keys: tuple[str, ...],
    at: str,
    reloaded: list[str],
    needs_restart: list[str],
) -> _S:
    """Return before with those keys of after, noting all that differs."""
    changed = {
        key: getattr(after, key)
        for key in keys
        if getattr(after, key) != getattr(before, key)
    }
    reloaded += [f"{at}.{key}" for key in changed]
    merged = before.model_copy(update=changed)
    needs_restart += _differences(merged, after, at)
    return merged


def _differences(before: object, after: object, at: str) -> Iterator[str]:
    """Yield the keys in which two values differ, as deep as both have sections."""
    if type(before) is type(after) and isinstance(before, Section):
        for name in type(before).model_fields:
            yield from _differences(
                getattr(before, name), getattr(after, name), f"{at}.{name}"
            )
    elif before != after:
        yield at
