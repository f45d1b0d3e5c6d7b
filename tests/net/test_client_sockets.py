"""The client over real sockets and real TLS on loopback."""

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
import trio
import trustme

from s3o.net.client import (
    ClientPool,
    ClientRequest,
    ConnectFailed,
    ConnectionBroke,
    Origin,
    system_network,
)
from s3o.net.tls import (
    CertificateUnusable,
    ClientContext,
    client_context,
    insecure_context,
    pinned_context,
)
from tests.fakes.scripted_server import render
from tests.net.client_house import GET, put

AUTHORITY = trustme.CA()
PIECE = bytes(256 * 1024)
Serve = Callable[[trio.abc.Stream], Awaitable[None]]


async def answer_each(stream: trio.abc.Stream, *, body: bytes = b"meow") -> None:
    """Answer every head with body."""
    received = b""
    while data := await stream.receive_some(65536):
        received += data
        while b"\r\n\r\n" in received:
            received = received.partition(b"\r\n\r\n")[2]
            await stream.send_all(render(body=body))


async def refuse_early(stream: trio.abc.Stream) -> None:
    """Answer when some of the body is here, and close on the rest of it."""
    received = 0
    while received < 65536:
        received += len(await stream.receive_some(65536))
    await stream.send_all(render(507, body=b"<Error/>"))


