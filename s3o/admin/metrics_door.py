"""The door of the scraper: all metrics in Prometheus' text format.

Rendering some thousand series takes milliseconds, which every request in flight would
wait for: it is done metric by metric with a checkpoint in between, and kept for a
second, so that several scrapers (or an impatient person) cost one rendering.
"""

import trio

from s3o.admin.answers import respond_method_not_allowed, respond_text
from s3o.model.seams import Clock
from s3o.net.exchange import Exchange
from s3o.observe.metrics import CONTENT_TYPE, Metrics

FRESH_S = 1.0


class MetricsDoor:
    """The handler of /metrics."""

    def __init__(self, metrics: Metrics, clock: Clock) -> None:
        self._metrics = metrics
        self._clock = clock
        self._rendering = trio.Lock()
        self._rendered_s: float | None = None  # None: never
        self._body = b""

    async def metrics(self, exchange: Exchange) -> None:
        """Answer with all metrics."""
        if exchange.head.method not in ("GET", "HEAD"):
            await respond_method_not_allowed(exchange)
            return
        await respond_text(exchange, 200, CONTENT_TYPE, await self._render())

    async def _render(self) -> bytes:
        async with self._rendering:
            now_s = self._clock.monotonic_s()
            if self._rendered_s is None or now_s - self._rendered_s >= FRESH_S:
                pieces = []
                for piece in self._metrics.render_families():
                    pieces.append(piece)
                    await trio.lowlevel.checkpoint()
                self._body = b"".join(pieces)
                self._rendered_s = now_s
            return self._body
