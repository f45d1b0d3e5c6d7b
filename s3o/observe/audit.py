"""Audit lines: what was done for whom, one JSON object each, marked `"audit": true`.

Two per request, tied by request_id: `s3.<Operation>` says what was asked and answered,
`storage.<Operation>` what that meant for the objects. They are written for every
request, so they are rendered by hand instead of through the logging chain (a third of
its cost). Level INFO always. No secret, no signature, no query string: a presigned URL
carries its signature there.
"""

from s3o.model.facts import AdminActed, OperationFinished, RequestFinished
from s3o.model.seams import Clock
from s3o.observe.correlation import request_id
from s3o.observe.lines import LineWriter, Timestamps, quote
from s3o.observe.logs import EventLog
from s3o.observe.metrics import Metrics
from s3o.observe.metrics_table import AUDIT_EVENTS

Field = str | int


class AuditLog:
    """Renders audit lines, writes them and counts those written."""

    def __init__(
        self, lines: LineWriter, log: EventLog, metrics: Metrics, clock: Clock
    ) -> None:
        self._lines = lines
        self._log = log
        self._metrics = metrics
        self._clock = clock
        self._timestamps = Timestamps()

    def request(self, fact: RequestFinished) -> None:
        """Write the line of the HTTP layer."""
        if not self._log.is_enabled("info"):
            return
        line = (
            f"{self._head(fact.event, fact.request_id)}"
            f',"operation":{quote(fact.operation)}'
            f',"method":{quote(fact.method)}'
            f',"path":{quote(fact.path.partition("?")[0])}'
            f',"remote":{quote(fact.remote)}'
            f',"bucket":{quote(fact.bucket)}'
            f',"status":{fact.status}'
            f',"duration":"{render_duration(fact.duration_s)}"'
        )
        if fact.key:
            line += f',"key":{quote(fact.key)}'
        if fact.request_bytes:
            line += f',"request_size":{fact.request_bytes}'
        if fact.response_bytes:
            line += f',"response_size":{fact.response_bytes}'
        self._finish(fact.event, line, fact.error)

    def operation(self, fact: OperationFinished) -> None:
        """Write the line of the storage layer."""
        if not self._log.is_enabled("info"):
            return
        event = f"storage.{fact.operation}"
        line = (
            f"{self._head(event, fact.request_id)}"
            f',"operation":{quote(fact.operation)}'
            f',"bucket":{quote(fact.bucket)}'
            f',"key":{quote(fact.key)}'
            f',"backend":{quote(fact.backend)}'
            f',"size":{fact.size}'
            f',"status":{quote(fact.status)}'
            f',"duration":"{render_duration(fact.duration_s)}"'
        )
        self._finish(event, line, fact.error)

    def event(self, event: str, error: str = "", **values: Field) -> None:
        """Write the line of something done in the background."""
        if not self._log.is_enabled("info"):
            return
        line = self._head(event, request_id.get())
        for name, value in values.items():
            text = str(value) if isinstance(value, int) else quote(value)
            line += f",{quote(name)}:{text}"
        self._finish(event, line, error)

    def admin(self, fact: AdminActed) -> None:
        """Write the line of what an operator did.

        Whatever the level: it is one of the things an operator can set.
        """
        event = f"admin.{fact.action or 'AuthFailure'}"
        line = (
            f"{self._head(event, request_id.get())}"
            f',"method":{quote(fact.method)}'
            f',"path":{quote(fact.path)}'
            f',"arguments":{quote(fact.arguments)}'
            f',"remote":{quote(fact.remote)}'
            f',"status":{fact.status}'
            f',"duration":"{render_duration(fact.duration_s)}"'
        )
        self._finish(event, line, fact.error)

    def _head(self, event: str, correlation: str) -> str:
        time = self._timestamps.render(self._clock.now_us())
        return (
            f'{{"time":"{time}","level":"INFO","msg":"audit","audit":true'
            f',"event":{quote(event)},"request_id":{quote(correlation)}'
        )

    def _finish(self, event: str, line: str, error: str) -> None:
        line += f',"error":{quote(error)}}}' if error else "}"
        self._lines.write(line)
        self._metrics.add(AUDIT_EVENTS, (event,))


def render_duration(duration_s: float) -> str:
    """Return milliseconds with at most three decimals: 45ms, 0.845ms."""
    microseconds = round(duration_s * 1_000_000)
    if microseconds % 1000 == 0:
        return f"{microseconds // 1000}ms"
    return f"{microseconds / 1000}ms"
