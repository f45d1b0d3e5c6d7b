"""A signed request over http.client: no retries, no checksums, no memory of bodies.

The SDKs are covered elsewhere; here a test must know exactly what was sent and whether
it was acknowledged.
"""

import http.client
import time
from collections.abc import Iterable
from types import TracebackType

from s3o.wire.sigv4 import RequestSigner
from tests.process.daemon import ACCESS_KEY, BUCKET, SECRET_KEY

Body = bytes | Iterable[bytes]


def signed_headers(
    method: str,
    path: str,
    host: str,
    *,
    access_key: str = ACCESS_KEY,
    secret_key: str = SECRET_KEY,
) -> dict[str, str]:
    """Return the headers of a signed request whose body is not signed."""
    signer = RequestSigner(access_key, secret_key, "us-east-1")
    now_us = time.time_ns() // 1000
    headers = (("host", host),)
    return dict(signer.sign(method, path, (), headers, "UNSIGNED-PAYLOAD", now_us))


class RawClient:
    """One kept-alive connection. Owns: the connection."""

    def __init__(self, port: int, *, timeout_s: float = 60.0) -> None:
        self._host = f"127.0.0.1:{port}"
        self.connection = http.client.HTTPConnection(
            "127.0.0.1", port, timeout=timeout_s
        )

    def send(
        self, method: str, key: str, body: Body = b"", size: int | None = None
    ) -> http.client.HTTPResponse:
        """Send a request; return its answer, body unread. key needs no escapes."""
        path = f"/{BUCKET}/{key}"
        headers = signed_headers(method, path, self._host)
        if isinstance(body, bytes):
            size = len(body)
        headers["Content-Length"] = str(size)
        self.connection.request(method, path, body=body, headers=headers)
        return self.connection.getresponse()

    def ask(
        self, method: str, key: str, body: Body = b"", size: int | None = None
    ) -> tuple[int, bytes]:
        """Send a request; return status and whole body of its answer."""
        answer = self.send(method, key, body, size)
        return answer.status, answer.read()

    def __enter__(self) -> "RawClient":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.connection.close()
