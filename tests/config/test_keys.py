"""Every documented key is known, in the models, the example and the schema."""

import json
import re
from pathlib import Path

import pytest

from s3o.config import load
from s3o.config.document import read_document
from s3o.config.keys import all_keys
from s3o.config.later import LATER
from s3o.config.readers import read_duration, read_size
from s3o.config.schema import SCHEMA_FILE, render_schema
from s3o.config.settings import Settings
from tests.config.reading import GOOD, problem, problems, read

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "config.example.yaml"

DOCUMENTED = """
server: listen_addr log_level max_object_size max_concurrent_requests
    max_concurrent_reads max_concurrent_writes load_shed_threshold admission_wait
    backend_timeout read_header_timeout read_timeout write_timeout idle_timeout
    shutdown_delay tls domains workers min_part_size
server.tls: cert_file key_file min_version client_ca_file
auth: allow_sigv2
buckets.*: name max_multipart_uploads credentials public_read
buckets.*.credentials.*: access_key_id secret_access_key token permissions prefixes
accounts.*: name credentials create_buckets bucket_prefix max_buckets quota_bytes attach
    default_max_multipart_uploads
accounts.*.credentials.*: access_key_id secret_access_key token permissions prefixes
database: driver path host port database user password ssl_mode max_conns min_conns
    max_conn_lifetime
backends.*: name endpoint region bucket access_key_id secret_access_key
    force_path_style unsigned_payload disable_checksum strip_sdk_headers quota_bytes
    max_object_size api_request_limit egress_byte_limit ingress_byte_limit type path
telemetry.metrics: enabled path listen
telemetry.tracing: enabled endpoint insecure sample_rate
circuit_breaker: failure_threshold open_timeout cache_ttl parallel_broadcast
    degraded_reads
backend_circuit_breaker: enabled failure_threshold open_timeout
rebalance: enabled strategy interval batch_size threshold concurrency
replication: factor worker_interval batch_size concurrency unhealthy_threshold
    write_copies
write_path.pending_pattern: enabled reaper_tick min_age batch_size
cleanup_queue: concurrency multipart_stale_timeout
ledger_backup: enabled log_interval snapshot_interval copies
reconcile: enabled interval
lifecycle: rules batch_size
lifecycle.rules.*: prefix expiration_days
usage_flush: interval adaptive_enabled adaptive_threshold fast_interval
rate_limit: enabled requests_per_sec burst cleanup_interval cleanup_max_age
    trusted_proxies
encryption: enabled chunk_size master_key master_key_file vault previous_keys
encryption.vault: address token token_file key_name mount_path ca_cert renew_interval
integrity: enabled verify_on_read verify_on_replicate scrubber_interval
    scrubber_batch_size
cache: enabled max_size max_object_size ttl
redis: address password db tls key_prefix failure_threshold open_timeout
notifications.endpoints.*: url events prefix secret timeout max_retries
ui: enabled path admin_key admin_secret session_secret admin_token
    force_secure_cookies
"""


def documented_keys() -> set[tuple[str, ...]]:
    """Return the documented keys as paths."""
    keys = {("routing_strategy",)}
    for section, names in re.findall(
        r"^(\S+): (.*(?:\n .*)*)", DOCUMENTED, re.MULTILINE
    ):
        keys |= {(*section.split("."), name) for name in names.split()}
    return keys


def test_every_documented_key_is_known():
    """A configuration written for the documentation is understood."""
    assert set() == documented_keys() - set(all_keys())


