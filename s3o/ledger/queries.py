"""Find and read the SQL: named queries and numbered migrations under schema/.

One text per query for all engines, with :named parameters; where dialects differ, a
block `-- engine: NAME` follows with its own text, and an empty block means that the
engine needs nothing. In an installed wheel the files are s3o/_schema, in the
repository schema/ beside the package.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

SQLITE = "sqlite"
POSTGRES = "postgres"
ENGINES = (SQLITE, POSTGRES)

_NAME = re.compile(r"^-- name: ([a-z][a-z0-9_]*)$", re.MULTILINE)
_ENGINE = re.compile(r"^-- engine: ([a-z]+)$", re.MULTILINE)
_COMMENT = re.compile(r"^\s*--.*$", re.MULTILINE)
_PARAMETER = re.compile(r"(?<![:\w]):([a-z][a-z0-9_]*)")
_MIGRATION = re.compile(r"([0-9]{4})_([a-z0-9_]+)\.([a-z]+)\.sql")


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationFile:
    """One numbered migration for one engine."""

    version: int
    name: str
    text: str


def schema_folder() -> Path:
    """Return where this installation keeps its SQL."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "_schema"
    return installed if installed.is_dir() else package.parent / "schema"


def load_queries(engine: str) -> Mapping[str, str | None]:
    """Return every query by name as engine says it; None where it needs nothing."""
    assert engine in ENGINES, engine
    found: dict[str, str | None] = {}
    for path in sorted((schema_folder() / "queries").glob("*.sql")):
        for name, texts in parse_queries(path.read_text("utf-8")).items():
            assert name not in found, f"two queries are named {name}"
            found[name] = texts[engine]
    assert found, "no queries found"
    return found


def parse_queries(text: str) -> dict[str, dict[str, str | None]]:
    """Take one file apart: name, then engine, then SQL."""
    pieces = _NAME.split(text)
    assert not _COMMENT.sub("", pieces[0]).strip(), "SQL before the first name"
    return {
        name: _per_engine(name, body)
        for name, body in zip(pieces[1::2], pieces[2::2], strict=True)
    }


def _per_engine(name: str, body: str) -> dict[str, str | None]:
    pieces = _ENGINE.split(body)
    common = _tidy(pieces[0])
    texts: dict[str, str | None] = {engine: common for engine in ENGINES}  # noqa: C420
    for engine, part in zip(pieces[1::2], pieces[2::2], strict=True):
        assert engine in ENGINES, f"{name}: no engine {engine}"
        texts[engine] = _tidy(part)
    assert any(texts.values()), f"{name} has no SQL"
    return texts


def _tidy(text: str) -> str | None:
    sql = " ".join(_COMMENT.sub("", text).split()).removesuffix(";")
    assert ";" not in sql, f"more than one statement: {sql}"
    return sql or None


def numbered(sql: str) -> tuple[str, tuple[str, ...]]:
    """Return sql with $1, $2, ... and the parameters' names in that order."""
    names: list[str] = []

    def place(match: re.Match[str]) -> str:
        if match[1] not in names:
            names.append(match[1])
        return f"${names.index(match[1]) + 1}"

    return _PARAMETER.sub(place, sql), tuple(names)


def positional(sql: str) -> tuple[str, tuple[str, ...]]:
    """Return sql with a ? per mention of a parameter, and the names as mentioned."""
    names = tuple(match[1] for match in _PARAMETER.finditer(sql))
    return _PARAMETER.sub("?", sql), names


def load_migrations(engine: str) -> tuple[MigrationFile, ...]:
    """Return engine's migrations, 1, 2, 3, ... without a gap."""
    found: list[MigrationFile] = []
    for path in sorted((schema_folder() / "migrations").glob(f"*.{engine}.sql")):
        match = _MIGRATION.fullmatch(path.name)
        assert match is not None, f"not a migration's name: {path.name}"
        text = path.read_text("utf-8")
        found.append(MigrationFile(version=int(match[1]), name=match[2], text=text))
    assert [file.version for file in found] == list(range(1, len(found) + 1)), found
    return tuple(found)
