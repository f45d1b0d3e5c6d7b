"""One call to an S3 provider: sign, send, and turn what went wrong into our errors.

A call is sent again in two cases only, once each, and only if its body can begin again:

- on a new connection, when one that had been idle broke before a byte of the answer
  (the server had closed it; storage keys being written once, sending twice does no
  harm, but what the second attempt is told no longer speaks for the first);
- with the provider's clock, when it calls ours skewed.

Throttling and server errors are not retried here: another backend may serve, and the
breaker and the queues above have the patience. Each attempt counts as a request.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import trio

from s3o.backends import s3_answers
from s3o.backends.s3_bodies import Upload, framed_size
from s3o.backends.s3_signing import HeadWriter, SignedHead
from s3o.backends.seam import Meter
from s3o.model import limits
from s3o.model.errors import BackendError, BackendRefused
from s3o.model.names import BackendName
from s3o.model.values import Pairs
from s3o.net.client import (
    Answer,
    BadAnswer,
    ClientError,
    ClientPool,
    ClientRequest,
    ConnectionBroke,
    Stalled,
)
from s3o.wire.dates import parse_http_date
from s3o.wire.sigv4 import STREAMING_PAYLOAD

_SKEW_CODES = frozenset(("RequestTimeTooSkewed", "RequestExpired"))
_SKEW_US = 5 * 60 * 1_000_000  # below this a bare 403 has another reason


@dataclass(slots=True, kw_only=True)
class Call:
    """What to send. A call has a body (bytes), an upload, or neither."""

    operation: str
    method: str
    path: str
    payload_hash: str
    query: tuple[tuple[str, str], ...] = ()
    signed: Pairs = ()  # more headers to sign
    plain: str = ""  # header lines that are not signed
    body: bytes = b""
    upload: Upload | None = None
    may_be_coded: bool = False  # others store bytes with a content coding of theirs


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A whole successful answer."""

    status: int
    fields: Mapping[str, str]
    body: bytes


class Caller:
    """Makes calls with one credential over one pool."""

    def __init__(
        self,
        name: BackendName,
        pool: ClientPool,
        writer: HeadWriter,
        meter: Meter,
    ) -> None:
        self.name = name
        self._pool = pool
        self._writer = writer
        self.meter = meter

    async def ask(self, call: Call, limit_bytes: int) -> Reply:
        """Return the whole answer of a successful call; raises BackendError."""
        answer = await self.start(call)
        try:
            body = await self._read(answer, limit_bytes)
        except ClientError as error:
            raise self.translate(error, call.operation) from error
        finally:
            await answer.aclose()
        if body:
            hidden = s3_answers.hidden_error(body)
            if hidden is not None:
                raise s3_answers.refusal(
                    self.name, call.operation, answer.status, hidden, answer.fields
                )
        return Reply(status=answer.status, fields=answer.fields, body=body)

    async def _read(self, answer: Answer, limit_bytes: int) -> bytes:
        """Read a document; white space that keeps the connection alive is progress."""
        body = bytearray(await answer.read())
        if not body:
            return b""
        self.meter.count_egress(len(body))
        with trio.move_on_after(limits.BACKEND_KEEPALIVE_S) as scope:
            while len(body) <= limit_bytes and (piece := await answer.read()):
                body += piece
                self.meter.count_egress(len(piece))
        if scope.cancelled_caught:
            raise Stalled("a document without end")
        if len(body) > limit_bytes:
            raise BadAnswer("the body of the answer is too long")
        return bytes(body)

    async def start(self, call: Call) -> Answer:
        """Return the answer of a successful call, its body unread.

        Raises BackendError, and what the upload's source raises.
        Owns: nothing; the caller closes the answer.
        """
        is_fresh = False
        may_learn = True
        while True:
            try:
                answer = await self._pool.start(self._request(call), is_fresh=is_fresh)
            except ClientError as error:
                is_stale = isinstance(error, ConnectionBroke) and error.is_stale
                if is_stale and not is_fresh and await _rewind(call):
                    is_fresh = True
                    continue
                failure = self.translate(error, call.operation)
                failure.is_definite &= not is_fresh
                raise failure from error
            if 200 <= answer.status < 300:
                return await self._accept(call, answer)
            refused = await self._refuse(call, answer)
            # Of the first attempt, whose connection broke, nobody knows.
            refused.is_definite &= not is_fresh
            if may_learn and self._learn_skew(refused, answer) and await _rewind(call):
                may_learn = False
                continue
            raise refused

    def translate(self, error: ClientError, operation: str) -> BackendError:
        """Return the backend's error for a failed exchange."""
        return s3_answers.translate(error, self.name, operation)

    def _request(self, call: Call) -> ClientRequest:
        upload = call.upload
        head = self._sign(call)
        request = ClientRequest(
            head=head.raw,
            first=call.body,
            is_head=call.method == "HEAD",
            note_sent=self._note_sent(len(call.body)),
        )
        if upload is None:
            return request
        if call.payload_hash == STREAMING_PAYLOAD:
            request.rest = upload.rest(self.meter, head.chunk_signer())
            request.rest_bytes = framed_size(upload.size)
            return request
        request.first = upload.first
        request.note_sent = self._note_sent(len(upload.first))
        if not upload.is_whole:
            request.rest = upload.rest(self.meter, None)
            request.rest_bytes = upload.size - len(upload.first)
        return request

    def _sign(self, call: Call) -> SignedHead:
        return self._writer.write(
            call.method,
            call.path,
            call.payload_hash,
            query=call.query,
            signed=call.signed,
            plain=call.plain,
        )

    def _note_sent(self, first_bytes: int) -> Callable[[], None]:
        meter = self.meter
        if not first_bytes:
            return meter.count_request

        def note() -> None:
            meter.count_request()
            meter.count_ingress(first_bytes)

        return note

    async def _accept(self, call: Call, answer: Answer) -> Answer:
        try:
            if not call.may_be_coded:
                s3_answers.check_coding(answer.fields)
        except ClientError as error:
            await answer.aclose()
            raise self.translate(error, call.operation) from error
        return answer

    async def _refuse(self, call: Call, answer: Answer) -> BackendError:
        """Read an error answer to its end and return what it means."""
        try:
            body = await answer.read_all(limits.BACKEND_ERROR_BYTES)
        except ClientError:
            body = b""  # the status alone says enough
        finally:
            await answer.aclose()
        self.meter.count_egress(len(body))
        return s3_answers.refusal(
            self.name,
            call.operation,
            answer.status,
            s3_answers.read_error_document(body),
            answer.fields,
        )

    def _learn_skew(self, refused: BackendError, answer: Answer) -> bool:
        """Take the provider's clock if that was what it objected to."""
        if not isinstance(refused, BackendRefused):
            return False
        provider_us = parse_http_date(answer.fields.get("date", ""))
        if provider_us is None:
            return False
        # The answer to a HEAD has no document that could say why.
        is_bare = refused.status == 403 and not refused.code
        is_skewed = abs(provider_us - self._writer.now_us()) > _SKEW_US
        if refused.code in _SKEW_CODES or (is_bare and is_skewed):
            self._writer.learn_skew(provider_us)
            return True
        return False


async def _rewind(call: Call) -> bool:
    return call.upload is None or await call.upload.rewind()
