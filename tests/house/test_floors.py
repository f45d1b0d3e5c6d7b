"""The house is a straight tower: a newcomer can trust what a room may know."""

import ast
import re

import pytest

from tests.house.tower import FLOORS, MODULES, NAMES, Module

by_name = pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name)

LIBRARY_HOMES = {
    "h11": ("s3o.net.connection",),
    "httpcore": ("s3o.net.client",),
    "asyncpg": ("s3o.ledger.postgres",),
    "trio_asyncio": ("s3o.ledger.postgres",),
    "sqlite3": ("s3o.ledger.sqlite",),
    "cryptography": ("s3o.encryption",),
    "anycrc": ("s3o.wire.digests",),
    "xxhash": ("s3o.wire.digests",),
    "yaml": ("s3o.config",),
    "pydantic": ("s3o.config",),
    "pydantic_core": ("s3o.config",),
    "prometheus_client": ("s3o.observe.metrics",),
    "structlog": ("s3o.observe.logs",),
    "ssl": ("s3o.net.tls", "s3o.net.client"),
}
PURE_ROOMS = {"model", "wire", "policy"}
IMPURE = {
    "trio",
    "time",
    "random",
    "os",
    "socket",
    "sqlite3",
    "asyncio",
    "threading",
    "httpcore",
    "h11",
    "subprocess",
    "secrets",
    "uuid",
}
ENVIRONMENT = re.compile(
    r"\bdatetime\.(?:now|utcnow|today)\b|\bos\.urandom\b|\bopen_tcp_"
)
ENVIRONMENT_MODULES = {"time", "random", "uuid", "secrets"}
ENVIRONMENT_HOMES = {"s3o.daemon.environment"}
SOCKET_HOMES = ("s3o.net.", "s3o.daemon.sdnotify", "s3o.daemon.")


def floor(name: str) -> int | None:
    """Return the floor of a dotted name of ours."""
    parts = name.split(".")
    return FLOORS.get(parts[1]) if len(parts) > 1 and parts[0] == "s3o" else None


@by_name
def test_imports_go_down_only(module: Module) -> None:
    """Lower floors, or the module's own package; never a neighbour."""
    if not module.room:
        return
    for imported, line in module.imports():
        below = floor(imported)
        if below is None:
            continue
        is_own = imported.split(".")[1] == module.room
        assert is_own or below < FLOORS[module.room], (
            f"{module.path}:{line}: {module.name} may not import {imported}"
        )


def test_every_room_has_a_floor() -> None:
    """A new package must say where it stands."""
    assert {module.room for module in MODULES if module.room} <= set(FLOORS)


def test_no_circles() -> None:
    """Inside a package too: a circle is two rooms that are really one."""
    edges = {
        module.name: {
            name
            for name, _ in module.imports()
            if name in NAMES and name != module.name
        }
        for module in MODULES
    }
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " -> ".join((*path, name))
        if name in done:
            return
        for below in sorted(edges[name]):
            # A package's own __init__ only gathers names; it is no edge of a circle.
            if not name.startswith(below + "."):
                visit(below, (*path, name))
        done.add(name)

    for name in sorted(edges):
        visit(name, ())


@by_name
def test_pure_rooms_are_pure(module: Module) -> None:
    """Formats and decisions get time and chance as arguments."""
    if module.room not in PURE_ROOMS:
        return
    for imported, line in module.imports():
        assert imported.split(".")[0] not in IMPURE, f"{module.path}:{line}"
    is_seam = module.name == "s3o.model.seams"
    for node in ast.walk(module.tree):
        assert is_seam or not isinstance(node, ast.AsyncFunctionDef), (
            f"{module.path}:{node.lineno}: async in a pure room"
        )


@by_name
def test_one_library_has_one_home(module: Module) -> None:
    """Replacing a library, or reading how it is used, means one file."""
    for imported, line in module.imports():
        homes = LIBRARY_HOMES.get(imported.split(".")[0])
        assert homes is None or module.name.startswith(homes), (
            f"{module.path}:{line}: {imported} lives in {homes}"
        )


@by_name
def test_one_environment(module: Module) -> None:
    """Clock, chance and sockets come in through seams, or nothing can be simulated."""
    if module.name in ENVIRONMENT_HOMES:
        return
    code = re.sub(r'"""[\s\S]*?"""|#.*', "", module.text)
    found = ENVIRONMENT.search(code)
    assert found is None, f"{module.path}: {found.group() if found else ''}"
    for imported, line in module.imports():
        assert imported.split(".")[0] not in ENVIRONMENT_MODULES, (
            f"{module.path}:{line}: {imported}"
        )
        if imported.split(".")[0] == "socket":
            assert module.name.startswith(SOCKET_HOMES), f"{module.path}:{line}"


@by_name
def test_one_integer_parser(module: Module) -> None:
    """int() reads `1_0`, ` 10` and Arabic digits; a peer's number never meets it."""
    if module.room not in {"wire", "net", "s3api", "backends", "admin"}:
        return
    for node in ast.walk(module.tree):
        is_int = (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == "int"
            and len(node.args) == 1  # with a base it reads what a pattern let through
        )
        assert not is_int, f"{module.path}:{node.lineno}: bare int()"  # type: ignore[attr-defined]
