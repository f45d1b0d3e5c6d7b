"""The admin API: who is let in, which action is meant, and what is said about it.

The order is the security of it: without a token in the configuration there is nothing
here (404); then the throttle, the token, the route, the parameters; only then an action
runs. Nothing reads a body before the token was right. Every call leaves one audit line,
whatever became of it, and no line or answer ever holds a token.
"""

import hashlib
import hmac
import math
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

import trio

from s3o.admin.action import ROOT, Action, Given, Value
from s3o.admin.answers import respond_json
from s3o.admin.desk import Desk
from s3o.admin.jobs import Job
from s3o.admin.parameters import read_parameters
from s3o.admin.refusal import Document, Refused
from s3o.admin.throttle import Throttle
from s3o.model.errors import ClientGone, S3OError
from s3o.model.facts import AdminActed, Crashed
from s3o.model.limits import ADMIN_BODY_BYTES
from s3o.model.seams import Entropy
from s3o.model.values import Pairs
from s3o.net.answer import Answer
from s3o.net.exchange import Exchange
from s3o.observe.correlation import choose_request_id, request_id
from s3o.observe.operation import describe
from s3o.s3api.errors import row_of
from s3o.services.progress import Progress

TOKEN_HEADER = "x-admin-token"  # noqa: S105 - a name, no token
PREFIX = ROOT + "/"
PATIENCE_S = 10.0  # a job that takes longer is answered with its id

_HIDDEN = "***"


@dataclass(slots=True)
class _Visit:
    """What is said about one call at its end."""

    action: str = ""
    arguments: str = ""
    status: int = 500
    error: str = ""


class AdminApi:
    """The handler of everything below ROOT; token returns what opens it, "" nothing."""

    def __init__(
        self,
        desk: Desk,
        actions: Sequence[Action],
        entropy: Entropy,
        *,
        token: Callable[[], str],
    ) -> None:
        self._desk = desk
        self._actions = actions
        self._entropy = entropy
        self._token = token
        self._throttle = Throttle()

    async def handle(self, exchange: Exchange) -> None:
        """Serve one call."""
        request_id.set(
            choose_request_id(exchange.head.fields.get("x-request-id"), self._entropy)
        )
        started_s = self._desk.clock.monotonic_s()
        visit = _Visit()
        try:
            status, document, headers = await self._serve_or_refuse(exchange, visit)
            visit.status = status
            await respond_json(exchange, status, document, headers)
        except BaseException as error:
            visit.error = visit.error or describe(error)
            raise
        finally:
            self._audit(exchange, visit, started_s)

    def crashed(self, error: Exception) -> Answer:
        """Report what nobody foresaw; return the answer for its caller."""
        text = "".join(traceback.format_exception(error))
        self._desk.observer.note(Crashed(where="admin", traceback=text))
        headers = (("content-type", "application/json"), ("cache-control", "no-store"))
        return 500, headers, b'{"error":"internal error"}'

    async def _serve_or_refuse(
        self, exchange: Exchange, visit: _Visit
    ) -> tuple[int, Document, Pairs]:
        try:
            self._admit(exchange)
            visit.action = "Unknown"
            action, segments = self._route(exchange)
            visit.action = action.name
            values, is_async = await self._read(exchange, action, segments, visit)
            status, document = await self._act(action, values, is_async)
        except Refused as refusal:
            visit.error = str(refusal)
            return refusal.status, refusal.document, refusal.headers
        except ClientGone:
            raise
        except S3OError as error:
            visit.error = describe(error)
            return row_of(error).status, {"error": visit.error}, ()
        return status, document, ()

    def _admit(self, exchange: Exchange) -> None:
        """Let in who has the token. Raises Refused."""
        wanted = self._token()
        if not wanted:
            raise Refused(404, "not found")
        now_s = self._desk.clock.monotonic_s()
        blocked_s = self._throttle.blocked_s(exchange.peer, now_s)
        if blocked_s:
            raise Refused(
                429,
                "too many wrong tokens from this address",
                headers=(("retry-after", str(math.ceil(blocked_s))),),
            )
        sent = exchange.head.fields.get(TOKEN_HEADER, "")
        if not _is_same(sent, wanted):
            self._throttle.note_failure(exchange.peer, now_s)
            raise Refused(401, "unauthorized")

    def _route(self, exchange: Exchange) -> tuple[Action, dict[str, str]]:
        path = exchange.head.target.partition("?")[0]
        allowed: list[str] = []
        for action in self._actions:
            segments = match_path(action.path, path.removeprefix(ROOT))
            if segments is None:
                continue
            if action.method == exchange.head.method:
                return action, segments
            allowed.append(action.method)
        if not allowed:
            raise Refused(404, "no such action")
        allow = ("allow", ", ".join(allowed))
        raise Refused(405, "method not allowed", headers=(allow,))

    async def _read(
        self,
        exchange: Exchange,
        action: Action,
        segments: Mapping[str, str],
        visit: _Visit,
    ) -> tuple[dict[str, Value], bool]:
        query = exchange.head.target.partition("?")[2]
        body = await _read_body(exchange)
        is_async, query = _take_async(query) if action.is_job else (False, query)
        values = read_parameters(action, segments, query, body)
        visit.arguments = _render(action, values)
        return values, is_async

    async def _act(
        self, action: Action, values: Mapping[str, Value], is_async: bool
    ) -> tuple[int, Document]:
        if not action.is_job:
            return action.status, await action.run(self._desk, Given(values=values))
        job = self._start(action, values)
        with trio.move_on_after(0 if is_async else PATIENCE_S):
            await job.ended.wait()
        if not job.status:
            return 202, {"status": "running", "job": job.document()}
        if job.status == 200:
            return action.status, job.result
        return job.status, {"error": job.error, "job": job.document()}

    def _start(self, action: Action, values: Mapping[str, Value]) -> Job:
        desk = self._desk

        async def work(progress: Progress) -> Document:
            given = Given(values=values, progress=progress)
            if not action.service:
                return await action.run(desk, given)
            return await desk.runner.run_alone(
                action.service, lambda: action.run(desk, given)
            )

        hidden = {one.name for one in action.parameters if one.is_secret}
        shown = {name: v for name, v in values.items() if name not in hidden}
        return desk.jobs.start(action.name, shown, work)

    def _audit(self, exchange: Exchange, visit: _Visit, started_s: float) -> None:
        self._desk.observer.note(
            AdminActed(
                action=visit.action,
                method=exchange.head.method,
                path=exchange.head.target.partition("?")[0],
                arguments=visit.arguments,
                remote=exchange.peer,
                status=visit.status,
                duration_s=self._desk.clock.monotonic_s() - started_s,
                error=visit.error,
            )
        )


