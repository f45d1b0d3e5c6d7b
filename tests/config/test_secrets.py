"""Secrets are seen by whoever asks for them, and in no text by accident."""

import copy
import pickle
import traceback

import pytest

from s3o.config import ConfigError, Secret, Settings, parse, plan_reload
from tests.config.reading import GOOD, read, with_line
from tests.config.test_keys import QUIET

CANARY = "canary-7f3a91"


def with_canaries() -> str:
    """Return a configuration whose every secret is the canary."""
    text = QUIET.replace(
        "secret_access_key: b, token: c",
        f"secret_access_key: {CANARY}-b, token: {CANARY}-t",
    )
    text = text.replace("password: secret", f"password: {CANARY}")
    text = text.replace("secret_access_key: b\n", f"secret_access_key: {CANARY}\n")
    text = text.replace('admin_secret: "$2b$12$x"', f"admin_secret: {CANARY}")
    text = text.replace("session_secret: s", f"session_secret: {CANARY}")
    text = text.replace("admin_token: t", f"admin_token: {CANARY}")
    text = text.replace("token: t, key_name", f"token: {CANARY}, key_name")
    assert 8 == text.count(CANARY)
    return text


def test_secret_reveals_itself_only_when_asked():
    """Signing needs the text; logs, tickets and debuggers do not."""
    secret = Secret(CANARY)

    assert CANARY == secret.reveal()
    assert ["***", "Secret('***')", "***", "***"] == [
        str(secret),
        repr(secret),
        f"{secret}",
        f"{secret!s}",
    ]
    assert not hasattr(secret, "__dict__")
    assert secret is copy.copy(secret) is copy.deepcopy(secret)
    assert secret == Secret(CANARY) != Secret("other")
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(secret)


def test_settings_show_no_secret_in_any_form():
    """A dump of the configuration goes into tickets and status pages."""
    settings = read(with_canaries())

    shown = [
        repr(settings),
        str(settings),
        str(settings.model_dump()),
        settings.model_dump_json(),
        str(list(settings)),
        repr(settings.buckets[0].credentials),
        str(plan_reload(settings, read(QUIET))),
    ]
    assert [] == [text for text in shown if CANARY in text]


def credentials(keys: str) -> str:
    """Return a bucket with one credential of these keys."""
    return "buckets: [{name: one, credentials: [{" + keys + "}]}]"


FAULTS = [
    "server: {listen_addr: CANARY}",
    "server: {listen_addr: ':1', log_level: CANARY, idle_timeout: CANARY}",
    "server: {listen_addr: ':1', max_concurrent_requests: 'CANARY'}",
    "buckets: CANARY",
    "buckets: [CANARY]",
    "buckets: [{name: CANARY}]",
    "buckets: [{name: one, credentials: CANARY}]",
    "buckets: [{name: one, credentials: [CANARY]}]",
    credentials("access_key_id: a, secret_acess_key: CANARY"),
    credentials("access_key_id: a, secret_access_key: [CANARY]"),
    credentials("access_key_id: a, secret_access_key: {a: CANARY}"),
    credentials("access_key_id: a, secret_access_key: 'CANARY '"),
    credentials("token: CANARY}, {token: CANARY"),
    credentials("token: CANARY b"),
    credentials("access_key_id: 'a/CANARY'"),
    "backends: [{type: CANARY}]",
    "backends: [{endpoint: 'https://u:CANARY@h', bucket: ' CANARY', name: '/CANARY'}]",
    "routing_strategy: CANARY",
    "encryption: {master_key: CANARY, previous_keys: [CANARY]}",
    "encryption: {vault: {address: CANARY}}",
    "redis: {address: CANARY}",
    "rate_limit: {trusted_proxies: [CANARY]}",
    "cache: {max_size: CANARY}",
    "ui: {path: CANARY}",
    "secret: *CANARY",
    "secret: !CANARY x",
    "secret: !CANARY!x x",
    "secret: !<CANARY> x",
    "a: &CANARY x\nb: &CANARY y",
    'secret: "CANARY\\q"',
    "secret: 'CANARY",
    "secret: CANARY: x",
    "secret: @CANARY",
    "%CANARY\n---\na: b",
    "secret: |CANARY",
    "secret: [CANARY",
    "secret: {CANARY",
    "secret: '${CANARY'",
    "secret: CANARY\x01",
    "? [CANARY]\n: x",
    "server: {<<: CANARY}",
]


@pytest.mark.parametrize("text", FAULTS)
def test_no_error_repeats_a_value(text):
    """A start that fails is copied into a ticket with all of its text."""
    try:
        parse(text.replace("CANARY", CANARY).encode(), "config.yaml", {})
    except ConfigError as error:
        shown = "".join(traceback.format_exception(error)) + repr(error.problems)
    else:
        pytest.fail("accepted")

    assert CANARY not in shown


def test_no_error_repeats_a_variable():
    """Values of the environment are secrets more often than not."""
    text = with_line(GOOD, "quota_bytes: 2000", "quota_bytes: ${V}")
    text = with_line(text, "http://127.0.0.1:9001", "${V}")

    with pytest.raises(ConfigError) as caught:
        read(text, V=CANARY)

    assert CANARY not in "".join(traceback.format_exception(caught.value))


def test_models_themselves_repeat_no_value():
    """Code that skips the loader must not leak through pydantic's errors."""
    with pytest.raises(ValueError) as caught:
        Settings.model_validate({"server": {"listen_addr": CANARY}, CANARY + "x": 1})

    assert "listen_addr\n  Value error" in str(caught.value)
    assert f"input_value='{CANARY}'" not in str(caught.value)
