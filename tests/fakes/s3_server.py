"""A provider of our own in memory: stateful, strict, with quirks and with faults.

It verifies every signature and payload hash, answers like AWS where no quirk says
otherwise, and misbehaves for one call whenever a fault was planted for it.
"""

from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

import trio

from s3o.net.memory import MemoryStream
from tests.fakes import s3_uploads
from tests.fakes.s3_objects import (
    copy_object,
    delete_object,
    delete_objects,
    get_object,
    list_objects,
    list_versions,
    put_object,
    tell_versioning,
)
from tests.fakes.s3_quirks import Quirks
from tests.fakes.s3_store import Bucket
from tests.fakes.s3_strictness import check_form, check_name, renamed
from tests.fakes.s3_wire import (
    Answer,
    Connection,
    Refusal,
    Request,
    error_answer,
    unframed,
    verify,
)

ELSEWHERE = "elsewhere.example"
_SLOW_DOWN_S = 7
_ALWAYS_REFUSED = frozenset(("x-amz-acl", "x-amz-tagging", "x-amz-trailer"))


class S3Fault(StrEnum):
    """What may go wrong with one call."""

    SLOW_DOWN = "503 SlowDown with Retry-After"
    RESET_REQUEST = "reset in the middle of the request's body"
    RESET_ANSWER = "done, then reset in the middle of the answer"
    ERROR_IN_200 = "200, white space, Error"
    SLOW_DRIP = "done, answered in drops"
    SILENCE = "done, never answered"
    WRONG_ETAG = "done, answered with another ETag"
    STALE_LIST = "a listing without the last change"
    NOT_FOUND = "404 of what is there"
    NO_UPLOAD = "404 of an upload that is there"
    REDIRECT_307 = "307"
    REDIRECT_301 = "301"
    NO_LENGTH = "done, answered without Content-Length"


