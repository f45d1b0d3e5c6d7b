"""Answers of the operators' doors: small, never cached, the same for GET and HEAD."""

import json
from collections.abc import Mapping

from s3o.net.answer import Headers
from s3o.net.exchange import Exchange

JSON = "application/json"


async def respond_text(
    exchange: Exchange,
    status: int,
    content_type: str,
    body: bytes,
    headers: Headers = (),
) -> None:
    """Answer with body; HEAD gets its length only."""
    ours = [("content-type", content_type), ("cache-control", "no-store")]
    await exchange.respond(status, [*ours, *headers], body)


async def respond_json(
    exchange: Exchange,
    status: int,
    document: Mapping[str, object],
    headers: Headers = (),
) -> None:
    """Answer with a JSON object in one line."""
    body = json.dumps(document, separators=(",", ":")).encode("ascii")
    await respond_text(exchange, status, JSON, body, headers)


async def respond_method_not_allowed(exchange: Exchange) -> None:
    """Answer 405: these doors are for reading."""
    headers = [("content-type", JSON), ("allow", "GET, HEAD")]
    await exchange.respond(405, headers, b'{"error":"method not allowed"}')


async def respond_not_found(exchange: Exchange) -> None:
    """Answer 404: what a listener says that has only doors of its own."""
    await respond_json(exchange, 404, {"error": "not found"})
