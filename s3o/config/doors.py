"""Sections of doors beside the S3 one, and of what guards them.

`ui`, `rate_limit`, `notifications`, `redis`, `cache`.
"""

import ipaddress
from collections.abc import Iterator
from typing import Annotated

from pydantic import AfterValidator, Field

from s3o.config.kinds import (
    Address,
    Count,
    Duration,
    Fraction,
    FreeText,
    HttpUrl,
    OptionalSecret,
    OptionalText,
    Section,
    Size,
    Switch,
    Text,
    UrlPath,
    Whole,
)
from s3o.config.problems import Fault


def _check_network(text: str) -> str:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise ValueError("must be a network such as 10.0.0.0/8") from None
    return text


class UiSettings(Section):
    """The dashboard, and the admin API's token."""

    enabled: Switch = False
    """Serve the dashboard."""
    path: UrlPath = "/ui"
    """Path it is served at."""
    admin_key: OptionalText = None
    """Name to log in with."""
    admin_secret: OptionalSecret = None
    """Password to log in with, or its bcrypt hash."""
    session_secret: OptionalSecret = None
    """Key that signs session cookies."""
    admin_token: OptionalSecret = None
    """Token of the admin API; without it, admin_key."""
    force_secure_cookies: Switch = False
    """Mark cookies Secure even when the listener itself has no TLS."""

    def faults(self) -> Iterator[Fault]:
        """A dashboard has a lock."""
        for name in ("admin_key", "admin_secret", "session_secret"):
            if self.enabled and not getattr(self, name):
                yield Fault((name,), "is required when ui is enabled")


class RateLimitSettings(Section):
    """Requests per client address."""

    enabled: Switch = False
    """Limit them."""
    requests_per_sec: Annotated[Fraction, Field(gt=0)] = 100.0
    """Requests a second in the long run."""
    burst: Count = 200
    """Requests at once after a pause."""
    cleanup_interval: Duration = 60.0
    """Time between runs that forget addresses."""
    cleanup_max_age: Duration = 300.0
    """Silence after which an address is forgotten."""
    trusted_proxies: tuple[Annotated[Text, AfterValidator(_check_network)], ...] = ()
    """Networks whose X-Forwarded-For is believed."""


class NotificationEndpoint(Section):
    """One receiver of events."""

    url: HttpUrl
    """Where events are posted."""
    events: tuple[Text, ...]
    """Patterns of the events it wants."""
    prefix: FreeText = ""
    """Only events of keys that begin with it."""
    secret: OptionalSecret = None
    """Key of the signature that goes along."""
    timeout: Duration = 5.0
    """Longest time for one delivery."""
    max_retries: Whole = 3
    """Deliveries tried again."""

    def faults(self) -> Iterator[Fault]:
        """It wants something."""
        if not self.events:
            yield Fault(("events",), "at least one event pattern is required")


class NotificationSettings(Section):
    """Webhooks."""

    endpoints: tuple[NotificationEndpoint, ...] = ()
    """Receivers; none is off."""


class RedisSettings(Section):
    """Usage counters that several instances share."""

    address: Address
    """Redis, host:port."""
    password: OptionalSecret = None
    """Its password."""
    db: Whole = 0
    """Number of the database."""
    tls: Switch = False
    """Talk TLS."""
    key_prefix: Text = "s3orch"
    """What our keys begin with."""
    failure_threshold: Count = 3
    """Failures in a row after which counters stay local."""
    open_timeout: Duration = 15.0
    """How long they do before Redis is tried again."""


class CacheSettings(Section):
    """Object bytes kept in memory."""

    enabled: Switch = False
    """Keep them."""
    max_size: Size = 256 << 20
    """Bytes kept in all."""
    max_object_size: Size = 10 << 20
    """Largest object that is kept."""
    ttl: Duration = 300.0
    """How long it is."""

    def faults(self) -> Iterator[Fault]:
        """One fits into all."""
        if self.max_object_size > self.max_size:
            yield Fault(("max_object_size",), "must not exceed cache.max_size")