QUIET = """\
routing_strategy: spread
server:
  listen_addr: ":9000"
  log_level: warn
  domains: [s3.example.com]
  region: eu-central-1
  workers: 1
  max_object_size: 1000000
  max_concurrent_requests: 0
  max_concurrent_reads: 0
  max_concurrent_writes: 0
  load_shed_threshold: 0
  admission_wait: "0s"
  backend_timeout: "30s"
  read_header_timeout: "10s"
  read_timeout: "5m"
  write_timeout: "5m"
  idle_timeout: "120s"
  shutdown_delay: "5s"
  tls: {cert_file: c, key_file: k, min_version: "1.3", client_ca_file: ca}
auth: {allow_sigv2: false}
buckets:
  - name: photos
    max_multipart_uploads: 100
    credentials:
      - {access_key_id: a, secret_access_key: b, token: c}
database:
  driver: sqlite
  path: x.db
  host: localhost
  port: 5432
  database: s3proxy
  user: s3proxy
  password: secret
  ssl_mode: verify-full
  max_conns: 50
  min_conns: 10
  max_conn_lifetime: "5m"
backends:
  - name: oci
    type: s3
    endpoint: https://example.com
    region: us-phoenix-1
    bucket: my-bucket
    access_key_id: a
    secret_access_key: b
    force_path_style: true
    unsigned_payload: true
    disable_checksum: true
    strip_sdk_headers: true
    profile: oci
    quota_bytes: 21474836480
    max_object_size: 52428800
    api_request_limit: 1
    egress_byte_limit: 2
    ingress_byte_limit: 3
  - {name: disk, type: directory, path: /d, quota_bytes: 1, max_object_size: 1}
telemetry:
  metrics: {enabled: true, path: /m, listen: "127.0.0.1:9091"}
  tracing: {enabled: false, endpoint: "localhost:4317", insecure: true, sample_rate: 0}
circuit_breaker:
  failure_threshold: 3
  open_timeout: 15s
  cache_ttl: 60s
  parallel_broadcast: false
  degraded_reads: off
backend_circuit_breaker: {enabled: true, failure_threshold: 5, open_timeout: 5m}
rebalance: {enabled: false, strategy: spread, interval: 6h, batch_size: 1,
  threshold: 1, concurrency: 5}
replication: {factor: 1, worker_interval: 5m, batch_size: 50, concurrency: 5,
  unhealthy_threshold: 10m, write_copies: false}
write_path:
  pending_pattern: {enabled: false, reaper_tick: 1m, min_age: 5m, batch_size: 50}
cleanup_queue: {concurrency: 10, multipart_stale_timeout: 24h}
ledger_backup: {enabled: true, log_interval: 15m, snapshot_interval: 24h, copies: 2}
reconcile: {enabled: false, interval: 24h}
lifecycle: {rules: [], batch_size: 100}
usage_flush: {interval: 30s, adaptive_enabled: true, adaptive_threshold: 0.8,
  fast_interval: 5s}
rate_limit: {enabled: false, requests_per_sec: 0.5, burst: 200, cleanup_interval: 1m,
  cleanup_max_age: 5m, trusted_proxies: [10.0.0.0/8, "fd00::/8"]}
encryption:
  enabled: false
  chunk_size: 4096
  vault: {address: "http://vault:8200", token: t, key_name: k, mount_path: transit,
    ca_cert: c, renew_interval: 5m}
  previous_keys: [AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=]
integrity: {enabled: false, verify_on_read: true, verify_on_replicate: false,
  scrubber_interval: 6h, scrubber_batch_size: 100}
cache: {enabled: false, max_size: 256MB, max_object_size: "10MB", ttl: 5m}
notifications: {endpoints: []}
ui: {enabled: false, path: /ui/, admin_key: k, admin_secret: "$2b$12$x",
  session_secret: s, admin_token: t, force_secure_cookies: true}
"""


def test_every_section_is_accepted_while_it_asks_for_nothing():
    """An existing file keeps loading; only what is switched on must be there."""
    settings = read(QUIET)

    assert "off" == settings.circuit_breaker.degraded_reads
    assert "/ui" == settings.ui.path
    assert settings.server.tls.is_enabled


