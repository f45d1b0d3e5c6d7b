"""The first fork of a request's way: operators' doors by exact path, the rest is S3.

Such a path is never an S3 client's: no bucket may be called health or metrics (the
configuration refuses it). In a virtual-host request the same path is a key of the
bucket in the host name, so those always go to the S3 door.
"""

from collections.abc import Mapping, Sequence

from s3o.net.exchange import Exchange, Handler


class Front:
    """The handler of a listener: doors by exact path, everything else to other."""

    def __init__(
        self, doors: Mapping[str, Handler], other: Handler, domains: Sequence[str] = ()
    ) -> None:
        self._doors = dict(doors)
        self._other = other
        self._suffixes = tuple(f".{domain.lower().strip('.')}" for domain in domains)

    async def __call__(self, exchange: Exchange) -> None:
        """Hand the exchange on."""
        door = self._doors.get(exchange.head.target.partition("?")[0])
        if door is None or self._names_bucket(exchange.head.fields.get("host", "")):
            await self._other(exchange)
        else:
            await door(exchange)

    def _names_bucket(self, host: str) -> bool:
        name = host.lower().partition(":")[0].rstrip(".")
        return bool(self._suffixes) and name.endswith(self._suffixes)
