"""Load a configuration file, or tell everything that is wrong with it, with places.

The environment is an argument. Neither problems nor exceptions carry a value of the
file: it may be a secret, and a start that fails is copied into tickets.
"""

from collections.abc import Mapping

from s3o.config.check import check
from s3o.config.document import Document, read_document
from s3o.config.keys import suggest_key
from s3o.config.problems import (
    UNKNOWN_KEY,
    ConfigError,
    Fault,
    Path,
    Problem,
    render_path,
)
from s3o.config.settings import Settings
from s3o.model import limits


def load(path: str, environ: Mapping[str, str]) -> Settings:
    """Return the settings in the file at path.

    Raises: ConfigError with every problem there is.
    """
    try:
        with open(path, "rb") as file:
            raw = file.read(limits.CONFIG_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no usable name"
        problem = Problem(file=path, message=f"cannot be read: {reason}")
        raise ConfigError((problem,)) from None
    return parse(raw, path, environ)


def parse(raw: bytes, file: str, environ: Mapping[str, str]) -> Settings:
    """Return the settings in raw; file is only its name in problems."""
    document = read_document(raw, environ)
    settings: Settings | None = None
    faults: list[Fault] = []
    if document.is_readable:
        settings, faults = check(document.data)
    problems = _place(document, faults, file)
    if problems or settings is None:
        raise ConfigError(problems) from None
    return settings


def settings_from(data: Mapping[str, object]) -> Settings:
    """Return the settings in plain values that code has put together."""
    settings, faults = check(dict(data))
    if settings is None:
        raise ConfigError(_place(Document(), faults, "settings")) from None
    return settings


def _place(document: Document, faults: list[Fault], file: str) -> tuple[Problem, ...]:
    """Return problems in the file's order, each said once, and not without end."""
    placed = [(item.mark, item.path, item.message) for item in document.findings]
    known = {path for _, path, _ in placed if path}
    for path, message in dict.fromkeys(faults):
        # What follows only from a variable that is not set is no second problem.
        if not any(path[:depth] in known for depth in range(1, len(path) + 1)):
            placed.append((document.mark_of(path), path, message))
    placed.sort(key=lambda item: item[0])
    problems = [
        Problem(
            file=file,
            line=mark[0],
            column=mark[1],
            path=render_path(path),
            message=message + (_hint(path) if message == UNKNOWN_KEY else ""),
        )
        for mark, path, message in placed[: limits.CONFIG_PROBLEMS]
    ]
    if len(placed) > len(problems):
        more = f"and {len(placed) - len(problems)} more problems"
        problems.append(Problem(file=file, message=more))
    return tuple(problems)


def _hint(path: Path) -> str:
    meant = suggest_key(path)
    return f" (did you mean '{meant}'?)" if meant else ""