@pytest.mark.parametrize(
    ("section", "path"),
    [
        ("telemetry: {tracing: {enabled: true, endpoint: 'a:1'}}",
         "telemetry.tracing.enabled"),
        ("circuit_breaker: {parallel_broadcast: true}",
         "circuit_breaker.parallel_broadcast"),
        ("circuit_breaker: {degraded_reads: cached}", "circuit_breaker.degraded_reads"),
        ("database: {driver: postgres, host: h, user: u, database: d}",
         "database.driver"),
        ("encryption: {enabled: true, master_key_file: f}", "encryption.enabled"),
        ("rate_limit: {enabled: true}", "rate_limit.enabled"),
        ("cache: {enabled: true}", "cache.enabled"),
        ("redis: {address: 'redis:6379', password: '', db: 0, tls: false,"
         " key_prefix: s, failure_threshold: 3, open_timeout: 15s}", "redis"),
        ("notifications: {endpoints: [{url: 'https://a', events: ['*'], prefix: '',"
         " secret: s, timeout: 5s, max_retries: 5}]}", "notifications.endpoints"),
        ("ui: {enabled: true, admin_key: a, admin_secret: b, session_secret: c}",
         "ui.enabled"),
    ],
)  # fmt: skip
def test_what_is_not_built_cannot_be_switched_on(section, path):
    """A promise quietly broken (no encryption, one copy) is worse than a refusal."""
    found = problem(f"{GOOD}{section}\n")

    assert found.startswith("18:")
    assert found.endswith(f": {path}: not in this version")


@pytest.mark.parametrize(
    "line",
    [
        "workers: 2",
        "max_concurrent_reads: 1",
        "max_concurrent_writes: 1",
        "load_shed_threshold: 0.5",
        "admission_wait: 1s",
    ],
)
def test_server_keys_that_are_not_built_cannot_be_switched_on(line):
    """The same for single keys of a section that is built."""
    text = GOOD.replace('":9000"', f'":9000"\n  {line}')

    assert f"3:3: server.{line.split(':')[0]}: not in this version" == problem(text)


def test_the_table_of_what_is_not_built_names_known_keys():
    """A row with a typing error would switch nothing off."""
    assert set() == {row.path for row in LATER} - set(all_keys())


SECTION_RULES = [
    ("encryption: {enabled: true}", "encryption: exactly one of master_key"),
    ("encryption: {master_key: x, master_key_file: y}", "encryption: exactly one of"),
    ("encryption: {master_key: x}", "encryption.master_key: must be 32 bytes in base6"),
    ("encryption: {previous_keys: [x]}", "previous_keys.0: must be 32 bytes in base64"),
    ("encryption: {chunk_size: 5000}", "encryption.chunk_size: must be a power of two"),
    ("encryption: {chunk_size: 1024}", "encryption.chunk_size: must be at least 4096"),
    ("encryption: {vault: {address: 'http://v', key_name: k}}", "encryption.vault: ex"),
    ("rate_limit: {trusted_proxies: [x]}", "rate_limit.trusted_proxies.0: must be a n"),
    ("rate_limit: {requests_per_sec: 0}", "rate_limit.requests_per_sec: must be more "),
    ("cache: {max_size: 1KB}", "cache.max_object_size: must not exceed cache.max_size"),
    ("ui: {enabled: true}", "ui.session_secret: is required when ui is enabled"),
    ("ui: {path: /}", "ui.path: must be a path such as"),
    ("ui: {path: /../x}", "ui.path: must be a path such as"),
    ("telemetry: {tracing: {enabled: true}}", "endpoint: is required when tracing is"),
    ("telemetry: {tracing: {sample_rate: 2}}", "sample_rate: must be at most 1"),
    ("lifecycle: {rules: [{prefix: '', expiration_days: 1}]}", "must not be empty"),
    ("lifecycle: {rules: [{prefix: a, expiration_days: 0}]}", "must be at least 1"),
    ("lifecycle: {rules: [{prefix: a, expiration_days: 1}, {prefix: a,"
     " expiration_days: 2}]}", "lifecycle.rules.1.prefix: duplicate prefix 'a'"),
    ("notifications: {endpoints: [{url: x, events: []}]}", "url: must be a URL such"),
    ("notifications: {endpoints: [{url: 'http://x', events: []}]}", "at least one eve"),
    ("redis: {}", "redis.address: is required"),
    ("usage_flush: {adaptive_threshold: 1}", "must be less than 1"),
    ("rebalance: {threshold: 1.1}", "rebalance.threshold: must be at most 1"),
    ("database: {driver: mysql}", "must be 'sqlite' or 'postgres'"),
    ("database: {driver: postgres, host: h, user: u, database: d, min_conns: 51}",
     "database.min_conns: must not exceed database.max_conns"),
]  # fmt: skip


