"""Accounts, permissions and prefixes in the configuration."""

import pytest

from s3o.config import ConfigError, plan_reload
from s3o.daemon.tenants import credential_book, tenants_of
from s3o.model.names import BucketName
from s3o.model.tenants import Account, Permission, StaticBucket
from tests.config.reading import GOOD, problem, problems, read, with_line

ANN = """\
accounts:
  - name: ann
    credentials:
      - access_key_id: annskey
        secret_access_key: annssecret
"""


def account(*lines: str) -> str:
    """Return a good configuration whose account ann has these lines."""
    return GOOD + ANN + "".join(f"    {line}\n" for line in lines)


def credential(*lines: str) -> str:
    """Return a good configuration whose bucket's credential has these lines."""
    text = "".join(f"        {line}\n" for line in lines)
    return with_line(
        GOOD,
        "        secret_access_key: photossecret\n",
        f"        secret_access_key: photossecret\n{text}",
    )


def test_an_account_has_its_defaults():
    """The short form makes a useful account."""
    (ann,) = read(account()).accounts

    assert (True, None, 100, 0, (), 0) == (
        ann.create_buckets,
        ann.bucket_prefix,
        ann.max_buckets,
        ann.quota_bytes,
        ann.attach,
        ann.default_max_multipart_uploads,
    )


def test_tenants_are_what_the_file_says():
    """Every key arrives where it is decided by."""
    text = account(
        "create_buckets: false",
        "bucket_prefix: ann-",
        "max_buckets: 5",
        "quota_bytes: 1_000",
        "attach: [photos]",
        "default_max_multipart_uploads: 9",
    )
    text = with_line(
        text,
        "name: photos",
        "name: photos\n    max_multipart_uploads: 4\n    public_read: true",
    )
    tenants = tenants_of(read(text))

    assert {
        "ann": Account(
            name="ann",
            may_create=False,
            bucket_prefix="ann-",
            max_buckets=5,
            quota_bytes=1000,
            max_multipart_uploads=9,
        )
    } == tenants.accounts
    assert {
        "photos": StaticBucket(
            name=BucketName("photos"), public_read=True, max_multipart_uploads=4
        )
    } == tenants.statics
    assert {"admin", "ui", "health", "metrics"} <= tenants.reserved
    caller = credential_book(read(text))._accounts["annskey"].caller
    assert ("ann", {"photos"}) == (caller.principal, caller.attached)


def test_accounts_alone_are_enough():
    """Nobody has to make up a bucket that is not wanted."""
    start = GOOD.index("buckets:")
    text = GOOD[:start] + ANN + GOOD[GOOD.index("backends:") :]

    assert () == read(text).buckets
    assert "1:1: buckets: at least one bucket is required" == problem(
        text.replace(ANN, "")
    )


