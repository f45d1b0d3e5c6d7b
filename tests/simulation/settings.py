"""What an operator might have written."""

from collections.abc import Collection, Mapping
from random import Random

from s3o.config.load import settings_from
from s3o.config.settings import Settings
from tests.simulation.client import LETTERS, PHOTOS
from tests.simulation.swarm import Swarm

Sections = Mapping[str, object]
ACCESS_KEY, SECRET = "AKID", "provider-secret"


def host_of(name: str) -> str:
    """Return where a provider is that is reached over HTTP."""
    return f"{name}.provider.test"


def make_settings(
    chance: Random,
    quotas: Mapping[str, int],
    *,
    is_slow: bool = False,
    routing: str | None = None,
    more: Sections | None = None,
) -> Settings:
    """Return settings for scenes.

    is_slow: services that rarely wake. more: sections, merged into the others.
    """
    plain = {
        "routing_strategy": routing or chance.choice(("pack", "spread")),
        "backend_circuit_breaker": {
            "enabled": not is_slow and chance.random() < 0.5,
            "open_timeout": "30s",
        },
        "usage_flush": {"interval": "1h" if is_slow else "30s"},
        "write_path": {
            "pending_pattern": {
                "reaper_tick": "10m" if is_slow else "20s",
                "min_age": "20m" if is_slow else "40s",
            }
        },
    }
    return settings_from(merged(merged(_frame(quotas), plain), more or {}))


def swarm_settings(swarm: Swarm, more: Sections | None = None) -> Settings:
    """Return a swarm's settings; more: sections, merged into its own."""
    plain = merged(_frame(swarm.quotas, swarm.wired), swarm.sections)
    return settings_from(merged(plain, more or {}))


def _frame(quotas: Mapping[str, int], wired: Collection[str] = ()) -> dict[str, object]:
    """Two tenants, one ledger, and these providers; wired: reached over HTTP."""
    return {
        "server": {"listen_addr": "127.0.0.1:9000", "min_part_size": 1000},
        "buckets": [
            {
                "name": tenant.bucket,
                "credentials": [
                    {
                        "access_key_id": tenant.access_key,
                        "secret_access_key": tenant.secret,
                    }
                ],
            }
            for tenant in (PHOTOS, LETTERS)
        ],
        "database": {"driver": "sqlite", "path": "unused.db"},
        "backends": [
            {"name": name, "quota_bytes": quota, **_store(name, name in wired)}
            for name, quota in quotas.items()
        ],
    }


def _store(name: str, is_wired: bool) -> dict[str, object]:
    if not is_wired:
        return {"type": "directory", "path": f"/unused/{name}"}
    return {
        "type": "s3",
        "endpoint": f"http://{host_of(name)}",
        "bucket": "bucket",
        "access_key_id": ACCESS_KEY,
        "secret_access_key": SECRET,
        "force_path_style": True,
        "profile": "aws",
    }


def merged(one: Sections, other: Sections) -> dict[str, object]:
    """Return one with other's values, section by section."""
    both = dict(one)
    for name, value in other.items():
        old = both.get(name)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            both[name] = merged(old, value)
        else:
            both[name] = value
    return both
