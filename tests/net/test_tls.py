"""TLS: the same requests, encrypted; certificates that can be replaced."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
import trustme

from s3o.model.limits import MIB, PIECE_BYTES
from s3o.net.exchange import Exchange
from s3o.net.listeners import open_listeners
from s3o.net.memory import memory_stream_pair
from s3o.net.server import Server, ServerLimits
from s3o.net.streams import ConnectionBroken
from s3o.net.tls import CertificateUnusable, ServerTls, TlsFiles, TlsStream
from tests.net.listening import FixedClock, Listening, echo, read_answers, refuse

GET = b"GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n"
AUTHORITY = trustme.CA()


def _write_certificate(folder: Path, name: str = "localhost") -> TlsFiles:
    certificate = AUTHORITY.issue_cert(name)
    cert_file, key_file = folder / "cert.pem", folder / "key.pem"
    cert_file.write_bytes(b"".join(p.bytes() for p in certificate.cert_chain_pems))
    key_file.write_bytes(certificate.private_key_pem.bytes())
    return TlsFiles(cert_file=str(cert_file), key_file=str(key_file))


@pytest.fixture
def files(tmp_path: Path) -> TlsFiles:
    """A certificate for localhost."""
    return _write_certificate(tmp_path)


def _client_context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    AUTHORITY.configure_trust(context)
    return context


@asynccontextmanager
async def _serving(
    tls: ServerTls, listening: Listening
) -> AsyncIterator[tuple[str, int]]:
    server = Server(
        listening.handler,
        listening.limits,
        FixedClock(),
        refuse=refuse,
        refuse_head=lambda refusal, _peer: refuse(refusal),
        crashed=lambda crash, _: (500, (), repr(crash).encode()),
        tls=tls,
    )
    listeners = await open_listeners("127.0.0.1:0")
    async with trio.open_nursery() as nursery:
        await nursery.start(server.serve, listeners)
        yield listeners[0].getsockname()
        nursery.cancel_scope.cancel()


async def _connect(
    address: tuple[str, int], context: ssl.SSLContext | None = None
) -> trio.SSLStream[trio.SocketStream]:
    transport = await trio.open_tcp_stream(*address)
    return trio.SSLStream(
        transport,
        context or _client_context(),
        server_hostname="localhost",
        https_compatible=True,
    )


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_requests_are_served_over_tls(files, version):
    """What signs nothing of the body relies on TLS."""
    seen: list[bool] = []

    async def handler(exchange: Exchange) -> None:
        seen.append(exchange.is_tls)
        await echo(exchange)

    context = _client_context()
    context.maximum_version = version
    async with (
        _serving(ServerTls(files), Listening(handler)) as address,
        await _connect(address, context) as client,
    ):
        for _ in range(2):
            await client.send_all(GET)
            answer = bytes(await client.receive_some())
            assert [(200, b"GET /a 0")] == read_answers(answer, "GET")

    assert [True, True] == seen


async def test_big_bodies_travel_both_ways_in_bounded_pieces(files):
    """Records, pieces and segments all end at different bytes."""
    size = 3 * MIB + 1
    sent = bytes(range(251)) * (size // 251 + 1)
    sizes: list[int] = []

    async def handler(exchange: Exchange) -> None:
        found = bytearray()
        while piece := await exchange.read():
            sizes.append(len(piece))
            found += piece
        await exchange.start(200, (), len(found))
        for at in range(0, len(found), PIECE_BYTES):
            await exchange.send(memoryview(found)[at : at + PIECE_BYTES])
        await exchange.finish()

    head = b"PUT /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n" % size
    answer = bytearray()
    async with (
        _serving(ServerTls(files), Listening(handler)) as address,
        await _connect(address) as client,
    ):
        await client.send_all(head + b"Connection: close\r\n\r\n" + sent[:size])
        while piece := await client.receive_some():
            answer += piece

    assert [(200, sent[:size])] == read_answers(bytes(answer), "PUT")
    assert max(sizes) <= PIECE_BYTES


async def test_refusal_reaches_the_client_over_tls(files):
    """Half-closing works there too, or the answer would be lost."""

    async def handler(exchange: Exchange) -> None:
        await exchange.respond(403, (), b"no")

    head = b"PUT /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900000\r\n\r\n"
    async with (
        _serving(ServerTls(files), Listening(handler)) as address,
        await _connect(address) as client,
    ):
        await client.send_all(head + b"x" * 300_000)
        answer = b""
        while piece := await client.receive_some():
            answer += piece

    assert [(403, b"no")] == read_answers(answer, "PUT")


async def test_plain_http_on_a_tls_port_is_dropped(files):
    """It must neither hang nor crash."""
    async with _serving(ServerTls(files), Listening()) as address:
        stream = await trio.open_tcp_stream(*address)
        await stream.send_all(GET)
        answer = b""
        with trio.fail_after(5):
            try:
                while piece := await stream.receive_some():
                    answer += piece
            except trio.BrokenResourceError:
                pass
        await stream.aclose()

    assert b"HTTP" not in answer


async def test_handshake_has_a_deadline(files, autojump_clock):
    """A connection that says nothing costs the attacker nothing."""
    client, served = memory_stream_pair()
    stream = TlsStream(served, ServerTls(files).context)
    listening = Listening(limits=ServerLimits(tls_handshake_s=10.0))
    began = trio.current_time()
    await client.send_vectored([b"\x16\x03\x01"])
    await listening.server.serve_stream(stream, True, handshake=stream.handshake)

    assert 10.0 == trio.current_time() - began
    assert b"" == await client.receive_some(10)
    assert [] == listening.crashes


async def test_drain_ends_an_unfinished_handshake(files):
    """No request is in hand there."""
    client, served = memory_stream_pair()
    stream = TlsStream(served, ServerTls(files).context)
    listening = Listening()
    async with trio.open_nursery() as nursery:
        serve = listening.server.serve_stream
        nursery.start_soon(lambda: serve(stream, True, handshake=stream.handshake))
        await trio.testing.wait_all_tasks_blocked()
        await listening.server.drain()
        assert b"" == await client.receive_some(10)


async def test_clients_without_certificate_are_refused_where_one_is_required(
    files, tmp_path
):
    """mTLS that is optional is none."""
    ca_file = tmp_path / "ca.pem"
    ca_file.write_bytes(AUTHORITY.cert_pem.bytes())
    strict = TlsFiles(
        cert_file=files.cert_file, key_file=files.key_file, client_ca_file=str(ca_file)
    )
    known = _client_context()
    AUTHORITY.issue_cert("client@example.org").configure_cert(known)
    stranger = _client_context()
    trustme.CA().issue_cert("client@example.org").configure_cert(stranger)
    async with (
        _serving(ServerTls(strict), Listening()) as address,
        await _connect(address, known) as client,
    ):
        await client.send_all(GET)
        assert bytes(await client.receive_some()).startswith(b"HTTP/1.1 200 ")
        for context in (_client_context(), stranger):
            client = await _connect(address, context)
            with pytest.raises(trio.BrokenResourceError):
                await _ask(client)
            await trio.aclose_forcefully(client)


async def _ask(client: trio.SSLStream[trio.SocketStream]) -> None:
    await client.send_all(GET)
    await client.receive_some()


async def test_minimum_version_is_enforced(files):
    """The operator may insist on TLS 1.3."""
    modern = TlsFiles(
        cert_file=files.cert_file, key_file=files.key_file, min_version="1.3"
    )
    old = _client_context()
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    async with _serving(ServerTls(modern), Listening()) as address:
        client = await _connect(address, old)
        with pytest.raises(trio.BrokenResourceError):
            await client.do_handshake()
        await trio.aclose_forcefully(client)


async def test_new_certificate_is_served_once_used_and_the_old_kept_on_error(
    files, tmp_path
):
    """Renewal is automatic and sometimes half done."""
    tls = ServerTls(files)

    async def served_name(address: tuple[str, int]) -> str:
        context = _client_context()
        context.check_hostname = False
        async with await _connect(address, context) as client:
            await client.do_handshake()
            certificate = client.getpeercert()
            assert certificate is not None
            return certificate["subjectAltName"][0][1]

    async with _serving(tls, Listening()) as address:
        assert "localhost" == await served_name(address)
        _write_certificate(tmp_path, "renewed.example")
        renewed = tls.read()
        assert "localhost" == await served_name(address)
        tls.use(renewed)
        assert "renewed.example" == await served_name(address)
        Path(files.key_file).write_bytes(b"half a key")
        with pytest.raises(CertificateUnusable):
            tls.read()
        assert "renewed.example" == await served_name(address)


@pytest.mark.parametrize("broken", ["cert", "key", "mismatch", "missing", "ca"])
def test_unusable_files_are_one_error(files, tmp_path, broken):
    """Whatever is wrong, the operator reads one sentence at start."""
    if broken == "mismatch":
        other = AUTHORITY.issue_cert("localhost").private_key_pem.bytes()
        Path(files.key_file).write_bytes(other)
    elif broken == "missing":
        Path(files.cert_file).unlink()
    elif broken == "ca":
        files = TlsFiles(
            cert_file=files.cert_file,
            key_file=files.key_file,
            client_ca_file=str(tmp_path / "none.pem"),
        )
    else:
        (tmp_path / f"{broken}.pem").write_bytes(b"rubbish")
    with pytest.raises(CertificateUnusable):
        ServerTls(files)


async def test_stream_over_memory_ends_and_breaks_like_its_transport(files):
    """The simulation may run TLS over its own network."""
    client, served = memory_stream_pair()
    stream = TlsStream(served, ServerTls(files).context)
    stream.write_idle_s = 7.0
    assert (7.0, client.peer != stream.peer) == (served.write_idle_s, True)
    client.abort()
    with pytest.raises(ConnectionBroken):
        await stream.handshake()
    stream.abort()
    await stream.aclose()
