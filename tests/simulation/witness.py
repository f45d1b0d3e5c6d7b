"""What clients of one bucket were answered, and whether it may have been so.

The witness asks on behalf of clients and writes every answer down as the history of its
key; in the end it compares the histories with what one register could answer. A body is
known by its MD5, its value; it carries a label of its value as metadata, so an answer
that mixes two versions is found at once.
"""

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from html import unescape
from xml.sax.saxutils import escape

import trio

from s3o.net.memory import MemoryStream
from s3o.net.streams import ConnectionBroken
from tests.simulation.client import PHOTOS, Answered, Client, Headers, Tenant
from tests.simulation.client_network import Line
from tests.simulation.history import ABSENT, Operation, is_linearizable
from tests.simulation.judgement import judge_outside
from tests.simulation.outside import WALL_JUMPED, Outside

PATIENCE_S = 120.0
REFUSALS = {412, 404, 409, 507}
# What says that a request was not even begun: clocks differ, or it came too slowly.
NOT_BEGUN = (b"<Code>RequestTimeTooSkewed<", b"<Code>RequestTimeout<")
EXPIRED = b"Policy expired"
ENTRY = re.compile(r"<Key>(.*?)</Key>.*?<ETag>(?:&quot;|\")([\w-]+)(?:&quot;|\")<")
DELETED = re.compile(r"<Deleted><Key>(.*?)</Key>")
ERROR = re.compile(rb"\A\s*<\?xml[^>]*>\s*<Error>.*?<Code>(\w+)</Code>", re.DOTALL)
STATUSES = {
    "PreconditionFailed": 412,
    "ConditionalRequestConflict": 409,
    "NoSuchKey": 404,
    "NoSuchUpload": 404,
    "InsufficientStorage": 507,
}
NEVER_THERE = "0" * 32  # an ETag that no body here has
LABEL = "x-amz-meta-label"


@dataclass(kw_only=True)
class Tally:
    """How much happened, so that nobody believes in a run that did nothing."""

    acknowledged: int = 0
    unknown: int = 0
    refused: int = 0  # for a condition
    no_room: int = 0
    reads: int = 0
    crashes: int = 0
    faults: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """A condition, as a header and as the values that fulfil it."""

    header: tuple[str, str]
    values: tuple[str, ...]


CREATES = When(header=("if-none-match", "*"), values=(ABSENT,))


def matches(value: str, *, is_delete: bool = False) -> When:
    """If-Match; a DELETE of nothing succeeds whatever its condition."""
    value = value or NEVER_THERE
    values = (value, ABSENT) if is_delete else (value,)
    return When(header=("if-match", f'"{value}"'), values=values)


def md5_of(body: bytes) -> str:
    """The value of a key that holds body."""
    return hashlib.md5(body, usedforsecurity=False).hexdigest()


def _truth_of(answer: Answered) -> Answered:
    """Return the answer with the status it means.

    Complete and Copy keep their client waiting with white space behind a 200.
    """
    found = ERROR.search(answer.body) if answer.status == 200 else None
    if found is None:
        return answer
    return replace(answer, status=STATUSES.get(found[1].decode(), 503))


