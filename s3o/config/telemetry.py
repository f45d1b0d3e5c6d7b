"""Section `telemetry`: metrics and traces."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from s3o.config.kinds import (
    Fraction,
    OptionalAddress,
    OptionalText,
    Section,
    Switch,
    UrlPath,
)
from s3o.config.problems import Fault


class MetricsSettings(Section):
    """Prometheus metrics."""

    enabled: Switch = False
    """Serve metrics."""
    path: UrlPath = "/metrics"
    """Path they are served at."""
    listen: OptionalAddress = None
    """Address of a listener of their own, away from the S3 clients."""


class TracingSettings(Section):
    """OpenTelemetry traces."""

    enabled: Switch = False
    """Export traces."""
    endpoint: OptionalText = None
    """OTLP collector, host:port."""
    insecure: Switch = False
    """Talk to the collector without TLS."""
    sample_rate: Annotated[Fraction, Field(ge=0, le=1)] = 1.0
    """Share of the requests that are traced; 0 is none."""

    def faults(self) -> Iterator[Fault]:
        """Traces go somewhere."""
        if self.enabled and self.endpoint is None:
            yield Fault(("endpoint",), "is required when tracing is enabled")


class TelemetrySettings(Section):
    """What the service tells of itself."""

    metrics: MetricsSettings = MetricsSettings()
    """Prometheus metrics."""
    tracing: TracingSettings = TracingSettings()
    """OpenTelemetry traces."""
