"""Facts become metrics and lines; every line is one JSON object, whatever is in it."""

import json
from dataclasses import fields

import pytest
import trio

from s3o.model import facts
from s3o.model.errors import NoSuchKey, SignatureMismatch
from s3o.model.facts import Fact, OperationFinished, RequestFinished, RequestStarted
from s3o.model.names import BackendName
from s3o.model.values import BreakerState
from s3o.observe import metrics_table as table
from s3o.observe.audit import AuditLog, render_duration
from s3o.observe.correlation import choose_request_id, request_id
from s3o.observe.lines import LineWriter
from s3o.observe.logs import EventLog
from s3o.observe.metrics import Metrics
from s3o.observe.observer import FactObserver
from s3o.observe.operation import Operation

NASTY = (
    "plain",
    "cr\r\nlf\n",
    "\x1b[31mred\x1b[0m",
    'quote"back\\slash',
    "\x00\x01\x7f\x85\u2028\u2029",
    "half a pair \ud800",
    "latin \xff\xfe",
    "k" * 20_000,
    '","level":"ERROR","forged":"',
    "雪 ☃ 💾",
)


class FixedClock:
    """Stands still unless told to move."""

    def __init__(self) -> None:
        self.seconds = 1_769_860_800.000_123

    def now_us(self) -> int:
        return round(self.seconds * 1_000_000)

    def monotonic_s(self) -> float:
        return self.seconds


class CountingEntropy:
    """Zeros; nothing here depends on chance."""

    def token(self, size_bytes: int) -> bytes:
        return bytes(size_bytes)

    def uniform(self, low: float, high: float) -> float:
        return low


class Room:
    """The whole of observe/ over a list."""

    def __init__(self, level: str = "info") -> None:
        self.written = bytearray()
        self.clock = FixedClock()
        self.metrics = Metrics()
        self.writer = LineWriter(self.sink, self.metrics)
        self.log = EventLog(self.writer, self.clock, level)
        audit = AuditLog(self.writer, self.log, self.metrics, self.clock)
        self.observer = FactObserver(self.metrics, audit, self.log)

    def sink(self, data: bytes) -> None:
        self.written += data

    @property
    def lines(self) -> list[dict[str, object]]:
        """Every line, parsed; a broken one fails the test."""
        text = self.written.decode("ascii")
        assert not text or text.endswith("\n")
        return [json.loads(line) for line in text.splitlines()]


def finished(**changes: object) -> RequestFinished:
    values: dict[str, object] = {
        "event": "s3.PutObject",
        "operation": "PutObject",
        "method": "PUT",
        "path": "/my-files/photo.jpg",
        "status": 200,
        "duration_s": 0.045,
        "request_id": "a1b2",
        "remote": "127.0.0.1:5000",
        "bucket": "my-files",
    }
    return RequestFinished(**(values | changes))  # type: ignore[arg-type]


def samples() -> list[Fact]:
    """Return one fact of every kind, its text fields filled."""
    result: list[Fact] = []
    for kind in vars(facts).values():
        if not (isinstance(kind, type) and issubclass(kind, Fact) and kind is not Fact):
            continue
        values: dict[str, object] = {}
        for field in fields(kind):
            if field.type is BreakerState:
                values[field.name] = BreakerState.OPEN
            elif field.name == "level":
                values[field.name] = "info"
            elif field.type in (int, float, bool):
                values[field.name] = 1
            elif field.name == "fields":
                values[field.name] = (("level", "x"), ("event", 1), ("yes", True))
            else:
                values[field.name] = "text"
        result.append(kind(**values))
    return result


def test_every_fact_has_a_handler() -> None:
    """A fact that nobody handles is an event that no operator ever sees."""
    room = Room("debug")
    kinds = {type(fact) for fact in samples()}
    for fact in samples():
        room.observer.note(fact)

    assert kinds == room.observer.handled
    assert room.lines


def test_audit_line_is_as_documented() -> None:
    """Operators' log pipelines parse exactly this."""
    room = Room()
    room.observer.note(finished())

    assert [
        {
            "time": "2026-01-31T12:00:00.000123Z",
            "level": "INFO",
            "msg": "audit",
            "audit": True,
            "event": "s3.PutObject",
            "request_id": "a1b2",
            "operation": "PutObject",
            "method": "PUT",
            "path": "/my-files/photo.jpg",
            "remote": "127.0.0.1:5000",
            "bucket": "my-files",
            "status": 200,
            "duration": "45ms",
        }
    ] == room.lines
    assert 1 == room.metrics.value(table.AUDIT_EVENTS, ("s3.PutObject",))


@pytest.mark.parametrize("text", NASTY)
def test_hostile_text_stays_inside_its_line(text: str) -> None:
    """A key that forges log lines or moves the terminal's cursor hides an attack."""
    room = Room()
    room.observer.note(finished(key=text, path=text, remote=text, error=text))
    room.observer.note(
        OperationFinished(
            operation="PutObject",
            status="error",
            duration_s=0,
            request_id=text,
            bucket=text,
            key=text,
            backend=text,
            error=text,
        )
    )
    room.observer.note(
        facts.Happened(level="info", message=text, fields=((text, text),))
    )

    lines = room.lines

    assert 3 == len(lines)
    assert ["INFO"] * 3 == [line["level"] for line in lines]
    assert all("forged" not in line for line in lines)
    assert len(room.written) < 150_000


def test_query_string_never_reaches_the_audit_line() -> None:
    """A presigned URL carries its signature in the query."""
    room = Room()
    room.observer.note(finished(path="/b/k?X-Amz-Signature=abcdef"))

    assert "/b/k" == room.lines[0]["path"]


