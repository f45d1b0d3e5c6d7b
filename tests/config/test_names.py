"""Names and credentials that would collide, shadow or open a door."""

import pytest

from tests.config.reading import GOOD, problem, problems, read, with_line


@pytest.mark.parametrize(
    "name",
    [
        "__multipart",
        "Photos",
        "a/b",
        "..",
        "ab",
        "a" * 64,
        "192.168.0.1",
        "xn--photos",
        "-photos",
        "pho_tos",
    ],
)
def test_bucket_names_follow_aws(name):
    """Clients refuse other names, and virtual hosts cannot carry them."""
    found = problem(with_line(GOOD, "name: photos", f"name: '{name}'"))

    assert found.startswith("4:5: buckets.0.name: must be a bucket name: 3 to 63")


@pytest.mark.parametrize("name", ["admin", "health", "metrics"])
def test_buckets_do_not_hide_behind_our_own_doors(name):
    """/metrics is one thing or the other."""
    found = problem(with_line(GOOD, "name: photos", f"name: {name}"))

    assert f"4:5: buckets.0.name: '{name}' is the path of a door of our own" == found


@pytest.mark.parametrize(
    "section", ["telemetry: {metrics: {path: /photos/m}}", "ui: {path: /photos}"]
)
def test_buckets_do_not_hide_behind_configured_doors(section):
    """The same for paths the operator chose."""
    assert "'photos' is the path" in problem(f"{GOOD}{section}\n")


def test_ui_is_too_short_for_a_bucket_anyway():
    """The reserved name is refused, whichever rule says so first."""
    assert problem(with_line(GOOD, "name: photos", "name: ui")).startswith("4:5: ")


def credentials(*lines: str) -> str:
    """Return a configuration whose second bucket has these credentials."""
    items = "".join(f"      - {line}\n" for line in lines)
    return with_line(
        GOOD, "backends:\n", f"  - name: other\n    credentials:\n{items}backends:\n"
    )


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (
            "{access_key_id: photoskey, secret_access_key: x}",
            "10:10: buckets.1.credentials.0.access_key_id: duplicate access_key_id "
            "'photoskey'",
        ),
        (
            "{access_key_id: x}",
            "10:9: buckets.1.credentials.0: must have access_key_id and "
            "secret_access_key, or token",
        ),
        (
            "{access_key_id: x, secret_access_key: ''}",
            "10:9: buckets.1.credentials.0: must have access_key_id and "
            "secret_access_key, or token",
        ),
        (
            "{token: ''}",
            "10:9: buckets.1.credentials.0: must have access_key_id and "
            "secret_access_key, or token",
        ),
        (
            "{token: a b}",
            "10:10: buckets.1.credentials.0.token: must be visible ASCII without "
            "blanks",
        ),
        (
            "{access_key_id: a/b, secret_access_key: x}",
            "10:10: buckets.1.credentials.0.access_key_id: must be visible ASCII "
            "without '/', ',' and '='",
        ),
        (
            '{access_key_id: x, secret_access_key: "x\\n"}',
            "10:28: buckets.1.credentials.0.secret_access_key: must not begin or end "
            "with a blank or line break",
        ),
    ],
)
def test_credentials_that_cannot_work_are_refused(line, found):
    """A credential that never matches, or matches twice, is a mistake."""
    assert found == problem(credentials(line))


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ("secret", "secret", "duplicate token"),
        ("secret", "secret2", "one token is a prefix of another"),
        ("secret2", "secret", "one token is a prefix of another"),
    ],
)
def test_tokens_are_told_apart(first, second, message):
    """A token says whose request it is; two that look alike do not."""
    text = credentials(f"token: {first}", f"token: {second}")

    assert f"11:9: buckets.1.credentials.1.token: {message}" == problem(text)


def test_duplicate_names_of_backends_are_refused():
    """The ledger knows backends by name."""
    text = with_line(GOOD, "name: disk", "name: backend-0")

    assert "14:5: backends.1.name: duplicate backend name 'backend-0'" == problem(text)


def test_two_backends_do_not_share_a_directory():
    """Two quotas over the same bytes would count them twice and free them once."""
    text = GOOD + "  - {name: b, type: directory, path: /var/lib/disk/, quota_bytes: 1}"

    assert "18:32: backends.2.path: another backend has this directory" == problem(text)


def test_backend_of_an_unknown_type_is_refused():
    """Its other keys mean nothing until the type is known."""
    text = with_line(GOOD, "type: directory", "type: azure")

    assert "15:5: backends.1.type: must be 's3' or 'directory'" == problem(text)


def test_unlimited_and_limited_backends_do_not_mix():
    """With one unlimited backend the others would never be full, or never used."""
    text = with_line(GOOD, "    quota_bytes: 2000\n", "")

    assert (
        "14:5: backends.1: cannot mix unlimited (quota_bytes: 0) and quota-limited "
        "backends"
    ) == problem(text)


def test_several_unlimited_backends_need_replication():
    """Packing would never reach the second one."""
    text = with_line(GOOD, "    quota_bytes: 2000\n", "")
    text = with_line(text, "    quota_bytes: 1_000\n", "")

    assert (
        "13:5: backends.1: several backends with unlimited quota (quota_bytes: 0) "
        "require replication.factor of at least 2"
    ) == problem(text)


def test_copies_need_as_many_backends():
    """A third copy on two backends is no third copy."""
    assert (
        "18:15: replication.factor: must not exceed the number of backends (2)"
    ) in problems(GOOD + "replication: {factor: 3}\n")


def test_one_unlimited_backend_is_fine():
    """The smallest set-up has no quota at all."""
    text = GOOD[: GOOD.index("    quota_bytes: 1_000")]

    assert 0 == read(text).backends[0].quota_bytes
