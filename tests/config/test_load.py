"""Loading: defaults, positions, suggestions, and all problems at once."""

import pytest

from s3o.config import ConfigError, load, settings_from
from tests.config.reading import GOOD, problem, problems, read, with_line


def test_small_file_is_enough():
    """A first configuration is short; everything else has its documented default."""
    settings = read(GOOD)

    assert ("", 9000) == settings.server.address
    assert ["backend-0", "disk"] == [backend.name for backend in settings.backends]
    assert [1000, 2000] == [backend.quota_bytes for backend in settings.backends]
    assert 30.0 == settings.server.backend_timeout
    assert "pack" == settings.routing_strategy
    assert "sqlite" == settings.database.driver
    assert not settings.server.is_max_object_size_set


def test_all_problems_come_at_once_in_the_files_order():
    """Fixing one error per restart wastes an operator's evening."""
    text = """\
server:
  listen_addr: ":9000"
  max_concurent_requests: 5
  read_timeout: 30
buckets:
  - name: admin
    credentials:
      - {access_key_id: a, secret_access_key: "${UNSET}"}
  - name: photos
    credentials: []
backends:
  - type: directory
    path: /tmp
    quota_byte: 1
  - endpoint: nowhere
    bucket: one
    secret_access_key: b
routing_strategy: spraed
listen_addr: ":1"
usage_flush:
  interval: 1s
"""

    assert [
        "3:3: server.max_concurent_requests: unknown key "
        "(did you mean 'max_concurrent_requests'?)",
        "4:3: server.read_timeout: must be a duration such as 30s, 5m or 1h30m",
        "6:5: buckets.0.name: 'admin' is the path of a door of our own",
        "8:28: buckets.0.credentials.0.secret_access_key: environment variable UNSET "
        "is not set",
        "10:5: buckets.1.credentials: at least one credential is required",
        "14:5: backends.0.quota_byte: unknown key (did you mean 'quota_bytes'?)",
        "15:5: backends.1.access_key_id: is required",
        "15:5: backends.1.endpoint: must be a URL such as https://s3.example.com",
        "18:1: routing_strategy: must be 'pack' or 'spread' (did you mean 'spread'?)",
        "19:1: listen_addr: unknown key (did you mean 'server.listen_addr'?)",
        "20:1: usage_flush.fast_interval: must be less than usage_flush.interval",
    ] == sorted(problems(text), key=lambda line: (int(line.split(":")[0]), line))


def test_unknown_profile_is_a_problem_of_the_file():
    """A service that starts and then fails for a typo was not validated."""
    text = with_line(GOOD, "bucket: one", "bucket: one\n    profile: wasaby")

    assert (
        "11:5: backends.0.profile: must be 'aws', 'oci', 'b2', 'r2', 'gcs', 'wasabi', "
        "'minio', 'ceph', 'swift', 'rclone' or 'generic' (did you mean 'wasabi'?)"
    ) == problem(text)


def test_empty_profile_is_none():
    """A template leaves it empty where the endpoint's host says enough."""
    text = with_line(GOOD, "bucket: one", 'bucket: one\n    profile: ""')

    assert read(text).backends[0].profile is None


def test_empty_file_says_what_is_missing():
    """An empty file is the first file of many."""
    assert [
        "1:1: buckets: at least one bucket is required",
        "1:1: backends: at least one backend is required",
        "1:1: server: is required",
    ] == problems("")


def test_error_lists_a_problem_a_line():
    """Whoever logs the exception logs everything there is to fix."""
    with pytest.raises(ConfigError) as caught:
        read("server: {}\nbuckets: 1\n")

    assert (
        "config.yaml:1:1: backends: at least one backend is required\n"
        "config.yaml:1:1: server.listen_addr: is required\n"
        "config.yaml:2:1: buckets: must be a list"
    ) == "\n".join(sorted(str(caught.value).splitlines()))


