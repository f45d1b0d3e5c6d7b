"""What clients were answered, and whether it may have been so.

The witness asks on behalf of clients, writes every answer down as the history of its
key, and in the end compares histories, ledger and providers.
"""

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

import trio

from s3o.net.memory import MemoryStream
from s3o.net.streams import ConnectionBroken
from tests.simulation.client import Answered, Client
from tests.simulation.history import ABSENT, Operation, is_linearizable
from tests.simulation.life import Outside

PATIENCE_S = 120.0
REFUSALS = {412, 404, 507}
ENTRY = re.compile(r"<Key>(.*?)</Key>.*?<ETag>(?:&quot;|\")(\w+)(?:&quot;|\")</ETag>")
DELETED = re.compile(r"<Deleted><Key>(.*?)</Key>")
NEVER_THERE = "0" * 32  # an ETag that no body here has


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


@dataclass(kw_only=True)
class Witness:
    """Asks, remembers, judges; complaints say what must not be."""

    keys: Sequence[str]
    outside: Outside
    connect: Callable[[], MemoryStream]
    tally: Tally = field(default_factory=Tally)
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.histories: dict[str, list[Operation]] = {key: [] for key in self.keys}

    def client(self) -> Client:
        """A new client, not yet connected."""
        return Client(self.connect)

    def note_death(self) -> None:
        """The process is gone: whatever it had not answered is lost."""
        for one in self._open_writes():
            one.lost = min(one.lost, trio.current_time())

    def _open_writes(self) -> list[Operation]:
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
        """Store body; see _write."""
        one = self._begin(key, md5_of(body), f"{who} PUT", when)
        answer = await self._ask(
            client,
            "PUT",
            f"/photos/{key}",
            patience_s,
            body=body,
            headers=(when.header,) if when else (),
            pause_s=pause_s,
        )
        self._settle(key, one, answer)
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
        one = self._begin(key, ABSENT, f"{who} DELETE", when)
        headers = (when.header,) if when else ()
        answer = await self._ask(
            client, "DELETE", f"/photos/{key}", patience_s, headers=headers
        )
        self._settle(key, one, answer)
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
        every = [self._begin(key, ABSENT, f"{who} DELETE many") for key in keys]
        named = "".join(
            f"<Object><Key>{escape(key)}</Key></Object>" for key in keys
        ).encode()
        body = b"<Delete>" + named + b"</Delete>"
        answer = await self._ask(
            client, "POST", "/photos", patience_s, query=(("delete", ""),), body=body
        )
        for key, one in zip(keys, every, strict=True):
            self._settle(key, one, answer)
        if answer is not None and answer.status == 200:
            found = DELETED.findall(answer.body.decode())
            is_whole = sorted(found) == sorted(map(escape, keys))
            self.expect(is_whole, f"DELETE {keys}: {answer.body!r}")
        return answer

    async def get(
        self, client: Client, who: str, key: str, patience_s: float = PATIENCE_S
    ) -> Answered | None:
        """Read key."""
        began = trio.current_time()
        answer = await self._ask(client, "GET", f"/photos/{key}", patience_s)
        if answer is None or answer.status >= 500:
            return answer
        value = ABSENT
        if answer.status == 200:
            value = md5_of(answer.body)
            etag = answer.headers["etag"]
            self.expect(etag == f'"{value}"', f"GET {key}: ETag {etag}, MD5 {value}")
        else:
            is_absent = answer.status == 404 and b"NoSuchKey" in answer.body
            self.expect(is_absent, f"GET {key}: {answer.status} {answer.body!r}")
        self._saw(key, value, began, f"{who} GET")
        return answer

    async def list(
        self, client: Client, who: str, patience_s: float = PATIENCE_S
    ) -> Answered | None:
        """List the bucket: one read of every key."""
        began = trio.current_time()
        query = (("list-type", "2"),)
        answer = await self._ask(client, "GET", "/photos", patience_s, query=query)
        if answer is None or answer.status >= 500:
            return answer
        self.expect(answer.status == 200, f"LIST: {answer.status} {answer.body!r}")
        found = dict(ENTRY.findall(answer.body.decode()))
        self.expect(found.keys() <= set(self.keys), f"LIST names {sorted(found)}")
        for key in self.keys:
            self._saw(key, found.get(key, ABSENT), began, f"{who} LIST")
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
        self.complaints += await self.outside.complaints()
        self.complaints += [fact.traceback for fact in self.outside.crashed]
        for name in self.outside.backends:
            self._compare(name)
        for table in ("pending_objects", "cleanup_queue"):
            left = self.outside.connection.execute(f"SELECT * FROM {table}").fetchall()
            self.expect(not left, f"healed, but {table} holds {left}")
        for key, history in self.histories.items():
            if not is_linearizable(history):
                lines = "\n".join(map(str, sorted(history, key=lambda one: one.began)))
                self.complaints.append(f"no order explains {key}:\n{lines}")

    def _compare(self, name: str) -> None:
        """Hold a provider against what the ledger tells of it."""
        backend = self.outside.backends[name]
        self.complaints += backend.books.violations
        query = self.outside.connection.execute
        held = {key: len(backend.blobs[key].body) for key in backend.names()}
        told = dict(
            query(
                "SELECT storage_key, stored_bytes FROM object_locations"
                " WHERE backend_name = ?",
                (name,),
            )
        )
        # Dead letters wait for a person; their bytes may lie there.
        buried = query(
            "SELECT storage_key FROM cleanup_dlq WHERE backend_name = ?", (name,)
        )
        for (key,) in buried:
            held.pop(key, None)
        self.expect(held == told, f"{name} holds {held}, the ledger tells {told}")

    def expect(self, is_so: bool, otherwise: str) -> None:
        """Complain unless it is so."""
        if not is_so:
            self.complaints.append(otherwise)

    def _begin(
        self, key: str, value: str, who: str, when: When | None = None
    ) -> Operation:
        one = Operation(
            is_write=True,
            value=value,
            began=trio.current_time(),
            when=when.values if when else (),
            who=who,
        )
        self.histories[key].append(one)
        return one

    def _settle(self, key: str, one: Operation, answer: Answered | None) -> None:
        """Write down what became of a write."""
        if answer is None or (answer.status >= 500 and answer.status != 507):
            self.tally.unknown += 1
            return
        one.ended = trio.current_time()
        if answer.status in (200, 204):
            self.tally.acknowledged += 1
            return
        is_understood = answer.status == 507 or (one.when and answer.status in REFUSALS)
        self.expect(bool(is_understood), f"{one.who} {key}: {answer}")
        if answer.status == 507:
            self.histories[key].remove(one)
            self.tally.no_room += 1
        else:
            one.is_write, one.is_refused = False, True
            self.tally.refused += 1

    def _saw(self, key: str, value: str, began: float, who: str) -> None:
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

    async def _ask(
        self, client: Client, method: str, path: str, patience_s: float, **more: object
    ) -> Answered | None:
        """Return the answer, or None when there is none."""
        with trio.move_on_after(patience_s):
            try:
                return await client.ask(method, path, **more)
            except ConnectionBroken:
                return None
        return None
