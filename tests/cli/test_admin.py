"""The admin command's parts: rows, addresses, tables."""

from pathlib import Path

import pytest
import trustme

from s3o.admin.actions import ACTIONS
from s3o.admin.api import match_path
from s3o.cli import main
from s3o.cli.admin import Asked, show
from s3o.cli.admin_client import AdminError, Reply, find_origin
from s3o.cli.admin_commands import COMMANDS, AdminCommand, Request
from s3o.cli.admin_views import show_removal, show_status
from s3o.cli.tables import human_bytes, plain, render_table
from s3o.net.client import Origin
from s3o.net.tls import CertificateUnusable, pinned_context

CONFIG = """\
server: {listen_addr: "127.0.0.1:1"}
buckets:
  - name: photos
    credentials: [{token: t}]
backends:
  - {name: a, type: directory, path: /a, quota_bytes: 1}
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A good config.yaml in the working directory, without an admin token."""
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "config.yaml"
    file.write_text(CONFIG)
    return file


@pytest.mark.parametrize("command", COMMANDS, ids=lambda one: " ".join(one.words))
def test_every_command_has_its_action(command: AdminCommand) -> None:
    """What can be typed can be done, with parameters that are known there."""
    for request in filter(None, (command.request, command.switched)):
        action = next(a for a in ACTIONS if is_meant(request, a.path, a.method))
        known = {parameter.name for parameter in action.parameters}
        flags = {
            flag.parameter
            for flag in command.flags
            if flag.parameter
            and (command.switched is None or request is command.switched)
        }
        assert flags <= known
        assert request.is_job == action.is_job


def is_meant(request: Request, path: str, method: str) -> bool:
    """Whether a command's route is an action's."""
    filled = request.path.replace("{}", "x")
    return request.method == method and match_path(path, filled) is not None


@pytest.mark.parametrize(
    ("address", "is_tls", "origin"),
    [
        (":9000", False, Origin("127.0.0.1", 9000, False)),
        ("0.0.0.0:9000", True, Origin("127.0.0.1", 9000, True)),
        ("[::]:9000", False, Origin("127.0.0.1", 9000, False)),
        ("[2001:db8::1]:9000", False, Origin("2001:db8::1", 9000, False)),
        ("store:9000", True, Origin("store", 9000, True)),
        ("http://store", True, Origin("store", 80, False)),
        ("https://store", False, Origin("store", 443, True)),
        ("https://[2001:db8::1]:1/", False, Origin("2001:db8::1", 1, True)),
    ],
)
def test_where_the_service_is(address: str, is_tls: bool, origin: Origin) -> None:
    """Whatever the configuration says, the operator types nothing."""
    assert origin == find_origin(address, is_tls=is_tls)


@pytest.mark.parametrize(
    "address", ["9000", "store", ":0", "ftp://store", "http://store/x", "http://a:b"]
)
def test_what_is_no_address_is_told(address: str) -> None:
    """Before anything is sent anywhere."""
    with pytest.raises(AdminError):
        find_origin(address, is_tls=False)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1536, "1.5 KiB"),
        (20 << 30, "20 GiB"),
        (3 << 40, "3.0 TiB"),
        (None, "-"),
        ("x", "-"),
        (True, "-"),
    ],
)
def test_sizes_for_people(size: object, text: str) -> None:
    """Nobody counts digits."""
    assert text == human_bytes(size)


def test_keys_cannot_command_the_terminal() -> None:
    """A client chooses keys; the operator's terminal obeys escape sequences."""
    assert "a\\x1b[31m\\n\\u202eb" == plain("a\x1b[31m\n\u202eb")
    assert "\x1b" not in render_table(("KEY",), [("\x1b]0;title\x07",)])


def test_numbers_stand_on_the_right() -> None:
    """Columns are compared by eye."""
    table = render_table(("NAME", "SIZE"), [("a", "1.5 KiB"), ("long", "20 B")])

    assert ["NAME     SIZE", "a     1.5 KiB", "long     20 B"] == table.splitlines()
    assert "(none)" == render_table(("NAME",), [])


def test_status_without_the_database_is_still_a_table() -> None:
    """The service answers then, and so must its view."""
    text = show_status(
        {
            "db_healthy": False,
            "db_circuit": "open",
            "usage_period": "2026-11",
            "backends": [{"name": "one", "circuit": "open", "draining": True}],
        }
    )

    assert "database: NOT HEALTHY (circuit open)" in text
    assert "draining, open" in text


@pytest.mark.parametrize("is_json", [True, False])
@pytest.mark.parametrize(
    ("status", "errors", "code"),
    [("error", ["one: its circuit is open"], 1), ("ok", ["one: timeout"], 0)],
)
def test_what_was_tried_in_vain_is_a_failure(
    capsys: pytest.CaptureFixture[str],
    *,
    is_json: bool,
    status: str,
    errors: list[str],
    code: int,
) -> None:
    """A cron job that reconciles must hear of it when no backend was compared."""
    command = next(one for one in COMMANDS if one.words == ("reconcile",))
    asked = Asked(
        command=command,
        request=command.request,
        path=command.request.path,
        query={},
        body=None,
        is_json=is_json,
        is_async=False,
    )
    reply = Reply(200, {"status": status, "backends_scanned": 0, "errors": errors})

    assert code == show(asked, reply)
    told = capsys.readouterr()
    assert errors[0] in told.out
    assert (errors[0] in told.err) == bool(code)


def test_a_purge_tells_what_it_would_destroy() -> None:
    """Before anybody types --confirm."""
    text = show_removal(
        {
            "status": "confirmation required",
            "backend": "one",
            "object_count": 3,
            "total_bytes": 2048,
            "only_copies": 1,
            "only_copies_bytes": 100,
        }
    )

    assert 'Backend "one" contains 3 objects (2.0 KiB).' in text
    assert "1 of them (100 B) have no other copy" in text
    assert "Re-run with --confirm to proceed." in text


def test_without_a_token_the_reason_is_told(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The API is off, and how to switch it on is one line."""
    assert 1 == main(["admin", "status"])
    assert "ui.admin_token" in capsys.readouterr().err


def test_nobody_there_is_told(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the address, which is the first thing to doubt."""
    config.write_text(CONFIG + "ui: {admin_token: long-token}\n")

    assert 1 == main(["admin", "status"])
    error = capsys.readouterr().err
    assert "cannot reach the service at 127.0.0.1:1" in error
    assert "long-token" not in error


@pytest.mark.parametrize(
    "words",
    [
        ["admin"],
        ["admin", "nothing"],
        ["admin", "dlq"],
        ["admin", "object-locations"],
        ["admin", "status", "-x"],
        ["admin", "dlq", "retry", "x"],
        ["admin", "job"],
    ],
)
def test_lines_that_make_no_sense_are_usage_errors(
    words: list[str], config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, and nothing was asked."""
    assert 2 == main(words)
    assert "usage:" in capsys.readouterr().err


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    """The way in for who knows nothing."""
    assert 0 == main(["admin", "-h"])
    text = capsys.readouterr().out
    assert all(command.words[0] in text for command in COMMANDS)


def test_only_a_certificate_can_be_pinned(tmp_path: Path) -> None:
    """A key in its place must not silently trust everybody."""
    file = tmp_path / "cert.pem"
    for content in (b"", b"-----BEGIN", trustme.CA().private_key_pem.bytes()):
        file.write_bytes(content)
        with pytest.raises(CertificateUnusable):
            pinned_context(str(file))
