"""Sections `server` and `auth`: the door clients knock at.

Timeouts keep the names and defaults that operators know, but bound time without
progress, never a whole transfer: a slow upload of a large object is not an error.
"""

import re
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from s3o.config.kinds import (
    Address,
    Choice,
    Count,
    Duration,
    Fraction,
    OptionalDuration,
    OptionalText,
    Section,
    Switch,
    Text,
    Whole,
)
from s3o.config.problems import Fault
from s3o.config.readers import split_address
from s3o.model import limits

_DOMAIN = re.compile(
    r"[a-z0-9]([a-z0-9-]{0,62})?(\.[a-z0-9]([a-z0-9-]{0,62})?)*", re.ASCII
)
_REGION = re.compile(r"[A-Za-z0-9-]{1,63}", re.ASCII)  # goes into a header


def _check_domain(text: str) -> str:
    if len(text) > 253 or not _DOMAIN.fullmatch(text):
        raise ValueError("must be a lower-case host name such as s3.example.com")
    return text


def _check_region(text: str) -> str:
    if not _REGION.fullmatch(text):
        raise ValueError("must be a region's name such as eu-central-1")
    return text


class TlsSettings(Section):
    """TLS of the S3 listener; on when a certificate is named."""

    cert_file: OptionalText = None
    """Certificate chain in PEM; its content is read again on reload."""
    key_file: OptionalText = None
    """Private key in PEM; its content is read again on reload."""
    min_version: Annotated[Literal["1.2", "1.3"], Choice] = "1.2"
    """Oldest TLS version that is accepted."""
    client_ca_file: OptionalText = None
    """CA bundle; when set, clients must present a certificate signed by it."""

    @property
    def is_enabled(self) -> bool:
        """Whether the listener speaks TLS."""
        return self.cert_file is not None

    def faults(self) -> Iterator[Fault]:
        """Certificate and key come together; client certificates need both."""
        if (self.cert_file is None) != (self.key_file is None):
            yield Fault((), "requires both cert_file and key_file")
        elif self.client_ca_file is not None and self.cert_file is None:
            yield Fault(("client_ca_file",), "requires cert_file and key_file")


class ServerSettings(Section):
    """The listener, its limits and its patience."""

    listen_addr: Address
    """Where to listen for S3 clients: host:port, :port or [v6]:port."""
    log_level: Annotated[Literal["debug", "info", "warn", "error"], Choice] = "info"
    """Least level that is logged."""
    domains: tuple[Annotated[Text, AfterValidator(_check_domain)], ...] = ()
    """Base domains for virtual-host addressing: bucket.DOMAIN."""
    region: Annotated[Text, AfterValidator(_check_region)] = "us-east-1"
    """Region that clients are told; any region is accepted in signatures."""
    workers: Count = 1
    """Request-serving processes."""
    max_object_size: Count = limits.PUT_BYTES
    """Largest PUT or part in bytes; bounds a whole multipart upload only when set."""
    min_part_size: Annotated[Count, Field(le=limits.PUT_BYTES)] = limits.PART_MIN_BYTES
    """Smallest part in bytes of a multipart upload, but for its last one."""
    max_concurrent_requests: Whole = 1000
    """Requests and background operations at once; 0 is no limit."""
    max_concurrent_reads: Whole = 0
    """Reads at once; 0 is the common limit."""
    max_concurrent_writes: Whole = 0
    """Writes at once; 0 is the common limit."""
    load_shed_threshold: Annotated[Fraction, Field(ge=0, lt=1)] = 0.0
    """Share of the limits from which requests are shed at random; 0 is off."""
    admission_wait: OptionalDuration = 0.0
    """How long a request may wait for a place before it is refused."""
    backend_timeout: Duration = 30.0
    """Longest time without progress in a call to a backend."""
    read_header_timeout: Duration = 10.0
    """Longest time until a request's head has arrived."""
    read_timeout: Duration = 300.0
    """Longest time without progress while a request's body arrives."""
    write_timeout: Duration = 300.0
    """Longest time without progress while an answer is sent."""
    idle_timeout: Duration = 120.0
    """How long a kept-alive connection may wait for its next request."""
    shutdown_delay: OptionalDuration = 0.0
    """How long to go on serving, already not ready, before a shutdown drains."""
    tls: TlsSettings = TlsSettings()
    """TLS of the listener."""

    @property
    def address(self) -> tuple[str, int]:
        """Host ("" is every interface) and port to listen on."""
        return split_address(self.listen_addr)

    @property
    def is_max_object_size_set(self) -> bool:
        """Whether the operator wrote max_object_size (then it bounds uploads too)."""
        return "max_object_size" in self.model_fields_set

    def faults(self) -> Iterator[Fault]:
        """Inner waits fit into outer ones."""
        if self.backend_timeout > self.write_timeout:
            yield Fault(("backend_timeout",), "must not exceed server.write_timeout")
        if self.read_header_timeout > self.read_timeout:
            yield Fault(("read_header_timeout",), "must not exceed server.read_timeout")


class AuthSettings(Section):
    """What signatures are accepted."""

    allow_sigv2: Switch = False
    """Accept presigned URLs and POST forms signed with signature version 2."""
