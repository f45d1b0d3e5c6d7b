"""What is wrong with a configuration: all of it at once, each with its position.

A fault knows its path in the document, a problem also its place in the file. Neither
ever holds a value from the document or from the environment: either may be a secret.
This module imports no library, so that everybody may catch ConfigError.
"""

from dataclasses import dataclass
from typing import NamedTuple

_KEY_CHARACTERS = 64  # of a key are shown

UNKNOWN_KEY = "unknown key"

Path = tuple[str | int, ...]


class Fault(NamedTuple):
    """One thing that is wrong, by its path in the document."""

    path: Path
    message: str


def render_path(path: Path) -> str:
    """Return a path as people write it: backends.0.endpoint.

    A key in it may be anything a file can hold, so it is made fit for one line.
    """
    text = ".".join(str(step)[:_KEY_CHARACTERS] for step in path)
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong, by its place in a file; line 0 is the file itself."""

    file: str
    line: int = 0
    column: int = 0
    path: str = ""
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return ": ".join(filter(None, (place, self.path, self.message)))


class ConfigError(Exception):
    """A configuration that cannot be used; its text lists every problem, one a line."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        assert problems
        super().__init__(problems)
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join(map(str, self.problems))
