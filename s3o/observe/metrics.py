"""Cells that count, and their way out in Prometheus' text format.

A cell is an entry of a plain dict, so one update costs about as much as the dict access
(the library's own children cost ten times that). The library renders, from a collector
of ours: its global registry is not used. Updates come from the event loop's thread
only; rendering goes family by family so that the loop can breathe in between.
"""

from bisect import bisect_left
from collections.abc import Iterator

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import Metric as Family

from s3o.observe.metrics_table import METRICS, Kind, Metric

CONTENT_TYPE = CONTENT_TYPE_LATEST

# No metric may have more series than this; what comes later is counted as "other". The
# table's rule keeps the number small, so only a bug gets here.
SERIES_PER_METRIC = 5_000

Labels = tuple[str, ...]


class Metrics:
    """All cells of one process."""

    def __init__(self) -> None:
        self._values: dict[Metric, dict[Labels, float]] = {}
        self._histograms: dict[Metric, dict[Labels, list[float]]] = {}
        for metric in METRICS:
            if metric.kind is Kind.HISTOGRAM:
                self._histograms[metric] = {}
            else:
                self._values[metric] = {} if metric.labels else {(): 0}

    def add(self, metric: Metric, labels: Labels = (), amount: float = 1) -> None:
        """Add amount to a counter, or (also negative) to a gauge."""
        cells = self._values[metric]
        try:
            cells[labels] += amount
        except KeyError:
            labels = _bounded(metric, labels, len(cells))
            cells[labels] = cells.get(labels, 0) + amount

    def set(self, metric: Metric, value: float, labels: Labels = ()) -> None:
        """Set a gauge."""
        cells = self._values[metric]
        if labels not in cells:
            labels = _bounded(metric, labels, len(cells))
        cells[labels] = value

    def observe(self, metric: Metric, value: float, labels: Labels = ()) -> None:
        """Count value in a histogram; the cell is its bucket counts, then the sum."""
        cells = self._histograms[metric]
        cell = cells.get(labels)
        if cell is None:
            labels = _bounded(metric, labels, len(cells))
            cell = cells.setdefault(labels, [0.0] * (len(metric.buckets) + 2))
        cell[bisect_left(metric.buckets, value)] += 1
        cell[-1] += value

    def value(self, metric: Metric, labels: Labels = ()) -> float:
        """Return a counter's or gauge's value (0 if never touched)."""
        return self._values[metric].get(labels, 0)

    def count(self, metric: Metric, labels: Labels = ()) -> float:
        """Return how many values a histogram has seen."""
        return sum(self._histograms[metric].get(labels, (0,))[:-1])

    def render_families(self) -> Iterator[bytes]:
        """Yield one metric's lines after the other."""
        for metric in METRICS:
            yield generate_latest(_OneFamily(self._family(metric)))

    def render(self) -> bytes:
        """Return everything in the text format; CONTENT_TYPE says which."""
        return b"".join(self.render_families())

    def _family(self, metric: Metric) -> Family:
        if metric.kind is Kind.HISTOGRAM:
            histogram = HistogramMetricFamily(
                metric.name, metric.help, labels=metric.labels
            )
            for labels, cell in self._histograms[metric].items():
                histogram.add_metric(labels, _cumulated(metric, cell), cell[-1])
            return histogram
        family: CounterMetricFamily | GaugeMetricFamily
        if metric.kind is Kind.COUNTER:
            family = CounterMetricFamily(metric.name, metric.help, labels=metric.labels)
        else:
            family = GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)
        for labels, value in self._values[metric].items():
            family.add_metric(labels, value)
        return family


class _OneFamily:
    """What generate_latest takes for a registry."""

    def __init__(self, family: Family) -> None:
        self._family = family

    def collect(self) -> Iterator[Family]:
        yield self._family


def _bounded(metric: Metric, labels: Labels, series: int) -> Labels:
    assert len(labels) == len(metric.labels), metric.name
    if series < SERIES_PER_METRIC:
        return labels
    return ("other",) * len(labels)


def _cumulated(metric: Metric, cell: list[float]) -> list[tuple[str, float]]:
    total = 0.0
    rows = []
    bounds = [*(str(float(bound)) for bound in metric.buckets), "+Inf"]
    for bound, count in zip(bounds, cell, strict=False):
        total += count
        rows.append((bound, total))
    return rows
