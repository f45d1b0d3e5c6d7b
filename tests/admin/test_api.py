"""The admin API's lock, its routes and its parameters."""

from pathlib import Path

import pytest
import trio

from s3o.admin.actions import ACTIONS
from s3o.model.limits import ADMIN_BODY_BYTES, ADMIN_FAILURES
from tests.admin.house import TOKEN, configured, opened
from tests.daemon.house import Running


async def test_without_a_key_there_is_nothing(tmp_path: Path) -> None:
    """An API that nobody switched on must not even tell that it could be."""
    async with opened(Running(tmp_path)) as office:
        reply = await office.admin("GET", "/status")

    assert (404, {"error": "not found"}) == (reply.status, reply.json)


@pytest.mark.parametrize("token", [None, "", "wrong", TOKEN[:-1], TOKEN + "x"])
@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.name)
async def test_nobody_without_the_token_gets_anything(
    tmp_path: Path, action: object, token: str | None
) -> None:
    """Deny by default: also a route added tomorrow is behind the same lock."""
    assert hasattr(action, "method")
    async with opened(configured(tmp_path)) as office:
        path = f"/admin/api{action.path}"
        reply = await office.ask(action.method, path, token=token)
        (act,) = office.acts

    assert (401, {"error": "unauthorized"}) == (reply.status, reply.json)
    assert ("", 401) == (act.action, act.status)


async def test_admin_key_is_the_token_where_there_is_none(tmp_path: Path) -> None:
    """Documented: without admin_token, admin_key; with it, admin_key is none."""
    async with opened(configured(tmp_path, admin_key="the-key")) as office:
        alone = await office.ask("GET", "/admin/api/log-level", token="the-key")
    async with opened(configured(tmp_path)) as office:
        beside = await office.ask("GET", "/admin/api/log-level", token="admin")

    assert (200, 401) == (alone.status, beside.status)


async def test_reload_changes_the_token(tmp_path: Path) -> None:
    """A token that leaked must be replaceable without a restart."""
    one = configured(tmp_path)
    async with opened(one) as office:
        one.config["ui"]["admin_token"] = "another-token"
        one.write_config()
        assert await one.reloader.reload()
        old = await office.admin("GET", "/log-level")
        new = await office.ask("GET", "/admin/api/log-level", token="another-token")

    assert (401, 200) == (old.status, new.status)


async def test_guessing_is_slowed_down_per_address(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    """A guess must cost; while blocked even a right one does not show."""
    async with opened(configured(tmp_path)) as office:
        for _ in range(ADMIN_FAILURES):
            wrong = await office.ask("GET", "/admin/api/status", token="guess")
            assert 401 == wrong.status
        blocked = await office.admin("GET", "/status")
        other = await office.ask("GET", "/admin/api/status", peer="198.51.100.7:1")
        await trio.sleep(float(blocked.headers["retry-after"]) + 1)
        again = await office.admin("GET", "/status")

    assert (429, 200, 200) == (blocked.status, other.status, again.status)
    assert 0 < int(blocked.headers["retry-after"]) <= 31


async def test_no_token_in_audit_or_answer(tmp_path: Path) -> None:
    """Audit lines go to places that many can read."""
    one = configured(tmp_path)
    async with opened(one) as office:
        await office.admin("GET", "/status")
        wrong = await office.ask("GET", "/admin/api/status", token="s3cr3t-guess")
        acts = list(office.acts)

    assert ["Status", ""] == [act.action for act in acts]
    assert {"192.0.2.1:40000"} == {act.remote for act in acts}
    assert TOKEN not in str(acts)
    assert "s3cr3t" not in str(acts) + wrong.body.decode()


@pytest.mark.parametrize(
    ("method", "path", "status", "error"),
    [
        ("GET", "/nothing", 404, "no such action"),
        ("GET", "/status/", 404, "no such action"),
        ("GET", "/", 404, "no such action"),
        ("POST", "/status", 405, "method not allowed"),
        ("HEAD", "/status", 405, None),
        ("GET", "/status?x=1", 400, "unknown parameter 'x'; known here: none"),
        ("GET", "/object-locations", 400, "key parameter is required"),
        ("GET", "/object-locations?key=", 400, "key parameter is required"),
        ("GET", "/object-locations?key=a&key=b", 400, "key: given twice"),
        ("GET", "/object-locations?key=%zz", 400, None),
        ("GET", "/object-locations?key=photos", 400, "key must be bucket/key"),
        ("GET", "/object-locations?key=photos/none", 404, "no such object"),
        ("GET", "/object-locations?key=other/key", 404, "no such bucket"),
        ("GET", "/jobs/unknown", 404, "no such job"),
    ],
)
async def test_wrong_calls_are_told_why(
    tmp_path: Path, method: str, path: str, status: int, error: str | None
) -> None:
    """Errors name the cause, in JSON."""
    async with opened(configured(tmp_path)) as office:
        reply = await office.admin(method, path)
        (act,) = office.acts

    assert (status, status) == (reply.status, act.status)
    if error is not None:
        assert error == reply.json["error"]


async def test_method_not_allowed_says_which_is(tmp_path: Path) -> None:
    """RFC 9110 wants an Allow."""
    async with opened(configured(tmp_path)) as office:
        reply = await office.admin("DELETE", "/log-level")

    assert "GET, PUT" == reply.headers["allow"]


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b'{"level":"loud"}', "unknown log level 'loud'"),
        (b'{"level":1}', "level: must be text"),
        (b'{"level":"info","x":1}', "unknown parameter 'x'; known here: level"),
        (b'{"level":"info","level":"debug"}', "invalid JSON body: a member stands"),
        (b'{"level":NaN}', "invalid JSON body: NaN"),
        (b'["level"]', "invalid JSON body: not an object"),
        (b"level=info", "invalid JSON body: "),
        (b"\xff", "invalid JSON body: "),
        (b"[" * 100_000, "invalid JSON body: nested too deeply"),
        (b"{}", "level parameter is required"),
        (b"", "level parameter is required"),
    ],
)
async def test_log_level_takes_levels_only(
    tmp_path: Path, body: bytes, error: str
) -> None:
    """A typing error must not silently become info, nor anything else happen."""
    async with opened(configured(tmp_path)) as office:
        reply = await office.ask("PUT", "/admin/api/log-level", body)
        after = await office.admin("GET", "/log-level")

    assert 400 == reply.status
    assert reply.json["error"].startswith(error)
    assert {"level": "info"} == after.json


