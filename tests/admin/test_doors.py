"""Health, readiness and metrics through a real listener over memory."""

import json
from dataclasses import dataclass, field

import pytest
import trio

from s3o.admin.answers import respond_not_found
from s3o.admin.health import HealthDoor, Vitals
from s3o.admin.metrics_door import MetricsDoor
from s3o.daemon.front import Front
from s3o.model.errors import LedgerUnavailable
from s3o.net.exchange import Exchange
from s3o.net.memory import memory_stream_pair
from s3o.net.server import Server, ServerLimits
from s3o.observe import metrics_table as table
from s3o.observe.metrics import Metrics


class TrioClock:
    """The virtual clock's time."""

    def now_us(self) -> int:
        return round(trio.current_time() * 1_000_000)

    def monotonic_s(self) -> float:
        return trio.current_time()


async def s3_door(exchange: Exchange) -> None:
    await exchange.respond(200, [("x-door", "s3")], b"s3")


@dataclass
class World:
    """A process whose vital signs a test sets."""

    is_listening: bool = True
    is_draining: bool = False
    is_database_closed: bool = True
    is_any_backend_usable: bool = True
    ledger_delay_s: float = 0
    is_ledger_down: bool = False
    asked: int = 0
    metrics: Metrics = field(default_factory=Metrics)

    async def ask_ledger(self) -> None:
        self.asked += 1
        await trio.sleep(self.ledger_delay_s)
        if self.is_ledger_down:
            raise LedgerUnavailable("down")

    def front(self) -> Front:
        vitals = Vitals(
            is_listening=lambda: self.is_listening,
            is_draining=lambda: self.is_draining,
            is_database_closed=lambda: self.is_database_closed,
            is_any_backend_usable=lambda: self.is_any_backend_usable,
            ask_ledger=self.ask_ledger,
        )
        health = HealthDoor(vitals, TrioClock())
        doors = {
            "/health": health.health,
            "/health/ready": health.ready,
            "/metrics": MetricsDoor(self.metrics, TrioClock()).metrics,
        }
        return Front(doors, s3_door, ["s3.example.com"])

    async def ask(
        self,
        path: str,
        method: str = "GET",
        host: str = "localhost",
        front: Front | None = None,
    ) -> tuple[int, dict[str, str], bytes]:
        """Send one request and return status, headers and body."""
        server = Server(
            front or self.front(),
            ServerLimits(),
            TrioClock(),
            refuse=lambda _error: (400, (), b""),
            refuse_head=lambda _error, _peer: (400, (), b""),
            crashed=lambda _error, _exchange: (500, (), b""),
        )
        client, peer = memory_stream_pair()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(server.serve_stream, peer)
            head = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n"
            await client.send_vectored([f"{head}\r\n".encode()])
            answer = b""
            while piece := await client.receive_some(65536):
                answer += piece
            await client.aclose()
        head_text, _, body = answer.partition(b"\r\n\r\n")
        first, *lines = head_text.decode().split("\r\n")
        pairs = (line.partition(": ") for line in lines)
        headers = {name.lower(): value for name, _, value in pairs}
        return int(first.split()[1]), headers, body


async def test_health_is_always_200_and_says_degraded() -> None:
    """A restart cures no database, so liveness must not fail with it."""
    world = World()
    assert (200, b'{"status":"ok"}') == (await world.ask("/health"))[::2]
    world.is_database_closed = False
    world.is_any_backend_usable = False

    status, headers, body = await world.ask("/health")

    assert (200, {"status": "degraded"}) == (status, json.loads(body))
    assert "application/json" == headers["content-type"]
    assert "no-store" == headers["cache-control"]


@pytest.mark.parametrize(
    ("sign", "value", "expected"),
    [
        ("is_listening", True, 200),
        ("is_listening", False, 503),
        ("is_draining", True, 503),
        ("is_any_backend_usable", False, 503),
        ("is_ledger_down", True, 503),
        ("ledger_delay_s", 60, 503),
        ("is_database_closed", False, 200),
    ],
)
async def test_ready_only_if_a_request_could_be_served(
    autojump_clock: trio.testing.MockClock, sign: str, value: bool, expected: int
) -> None:
    """A load balancer sends requests wherever this says 200."""
    world = World()
    setattr(world, sign, value)

    status, _, body = await world.ask("/health/ready")

    word = "ready" if expected == 200 else "not ready"
    assert (expected, {"status": word}) == (status, json.loads(body))


async def test_ready_asks_the_ledger_rarely(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A hundred probes per second must not become load on the database."""
    world = World()
    front = world.front()
    for _ in range(5):
        await world.ask("/health/ready", front=front)
    assert 1 == world.asked
    await trio.sleep(2.5)
    await world.ask("/health/ready", front=front)

    assert 2 == world.asked


async def test_ready_turns_off_at_once_when_draining_begins(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """The cached answer of the ledger must not hide a drain."""
    world = World()
    front = world.front()
    await world.ask("/health/ready", front=front)
    world.is_draining = True

    assert 503 == (await world.ask("/health/ready", front=front))[0]


@pytest.mark.parametrize("path", ["/health", "/health/ready", "/metrics"])
async def test_doors_read_only_and_answer_head(path: str) -> None:
    """Load balancers probe with HEAD; nothing here may be changed."""
    world = World()
    got, got_headers, body = await world.ask(path)
    headed, headers, nothing = await world.ask(path, "HEAD")
    refused, allow, _ = await world.ask(path, "POST")

    assert (200, 200, 405) == (got, headed, refused)
    assert (str(len(body)), b"") == (headers["content-length"], nothing)
    assert got_headers["content-type"] == headers["content-type"]
    assert "GET, HEAD" == allow["allow"]


async def test_metrics_are_rendered_at_most_once_a_second(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Rendering stalls requests; impatient scrapers must not multiply it."""
    world = World()
    front = world.front()
    _, headers, before = await world.ask("/metrics?name=x", front=front)
    world.metrics.add(table.CLEANUP_DEPTH, (), 3)
    _, _, cached = await world.ask("/metrics", front=front)
    await trio.sleep(1.5)
    _, _, after = await world.ask("/metrics", front=front)

    assert before == cached
    assert b"\ns3o_cleanup_queue_depth 3.0\n" in after
    assert headers["content-type"].startswith("text/plain; version=")


@pytest.mark.parametrize(
    ("path", "host"),
    [
        ("/healthy", "localhost"),
        ("/health/", "localhost"),
        ("/metrics/x", "localhost"),
        ("/photos/health", "localhost"),
        ("/health", "photos.s3.example.com"),
        ("/metrics", "PHOTOS.S3.example.com:9000"),
    ],
)
async def test_everything_else_is_s3(path: str, host: str) -> None:
    """Keys called health in virtual-host requests belong to their bucket."""
    _, headers, _ = await World().ask(path, host=host)

    assert "s3" == headers.get("x-door")


async def test_bare_domain_is_no_bucket() -> None:
    """Load balancers probe the service under its own name."""
    _, headers, _ = await World().ask("/health", host="s3.example.com")

    assert "x-door" not in headers


async def test_listener_with_doors_only_says_404() -> None:
    """A separate metrics listener must not open the S3 door."""
    world = World()
    front = Front(
        {"/metrics": MetricsDoor(world.metrics, TrioClock()).metrics}, respond_not_found
    )

    assert 200 == (await world.ask("/metrics", front=front))[0]
    assert 404 == (await world.ask("/photos/key", front=front))[0]
