"""Reloading: what changes while running, what waits, and that nothing is forgotten."""

import pytest

from s3o.config import ConfigError, advise, plan_reload
from tests.config.reading import GOOD, read, with_line
from tests.config.test_keys import QUIET


def test_same_file_changes_nothing():
    """A SIGHUP without a change is no event."""
    plan = plan_reload(read(QUIET), read(QUIET))

    assert (read(QUIET), (), ()) == (plan.settings, plan.reloaded, plan.needs_restart)


def test_credentials_and_limits_are_reloaded():
    """Keys are rotated and quotas raised without dropping a connection."""
    text = with_line(GOOD, "photossecret", "rotated")
    text = with_line(text, "quota_bytes: 1_000", "quota_bytes: 3000")
    text = with_line(
        text, "quota_bytes: 2000", "quota_bytes: 9\n    api_request_limit: 5"
    )
    text = with_line(text, '":9000"', '":9000"\n  log_level: debug')

    plan = plan_reload(read(GOOD), read(text))

    assert read(text) == plan.settings
    assert () == plan.needs_restart
    assert (
        "server.log_level",
        "buckets",
        "backends[backend-0].quota_bytes",
        "backends[disk].quota_bytes",
        "backends[disk].api_request_limit",
    ) == plan.reloaded


@pytest.mark.parametrize(
    "section",
    [
        "rate_limit: {burst: 7, trusted_proxies: [10.0.0.0/8]}",
        "rebalance: {interval: 1h}",
        "replication: {worker_interval: 1m}",
        "usage_flush: {interval: 10s}",
        "lifecycle: {batch_size: 7}",
        "integrity: {scrubber_interval: 1h}",
    ],
)
def test_documented_sections_are_reloaded(section):
    """The documented table says so."""
    plan = plan_reload(read(GOOD), read(f"{GOOD}{section}\n"))

    assert (section.split(":")[0],) == plan.reloaded
    assert read(f"{GOOD}{section}\n") == plan.settings


@pytest.mark.parametrize(
    ("section", "key"),
    [
        ("routing_strategy: spread", "routing_strategy"),
        ("database: {path: other.db}", "database.path"),
        ("telemetry: {metrics: {enabled: true}}", "telemetry.metrics.enabled"),
        ("circuit_breaker: {cache_ttl: 1s}", "circuit_breaker.cache_ttl"),
        ("backend_circuit_breaker: {enabled: true}", "backend_circuit_breaker.enabled"),
        ("ui: {admin_secret: x}", "ui.admin_secret"),
        ("encryption: {chunk_size: 4096}", "encryption.chunk_size"),
        ("cache: {ttl: 1s}", "cache.ttl"),
        ("reconcile: {interval: 1h}", "reconcile.interval"),
        ("cleanup_queue: {concurrency: 1}", "cleanup_queue.concurrency"),
        ("write_path: {pending_pattern: {min_age: 1m}}",
         "write_path.pending_pattern.min_age"),
    ],
)  # fmt: skip
def test_other_sections_wait_for_a_restart_and_say_so(section, key):
    """A change that silently does nothing costs an operator a night."""
    plan = plan_reload(read(GOOD), read(f"{GOOD}{section}\n"))

    assert (read(GOOD), (), (key,)) == (
        plan.settings,
        plan.reloaded,
        plan.needs_restart,
    )


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ("idle_timeout: 1s", "server.idle_timeout"),
        ("max_object_size: 1", "server.max_object_size"),
        ("max_concurrent_requests: 1", "server.max_concurrent_requests"),
        ("domains: [a.b]", "server.domains"),
        ("tls: {cert_file: c, key_file: k}", "server.tls.cert_file"),
    ],
)
def test_server_keys_wait_for_a_restart_and_say_so(line, key):
    """The listener and its limits are made once."""
    text = with_line(GOOD, '":9000"', f'":9000"\n  {line}')

    plan = plan_reload(read(GOOD), read(text))

    assert read(GOOD) == plan.settings
    assert key == plan.needs_restart[0]