def match_path(template: str, path: str) -> dict[str, str] | None:
    """Return what stands where the template has names; None: another path.

    A segment is decoded once, and is never empty.
    """
    wanted, found = template.split("/"), path.split("/")
    if len(wanted) != len(found):
        return None
    segments: dict[str, str] = {}
    for expected, actual in zip(wanted, found, strict=True):
        if expected.startswith("{"):
            segments[expected.strip("{}")] = unquote(actual)
            if not actual:
                return None
        elif expected != actual:
            return None
    return segments


def _is_same(sent: str, wanted: str) -> bool:
    """Compare in a time that tells neither how much is right nor how long it is."""
    # The head was decoded as Latin-1, whatever its client meant.
    raw = (sent.encode("latin-1"), wanted.encode("utf-8"))
    return hmac.compare_digest(*(hashlib.sha256(text).digest() for text in raw))


async def _read_body(exchange: Exchange) -> bytes:
    """Return the whole body. Raises Refused above ADMIN_BODY_BYTES."""
    if (exchange.head.content_length or 0) > ADMIN_BODY_BYTES:
        raise Refused(413, f"the body is over {ADMIN_BODY_BYTES} bytes")
    body = bytearray()
    while piece := await exchange.read():
        body += piece
        if len(body) > ADMIN_BODY_BYTES:
            raise Refused(413, f"the body is over {ADMIN_BODY_BYTES} bytes")
    return bytes(body)


def _take_async(query: str) -> tuple[bool, str]:
    """Take `async` out of a query: it is about the answer, not about the action."""
    pieces = query.split("&")
    rest = [piece for piece in pieces if piece not in ("async", "async=true")]
    return len(rest) < len(pieces), "&".join(rest)


def _render(action: Action, values: Mapping[str, Value]) -> str:
    hidden = {one.name for one in action.parameters if one.is_secret}
    return " ".join(
        f"{name}={_HIDDEN if name in hidden else value}"
        for name, value in values.items()
    )
