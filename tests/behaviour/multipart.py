"""A client that uploads in parts through the front door."""

import re
from collections.abc import Mapping, Sequence

from tests.behaviour.service import Answer, Service

SMALL = {"listen_addr": "127.0.0.1:0", "min_part_size": 1}
NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"


def tag(text: str, name: str) -> str:
    """The content of the first element of that name."""
    found = re.search(f"<{name}>(.*?)</{name}>", text, re.DOTALL)
    assert found is not None, f"no {name} in {text}"
    return found[1]


def tags(text: str, name: str) -> list[str]:
    """The contents of all elements of that name."""
    return re.findall(f"<{name}>(.*?)</{name}>", text, re.DOTALL)


def manifest(parts: Sequence[tuple[int, str]], extra: str = "") -> bytes:
    """A CompleteMultipartUpload document."""
    listed = "".join(
        f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag>{extra}</Part>"
        for number, etag in parts
    )
    return (
        f'<CompleteMultipartUpload xmlns="{NAMESPACE}">{listed}'
        "</CompleteMultipartUpload>"
    ).encode()


class Client:
    """Uploads of one key."""

    def __init__(self, service: Service, path: str = "/photos/a") -> None:
        self.service = service
        self.path = path
        self.upload_id = ""
        self.etags: dict[int, str] = {}

    async def create(self, headers: Mapping[str, str] | None = None) -> Answer:
        """Begin an upload."""
        answer = await self.service.ask(
            "POST", self.path, (("uploads", ""),), headers or {}
        )
        if answer.status == 200:
            self.upload_id = tag(answer.text, "UploadId")
        return answer

    async def part(
        self, number: int, body: bytes, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send a part."""
        query = (("partNumber", str(number)), ("uploadId", self.upload_id))
        answer = await self.service.ask("PUT", self.path, query, headers or {}, body)
        if answer.status == 200:
            self.etags[number] = answer.headers["etag"]
        return answer

    async def parts(self, *bodies: bytes) -> None:
        """Send parts 1, 2, ..."""
        for number, body in enumerate(bodies, 1):
            answer = await self.part(number, body)
            assert 200 == answer.status, answer.text

    async def complete(
        self,
        parts: Sequence[tuple[int, str]] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        """Complete with all parts sent, or with these."""
        listed = sorted(self.etags.items()) if parts is None else parts
        body = manifest(listed) if body is None else body
        return await self.ask("POST", headers=headers, body=body)

    async def ask(
        self,
        method: str,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        *,
        who: str = "photoskey",
    ) -> Answer:
        """Ask anything about the upload."""
        pairs = (("uploadId", self.upload_id), *(query or {}).items())
        return await self.service.ask(
            method, self.path, pairs, headers or {}, body, who=who
        )

    async def get(self, start: int | None = None, stop: int = 0) -> bytes:
        """Read the object, or its bytes start..stop."""
        headers = {} if start is None else {"range": f"bytes={start}-{stop - 1}"}
        answer = await self.service.ask("GET", self.path, (), headers)
        assert answer.status in (200, 206), answer.text
        return answer.body
