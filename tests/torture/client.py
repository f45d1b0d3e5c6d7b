"""One client of the torture: its keys, their histories, its own chance."""

import hashlib
import http.client
import random
import re
import threading
import time

from s3o.wire.sigv4 import RequestSigner, encode_path, encode_query
from tests.process.daemon import ACCESS_KEY, BUCKET, SECRET_KEY

KEYS = 6
ABSENT = ""  # the digest of a key that does not exist
PART = 70_000
Query = tuple[tuple[str, str], ...]


class Client:
    """Owns the keys below its number; nobody else writes them."""

    def __init__(self, number: int, seed: int) -> None:
        self.random = random.Random(f"{seed}/{number}")
        keys = [f"c{number}/{index}" for index in range(KEYS)]
        self.history: dict[str, list[str]] = {key: [ABSENT] for key in keys}
        self.complaints: list[str] = []
        self.acknowledged = 0
        self.unanswered = 0
        self._written = 0

    def load(self, port: int, stop: threading.Event) -> None:
        """Work until the service dies under it."""
        line = Line(port)
        try:
            while not stop.is_set():
                self._act(line)
        except (OSError, http.client.HTTPException):
            self.unanswered += 1
        finally:
            line.close()

    def check(self, port: int) -> None:
        """Read every key back; what is there must be in its history."""
        line = Line(port)
        try:
            for key, history in self.history.items():
                status, body = line.ask("GET", key)
                if status not in (200, 404):
                    self.complaints.append(f"{key}: {status} {body[:300]!r}")
                    continue
                digest = digest_of(body) if status == 200 else ABSENT
                if digest not in history:
                    told = f"{key}: {status}, {len(body)} bytes that nobody expects"
                    self.complaints.append(told)
                    continue
                self.history[key] = history[history.index(digest) :]
        finally:
            line.close()

    def _act(self, line: "Line") -> None:
        key = self.random.choice(list(self.history))
        deed = self.random.choices(
            (self._put, self._delete, self._copy, self._upload, self._read),
            (50, 15, 10, 8, 17),
        )[0]
        deed(line, key)

    def _put(self, line: "Line", key: str) -> None:
        body = self._body(key)
        digest = digest_of(body)
        self.history[key].append(digest)
        self._note(key, digest, line.ask("PUT", key, body=body))

    def _delete(self, line: "Line", key: str) -> None:
        self.history[key].append(ABSENT)
        self._note(key, ABSENT, line.ask("DELETE", key))

    def _copy(self, line: "Line", key: str) -> None:
        source = self.random.choice(list(self.history))
        digest = self.history[source][-1]
        if len(self.history[source]) > 1 or digest == ABSENT or source == key:
            return  # what the source is, only the service knows
        header = {"x-amz-copy-source": f"/{BUCKET}/{source}"}
        self.history[key].append(digest)
        self._note(key, digest, line.ask("PUT", key, headers=header))

    def _upload(self, line: "Line", key: str) -> None:
        status, answer = line.ask("POST", key, query=(("uploads", ""),))
        if status == 503:
            return
        assert status == 200, (status, answer)
        match = re.search(rb"<UploadId>(.*?)</UploadId>", answer)
        assert match is not None
        upload_id = match[1].decode()
        bodies = [self._body(key)[:PART].ljust(PART, b"."), self._body(key)]
        parts = ""
        for number, body in enumerate(bodies, 1):
            query = (("partNumber", str(number)), ("uploadId", upload_id))
            status, answer = line.ask("PUT", key, query=query, body=body)
            if status == 503:
                return
            assert status == 200, (status, answer)
            etag = hashlib.md5(body).hexdigest()
            parts += (
                f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>"
            )
        digest = digest_of(b"".join(bodies))
        document = (
            f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
        )
        self.history[key].append(digest)
        status, answer = line.ask(
            "POST", key, query=(("uploadId", upload_id),), body=document
        )
        if status == 200 and b"<Error>" in answer:
            status = 503
        self._note(key, digest, (status, answer))

    def _read(self, line: "Line", key: str) -> None:
        status, body = line.ask("GET", key)
        if status == 503:
            return
        assert status in (200, 404), (status, body)
        digest = digest_of(body) if status == 200 else ABSENT
        if digest not in self.history[key]:
            self.complaints.append(f"{key}: {status}, {len(body)} bytes while loading")

    def _note(self, key: str, digest: str, answer: tuple[int, bytes]) -> None:
        status, body = answer
        if status in (200, 204):
            self.history[key] = [digest]
            self.acknowledged += 1
        elif status not in (409, 503, 507):
            self.complaints.append(f"{key}: {status} {body[:300]!r}")

    def _body(self, key: str) -> bytes:
        self._written += 1
        size = self.random.choice((0, 1, 1000, 20_000, 70_001, 300_000))
        label = f"{key} {self._written} ".encode()
        return (label * (size // len(label) + 1))[:size]


def digest_of(body: bytes) -> str:
    """Return what a history remembers of a value."""
    return hashlib.sha256(body).hexdigest()


class Line:
    """One kept-alive connection that signs what it asks."""

    def __init__(self, port: int) -> None:
        self._host = f"127.0.0.1:{port}"
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=90)

    def ask(
        self,
        method: str,
        key: str,
        *,
        query: Query = (),
        headers: dict[str, str] | None = None,
        body: bytes = b"",
    ) -> tuple[int, bytes]:
        """Send a request; return status and whole body."""
        path = encode_path(f"/{BUCKET}/{key}".encode())
        given = (("host", self._host), *(headers or {}).items())
        signed = RequestSigner(ACCESS_KEY, SECRET_KEY, "us-east-1").sign(
            method, path, query, given, "UNSIGNED-PAYLOAD", time.time_ns() // 1000
        )
        target = f"{path}?{encode_query(query)}" if query else path
        fields = {**dict(signed), "Content-Length": str(len(body))}
        self._connection.request(method, target, body=body, headers=fields)
        answer = self._connection.getresponse()
        return answer.status, answer.read()

    def close(self) -> None:
        """Hang up."""
        self._connection.close()