@pytest.mark.parametrize(("section", "message"), SECTION_RULES)
def test_rules_of_later_sections_hold_already(section, message):
    """A file that validates today must not turn out wrong when the feature arrives."""
    assert message in "\n".join(problems(f"{GOOD}{section}\n"))


def test_committed_schema_is_fresh():
    """Editors complete and check with the committed file."""
    committed = (ROOT / SCHEMA_FILE).read_text()

    assert render_schema() == committed, "run: python -m s3o.config.schema"


def test_schema_describes_every_key():
    """Editors show what a key is for."""
    schema = json.loads(render_schema())
    sections = [schema, *schema["$defs"].values()]

    undescribed = [
        name
        for section in sections
        for name, key in section["properties"].items()
        if not key.get("description") and not {"const", "$ref"} & set(key)
    ]
    assert [] == undescribed
    assert all(section["additionalProperties"] is False for section in sections)


def test_example_validates():
    """The example is the first thing that people copy."""
    assert "photos" == load(str(EXAMPLE), {}).buckets[0].name


def test_example_names_its_schema_in_the_first_line():
    """Editors with a YAML language server check it while it is typed."""
    first = EXAMPLE.read_text().splitlines()[0]

    assert f"# yaml-language-server: $schema={SCHEMA_FILE}" == first


def uncommented_example() -> dict[tuple[str, ...], object]:
    """Return every key of the example, the commented ones too, with its text."""
    lines = EXAMPLE.read_text().splitlines()
    text = "\n".join(re.sub(r"^( *)#(?=[a-z_-])", r"\1", line) for line in lines)
    environ = dict.fromkeys(re.findall(r"\$\{(\w+)\}", text), "x")
    document = read_document(text.encode(), environ)
    assert () == document.findings
    values: dict[tuple[str, ...], object] = {}

    def collect(value, path):
        general = tuple("*" if isinstance(step, int) else step for step in path)
        values.setdefault(general, value)
        items = value.items() if isinstance(value, dict) else ()
        items = enumerate(value) if isinstance(value, list) else items
        for key, inner in items:
            collect(inner, (*path, key))

    collect(document.data, ())
    return values


def test_example_has_every_key_and_no_other():
    """An operator finds everything in one file."""
    shown = {path for path in uncommented_example() if path and path[-1] != "*"}

    assert set(all_keys()) == shown


def read_default(text: str, default: object) -> object:
    """Return text as a value of default's type."""
    if isinstance(default, bool):
        return text == "true"
    if isinstance(default, int):
        return read_size(text)
    if isinstance(default, float):
        return read_duration(text) if text[-1] in "smh" else float(text)
    return text


def test_example_shows_the_defaults():
    """What stands behind # is what holds without it."""
    shown = uncommented_example()
    settings = read(GOOD)

    wrong = {}
    for path in all_keys():
        if path[0] in ("buckets", "backends") or path == ("server", "listen_addr"):
            continue
        default: object = settings
        for name in path:
            default = getattr(default, name, None)
        is_scalar = isinstance(default, str | int | float)
        if is_scalar and read_default(shown[path], default) != default:
            wrong[path] = shown[path]
    assert {} == wrong


def test_defaults_of_all_sections_break_no_rule():
    """Settings are whole without a single optional key."""
    assert Settings.model_validate(read(GOOD)) == read(GOOD)
