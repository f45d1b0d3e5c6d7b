"""What one client does in a run: a random operation after the other."""

from collections.abc import Awaitable, Callable
from random import Random

import trio

from tests.simulation import questions
from tests.simulation.client import LETTERS, PHOTOS, Client
from tests.simulation.swarm import Swarm
from tests.simulation.witness import CREATES, PATIENCE_S, When, Witness, matches

REPLAY_BYTES = 50_000
# Around what is kept for a replay, and around a piece; one larger than every window.
SIZES = (0, 1, 40, 1000, 49_999, 50_000, 50_001, 70_000, 300_000)
SIZE_WEIGHTS = (1, 1, 6, 8, 2, 2, 2, 6, 1)
NAMES = ("a", "b", "dir/c", "z~ ü", "tmp/d", "A", "dir/", "e=!", "f+g", "h..", "i//j")


def keys_of(count: int) -> tuple[str, ...]:
    """Return count keys, the odd ones first."""
    more = [f"k{number:02}" for number in range(count)]
    return tuple([*NAMES, *more][:count])


class Worker:
    """One client of a run."""

    def __init__(self, swarm: Swarm, witness: Witness, name: str) -> None:
        self._swarm = swarm
        self._witness = witness
        self._name = name
        self._chance = Random(f"{swarm.seed}/{name}")
        self._number = 0

    async def run(self) -> None:
        """Do everything this client has to do."""
        client = self._witness.client()
        for number in range(self._swarm.operations):
            await trio.sleep(self._chance.uniform(0, self._swarm.gap_s))
            self._number = number
            await self._operate(client)
        client.hang_up()

    def _body(self, size: int | None = None) -> bytes:
        chance = self._chance
        if size is None:
            [size] = chance.choices(SIZES, SIZE_WEIGHTS)
        canary = self._witness.tenant.canary
        text = f"{canary} {self._swarm.seed} {self._name} {self._number} {size} "
        return (text * (size // len(text) + 1))[:size].encode()

    def _condition(self, key: str) -> When:
        if self._chance.random() < 0.5:
            return CREATES
        value = self._witness.last_seen(key)
        if value and self._witness.etag_of(value) is None:
            return CREATES
        return matches(value)

    async def _operate(self, client: Client) -> None:
        """One operation."""
        chance, witness, name = self._chance, self._witness, self._name
        patience_s = PATIENCE_S if chance.random() < 0.9 else chance.uniform(0, 1)
        key, other = chance.choice(witness.keys), chance.choice(witness.keys)
        operations: dict[Callable[..., Awaitable[object]], int] = {
            self._put: 40,
            self._get: 30,
            self._delete: 14,
            self._upload: 10,
            self._copy: 10,
            self._trespass: 2,
        }
        plain: dict[str, int] = {"many": 8, "list": 6, "pages": 4, "head": 8}
        plain["range"] = 0 if self._swarm.serves_wrong_bytes else 10
        plain["post"] = 4 if witness.tenant is PHOTOS else 0
        every = {**operations, **plain}
        [chosen] = chance.choices(list(every), list(every.values()))
        match chosen:
            case "many":
                keys = sorted({key, other})
                await witness.delete_many(client, name, keys, patience_s=patience_s)
            case "list":
                await witness.list(client, name, patience_s)
            case "pages":
                pages = chance.choice((1, 2, 5))
                await questions.list_pages(witness, client, name, pages)
            case "head":
                await questions.head(witness, client, name, key, patience_s)
            case "range":
                first = chance.choice((0, 0, 1, 999, 40_000))
                last = first + chance.choice((0, 9, 999, 70_000))
                await questions.get_range(
                    witness, client, name, key, (first, last), patience_s
                )
            case "post":
                await questions.post(witness, client, name, key, self._body())
            case _:
                await chosen(client, key, other, patience_s)

    async def _put(
        self, client: Client, key: str, _other: str, patience_s: float
    ) -> None:
        chance = self._chance
        when = self._condition(key) if chance.random() < 0.3 else None
        pause_s = chance.choice((0.1, 3.0)) if chance.random() < 0.05 else 0.0
        await self._witness.put(
            client,
            self._name,
            key,
            self._body(),
            when=when,
            patience_s=patience_s,
            pause_s=pause_s,
        )

    async def _get(
        self, client: Client, key: str, _other: str, patience_s: float
    ) -> None:
        value = self._witness.last_seen(key)
        headers = ()
        if value and self._chance.random() < 0.2:
            headers = (("if-none-match", f'"{value}"'),)
        await self._witness.get(client, self._name, key, patience_s, headers=headers)

    async def _delete(
        self, client: Client, key: str, _other: str, patience_s: float
    ) -> None:
        when = self._condition(key) if self._chance.random() < 0.3 else None
        if when is CREATES:
            when = None
        elif when is not None:
            when = matches(when.values[0], is_delete=True)
        await self._witness.delete(
            client, self._name, key, when=when, patience_s=patience_s
        )

    async def _upload(
        self, client: Client, key: str, _other: str, _patience_s: float
    ) -> None:
        chance = self._chance
        sizes = chance.choices(questions.PART_SIZES, k=chance.randrange(1, 4))
        await questions.upload(
            self._witness,
            client,
            self._name,
            key,
            [self._body(size + number) for number, size in enumerate(sizes)],
            when=self._condition(key) if chance.random() < 0.2 else None,
            is_aborted=chance.random() < 0.2,
            stray=self._body(2000) if chance.random() < 0.2 else b"",
            pause_s=chance.choice((0.0, 0.0, 5.0)),
        )

    async def _copy(
        self, client: Client, key: str, other: str, patience_s: float
    ) -> None:
        if key != other:
            await questions.copy(
                self._witness, client, self._name, other, key, patience_s
            )

    async def _trespass(
        self, client: Client, key: str, _other: str, _patience_s: float
    ) -> None:
        other = LETTERS if self._witness.tenant is PHOTOS else PHOTOS
        how = self._chance.choice(("GET", "PUT", "DELETE", "HEAD", "COPY"))
        await questions.trespass(
            self._witness, client, key, other, self._body(1000), how
        )