def test_key_with_nothing_behind_it_keeps_its_default():
    """A section whose lines are all commented out is not an error."""
    settings = read(GOOD + "cleanup_queue:\nusage_flush:\n  interval:\nredis: ~\n")

    assert 10 == settings.cleanup_queue.concurrency
    assert 30.0 == settings.usage_flush.interval


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("absent.yaml", "No such file or directory"),
        (".", "Is a directory"),
        ("a\0b", "no usable name"),
    ],
)
def test_unreadable_file_is_a_problem_without_a_line(path, reason):
    """A wrong path must not look like a crash."""
    with pytest.raises(ConfigError) as caught:
        load(path, {})

    assert f"{path}: cannot be read: {reason}" == str(caught.value)


def test_load_names_the_file_it_read(tmp_path):
    """Editors and terminals jump to file:line:column."""
    file = tmp_path / "mine.yaml"
    file.write_text(GOOD + "replicatoin: {}\n")

    with pytest.raises(ConfigError) as caught:
        load(str(file), {})

    assert (
        f"{file}:18:1: replicatoin: unknown key (did you mean 'replication'?)"
        == str(caught.value)
    )


def test_code_may_build_settings_from_plain_values():
    """The demonstration and tests need settings without a file."""
    settings = settings_from(
        {
            "server": {"listen_addr": "127.0.0.1:0", "idle_timeout": 1.5},
            "buckets": [{"name": "one", "credentials": [{"token": "t"}]}],
            "backends": [{"type": "directory", "path": "x", "quota_bytes": 7}],
        }
    )

    assert 1.5 == settings.server.idle_timeout
    assert 7 == settings.backends[0].quota_bytes
    assert "t" == settings.buckets[0].credentials[0].token.reveal()


@pytest.mark.parametrize("strategy", ["pack", "spread"])
def test_routing_strategies_are_accepted(strategy):
    """Both documented words choose."""
    assert strategy == read(f"{GOOD}routing_strategy: {strategy}").routing_strategy


def test_unsigned_payload_follows_the_scheme_unless_said():
    """Over TLS the body needs no signature; in the clear it does."""
    secure = with_line(GOOD, "http://127", "https://127")
    said = with_line(GOOD, "bucket: one", "bucket: one\n    unsigned_payload: true")

    assert [False, True, True] == [
        read(text).backends[0].is_payload_unsigned for text in (GOOD, secure, said)
    ]


def test_written_max_object_size_is_told_apart_from_the_default():
    """It bounds whole multipart uploads only when the operator wrote it."""
    text = with_line(GOOD, '":9000"', '":9000"\n  max_object_size: 5368709120')

    assert read(text).server.is_max_object_size_set


def test_postgres_is_meant_when_a_host_is_named():
    """Configurations without a driver go on working, once postgres is here."""
    text = GOOD + "database: {host: db}\n"

    assert [
        "18:12: database.database: is required when database.driver is postgres",
        "18:12: database.user: is required when database.driver is postgres",
        "18:12: database.driver: not in this version",
    ] == [line.replace("18:1: ", "18:12: ", 1) for line in problems(text)]


def test_fault_in_an_entry_hides_no_rule_between_the_others():
    """A typing error in one bucket must not postpone a duplicate in the next."""
    text = with_line(
        GOOD,
        "backends:\n",
        "  - {name: photos, credentials: [{token: t}]}\n  - {nam: x}\nbackends:\n",
    )

    assert [
        "8:6: buckets.1.name: duplicate bucket name 'photos'",
        "9:5: buckets.2.name: is required",
        "9:5: buckets.2.credentials: is required",
        "9:6: buckets.2.nam: unknown key (did you mean 'name'?)",
    ] == problems(text)


def test_last_line_of_defence_repeats_no_value():
    """Whatever pydantic may think of next, its words could hold a secret."""
    assert "1:1: must be a section: keys with values" == problem("hunter2")


def test_problem_stays_one_line_whatever_the_key_is():
    """A file from elsewhere must not write into our terminal or log."""
    found = problem(GOOD + '"\\e[31mred\\n' + "x" * 100 + '": 1\n')

    assert "18:1: \ufffd[31mred\ufffd" + "x" * 55 + ": unknown key" == found
