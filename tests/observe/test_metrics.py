"""The metrics: documented names, Prometheus' format, bounded series."""

import re
import subprocess
import sys

from s3o.observe import metrics_table as table
from s3o.observe.metrics import SERIES_PER_METRIC, Metrics

# The documented metrics of what is built: requests, backends, manager, quota, objects,
# breakers, degraded rejections, usage, cleanup, admission, audit.
DOCUMENTED = {
    "s3o_requests_total": ("counter", "method status_code"),
    "s3o_request_duration_seconds": ("histogram", "method"),
    "s3o_request_size_bytes": ("histogram", "method"),
    "s3o_response_size_bytes": ("histogram", "method"),
    "s3o_inflight_requests": ("gauge", "method"),
    "s3o_backend_requests_total": ("counter", "operation backend status"),
    "s3o_backend_duration_seconds": ("histogram", "operation backend"),
    "s3o_manager_requests_total": ("counter", "operation backend status"),
    "s3o_manager_duration_seconds": ("histogram", "operation backend"),
    "s3o_quota_bytes_used": ("gauge", "backend"),
    "s3o_quota_bytes_limit": ("gauge", "backend"),
    "s3o_quota_orphan_bytes": ("gauge", "backend"),
    "s3o_quota_bytes_available": ("gauge", "backend"),
    "s3o_objects_count": ("gauge", "backend"),
    "s3o_active_multipart_uploads": ("gauge", "backend"),
    "s3o_circuit_breaker_state": ("gauge", "name"),
    "s3o_circuit_breaker_transitions_total": ("counter", "name from to"),
    "s3o_degraded_write_rejections_total": ("counter", "operation"),
    "s3o_usage_api_requests": ("gauge", "backend"),
    "s3o_usage_egress_bytes": ("gauge", "backend"),
    "s3o_usage_ingress_bytes": ("gauge", "backend"),
    "s3o_usage_limit_rejections_total": ("counter", "operation limit_type"),
    "s3o_cleanup_queue_enqueued_total": ("counter", "reason"),
    "s3o_cleanup_queue_processed_total": ("counter", "status"),
    "s3o_cleanup_queue_depth": ("gauge", ""),
    "s3o_cleanup_dlq_depth": ("gauge", ""),
    "s3o_cleanup_dlq_enqueued_total": ("counter", "backend"),
    "s3o_admission_rejections_total": ("counter", ""),
    "s3o_audit_events_total": ("counter", "event"),
}


def test_documented_metrics_exist_as_documented() -> None:
    """Dashboards and alerts are written against these names and labels."""
    ours = {
        metric.name: (str(metric.kind), " ".join(metric.labels))
        for metric in table.METRICS
    }

    assert DOCUMENTED == {name: ours.get(name) for name in DOCUMENTED}
    assert ("gauge", "version python_version") == ours["s3o_build_info"]


def test_every_metric_is_rendered_under_its_own_name() -> None:
    """The library adds and strips suffixes; the table's names must survive that."""
    metrics = Metrics()
    for metric in table.METRICS:
        labels = tuple("x" for _ in metric.labels)
        if metric.kind is table.Kind.HISTOGRAM:
            metrics.observe(metric, 1, labels)
        else:
            metrics.add(metric, labels)
    text = metrics.render().decode()

    for metric in table.METRICS:
        is_histogram = metric.kind is table.Kind.HISTOGRAM
        name = f"{metric.name}_bucket" if is_histogram else metric.name
        assert f"\n{name}{{" in text or f"\n{name} 1.0" in text
        assert f"# TYPE {metric.name} {metric.kind}" in text
    assert len(table.METRICS) == len({metric.name for metric in table.METRICS})
    assert re.search(r"_created[ {]", text) is None


def test_histogram_buckets_cumulate_and_include_their_bound() -> None:
    """A value on a bucket's bound belongs into that bucket (le means at most)."""
    metrics = Metrics()
    for value in (0.005, 0.006, 61):
        metrics.observe(table.REQUEST_DURATION, value, ("GET",))
    text = metrics.render().decode()

    name = "s3o_request_duration_seconds"
    assert f'{name}_bucket{{le="0.005",method="GET"}} 1.0' in text
    assert f'{name}_bucket{{le="0.01",method="GET"}} 2.0' in text
    assert f'{name}_bucket{{le="60.0",method="GET"}} 2.0' in text
    assert f'{name}_bucket{{le="+Inf",method="GET"}} 3.0' in text
    assert f'{name}_count{{method="GET"}} 3.0' in text
    assert f'{name}_sum{{method="GET"}} 61.011' in text


def test_series_are_bounded() -> None:
    """Memory must not grow with whatever ends up in a label."""
    metrics = Metrics()
    for number in range(SERIES_PER_METRIC + 100):
        metrics.add(table.AUDIT_EVENTS, (str(number),))

    assert 100 == metrics.value(table.AUDIT_EVENTS, ("other",))


def test_series_bound_keeps_counting() -> None:
    """The overflow series must add up, not start again with each value."""
    metrics = Metrics()
    for number in range(SERIES_PER_METRIC + 10):
        metrics.observe(table.SERVICE_DURATION, 1, (str(number),))
        metrics.set(table.QUOTA_USED, number, (str(number),))

    assert 10 == metrics.count(table.SERVICE_DURATION, ("other",))
    assert SERIES_PER_METRIC + 9 == metrics.value(table.QUOTA_USED, ("other",))


def test_table_prints_itself_as_documentation() -> None:
    """docs/ is generated from the table, so it cannot lie."""
    printed = subprocess.run(
        [sys.executable, "-m", "s3o.observe.metrics_table"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout

    assert table.render_markdown() == printed
    row = "| `s3o_requests_total` | Counter | method, status_code |"
    assert row in printed
