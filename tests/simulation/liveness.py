"""After healing every operation succeeds (the invariant of liveness)."""

from tests.simulation import questions
from tests.simulation.witness import Witness

TINY = 1_000


async def probe(witness: Witness) -> list[str]:
    """Do one of everything; return what did not succeed, though it could have."""
    key = witness.keys[0]
    client, who = witness.client(), "probe"
    body = (f"{witness.tenant.canary} probe " * TINY)[:TINY].encode()
    answers = {
        "PUT": await witness.put(client, who, key, body),
        "GET": await witness.get(client, who, key),
        "COMPLETE": await questions.upload(witness, client, who, key, [body, body]),
        "LIST": await witness.list(client, who),
    }
    if len(witness.keys) > 1:
        copied = await questions.copy(witness, client, who, key, witness.keys[1])
        answers["COPY"] = copied
    answers["DELETE many"] = await witness.delete_many(client, who, (key,))
    answers["DELETE"] = await witness.delete(client, who, key)
    client.hang_up()
    # No room is an answer that no healing takes away; then there may be nothing to get.
    return [
        f"healed, but {what} answers {answer}"
        for what, answer in answers.items()
        if answer is None or answer.status not in (200, 204, 404, 507)
    ]
