"""The admin API from outside: where the service listens, its token, one call.

Address, TLS and token come from the service's own configuration file, so that an
operator on its machine types nothing. A listener on every address is reached on this
machine's; where TLS is configured the certificate must be exactly the configured one,
whatever name it has, unless another authority is named.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from s3o.config.settings import Settings
from s3o.net.client import (
    ClientError,
    ClientPool,
    ClientRequest,
    Network,
    Origin,
    system_network,
)
from s3o.net.listeners import AddressUnusable, parse_address
from s3o.net.tls import (
    CertificateUnusable,
    ClientContext,
    client_context,
    insecure_context,
    pinned_context,
)

ROOT = "/admin/api"
PROGRESS_S = 60.0
ANSWER_BYTES = 64 << 20
_EVERYWHERE = ("", "0.0.0.0", "::")  # noqa: S104 - compared with, never bound
_PORTS = {"http": 80, "https": 443}


class AdminError(Exception):
    """What went wrong, in words for the person at the terminal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """What is known of the other side's certificate, and our own."""

    ca_file: str = ""
    is_insecure: bool = False
    cert_file: str = ""
    key_file: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of the admin API."""

    status: int
    document: Mapping[str, object]


class AdminClient:
    """Calls one service."""

    def __init__(
        self,
        origin: Origin,
        token: str,
        tls: ClientContext | None,
        network: Network | None = None,
    ) -> None:
        self.origin = origin
        self._token = token
        self._pool = ClientPool(
            origin, network or system_network(), progress_s=PROGRESS_S, tls=tls
        )

    async def call(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, object] | None = None,
    ) -> Reply:
        """Ask for an action. Raises AdminError if nobody answers as one should."""
        target = ROOT + path + (f"?{urlencode(query)}" if query else "")
        payload = b"" if body is None else json.dumps(body).encode()
        host = self.origin.host
        name = f"[{host}]" if ":" in host else host
        head = (
            f"{method} {target} HTTP/1.1\r\nhost: {name}:{self.origin.port}\r\n"
            f"x-admin-token: {self._token}\r\ncontent-length: {len(payload)}\r\n\r\n"
        )
        request = ClientRequest(head=head.encode("utf-8"), first=payload)
        try:
            answer = await self._pool.start(request)
            try:
                raw = await answer.read_all(ANSWER_BYTES)
            finally:
                await answer.aclose()
        except ClientError as error:
            place = f"{name}:{self.origin.port}"
            raise AdminError(
                f"cannot reach the service at {place}: {error}; is it running there?"
            ) from error
        return Reply(answer.status, _document_of(raw, answer.status))

    async def aclose(self) -> None:
        """Close the connections."""
        await self._pool.aclose()


def make_client(settings: Settings, address: str, trust: Trust) -> AdminClient:
    """Return a client of the configured service, or of the one at address.

    Raises AdminError.
    """
    token = ""
    if settings.ui.admin_token:
        token = settings.ui.admin_token.reveal()
    token = token or settings.ui.admin_key or ""
    if not token:
        raise AdminError(
            "neither ui.admin_token nor ui.admin_key is set: the admin API is off"
        )
    if not token.isprintable():
        raise AdminError("ui.admin_token holds characters that no header can hold")
    is_tls = settings.server.tls.cert_file is not None
    origin = find_origin(address or settings.server.listen_addr, is_tls=is_tls)
    tls = _make_tls(settings, trust) if origin.is_tls else None
    return AdminClient(origin, token, tls)


def find_origin(address: str, *, is_tls: bool) -> Origin:
    """Return where to connect for host:port, :port or a URL. Raises AdminError."""
    if "://" in address:
        return _of_url(address)
    try:
        host, port = parse_address(address)
    except AddressUnusable as error:
        raise AdminError(str(error)) from None
    if not port:
        raise AdminError("the service listens on a port of its own choice: use -addr")
    return Origin("127.0.0.1" if host in _EVERYWHERE else host, port, is_tls)


def _of_url(address: str) -> Origin:
    try:
        url = urlsplit(address)
        port = url.port
    except ValueError as error:
        raise AdminError(f"-addr: {error}") from None
    if url.scheme not in _PORTS or not url.hostname or url.path not in ("", "/"):
        raise AdminError("-addr must be host:port, http://host:port or https://...")
    return Origin(url.hostname, port or _PORTS[url.scheme], url.scheme == "https")


def _make_tls(settings: Settings, trust: Trust) -> ClientContext:
    served = settings.server.tls.cert_file
    try:
        if trust.is_insecure:
            context = insecure_context()
        elif trust.ca_file or served is None:
            context = client_context(trust.ca_file)
        else:
            context = pinned_context(served)
        if trust.cert_file:
            context.load_cert_chain(trust.cert_file, trust.key_file or None)
    except CertificateUnusable as error:
        raise AdminError(f"TLS: {error}") from None
    except OSError as error:
        raise AdminError(f"TLS: {trust.cert_file}: {error}") from None
    return context


def _document_of(raw: bytes, status: int) -> Mapping[str, object]:
    try:
        document: object = json.loads(raw)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise AdminError(
            f"what answers there is no s3-orchestrator (HTTP {status} without JSON)"
        )
    return document