async def test_log_level_is_changed_at_once(tmp_path: Path) -> None:
    """Debug an incident without a restart."""
    async with opened(configured(tmp_path)) as office:
        reply = await office.admin("PUT", "/log-level", {"level": "debug"})
        is_debugging = office.desk.log.is_enabled("debug")

    assert ({"level": "debug"}, True) == (reply.json, is_debugging)


@pytest.mark.parametrize("is_chunked", [False, True])
async def test_long_bodies_are_refused(tmp_path: Path, is_chunked: bool) -> None:
    """Whoever has the token must not fill the memory by a slip."""
    body = b" " * (ADMIN_BODY_BYTES + 1)
    async with opened(configured(tmp_path)) as office:
        reply = await office.ask(
            "PUT", "/admin/api/log-level", body, is_chunked=is_chunked
        )

    assert 413 == reply.status


async def test_actions_without_a_body_take_none(tmp_path: Path) -> None:
    """What a caller believes to have said must not be ignored."""
    async with opened(configured(tmp_path)) as office:
        reply = await office.ask("POST", "/admin/api/usage-flush", b"{}")

    assert (400, "this action takes no body") == (reply.status, reply.json["error"])


@pytest.mark.parametrize(
    "path",
    [
        "/admin/api",
        "//admin/api/status",
        "/admin//api/status",
        "/Admin/api/status",
        "/admin%2fapi/status",
        "/%61dmin/api/status",
        "/photos/../admin/api/status",
        "/admin/./api/status",
        "/admin;x/api/status",
    ],
)
async def test_other_spellings_of_the_path_are_no_admin_api(
    tmp_path: Path, path: str
) -> None:
    """A proxy that guards /admin/api/ must guard all of it."""
    async with opened(configured(tmp_path)) as office:
        reply = await office.ask("GET", path)

    assert reply.status in (400, 403, 404)
    assert not office.acts


@pytest.mark.parametrize(
    "path", ["/api/../status", "/%73tatus", "/status%2f", "/./status"]
)
async def test_routes_have_one_spelling(tmp_path: Path, path: str) -> None:
    """Nothing is normalised, so an audit line names what was meant."""
    async with opened(configured(tmp_path)) as office:
        reply = await office.admin("GET", path)

    assert 404 == reply.status


async def test_keys_below_admin_of_virtual_hosts_are_keys(tmp_path: Path) -> None:
    """A bucket in the host name owns all paths."""
    one = configured(tmp_path)
    one.config["server"]["domains"] = ["s3.example.com"]
    async with opened(one) as office:
        reply = await office.ask(
            "GET", "/admin/api/status", headers={"host": "photos.s3.example.com"}
        )

    assert 403 == reply.status
    assert not office.acts
