"""From settings to a fleet: every backend made, checked, guarded and metered."""

from collections.abc import Sequence

import trio

from s3o.backends.call import CallMeter
from s3o.backends.directory import DirectoryBackend
from s3o.backends.fleet import Fleet
from s3o.backends.guard import BackendLimits, Guarded
from s3o.backends.s3 import S3Backend
from s3o.backends.s3_settings import S3Settings
from s3o.backends.seam import Backend
from s3o.backends.usage import UsageCounters
from s3o.config.backends import BackendSettings, DirectoryBackendSettings
from s3o.config.settings import Settings
from s3o.model.errors import BackendError, InvalidArgument
from s3o.model.seams import Clock, Entropy, Observer
from s3o.net.client import ClientPool, Network, Origin
from s3o.net.tls import client_context
from s3o.policy.breaker import CircuitBreaker
from s3o.policy.routing import Strategy
from s3o.policy.usage import UsageLimits

# A backend that does not answer in this time is the circuit breaker's business.
CHECK_S = 5.0
MAY_NOT_LIST = (
    "the credential may not find out which versions the bucket keeps; allow "
    "s3:GetBucketVersioning and s3:ListBucketVersions"
)


def backend_limits(settings: BackendSettings) -> BackendLimits:
    """Return the limits of one backend; a reload replaces them."""
    return BackendLimits(
        quota_bytes=settings.quota_bytes,
        max_object_size=settings.max_object_size,
        usage=UsageLimits(
            api_requests=settings.api_request_limit,
            egress_bytes=settings.egress_byte_limit,
            ingress_bytes=settings.ingress_byte_limit,
        ),
    )


async def build_fleet(
    settings: Settings,
    observer: Observer,
    clock: Clock,
    entropy: Entropy,
    network: Network,
) -> Fleet:
    """Make all configured backends ready.

    Raises BackendError for a directory that cannot be used, InvalidArgument for an
    endpoint that makes no sense or a bucket that may hide what it deletes. Owns:
    nothing; the fleet is closed by its caller.
    """
    names = [backend.name for backend in settings.backends]
    counters = UsageCounters(names, clock)
    guarded = []
    inners: list[Backend] = []
    for backend in settings.backends:
        meter = CallMeter(counters.of(backend.name))
        inner = await _open(
            backend, meter, clock, entropy, network, settings.server.backend_timeout
        )
        inners.append(inner)
        guarded.append(guard(inner, meter, settings, backend, observer, clock, entropy))
    strategy = Strategy(settings.routing_strategy)
    fleet = Fleet(guarded, strategy=strategy, counters=counters)
    try:
        await _refuse_unfit([one for one in inners if isinstance(one, S3Backend)])
    except BaseException:
        await fleet.aclose()
        raise
    return fleet


async def _refuse_unfit(backends: Sequence[S3Backend]) -> None:
    """Raise InvalidArgument for the first bucket whose deletes can never be proved."""
    found = [""] * len(backends)

    async def check(position: int) -> None:
        try:
            found[position] = await backends[position].find_unfitness()
        except BackendError:
            return  # down, throttled, shut out: it may be well tomorrow

    with trio.move_on_after(CHECK_S):
        async with trio.open_nursery() as nursery:
            for position in range(len(backends)):
                nursery.start_soon(check, position)
    for backend, reason in zip(backends, found, strict=True):
        if reason:
            raise InvalidArgument(
                "backends", backend.name, f"{MAY_NOT_LIST} ({reason})"
            )


def guard(
    inner: Backend,
    meter: CallMeter,
    settings: Settings,
    backend: BackendSettings,
    observer: Observer,
    clock: Clock,
    entropy: Entropy,
) -> Guarded:
    """Put one backend behind its limits and its circuit breaker."""
    breaker = settings.backend_circuit_breaker
    return Guarded(
        inner,
        meter=meter,
        breaker=CircuitBreaker(
            failure_threshold=breaker.failure_threshold if breaker.enabled else 0,
            open_timeout_s=breaker.open_timeout,
        ),
        limits=backend_limits(backend),
        observer=observer,
        clock=clock,
        entropy=entropy,
        backend_timeout_s=settings.server.backend_timeout,
    )


async def _open(
    backend: BackendSettings,
    meter: CallMeter,
    clock: Clock,
    entropy: Entropy,
    network: Network,
    progress_s: float,
) -> Backend:
    if isinstance(backend, DirectoryBackendSettings):
        return await DirectoryBackend.open_root(
            backend.name, backend.path, meter=meter, entropy=entropy
        )
    s3 = S3Settings(
        name=backend.name,
        endpoint=backend.endpoint,
        bucket=backend.bucket,
        access_key_id=backend.access_key_id,
        secret_access_key=backend.secret_access_key.reveal(),
        region=backend.region,
        is_path_style=backend.force_path_style,
        is_payload_unsigned=backend.unsigned_payload,
        profile=backend.profile,
    )
    origin = _checked_origin(s3)
    tls = client_context() if origin.is_tls else None
    pool = ClientPool(origin, network, progress_s=progress_s, tls=tls)
    return S3Backend(s3, pool, meter, clock)


def _checked_origin(settings: S3Settings) -> Origin:
    """Return where connections go; raises InvalidArgument for a bad endpoint."""
    try:
        return settings.origin
    except ValueError as error:
        raise InvalidArgument("endpoint", settings.endpoint, str(error)) from None
