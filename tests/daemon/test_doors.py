"""The doors: who is served where, and how they close."""

from pathlib import Path

import trio
from trio.testing import wait_all_tasks_blocked

from s3o.model.facts import RequestFinished, RequestStarted
from s3o.net.memory import memory_stream_pair
from tests.daemon.house import Running, running
from tests.net.listening import receive_all

SMUGGLING = (
    b"PUT /photos/cat HTTP/1.1\r\nHost: m\r\nContent-Length: 5\r\n"
    b"Transfer-Encoding: chunked\r\nAuthorization: s3cr3t\r\n\r\n"
)
SCRAPE = b"GET /metrics HTTP/1.1\r\nHost: m\r\n\r\n"


async def test_scrape_in_flight_is_answered_before_the_end(tmp_path: Path) -> None:
    """The last scrape before a restart tells what the restart interrupted."""
    one = Running(tmp_path)
    one.config["telemetry"] = {"metrics": {"enabled": True, "listen": "127.0.0.1:0"}}
    async with running(one), trio.open_nursery() as nursery:
        server = one.doors.metrics_server
        assert server is not None
        slow, served = memory_stream_pair(buffer_bytes=1024)
        idle, unused = memory_stream_pair()
        for stream in (served, unused):
            nursery.start_soon(server.serve_stream, stream)
        await slow.send_vectored([SCRAPE])
        await wait_all_tasks_blocked()
        nursery.start_soon(one.doors.drain_metrics)
        await wait_all_tasks_blocked()
        assert b"" == await receive_all(idle)
        assert server.open_connections

        answer = await receive_all(slow)
        await slow.aclose()

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"s3o_" in answer
    assert answer.endswith(b"\n")


async def test_draining_without_a_metrics_listener_is_nothing(tmp_path: Path) -> None:
    """Most have none."""
    async with running(Running(tmp_path)) as one:
        await one.doors.drain_metrics()


async def test_refused_head_leaves_one_line_that_its_client_can_name(
    tmp_path: Path,
) -> None:
    """An attack on the framing must be seen, and must not fill the disk."""
    one = Running(tmp_path)
    async with running(one), trio.open_nursery() as nursery:
        client, served = memory_stream_pair()
        nursery.start_soon(one.doors.server.serve_stream, served)
        await client.send_vectored([SMUGGLING * 100])
        await client.send_eof()
        answer = (await receive_all(client)).decode()
    (started,) = one.observer.of(RequestStarted)
    (finished,) = one.observer.of(RequestFinished)

    assert f"x-amz-request-id: {finished.request_id}\r\n" in answer.lower()
    assert ("s3.HeadRefused", 400, "", "", started.method) == (
        finished.event,
        finished.status,
        finished.path,
        finished.key,
        finished.method,
    )
    assert served.peer == finished.remote
    assert "BadRequest: reason='both content-length and" in finished.error
    assert "s3cr3t" not in str(finished)