@dataclass(kw_only=True)
class Witness:
    """Asks, remembers, judges; complaints say what must not be.

    values: of every ETag that a body of this bucket may have. foreign: what stands in
    the bodies of other tenants.
    """

    keys: Sequence[str]
    outside: Outside
    connect: Callable[[], MemoryStream]
    tenant: Tenant = PHOTOS
    foreign: tuple[bytes, ...] = ()
    over: Callable[[MemoryStream], Line] = Line
    tally: Tally = field(default_factory=Tally)
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.histories: dict[str, list[Operation]] = {key: [] for key in self.keys}
        self.bodies: dict[str, bytes] = {}
        self.values: dict[str, str] = {}

    def client(self) -> Client:
        """A new client, not yet connected."""
        return Client(self.connect, self.tenant, self.over)

    def path(self, key: str) -> str:
        """Where a key is."""
        return f"/{self.tenant.bucket}/{key}"

    # ---- what is known

    def knows(self, body: bytes, etag: str = "") -> str:
        """Remember a body that somebody is about to write; return its value."""
        value = md5_of(body)
        self.bodies[value] = body
        self.values[value] = value
        if etag:
            self.values[etag] = value
        return value

    def label(self, value: str) -> tuple[str, str]:
        """The header that goes with a value."""
        return LABEL, f"{self.tenant.canary}-{value[:12]}"

    def etag_of(self, value: str) -> str | None:
        """The only ETag that a value may have; None: a copy may have another one."""
        found = [etag for etag, known in self.values.items() if known == value]
        return found[0] if len(found) == 1 else None

    def note_death(self, carried: Callable[[object], bool] | None = None) -> None:
        """A process is gone: whatever it had not answered is lost.

        carried: whether a connection led to it; None: there was only one process.
        """
        for one in self.open_writes():
            if carried is None or carried(one.carried_by):
                one.lost = min(one.lost, trio.current_time())

    def open_writes(self) -> list[Operation]:
        """Every write whose outcome nobody knows."""
        return [
            one
            for history in self.histories.values()
            for one in history
            if not one.is_known
        ]

    def last_seen(self, key: str) -> str:
        """A value that the key had at some time, or ABSENT."""
        known = [
            one.value
            for one in self.histories[key]
            if one.is_known and not one.is_refused and one.value
        ]
        return known[-1] if known else ABSENT

    # ---- operations

    async def put(
        self,
        client: Client,
        who: str,
        key: str,
        body: bytes,
        *,
        when: When | None = None,
        patience_s: float = PATIENCE_S,
        pause_s: float = 0.0,
    ) -> Answered | None:
        """Store body; see settle."""
        one = self.begin(key, self.knows(body), f"{who} PUT", when)
        answer = await self.ask(
            client,
            "PUT",
            self.path(key),
            patience_s,
            one,
            body=body,
            headers=(self.label(one.value), *((when.header,) if when else ())),
            pause_s=pause_s,
        )
        self.settle(key, one, answer)
        if answer is not None and answer.status == 200:
            etag = answer.headers["etag"]
            self.expect(etag == f'"{one.value}"', f"PUT {key} answered ETag {etag}")
        return answer

    async def delete(
        self,
        client: Client,
        who: str,
        key: str,
        *,
        when: When | None = None,
        patience_s: float = PATIENCE_S,
    ) -> Answered | None:
        """Delete key."""
        one = self.begin(key, ABSENT, f"{who} DELETE", when)
        headers = (when.header,) if when else ()
        answer = await self.ask(
            client, "DELETE", self.path(key), patience_s, one, headers=headers
        )
        self.settle(key, one, answer)
        return answer

    async def delete_many(
        self,
        client: Client,
        who: str,
        keys: Sequence[str],
        *,
        patience_s: float = PATIENCE_S,
    ) -> Answered | None:
        """Delete several keys in one request."""
        every = [self.begin(key, ABSENT, f"{who} DELETE many") for key in keys]
        named = "".join(
            f"<Object><Key>{escape(key)}</Key></Object>" for key in keys
        ).encode()
        body = b"<Delete>" + named + b"</Delete>"
        answer = await self.ask(
            client,
            "POST",
            f"/{self.tenant.bucket}",
            patience_s,
            *every,
            query=(("delete", ""),),
            body=body,
        )
        done = set(keys)
        if answer is not None and answer.status == 200:
            done = set(map(unescape, DELETED.findall(answer.body.decode())))
            self.expect(done <= set(keys), f"DELETE {keys}: {answer.body!r}")
        for key, one in zip(keys, every, strict=True):
            # What the answer calls an error may have happened, as after any 5xx.
            self.settle(key, one, answer if key in done else None)
        return answer

    async def get(
        self,
        client: Client,
        who: str,
        key: str,
        patience_s: float = PATIENCE_S,
        *,
        headers: Headers = (),
    ) -> Answered | None:
        """Read key; headers may hold a condition on what is known already."""
        began = trio.current_time()
        answer = await self.ask(
            client, "GET", self.path(key), patience_s, headers=headers
        )
        if answer is None or answer.status >= 500:
            return answer
        if answer.status == 304:
            value = self.values.get(headers[0][1].strip('"'), "unknown")
            self.saw(key, value, began, f"{who} GET 304")
            return answer
        value = ABSENT
        if answer.status == 200:
            value = md5_of(answer.body)
            self.check_head(f"GET {key}", answer, value)
        else:
            is_absent = answer.status == 404 and b"NoSuchKey" in answer.body
            self.expect(is_absent, f"GET {key}: {answer.status} {answer.body!r}")
        self.saw(key, value, began, f"{who} GET")
        return answer

    async def list(
        self, client: Client, who: str, patience_s: float = PATIENCE_S
    ) -> Answered | None:
        """List the bucket: one read of every key."""
        began = trio.current_time()
        query = (("list-type", "2"),)
        answer = await self.ask(
            client, "GET", f"/{self.tenant.bucket}", patience_s, query=query
        )
        if answer is None or answer.status >= 500:
            return answer
        self.saw_listed(answer, self.keys, began, f"{who} LIST")
        return answer

    async def read_all(self) -> None:
        """Read everything once more; no answer but the truth is good enough."""
        client = self.client()
        answers = {key: await self.get(client, "last", key) for key in self.keys}
        answers["(list)"] = await self.list(client, "last")
        for key, answer in answers.items():
            is_answered = answer is not None and answer.status in (200, 404)
            self.expect(is_answered, f"healed, but {key} answers {answer}")
        client.hang_up()

    async def judge(self) -> None:
        """Compare what is left with what must be, more than a day after the faults."""
        self.complaints += await judge_outside(self.outside)
        self.judge_histories()

    def judge_histories(self) -> None:
        """Look for an order that explains every key's answers."""
        for key, whole in self.histories.items():
            # Half a request may do nothing at all: as if nobody had asked.
            history = [one for one in whole if one.is_known or one.was_sent]
            for one in history:
                if one.copy_of is not None and not one.is_known:
                    # It may begin anew, with whatever its source holds by then.
                    values = {found.value for found in self.histories[one.copy_of]}
                    one.others = frozenset(values & self.bodies.keys())
            verdict = is_linearizable(history)
            if verdict is None:
                self.outside.sometimes["history undecided"] += 1
            elif not verdict:
                lines = "\n".join(map(str, sorted(history, key=lambda one: one.began)))
                self.complaints.append(f"no order explains {key}:\n{lines}")

    # ---- writing down

    def expect(self, is_so: bool, otherwise: str) -> None:
        """Complain unless it is so."""
        if not is_so:
            self.complaints.append(otherwise)

    def check_head(self, what: str, answer: Answered, value: str) -> None:
        """Compare an answer's headers with the version whose bytes it has."""
        etag = answer.headers["etag"].strip('"')
        is_whole = self.values.get(etag) == value
        self.expect(is_whole, f"{what}: ETag {etag}, bytes of {value}")
        label = answer.headers.get(LABEL)
        is_same = label == self.label(value)[1]
        self.expect(is_same, f"{what}: metadata {label!r}, bytes of {value}")

    def begin(
        self, key: str, value: str, who: str, when: When | None = None
    ) -> Operation:
        """Write down that a write begins."""
        one = Operation(
            is_write=True,
            value=value,
            began=trio.current_time(),
            when=when.values if when else (),
            was_sent=False,
            who=who,
        )
        self.histories[key].append(one)
        return one

    def settle(self, key: str, one: Operation, answer: Answered | None) -> None:
        """Write down what became of a write."""
        if answer is None or (answer.status >= 500 and answer.status != 507):
            self.tally.unknown += 1
            return
        one.ended = trio.current_time()
        if answer.status in (200, 204):
            self.tally.acknowledged += 1
            return
        is_full = answer.status == 507
        is_condition = one.when and answer.status in REFUSALS
        self.expect(bool(is_full or is_condition), f"{one.who} {key}: {answer}")
        if is_full:
            self.histories[key].remove(one)
            self.tally.no_room += 1
        else:
            one.is_write, one.is_refused = False, True
            self.tally.refused += 1

    def saw(self, key: str, value: str, began: float, who: str) -> None:
        """Write down what a read found."""
        self.tally.reads += 1
        self.histories[key].append(
            Operation(
                is_write=False,
                value=value,
                began=began,
                ended=trio.current_time(),
                who=who,
            )
        )

    def saw_listed(
        self, answer: Answered, keys: Sequence[str], began: float, who: str
    ) -> None:
        """Write down what a listing told of keys: each is one read."""
        self.expect(answer.status == 200, f"LIST: {answer.status} {answer.body!r}")
        entries = ENTRY.findall(answer.body.decode())
        found = {unescape(key): etag for key, etag in entries}
        self.expect(found.keys() <= set(keys), f"LIST names {sorted(found)}")
        for key in keys:
            etag = found.get(key, ABSENT)
            self.saw(key, self.values.get(etag, etag), began, who)

    async def ask(
        self,
        client: Client,
        method: str,
        path: str,
        patience_s: float,
        *writes: Operation,
        **more: object,
    ) -> Answered | None:
        """Return the answer; None when there is none, or the request was not begun."""
        answer, client.is_sent = None, False
        with trio.move_on_after(patience_s):
            try:
                stream = client.connected()
                for one in writes:
                    one.carried_by = stream
                answer = await client.ask(method, path, **more)
            except ConnectionBroken:
                pass
        if answer is not None and self._was_not_begun(method, answer):
            return None
        for one in writes:
            one.was_sent |= client.is_sent
        if answer is None:
            return None
        self._check_foreign(f"{method} {path}", answer)
        return _truth_of(answer)

    def _was_not_begun(self, method: str, answer: Answered) -> bool:
        if any(code in answer.body for code in NOT_BEGUN):
            return True
        has_jumped = bool(self.outside.sometimes[WALL_JUMPED])
        is_silent = method == "HEAD" or EXPIRED in answer.body
        return has_jumped and answer.status == 403 and is_silent

    def _check_foreign(self, what: str, answer: Answered) -> None:
        told = answer.body + repr(answer.headers).encode()
        for canary in self.foreign:
            self.expect(canary not in told, f"{what} tells of another tenant")
