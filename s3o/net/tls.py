"""TLS towards clients: contexts made from files, and a stream over any other stream.

trio.SSLStream costs nearly twice as much per small answer, and a driver over OpenSSL's
memory buffers is short; it also runs over memory streams, so TLS is tested without a
socket. Rules: TLS 1.2 at least, no renegotiation, no compression; a client CA means
that every client must show a certificate of that CA and of no other; a new certificate
replaces the old one whole or not at all. This is the only importer of ssl.
"""

import ssl
from collections.abc import Sequence
from dataclasses import dataclass

import trio

from s3o.model.limits import KIB, PIECE_BYTES
from s3o.net.streams import ConnectionBroken, DuplexStream

_RECORD_BYTES = 16 * KIB  # RFC 8446: the most one record carries
_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


Certificate = ssl.SSLContext


class CertificateUnusable(Exception):
    """The files do not make a certificate that can be served."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """Where certificate, key and the clients' CA are; min_version is 1.2 or 1.3."""

    cert_file: str
    key_file: str
    client_ca_file: str = ""
    min_version: str = "1.2"


class ServerTls:
    """The TLS identity of a listener, replaceable while it runs."""

    __slots__ = ("_context", "_files")

    def __init__(self, files: TlsFiles) -> None:
        self._files = files
        self._context = _load(files)

    @property
    def context(self) -> ssl.SSLContext:
        """The context of new connections."""
        return self._context

    def read(self) -> Certificate:
        """Read the files again, for use(); raises CertificateUnusable."""
        return _load(self._files)

    def use(self, certificate: Certificate) -> None:
        """Show it to new connections; open ones keep theirs."""
        self._context = certificate


def _load(files: TlsFiles) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _VERSIONS[files.min_version]
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(files.cert_file, files.key_file, password=_no_password)
        if files.client_ca_file:
            context.load_verify_locations(files.client_ca_file)
            context.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ValueError) as exc:  # ssl.SSLError is an OSError
        raise CertificateUnusable(str(exc)) from exc
    return context


def _no_password() -> str:
    # OpenSSL would ask the terminal, and a daemon would hang.
    raise ValueError("the private key is encrypted")


ClientContext = ssl.SSLContext
_CERTIFICATE_END = "-----END CERTIFICATE-----"


def client_context(ca_file: str = "") -> ClientContext:
    """Return what connections to servers trust: the system's CAs, or those in a file.

    Raises CertificateUnusable.
    """
    try:
        context = ssl.create_default_context(cafile=ca_file or None)
    except (OSError, ValueError) as exc:
        raise CertificateUnusable(str(exc)) from exc
    return _strict(context)


def pinned_context(cert_file: str) -> ClientContext:
    """Return what trusts the first certificate in a file and no other, by any name.

    For talking to our own service on this machine, whose certificate is for the name
    that others call it by. Raises CertificateUnusable.
    """
    try:
        with open(cert_file, encoding="ascii") as file:
            first, end, _ = file.read().partition(_CERTIFICATE_END)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.load_verify_locations(cadata=first + end)
    except (OSError, ValueError) as exc:
        raise CertificateUnusable(f"{cert_file}: {exc}") from exc
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return _strict(context)


def insecure_context() -> ClientContext:
    """Return what trusts anybody: only for a person who asked for it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return _strict(context)


def _strict(context: ssl.SSLContext) -> ssl.SSLContext:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.set_alpn_protocols(["http/1.1"])
    return context


class TlsStream:
    """The server's end of TLS over another stream. Owns: that stream."""

    __slots__ = ("_encrypted_in", "_encrypted_out", "_tls", "_transport")

    def __init__(self, transport: DuplexStream, context: ssl.SSLContext) -> None:
        self._transport = transport
        self._encrypted_in = ssl.MemoryBIO()
        self._encrypted_out = ssl.MemoryBIO()
        self._tls = context.wrap_bio(
            self._encrypted_in, self._encrypted_out, server_side=True
        )

    @property
    def peer(self) -> str:
        """The peer's address, `host:port`."""
        return self._transport.peer

    @property
    def write_idle_s(self) -> float:
        """The longest wait for the peer to take one more byte."""
        return self._transport.write_idle_s

    @write_idle_s.setter
    def write_idle_s(self, seconds: float) -> None:
        self._transport.write_idle_s = seconds

    async def handshake(self) -> None:
        """Agree on keys; the caller sets the deadline. Raises: ConnectionBroken."""
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._flush()
                await self._receive()
            except (OSError, ValueError) as exc:
                # The alert tells the peer why; that it arrives is not worth a wait.
                await self._flush()
                raise ConnectionBroken(str(exc)) from exc
            else:
                await self._flush()
                return

    async def receive_some(self, max_bytes: int) -> bytes:
        """Wait for bytes and return 1..max_bytes of them; b"" is the end."""
        has_waited = False
        while True:
            pieces, is_ended = self._decrypt(max_bytes)
            if pieces or is_ended:
                if not has_waited:
                    await trio.lowlevel.checkpoint()
                return pieces[0] if len(pieces) == 1 else b"".join(pieces)
            await self._flush()
            await self._receive()
            has_waited = True

    def _decrypt(self, max_bytes: int) -> tuple[list[bytes], bool]:
        """Return what is decrypted already, and whether the peer has ended."""
        pieces: list[bytes] = []
        try:
            while max_bytes:
                piece = self._tls.read(max_bytes)
                if not piece:
                    return pieces, True
                pieces.append(piece)
                max_bytes -= len(piece)
        except ssl.SSLWantReadError:
            return pieces, False
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            # Many clients end TCP without a word of TLS; HTTP's own framing tells
            # whether anything was cut off.
            return pieces, True
        except OSError as exc:
            if not pieces:
                raise ConnectionBroken(str(exc)) from exc
        return pieces, False

    async def send_vectored(self, parts: Sequence[bytes | memoryview]) -> None:
        """Send all parts in order; a small answer travels as one record."""
        if len(parts) > 1 and sum(map(len, parts)) <= _RECORD_BYTES:
            parts = (b"".join(parts),)
        try:
            for part in parts:
                rest = memoryview(part)
                while rest:
                    rest = rest[self._tls.write(rest[:PIECE_BYTES]) :]
                    if self._encrypted_out.pending >= PIECE_BYTES:
                        await self._flush()
        except OSError as exc:
            raise ConnectionBroken(str(exc)) from exc
        await self._flush()

    async def send_eof(self) -> None:
        """Say the last word of TLS, and of TCP; receiving goes on."""
        try:
            self._tls.unwrap()
        except OSError:
            pass  # it wants the peer's last word, for which nobody waits
        await self._flush()
        await self._transport.send_eof()

    def abort(self) -> None:
        """Close at once so that the peer sees a reset, never an orderly end."""
        self._transport.abort()

    async def aclose(self) -> None:
        """Close at once; safe to call twice and under cancellation."""
        await self._transport.aclose()

    async def _flush(self) -> None:
        if self._encrypted_out.pending:
            await self._transport.send_vectored([self._encrypted_out.read()])

    async def _receive(self) -> None:
        raw = await self._transport.receive_some(PIECE_BYTES)
        if raw:
            self._encrypted_in.write(raw)
        else:
            self._encrypted_in.write_eof()
