"""Monthly use per backend; periods are 'YYYY-MM' in UTC."""

from collections.abc import Mapping

from s3o.ledger import rows
from s3o.ledger.seam import Tx
from s3o.model.names import BackendName
from s3o.model.values import Usage


async def add_usage(
    tx: Tx, period: str, used: Mapping[BackendName, Usage], now_us: int = 0
) -> None:
    """Add what was used since the last flush."""
    for backend, usage in sorted(used.items()):
        await tx.run(
            "add_usage",
            backend_name=backend,
            period=period,
            api_requests=usage.api_requests,
            egress_bytes=usage.egress_bytes,
            ingress_bytes=usage.ingress_bytes,
            now_us=now_us,
        )


async def read_usage(tx: Tx, period: str) -> Mapping[BackendName, Usage]:
    """Return what was flushed so far in period."""
    return {
        rows.backend_name(backend): Usage(
            rows.number(requests), rows.number(egress), rows.number(ingress)
        )
        for backend, requests, egress, ingress in await tx.all(
            "read_usage", period=period
        )
    }