@asynccontextmanager
async def serving(
    serve: Serve, context: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    """A server on loopback; yields its port."""

    async def guard(stream: trio.SocketStream) -> None:
        secure: trio.abc.Stream = stream
        if context is not None:
            secure = trio.SSLStream(
                stream, context, server_side=True, https_compatible=True
            )
        try:
            await serve(secure)
        except trio.BrokenResourceError:
            pass
        finally:
            await trio.aclose_forcefully(secure)

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(
            partial(trio.serve_tcp, guard, 0, host="127.0.0.1")
        )
        yield listeners[0].socket.getsockname()[1]
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def pooled(
    port: int, tls: ClientContext | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[ClientPool]:
    """A pool towards port."""
    origin = Origin(host=host, port=port, is_tls=tls is not None)
    pool = ClientPool(origin, system_network(), progress_s=5.0, tls=tls)
    yield pool
    await pool.aclose()


async def exchange(pool: ClientPool, request: ClientRequest) -> tuple[int, bytes]:
    """One whole exchange."""
    answer = await pool.start(request)
    try:
        return answer.status, await answer.read_all(1 << 24)
    finally:
        await answer.aclose()


def server_context() -> ssl.SSLContext:
    """The identity of `localhost`."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    AUTHORITY.issue_cert("localhost").configure_cert(context)
    return context


@pytest.fixture
def trusting(tmp_path: object) -> ClientContext:
    """A context that trusts the test's authority, read from a file."""
    file = f"{tmp_path}/ca.pem"
    AUTHORITY.cert_pem.write_to_path(file)
    return client_context(file)


async def test_socket_is_used_again() -> None:
    """The plain case over the raw socket."""
    async with serving(answer_each) as port, pooled(port) as pool:
        for _ in range(3):
            assert (200, b"meow") == await exchange(pool, ClientRequest(head=GET))
        assert 1 == pool.idle_connections


async def test_large_body_comes_back_whole_over_a_socket() -> None:
    """Short reads and full buffers occur only here."""
    body = bytes(range(256)) * 20_000
    serve = partial(answer_each, body=body)
    async with serving(serve) as port, pooled(port) as pool:
        assert (200, body) == await exchange(pool, ClientRequest(head=GET))


@pytest.mark.parametrize("pieces", [0, 2, 60])
async def test_early_refusal_survives_the_close_of_a_socket(pieces: int) -> None:
    """The kernel resets such a connection, yet hands out what had arrived."""
    async with serving(refuse_early) as port, pooled(port) as pool:
        request, reader = put(PIECE, *[PIECE] * pieces)

        assert (507, b"<Error/>") == await exchange(pool, request)
        assert reader.reads <= pieces
        assert 0 == pool.idle_connections


async def test_socket_closed_while_idle_is_not_used() -> None:
    """The end of an idle connection is seen before a request is risked on it."""

    async def once(stream: trio.abc.Stream) -> None:
        await stream.receive_some(65536)
        await stream.send_all(render(body=b"meow"))

    async with serving(once) as port, pooled(port) as pool:
        for _ in range(3):
            assert (200, b"meow") == await exchange(pool, ClientRequest(head=GET))
            await trio.testing.wait_all_tasks_blocked(0.02)


async def test_nobody_listening_is_a_failed_connection() -> None:
    """The breaker must hear of it; nothing was sent."""
    async with serving(answer_each) as port:
        pass
    async with pooled(port) as pool:
        with pytest.raises(ConnectFailed):
            await exchange(pool, ClientRequest(head=GET))


async def test_cancelled_exchange_closes_its_socket() -> None:
    """A half-read answer must not wait in a pool."""

    async def hang(stream: trio.abc.Stream) -> None:
        await trio.sleep_forever()

    async with serving(hang) as port, pooled(port) as pool:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(exchange, pool, ClientRequest(head=GET))
            await trio.testing.wait_all_tasks_blocked(0.02)
            nursery.cancel_scope.cancel()

        assert 0 == pool.idle_connections
        assert 200 == pool.free_slots


async def test_tls_is_spoken_and_the_certificate_checked(
    trusting: ClientContext,
) -> None:
    """With the CA it works, again on one connection; with a wrong name it does not."""
    async with serving(answer_each, server_context()) as port:
        async with pooled(port, trusting, "localhost") as pool:
            for _ in range(3):
                assert (200, b"meow") == await exchange(pool, ClientRequest(head=GET))
        async with pooled(port, trusting, "127.0.0.1") as pool:
            with pytest.raises(ConnectFailed):
                await exchange(pool, ClientRequest(head=GET))


async def test_unknown_authority_is_a_failed_connection() -> None:
    """Nobody between us and the provider may read along."""
    async with (
        serving(answer_each, server_context()) as port,
        pooled(port, client_context(), "localhost") as pool,
    ):
        with pytest.raises(ConnectFailed, match="certificate verify failed"):
            await exchange(pool, ClientRequest(head=GET))


async def test_a_pinned_certificate_is_believed_by_any_name_and_no_other_is(
    tmp_path: Path,
) -> None:
    """Our own service on this machine: its certificate, and nobody else's."""
    served, other = AUTHORITY.issue_cert("store"), AUTHORITY.issue_cert("localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.configure_cert(context)
    file = tmp_path / "cert.pem"
    async with serving(answer_each, context) as port:
        file.write_bytes(b"".join(pem.bytes() for pem in served.cert_chain_pems))
        async with pooled(port, pinned_context(str(file))) as pool:
            assert (200, b"meow") == await exchange(pool, ClientRequest(head=GET))
        file.write_bytes(b"".join(pem.bytes() for pem in other.cert_chain_pems))
        async with pooled(port, pinned_context(str(file))) as pool:
            with pytest.raises(ConnectFailed, match="certificate verify failed"):
                await exchange(pool, ClientRequest(head=GET))
        async with pooled(port, insecure_context()) as pool:
            assert (200, b"meow") == await exchange(pool, ClientRequest(head=GET))


async def test_server_that_speaks_no_tls_is_a_failed_connection(
    trusting: ClientContext,
) -> None:
    """An operator wrote https for http."""

    async def complain(stream: trio.abc.Stream) -> None:
        await stream.receive_some(65536)
        await stream.send_all(render(400))

    async with serving(complain) as port, pooled(port, trusting) as pool:
        with pytest.raises((ConnectFailed, ConnectionBroke)):
            await exchange(pool, ClientRequest(head=GET))


@pytest.mark.parametrize("pieces", [0, 60])
async def test_large_bodies_go_through_tls(
    trusting: ClientContext, pieces: int
) -> None:
    """Also while an answer is watched for."""
    received = 0

    async def take(stream: trio.abc.Stream) -> None:
        nonlocal received
        data = b""
        while b"\r\n\r\n" not in data:
            data += await stream.receive_some(65536)
        received = len(data.partition(b"\r\n\r\n")[2])
        while received < (pieces + 1) * len(PIECE):
            received += len(await stream.receive_some(65536))
        await stream.send_all(render())

    async with (
        serving(take, server_context()) as port,
        pooled(port, trusting, "localhost") as pool,
    ):
        request, _ = put(PIECE, *[PIECE] * pieces)

        assert (200, b"") == await exchange(pool, request)
        assert (pieces + 1) * len(PIECE) == received


def test_missing_ca_file_is_called_unusable() -> None:
    """The operator is told which file, at start."""
    with pytest.raises(CertificateUnusable):
        client_context("/nonexistent/ca.pem")
