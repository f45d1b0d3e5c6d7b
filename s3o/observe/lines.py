"""Lines of JSON on their way out: quoting, timestamps, a buffer.

Every line is one valid JSON object in ASCII, whatever a client put into a key: control
bytes, ANSI sequences, line ends and lone surrogates leave here escaped or replaced.
While run() is at work, lines are written in batches of 64 or after 50 ms; before, after
and for anything urgent they are written at once. A sink that fails costs lines, which
are counted, never a request.
"""

import datetime
from collections.abc import Callable
from json.encoder import encode_basestring_ascii

import trio

from s3o.observe.metrics import Metrics
from s3o.observe.metrics_table import LOG_LINES_LOST

BATCH_LINES = 64
BATCH_S = 0.05
VALUE_CHARACTERS = 4096  # longer than any key; a path may be 16 KiB of escapes
TRACEBACK_CHARACTERS = 32_768

Sink = Callable[[bytes], None]  # writes all bytes, or raises OSError


def quote(text: str, limit: int = VALUE_CHARACTERS) -> str:
    """Return text as a JSON string of ASCII, cut after limit characters."""
    if len(text) > limit:
        text = text[:limit] + "..."
    if not text.isascii():
        # Lone surrogates would be escaped as half a pair, which strict parsers refuse.
        text = text.encode("utf-8", "replace").decode("utf-8")
    return encode_basestring_ascii(text)


class Timestamps:
    """Microseconds since 1970 as RFC 3339 in UTC; the second is rendered once."""

    def __init__(self) -> None:
        self._second = -1
        self._text = ""

    def render(self, now_us: int) -> str:
        """Return for instance 2026-01-31T12:00:00.000123Z."""
        second, fraction = divmod(now_us, 1_000_000)
        if second != self._second:
            moment = datetime.datetime.fromtimestamp(second, datetime.UTC)
            self._text = moment.strftime("%Y-%m-%dT%H:%M:%S")
            self._second = second
        return f"{self._text}.{fraction:06d}Z"


class LineWriter:
    """Collects lines and gives them to the sink in batches."""

    def __init__(self, sink: Sink, metrics: Metrics) -> None:
        self._sink = sink
        self._metrics = metrics
        self._lines: list[str] = []
        self._is_buffering = False
        self._has_lines = trio.Event()

    def write(self, line: str, *, is_urgent: bool = False) -> None:
        """Take one line, without its end."""
        self._lines.append(line)
        if is_urgent or not self._is_buffering or len(self._lines) >= BATCH_LINES:
            self.flush()
        elif len(self._lines) == 1:
            self._has_lines.set()

    def flush(self) -> None:
        """Write what was collected."""
        if not self._lines:
            return
        lines, self._lines = self._lines, []
        lines.append("")
        try:
            self._sink("\n".join(lines).encode("ascii"))
        except OSError:
            # Standard output is gone or full, and there is nowhere else to say so.
            self._metrics.add(LOG_LINES_LOST, (), len(lines) - 1)

    async def run(
        self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Write batches in time, until cancelled; then whatever is left."""
        self._is_buffering = True
        task_status.started()
        try:
            while True:
                await self._has_lines.wait()
                await trio.sleep(BATCH_S)
                self._has_lines = trio.Event()
                self.flush()
        finally:
            self._is_buffering = False
            self.flush()