def test_fields_named_like_secrets_are_redacted() -> None:
    """Whoever passes a secret to the log, it must not come out."""
    room = Room()
    canary = "canary-0b5c"
    values = (("secret_access_key", canary), ("X-Proxy-Token", canary), ("n", 1))
    room.observer.note(facts.Happened(level="error", message="m", fields=values))

    assert canary.encode() not in room.written
    assert 1 == room.lines[0]["n"]


def test_operation_of_failed_authentication_names_only_the_error() -> None:
    """What was signed may hold tokens; it is for the client's answer, not the log."""
    room = Room()
    with (
        pytest.raises(SignatureMismatch),
        Operation(room.observer, room.clock, "GetObject"),
    ):
        raise SignatureMismatch("AKIA", string_to_sign="canary")

    assert "SignatureMismatch" == room.lines[0]["error"]


def test_operation_says_how_it_ended() -> None:
    """The second audit line is where an operator sees backend and size."""
    room = Room()
    token = request_id.set("req-1")
    with Operation(room.observer, room.clock, "PutObject", bucket="b", key="k") as op:
        op.backend = "oci"
        op.size = 7
    with (
        pytest.raises(NoSuchKey),
        Operation(room.observer, room.clock, "GetObject"),
    ):
        raise NoSuchKey("b", "k")
    request_id.reset(token)

    first, second = room.lines
    assert ("storage.PutObject", "req-1", "oci", 7, "success", "0ms") == tuple(
        first[name]
        for name in ("event", "request_id", "backend", "size", "status", "duration")
    )
    assert ("error", "NoSuchKey: bucket='b', key='k'") == (
        second["status"],
        second["error"],
    )


async def test_cancelled_operation_is_no_error() -> None:
    """Clients that hang up must not look like failures of ours."""
    room = Room()
    operation = Operation(room.observer, room.clock, "PutObject")
    with trio.CancelScope() as scope, operation:
        scope.cancel()
        await trio.lowlevel.checkpoint()

    assert "cancelled" == room.lines[0]["status"]


def test_inflight_rises_and_falls_and_odd_methods_are_bounded() -> None:
    """A client that invents methods must not invent series."""
    room = Room()
    for number in range(100):
        method = f"X{number}"
        room.observer.note(RequestStarted(method=method))
        room.observer.note(finished(method=method, status=1000 + number))

    assert 0 == room.metrics.value(table.INFLIGHT, ("other",))
    assert 100 == room.metrics.value(table.REQUESTS, ("other", "other"))


def test_level_warn_silences_audit_and_info() -> None:
    """Operators turn the level up to save disk; audit lines are INFO."""
    room = Room("warn")
    room.observer.note(finished())
    room.observer.note(facts.Happened(level="info", message="quiet"))
    room.observer.note(facts.Happened(level="warning", message="loud"))
    room.log.set_level("info")
    room.observer.note(finished())

    assert ["loud", "audit"] == [line["msg"] for line in room.lines]
    assert 1 == room.metrics.value(table.AUDIT_EVENTS, ("s3.PutObject",))


async def test_lines_are_batched_by_time_and_number(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """One write per line would cost more than the line; but none may be lost."""
    room = Room()
    async with trio.open_nursery() as nursery:
        await nursery.start(room.writer.run)
        room.writer.write("{}")
        assert b"" == room.written
        await trio.sleep(0.06)
        assert b"{}\n" == room.written
        for _ in range(64):
            room.writer.write("{}")
        assert 65 == len(room.lines)
        room.writer.write("{}")
        room.writer.write('{"urgent":1}', is_urgent=True)
        assert 67 == len(room.lines)
        room.writer.write('{"last":1}')
        nursery.cancel_scope.cancel()

    assert {"last": 1} == room.lines[-1]
    room.writer.write('{"after":1}')
    assert {"after": 1} == room.lines[-1]


def test_broken_sink_costs_lines_not_requests() -> None:
    """A full disk under the log must not stop the service."""
    room = Room()

    def fail(_data: bytes) -> None:
        raise OSError(28, "no space")

    room.writer._sink = fail
    room.observer.note(finished())

    assert 1 == room.metrics.value(table.LOG_LINES_LOST)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.045, "45ms"), (0.000845, "0.845ms"), (0, "0ms"), (1234.5, "1234500ms")],
)
def test_durations_read_as_documented(seconds: float, text: str) -> None:
    """The documented form is milliseconds with the unit."""
    assert text == render_duration(seconds)


def test_request_ids_of_clients_are_kept_if_harmless() -> None:
    """The client's id ties its logs to ours; but it goes into headers and lines."""
    entropy = CountingEntropy()

    kept = "7f3e-ABC.d_1"
    assert kept == choose_request_id(kept, entropy)
    for refused in (None, "", "a b", "x\r\ny", "a" * 65, "ü"):
        assert "0" * 32 == choose_request_id(refused, entropy)


def test_log_level_must_be_known() -> None:
    """A typo in an admin call must not silence the log."""
    with pytest.raises(ValueError, match="unknown log level"):
        Room().log.set_level("loud")


def test_backend_facts_count() -> None:
    """Backends' calls are the operator's bill."""
    room = Room()
    backend = BackendName("oci")
    room.observer.note(
        facts.BackendCalled(
            backend=backend, operation="PutObject", status="success", duration_s=0.02
        )
    )

    labels = ("PutObject", "oci")
    assert 1 == room.metrics.value(table.BACKEND_REQUESTS, (*labels, "success"))
    assert 1 == room.metrics.count(table.BACKEND_DURATION, labels)