def test_a_credential_has_all_rights_unless_it_says_otherwise():
    """Configurations of before go on working."""
    (full,) = read(GOOD).buckets[0].credentials
    (part,) = (
        read(credential("permissions: [read, list]", "prefixes: [a/, 'b c/']"))
        .buckets[0]
        .credentials
    )

    assert set(Permission) - {Permission.OWN} == full.granted
    assert () == full.prefixes
    assert {Permission.READ, Permission.LIST} == part.granted
    assert ("a/", "b c/") == part.prefixes


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (
            "permissions: [raed]",
            "8:23: buckets.0.credentials.0.permissions.0: must be 'read', 'write', "
            "'delete' or 'list' (did you mean 'read'?)",
        ),
        (
            "permissions: [own]",
            "8:23: buckets.0.credentials.0.permissions.0: must be 'read', 'write', "
            "'delete' or 'list'",
        ),
        (
            "permissions: []",
            "8:9: buckets.0.credentials.0.permissions: at least one permission is "
            "required",
        ),
        (
            "permissions: read",
            "8:9: buckets.0.credentials.0.permissions: must be a list",
        ),
        (
            "prefixes: ['']",
            "8:20: buckets.0.credentials.0.prefixes.0: must not be empty",
        ),
        (
            f"prefixes: [{'a' * 1025}]",
            "8:20: buckets.0.credentials.0.prefixes.0: must be at most 1024 bytes, as "
            "keys are",
        ),
        (
            "permission: [read]",
            "8:9: buckets.0.credentials.0.permission: unknown key (did you mean "
            "'permissions'?)",
        ),
    ],
)
def test_rights_that_make_no_sense_are_refused(line, found):
    """A typo must not open a door, nor close one silently."""
    assert found == problem(credential(line))


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        (
            ["attach: [photso]"],
            "accounts.0.attach.0: no bucket 'photso' in buckets (did you mean "
            "'photos'?)",
        ),
        (["attach: [A]"], "accounts.0.attach.0: must be a bucket name: "),
        (
            ["bucket_prefix: Ann-"],
            "accounts.0.bucket_prefix: must begin a bucket name: ",
        ),
        (["max_buckets: -1"], "accounts.0.max_buckets: must not be negative"),
        (["quota_bytes: many"], "accounts.0.quota_bytes: must be a whole number"),
        (["max_bucket: 1"], "accounts.0.max_bucket: unknown key (did you mean "),
        (["create_buckets: maybe"], "accounts.0.create_buckets: must be true or false"),
    ],
)
def test_accounts_that_make_no_sense_are_refused(lines, found):
    """With the place in the file."""
    place, message = problem(account(*lines)).split(": ", 1)

    assert place.startswith("23:")
    assert message.startswith(found)


@pytest.mark.parametrize(
    ("second", "found"),
    [
        (
            "{name: ann, credentials: [{token: t}]}",
            "accounts.1.name: duplicate account name 'ann'",
        ),
        (
            "{name: 'bucket:photos', credentials: [{token: t}]}",
            "accounts.1.name: must be 1 to 63 letters, digits, ",
        ),
        ("{name: bob}", "accounts.1.credentials: is required"),
        (
            "{name: bob, credentials: []}",
            "accounts.1.credentials: at least one credential is required",
        ),
        (
            "{name: bob, credentials: [{access_key_id: annskey, "
            "secret_access_key: x}]}",
            "accounts.1.credentials.0.access_key_id: duplicate access_key_id 'annskey'",
        ),
        (
            "{name: bob, credentials: [{access_key_id: photoskey, "
            "secret_access_key: x}]}",
            "accounts.1.credentials.0.access_key_id: duplicate access_key_id "
            "'photoskey'",
        ),
        (
            "{name: bob, credentials: [{token: tok}, {token: token}]}",
            "accounts.1.credentials.1.token: one token is a prefix of another",
        ),
    ],
)
def test_accounts_are_told_apart(second, found):
    """From each other, and from buckets."""
    message = problem(f"{account()}  - {second}\n").split(": ", 1)[1]

    assert message.startswith(found)


def test_one_fault_hides_no_other():
    """A bucket that cannot be read does not make attach wrong."""
    text = with_line(account("attach: [photos]"), "name: photos", "name: Photos")

    assert ["buckets.0.name"] == [each.split(": ")[1] for each in problems(text)]


def test_accounts_are_reloaded():
    """A new tenant needs no restart."""
    plan = plan_reload(read(GOOD), read(account("quota_bytes: 5")))

    assert (("accounts",), ()) == (plan.reloaded, plan.needs_restart)
    assert 5 == plan.settings.accounts[0].quota_bytes


def test_secrets_of_accounts_are_not_shown():
    """Settings end in logs and tracebacks."""
    settings = read(account())

    assert "annssecret" not in f"{settings!r} {settings.model_dump_json()}"
    with pytest.raises(ConfigError) as refusal:
        read(account("quota_bytes: annssecret"))
    assert "annssecret" not in str(refusal.value)