def test_backends_are_matched_by_name():
    """Inserting one in front must not give the others each other's quotas."""
    text = with_line(
        GOOD,
        "backends:\n",
        "backends:\n  - {name: new, type: directory, path: /n, quota_bytes: 5}\n",
    )
    text = with_line(text, "  - endpoint", "  - name: backend-0\n    endpoint")
    text = with_line(text, "quota_bytes: 2000", "quota_bytes: 6")

    plan = plan_reload(read(GOOD), read(text))

    assert [("backend-0", 1000), ("disk", 6)] == [
        (backend.name, backend.quota_bytes) for backend in plan.settings.backends
    ]
    assert ("backends[new]",) == plan.needs_restart


def test_backends_gone_moved_or_rebuilt_wait_for_a_restart():
    """Objects are on them; routing follows their order."""
    old = read(QUIET)
    text = QUIET.replace("name: oci", "name: other").replace(
        "path: /d, quota_bytes: 1,", "path: /e, quota_bytes: 2,"
    )

    plan = plan_reload(old, read(text))

    assert ("backends[disk].quota_bytes",) == plan.reloaded
    assert ("backends[other]", "backends[oci]", "backends[disk].path") == (
        plan.needs_restart
    )
    assert ["oci", "disk"] == [backend.name for backend in plan.settings.backends]


def test_the_admin_token_is_reloaded():
    """One that leaked is replaced at once; the dashboard's own keys are not."""
    locked = GOOD + "ui: {admin_key: a, admin_token: b, path: /x}\n"
    changed = GOOD + "ui: {admin_key: c, admin_token: d, path: /y}\n"

    plan = plan_reload(read(locked), read(changed))

    assert ("ui.admin_key", "ui.admin_token") == plan.reloaded
    assert ("ui.path",) == plan.needs_restart


def test_an_admin_key_that_is_the_token_is_advised_against():
    """A user name stands in many places where no secret should."""
    key = GOOD + "ui: {admin_key: admin}\n"
    both = GOOD + "ui: {admin_key: admin, admin_token: secret}\n"

    assert any(
        text.startswith("ui.admin_token is not set") for text in advise(read(key))
    )
    assert not any("ui." in text for text in advise(read(both)))


def test_order_of_backends_waits_for_a_restart():
    """Packing goes by it."""
    first, second = GOOD.index("  - endpoint"), GOOD.index("  - name: disk")
    named = GOOD[first:second].replace(
        "  - endpoint", "  - name: backend-0\n    endpoint"
    )

    plan = plan_reload(read(GOOD), read(GOOD[:first] + GOOD[second:] + named))

    assert (("backends (order)",), ()) == (plan.needs_restart, plan.reloaded)


def test_backend_of_another_type_waits_for_a_restart():
    """Same name, other bytes."""
    text = with_line(
        GOOD,
        "type: directory\n    path: /var/lib/disk",
        "endpoint: http://h\n    bucket: two\n    access_key_id: a\n"
        "    secret_access_key: b",
    )

    plan = plan_reload(read(GOOD), read(text))

    assert (read(GOOD), ("backends[disk]",)) == (plan.settings, plan.needs_restart)


def test_mixture_that_breaks_a_rule_is_refused_whole():
    """Two good files may not add up to a bad configuration."""
    old = read(GOOD + "telemetry: {metrics: {path: /stats}}\n")
    new = read(with_line(GOOD, "name: photos", "name: stats"))

    with pytest.raises(ConfigError) as caught:
        plan_reload(old, new)

    assert (
        "reload: buckets.0.name: 'stats' is the path of a door of our own (until the "
        "service is restarted)"
    ) == str(caught.value)


def test_advice_names_what_has_no_effect():
    """Accepted for compatibility is not the same as obeyed."""
    twice = with_line(
        GOOD,
        "  - name: disk",
        "  - {name: twin, endpoint: 'http://127.0.0.1:9001/', bucket: one, "
        "access_key_id: a, secret_access_key: b, quota_bytes: 1}\n  - name: disk",
    )

    assert [
        "write_path.pending_pattern.enabled: false changes nothing, every write is "
        "announced before its first byte",
        "replication.factor: 1 keeps one copy of every object",
        "backends[oci].strip_sdk_headers changes nothing, no SDK headers are ever sent",
    ] == list(advise(read(QUIET)))
    assert "backends[twin] is the same bucket as backends[backend-0]" in list(
        advise(read(twice))
    )