@dataclass(kw_only=True)
class S3Server:
    """One bucket at one provider. requests: (operation, request), verified or not."""

    access_key_id: str
    secret: str = field(repr=False)
    quirks: Quirks = field(default_factory=Quirks)
    drop_bytes: int = 16
    drop_s: float = 20.0

    def __post_init__(self) -> None:
        """Begin empty."""
        self.bucket = Bucket(
            keeps_versions=self.quirks.keeps_versions,
            has_opaque_etags=self.quirks.has_opaque_etags,
        )
        self.requests: list[tuple[str, Request]] = []
        self.faults: dict[str, deque[S3Fault]] = defaultdict(deque)
        #: after how many calls of an operation a body arrives that was not sent
        self.garbled: dict[str, int] = {}
        self.ready_at = 0.0

    def plant(self, operation: str, *faults: S3Fault) -> None:
        """Let the next calls of operation go wrong, one fault each."""
        self.faults[operation].extend(faults)

    def garble(self, operation: str, number: int = 1) -> None:
        """Let the body of the number-th call of operation from now on be damaged."""
        self.garbled[operation] = number

    def _is_garbled(self, operation: str) -> bool:
        if operation not in self.garbled:
            return False
        self.garbled[operation] -= 1
        if self.garbled[operation]:
            return False
        del self.garbled[operation]
        return True

    def count(self, operation: str) -> int:
        """How often operation was called."""
        return sum(name == operation for name, _ in self.requests)

    def start(self) -> None:
        """Begin to come up."""
        self.ready_at = trio.current_time() + self.quirks.unready_s

    async def serve(self, stream: MemoryStream) -> None:
        """Serve one connection to its end."""
        connection = Connection(stream)
        while (request := await connection.next_head()) is not None:
            operation = operation_of(request)
            self.requests.append((operation, request))
            waiting = self.faults[operation]
            fault = waiting.popleft() if waiting else None
            if fault is S3Fault.RESET_REQUEST:
                await connection.read_body(share=0.5)
                stream.abort()
                return
            request.body = await connection.read_body()
            if self._is_garbled(operation):
                request.body = _garble(request.body)
            await trio.sleep(self.quirks.latency_s)
            answer = self._planned(request, fault) or self._work(operation, request)
            if not await self._send(stream, answer, fault):
                return

    def _work(self, operation: str, request: Request) -> Answer:
        if self.quirks.unready_s and trio.current_time() < self.ready_at:
            return _for_method(request, Answer(status=503, body=b"warming up"))
        try:
            self.check(operation, request)
            if self.quirks.is_permissive:
                request.body = unframed(request)
            else:
                request.body = verify(request, self.access_key_id, self.secret)
            request = renamed(self.quirks, request)
            check_name(self.bucket, self.quirks, operation, request)
            if self.quirks.lists_late and operation == "ListObjectsV2":
                late = self.bucket.before
                return list_objects(self.bucket, self.quirks, request, late)
            return OPERATIONS[operation](self.bucket, self.quirks, request)
        except Refusal as refusal:
            return _for_method(
                request, error_answer(refusal, is_wrapped=self.quirks.wraps_errors)
            )

    def check(self, operation: str, request: Request) -> None:
        """Refuse what this provider does not take."""
        quirks, fields = self.quirks, request.fields
        if quirks.is_permissive:
            return
        if quirks.is_strict:
            check_form(request)
        scope = f"/{quirks.region}/s3/aws4_request"
        if quirks.region and scope not in fields.get("authorization", ""):
            raise Refusal(
                400, "AuthorizationHeaderMalformed", f"expecting '{quirks.region}'"
            )
        streams = fields["x-amz-content-sha256"].startswith("STREAMING-")
        if streams and quirks.streaming_refusal:
            raise Refusal(quirks.streaming_refusal, "NotImplemented", "streaming")
        if quirks.refuses_checksums:
            for name in fields:
                if name.startswith(("x-amz-checksum-", "x-amz-sdk-")):
                    raise Refusal(400, "InvalidArgument", f"unsupported header {name}")
            if "aws-chunked" in fields.get("content-encoding", ""):
                raise Refusal(400, "InvalidArgument", "unsupported content coding")
        if _ALWAYS_REFUSED & fields.keys():
            raise Refusal(400, "InvalidArgument", "a header nobody needs")
        metadata = sum(
            len(name) - len("x-amz-meta-") + len(value)
            for name, value in fields.items()
            if name.startswith("x-amz-meta-")
        )
        if metadata > quirks.metadata_bytes:
            raise Refusal(400, "MetadataTooLarge")
        if operation == "DeleteObjects" and quirks.multi_delete_refusal:
            raise Refusal(quirks.multi_delete_refusal, "NotImplemented")

    def _planned(self, request: Request, fault: S3Fault | None) -> Answer | None:
        """Return the answer of a fault before which nothing is done."""
        match fault:
            case S3Fault.SLOW_DOWN:
                answer = error_answer(Refusal(503, "SlowDown"))
                answer.fields["Retry-After"] = str(_SLOW_DOWN_S)
            case S3Fault.ERROR_IN_200:
                answer = error_answer(Refusal(200, "InternalError"))
                answer.body = b"\n   \n" + answer.body
            case S3Fault.NOT_FOUND:
                code = "NoSuchKey" if request.key else "NoSuchBucket"
                answer = error_answer(Refusal(404, code))
            case S3Fault.NO_UPLOAD:
                answer = error_answer(Refusal(404, "NoSuchUpload"))
            case S3Fault.REDIRECT_307 | S3Fault.REDIRECT_301:
                code = "TemporaryRedirect"
                if fault is S3Fault.REDIRECT_301:
                    code = "PermanentRedirect"
                answer = error_answer(Refusal(int(fault.value), code))
                answer.fields["Location"] = f"http://{ELSEWHERE}{request.path}"
            case S3Fault.STALE_LIST:
                answer = list_objects(
                    self.bucket, self.quirks, request, self.bucket.before
                )
            case _:
                return None
        return _for_method(request, answer)

    async def _send(
        self, stream: MemoryStream, answer: Answer, fault: S3Fault | None
    ) -> bool:
        """Send an answer; False ends the connection."""
        if fault is S3Fault.SILENCE:
            await trio.sleep_forever()
        if fault is S3Fault.WRONG_ETAG:
            _falsify(answer)
        has_length = fault is not S3Fault.NO_LENGTH
        head, body = answer.render(has_length=has_length)
        whole = head + body
        if fault is S3Fault.RESET_ANSWER:
            # Of an answer without a body not even the head is whole.
            await stream.send_vectored(
                [head + body[: len(body) // 2]] if body else [head[:20]]
            )
            await trio.sleep(1.0)  # else the reset overtakes the bytes
            stream.abort()
            return False
        if fault is S3Fault.SLOW_DRIP:
            # Of an answer without a body it is the head that comes in drops.
            await stream.send_vectored([head if body else head[:1]])
            dripping = body or head[1:]
            for at in range(0, len(dripping), self.drop_bytes):
                await trio.sleep(self.drop_s)
                await stream.send_vectored([dripping[at : at + self.drop_bytes]])
            return True
        await stream.send_vectored([whole])
        return has_length


def _for_method(request: Request, answer: Answer) -> Answer:
    """Return what is sent of answer: HEAD's has no body."""
    if request.method == "HEAD":
        answer.body, answer.length = b"", answer.length or 0
    return answer


def _garble(body: bytes) -> bytes:
    """Return body with one bit of its last byte but 200 turned; never of framing."""
    at = max(0, len(body) - 200)
    return body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]


def _falsify(answer: Answer) -> None:
    wrong = "f" * 32
    if "ETag" in answer.fields:
        answer.fields["ETag"] = f'"{wrong}"'
    head, found, tail = answer.body.partition(b"<ETag>")
    if found:
        rest = tail.partition(b"</ETag>")[2]
        answer.body = head + found + wrong.encode() + b"</ETag>" + rest


def operation_of(request: Request) -> str:
    """Return the S3 operation that a request asks for."""
    query, has_key = request.query, bool(request.key)
    match request.method, has_key:
        case "PUT", True:
            is_copy = "x-amz-copy-source" in request.fields
            if "partNumber" in query:
                return "UploadPartCopy" if is_copy else "UploadPart"
            return "CopyObject" if is_copy else "PutObject"
        case "POST", True:
            return (
                "CreateMultipartUpload"
                if "uploads" in query
                else "CompleteMultipartUpload"
            )
        case "DELETE", True:
            return "AbortMultipartUpload" if "uploadId" in query else "DeleteObject"
        case "GET", True:
            return "ListParts" if "uploadId" in query else "GetObject"
        case "HEAD", _:
            return "HeadObject" if has_key else "HeadBucket"
        case "POST", False:
            return "DeleteObjects"
    for name, operation in (
        ("versioning", "GetBucketVersioning"),
        ("versions", "ListObjectVersions"),
        ("uploads", "ListMultipartUploads"),
    ):
        if name in query:
            return operation
    return "ListObjectsV2"


def head_bucket(bucket: Bucket, quirks: Quirks, request: Request) -> Answer:
    """Say that the bucket is there."""
    return Answer(length=0)


OPERATIONS: dict[str, Callable[[Bucket, Quirks, Request], Answer]] = {
    "AbortMultipartUpload": s3_uploads.abort,
    "CompleteMultipartUpload": s3_uploads.complete,
    "CopyObject": copy_object,
    "CreateMultipartUpload": s3_uploads.create,
    "DeleteObject": delete_object,
    "DeleteObjects": delete_objects,
    "GetBucketVersioning": tell_versioning,
    "GetObject": get_object,
    "HeadBucket": head_bucket,
    "HeadObject": get_object,
    "ListMultipartUploads": s3_uploads.list_uploads,
    "ListObjectVersions": list_versions,
    "ListObjectsV2": list_objects,
    "ListParts": s3_uploads.list_parts,
    "PutObject": put_object,
    "UploadPart": s3_uploads.upload_part,
    "UploadPartCopy": s3_uploads.copy_part,
}
