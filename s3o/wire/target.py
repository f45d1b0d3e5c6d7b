"""The request target: parsed once from the raw bytes, then trusted by everybody.

Signature and storage must never read one target in two ways, so both take what is
decided here. Rules:

- Path style is `/{bucket}/{key}`; virtual-host style is `{bucket}.{domain}` for the
  longest configured domain that fits. Any other host, an address too: path style.
- The path is cut at raw slashes, then percent-decoded once as UTF-8 and never
  normalised: `//`, `.` and `..` are ordinary. `/{bucket}/` is the bucket.
- `+` is a plus in the path and a space in the query; `k` and `k=` are the same.
- A broken escape, bytes that are no UTF-8, and anything over the limits: InvalidUri.
"""

import re
from collections.abc import KeysView, Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

from s3o.model import limits
from s3o.model.errors import InvalidUri
from s3o.wire.sigv4 import encode_path

_TARGET = re.compile(r"/[!-~]*", re.ASCII)
_PLAIN_PATH = re.compile(r"[A-Za-z0-9/._~-]*", re.ASCII)
_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})", re.ASCII)
_PORT = re.compile(r":[0-9]*\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Query:
    """The query's parameters, decoded, in order, repeats kept."""

    pairs: tuple[tuple[str, str], ...] = ()
    _values: dict[str, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Index the parameters; the first of a repeated name counts."""
        object.__setattr__(self, "_values", dict(reversed(self.pairs)))

    @property
    def names(self) -> KeysView[str]:
        """The parameters' names, as a set."""
        return self._values.keys()

    def has(self, name: str) -> bool:
        """Whether the parameter is there, with or without a value."""
        return name in self._values

    def get(self, name: str) -> str | None:
        """Return the parameter's value ("" for a bare name), or None if absent."""
        return self._values.get(name)

    def count(self, name: str) -> int:
        """Return how often the parameter is there."""
        return sum(1 for pair in self.pairs if pair[0] == name)


_NO_QUERY = Query()


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a request is about.

    bucket is None for the service itself and never empty; it may still be no valid
    name. key is None for the bucket itself, else UTF-8 and never empty. is_in_host:
    whether the host, and not the path, names the bucket.
    """

    bucket: str | None
    key: bytes | None
    is_in_host: bool
    path: str  # as sent
    canonical_path: str  # decoded and encoded again: what is signed
    query: Query


def parse_target(target: str, host: str | None, domains: Sequence[str]) -> Target:
    """Take a target in origin form apart; domains are lower-case, without port.

    Raises InvalidUri.
    """
    if len(target) > limits.TARGET_BYTES:
        raise InvalidUri(f"the target is over {limits.TARGET_BYTES} bytes")
    if not _TARGET.fullmatch(target) or "#" in target:
        raise InvalidUri("the target is not a path")
    path, _, query = target.partition("?")
    bucket = find_bucket_in_host(host, domains) if host and domains else None
    is_in_host = bucket is not None
    if bucket is None:
        raw_bucket, _, raw_key = path[1:].partition("/")
        if not raw_bucket and path != "/":
            raise InvalidUri("the bucket's name is empty")
        bucket = _decode(raw_bucket).decode("utf-8") or None
    else:
        raw_key = path[1:]
    is_plain = _PLAIN_PATH.fullmatch(path)
    return Target(
        bucket=bucket,
        key=_decode(raw_key) or None,
        is_in_host=is_in_host,
        path=path,
        canonical_path=path if is_plain else encode_path(_decode(path)),
        query=parse_query(query) if query else _NO_QUERY,
    )


def find_bucket_in_host(host: str, domains: Sequence[str]) -> str | None:
    """Return the bucket of a virtual-hosted request, or None for path style."""
    name = _PORT.sub("", host).lower().removesuffix(".")
    fitting = [domain for domain in domains if name.endswith("." + domain)]
    if not fitting or name in domains:
        return None
    return name[: -len(max(fitting, key=len)) - 1] or None


def parse_query(text: str) -> Query:
    """Return the parameters of a raw query; raises InvalidUri."""
    pieces = [piece for piece in text.split("&") if piece]
    if len(pieces) > limits.QUERY_PARAMETERS:
        raise InvalidUri(f"over {limits.QUERY_PARAMETERS} query parameters")
    pairs = []
    for piece in pieces:
        name, _, value = piece.partition("=")
        pairs.append((_decode_parameter(name), _decode_parameter(value)))
    return Query(tuple(pairs))


def _decode_parameter(raw: str) -> str:
    if "+" in raw:
        raw = raw.replace("+", " ")
    return _decode(raw).decode("utf-8") if "%" in raw else raw


def _decode(raw: str) -> bytes:
    """Percent-decode once; the result is UTF-8."""
    if "%" not in raw:
        return raw.encode("ascii")
    if _BROKEN_ESCAPE.search(raw):
        raise InvalidUri("a percent sign without two hexadecimal digits")
    decoded = unquote_to_bytes(raw)
    try:
        decoded.decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidUri("percent-encoded bytes that are not UTF-8") from None
    return decoded
