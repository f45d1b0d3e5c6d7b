"""Rare events of the process as JSON lines: time, level, msg, then the fields.

Audit lines do not come through here (observe/audit renders them by hand); they ask
is_enabled, since an operator who sets the level to warn does not want them either.
Fields whose name speaks of a secret are never written, whoever passed them.
"""

import json
import logging
from collections.abc import Mapping

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, WrappedLogger

from s3o.model.seams import Clock
from s3o.observe.correlation import request_id
from s3o.observe.lines import (
    TRACEBACK_CHARACTERS,
    VALUE_CHARACTERS,
    LineWriter,
    Timestamps,
    quote,
)

LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}
REDACTED = "[redacted]"

_LEVEL_NAMES = {"debug": "DEBUG", "info": "INFO", "warning": "WARN", "error": "ERROR"}
_SECRET_WORDS = ("secret", "password", "token", "authorization", "signature", "cookie")

Field = str | int | float | bool


class EventLog:
    """The log of rare events; its level may change while it runs."""

    def __init__(self, lines: LineWriter, clock: Clock, level: str = "info") -> None:
        self._lines = _LinesLogger(lines)
        self._clock = clock
        self._timestamps = Timestamps()
        self.set_level(level)

    @property
    def level(self) -> str:
        """The level below which nothing is written."""
        return self._level

    def set_level(self, level: str) -> None:
        """Change the level: debug, info, warn or error; ValueError for others."""
        if level not in LEVELS:
            raise ValueError(f"unknown log level {level!r}")
        self._level = level
        self._minimum = LEVELS[level]
        self._logger: FilteringBoundLogger = structlog.wrap_logger(
            self._lines,
            processors=[self._stamp, _redact, _render],
            wrapper_class=structlog.make_filtering_bound_logger(self._minimum),
        )

    def is_enabled(self, level: str) -> bool:
        """Whether a line of that level would be written."""
        return LEVELS[level] >= self._minimum

    def emit(self, level: str, message: str, values: Mapping[str, Field]) -> None:
        """Write one event; unknown levels count as error."""
        # As one argument: whatever the fields are called, structlog's own names differ.
        self._logger.log(LEVELS.get(level, logging.ERROR), message, values=values)

    def _stamp(
        self, _logger: WrappedLogger, method: str, event: EventDict
    ) -> EventDict:
        line: EventDict = {
            "time": self._timestamps.render(self._clock.now_us()),
            "level": _LEVEL_NAMES[method],
            "msg": event["event"],
        }
        correlation = request_id.get()
        if correlation:
            line["request_id"] = correlation
        for name, value in event["values"].items():
            line[f"{name}_" if name in line else name] = value
        return line


class _LinesLogger:
    """What structlog wraps: one method per level; warnings and errors do not wait."""

    def __init__(self, lines: LineWriter) -> None:
        self._lines = lines

    def debug(self, line: str) -> None:
        self._lines.write(line)

    def info(self, line: str) -> None:
        self._lines.write(line)

    def warning(self, line: str) -> None:
        self._lines.write(line, is_urgent=True)

    def error(self, line: str) -> None:
        self._lines.write(line, is_urgent=True)


def _redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    for name in event:
        if any(word in name.lower() for word in _SECRET_WORDS):
            event[name] = REDACTED
    return event


def _render(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    return "{" + ",".join(_pair(name, value) for name, value in event.items()) + "}"


def _pair(name: str, value: object) -> str:
    if isinstance(value, int | float):
        return f"{quote(name)}:{_number(value)}"
    limit = TRACEBACK_CHARACTERS if name == "traceback" else VALUE_CHARACTERS
    return f"{quote(name)}:{quote(str(value), limit)}"


def _number(value: float) -> str:
    text = json.dumps(value)
    # Python writes NaN and Infinity, which JSON does not have.
    return text if text[-1] not in "Ny" else quote(text)
