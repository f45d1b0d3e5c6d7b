"""The first fork of a request's way: operators' doors by their paths, the rest is S3.

Such a path is never an S3 client's: no bucket may be called health, metrics or admin
(the configuration refuses it). In a virtual-host request the same path is a key of the
bucket in the host name, so those always go to the S3 door.
"""

from collections.abc import Mapping, Sequence

from s3o.net.exchange import Exchange, Handler


class Front:
    """The handler of a listener: doors by path, everything else to other.

    A path that ends with "/" stands for all that begin with it.
    """

    def __init__(
        self, doors: Mapping[str, Handler], other: Handler, domains: Sequence[str] = ()
    ) -> None:
        self._doors = {p: door for p, door in doors.items() if not p.endswith("/")}
        self._below = [pair for pair in doors.items() if pair[0].endswith("/")]
        self._other = other
        self._suffixes = tuple(f".{domain.lower().strip('.')}" for domain in domains)

    async def __call__(self, exchange: Exchange) -> None:
        """Hand the exchange on."""
        door = self._find(exchange.head.target.partition("?")[0])
        if door is None or self._names_bucket(exchange.head.fields.get("host", "")):
            await self._other(exchange)
        else:
            await door(exchange)

    def _find(self, path: str) -> Handler | None:
        door = self._doors.get(path)
        if door is None:
            for prefix, below in self._below:
                if path.startswith(prefix):
                    return below
        return door

    def _names_bucket(self, host: str) -> bool:
        name = host.lower().partition(":")[0].rstrip(".")
        return bool(self._suffixes) and name.endswith(self._suffixes)
