"""The doors: which listener serves what.

The S3 listener serves clients and, by their paths, health, metrics and the admin API;
telemetry may ask for a metrics listener of its own.
"""

import trio

from s3o.admin.answers import respond_not_found
from s3o.admin.api import PREFIX as ADMIN
from s3o.admin.api import AdminApi
from s3o.admin.health import HealthDoor, Vitals
from s3o.admin.metrics_door import MetricsDoor
from s3o.config.settings import Settings
from s3o.daemon.build import House
from s3o.daemon.front import Front
from s3o.daemon.tenants import credential_book
from s3o.ledger.meta import cluster_id
from s3o.net.answer import Answer
from s3o.net.exchange import Exchange, Handler
from s3o.net.server import Server, ServerLimits, open_listeners
from s3o.net.tls import Certificate, ServerTls, TlsFiles
from s3o.s3api.door import S3Door
from s3o.s3api.gate import CredentialGate

HOST_ID_BYTES = 16


class Doors:
    """All listeners of the service and what they lead to."""

    def __init__(self, house: House) -> None:
        settings = house.live.current
        clock = house.world.clock
        self._house = house
        self._book = credential_book(settings)
        self._is_listening = False
        self._is_draining = False
        self._tls = _server_tls(settings)
        self._s3 = S3Door(
            house.store,
            house.buckets,
            CredentialGate(clock, lambda: self._book),
            house.observed.observer,
            clock,
            house.world.entropy,
            domains=lambda: house.live.current.server.domains,
            region=lambda: house.live.current.server.region,
            max_concurrent_requests=lambda: (
                house.live.current.server.max_concurrent_requests
            ),
            host_id=house.world.entropy.token(HOST_ID_BYTES).hex(),
        )
        self._metrics = MetricsDoor(house.observed.metrics, clock)
        self._health = HealthDoor(self._vitals(), clock)
        self._admin: AdminApi | None = None  # until it is connected
        self.server = self._make_server(self._front(settings), self._tls)
        self.metrics_server = self._make_metrics_server(settings)

    def connect(self, admin: AdminApi) -> None:
        """Serve the admin API, too."""
        self._admin = admin

    async def open(self, nursery: trio.Nursery) -> None:
        """Bind and serve; returns when connections are accepted.

        Raises AddressUnusable.
        """
        settings = self._house.live.current
        if self.metrics_server is not None:
            address = settings.telemetry.metrics.listen
            assert address is not None
            await nursery.start(
                self.metrics_server.serve, await open_listeners(address)
            )
        listeners = await open_listeners(settings.server.listen_addr)
        await nursery.start(self.server.serve, listeners)
        self._is_listening = True

    def serve_in_memory(self) -> None:
        """Connections come by server.serve_stream: a test's way to be ready."""
        self._is_listening = True

    def begin_drain(self) -> None:
        """Turn readiness off."""
        self._is_draining = True

    async def drain(self) -> None:
        """Stop accepting clients; wait for the requests in flight."""
        await self.server.drain()

    async def drain_metrics(self) -> None:
        """Do the same for a metrics listener of its own, if there is one.

        To be called after drain(): a scrape while requests end is worth having.
        """
        if self.metrics_server is not None:
            await self.metrics_server.drain()

    @property
    def certificate(self) -> Certificate | None:
        """What new connections are shown; None without TLS."""
        return self._tls.context if self._tls is not None else None

    def read_certificate(self) -> Certificate | None:
        """Read the certificate's files again, for use(); None without TLS.

        Raises CertificateUnusable.
        """
        return self._tls.read() if self._tls is not None else None

    def use(self, settings: Settings, certificate: Certificate | None) -> None:
        """Let in who is in these settings, and show this certificate."""
        self._book = credential_book(settings)
        if self._tls is not None and certificate is not None:
            self._tls.use(certificate)

    def _front(self, settings: Settings) -> Front:
        doors: dict[str, Handler] = {
            "/health": self._health.health,
            "/health/ready": self._health.ready,
            ADMIN: self._serve_admin,
        }
        metrics = settings.telemetry.metrics
        if metrics.enabled and metrics.listen is None:
            doors[metrics.path] = self._metrics.metrics
        return Front(doors, self._s3.handle, settings.server.domains)

    async def _serve_admin(self, exchange: Exchange) -> None:
        if self._admin is None:
            await respond_not_found(exchange)
        else:
            await self._admin.handle(exchange)

    def _crashed(self, error: Exception, exchange: Exchange | None) -> Answer:
        """Let the door whose request it was answer in its own language."""
        is_admin = exchange is not None and exchange.head.target.startswith(ADMIN)
        if is_admin and self._admin is not None:
            return self._admin.crashed(error)
        return self._s3.crashed(error, exchange)

    def _make_metrics_server(self, settings: Settings) -> Server | None:
        metrics = settings.telemetry.metrics
        if not metrics.enabled or metrics.listen is None:
            return None
        front = Front({metrics.path: self._metrics.metrics}, respond_not_found)
        return self._make_server(front, None)

    def _make_server(self, handler: Handler, tls: ServerTls | None) -> Server:
        server = self._house.live.current.server
        limits = ServerLimits(
            read_header_timeout_s=server.read_header_timeout,
            read_idle_s=server.read_timeout,
            write_idle_s=server.write_timeout,
            idle_timeout_s=server.idle_timeout,
        )
        return Server(
            handler,
            limits,
            self._house.world.clock,
            refuse=self._s3.refuse,
            refuse_head=self._s3.refuse_head,
            crashed=self._crashed,
            tls=tls,
        )

    def _vitals(self) -> Vitals:
        house = self._house
        return Vitals(
            is_listening=lambda: self._is_listening,
            is_draining=lambda: self._is_draining,
            is_database_closed=lambda: house.ledger.breaker.is_closed,
            is_any_backend_usable=house.fleet.is_any_serving,
            ask_ledger=lambda: house.ledger.read(cluster_id),
        )


def _server_tls(settings: Settings) -> ServerTls | None:
    """Raises CertificateUnusable."""
    tls = settings.server.tls
    if tls.cert_file is None or tls.key_file is None:
        return None
    return ServerTls(
        TlsFiles(
            cert_file=tls.cert_file,
            key_file=tls.key_file,
            client_ca_file=tls.client_ca_file or "",
            min_version=tls.min_version,
        )
    )
