"""A copy where its source lies, and the process dies."""

import hashlib
from dataclasses import replace
from urllib.parse import quote

import trio

from tests.fakes.faults import Fault
from tests.simulation import questions
from tests.simulation.scenes import (
    KEY,
    OTHER,
    Act,
    Scene,
    Stage,
    body_of,
    delete,
    put_both,
    put_newer,
)
from tests.simulation.witness import md5_of

PARTS = (body_of("first"), body_of("second"), body_of("third"))
FEW_BYTES = 1_200  # that a provider copies at once; the source has three thousand


def _let(*, copies_bytes: int = FEW_BYTES * 10, is_native: bool, cuts: int = 0) -> Act:
    """An old object, and a source of three parts; tell what the providers can."""

    async def prepare(stage: Stage) -> None:
        for backend in stage.outside.backends.values():
            backend.traits = replace(
                backend.traits,
                has_multipart=True,
                min_part_bytes=1,
                max_copy_bytes=copies_bytes,
            )
            if not is_native:
                backend.traits = replace(backend.traits, has_multipart=False)
            backend.cuts_bytes = cuts
        await put_both(stage)
        await questions.upload(
            stage.witness, stage.witness.client(), "before", OTHER, PARTS
        )

    return prepare


async def copy(stage: Stage) -> None:
    """Copy the other object onto the key."""
    await questions.copy(stage.witness, stage.witness.client(), "copy", OTHER, KEY)


async def copy_parts(stage: Stage) -> None:
    """Make the key of a range of the other object, and of a few bytes that are sent."""
    witness, client = stage.witness, stage.witness.client()
    bodies = (b"".join(PARTS)[100:2_500], body_of("end", 50))
    digests = b"".join(bytes.fromhex(md5_of(body)) for body in bodies)
    joined = hashlib.md5(digests, usedforsecurity=False).hexdigest()
    value = witness.knows(b"".join(bodies), f"{joined}-{len(bodies)}")
    path = witness.path(KEY)
    begun = await witness.ask(
        client,
        "POST",
        path,
        questions.PATIENCE_S,
        query=(("uploads", ""),),
        headers=(witness.label(value),),
    )
    found = questions.UPLOAD_ID.search(begun.body.decode()) if begun else None
    if found is None:
        return
    upload_id = ("uploadId", found[1])
    for number, body in enumerate(bodies, 1):
        source = (
            ("x-amz-copy-source", quote(witness.path(OTHER))),
            ("x-amz-copy-source-range", "bytes=100-2499"),
        )
        sent = await witness.ask(
            client,
            "PUT",
            path,
            questions.PATIENCE_S,
            query=(("partNumber", str(number)), upload_id),
            headers=source if number == 1 else (),
            body=b"" if number == 1 else body,
        )
        if sent is None or sent.status != 200 or b"<Error>" in sent.body:
            return
    await questions.complete(
        witness, client, "part copies", KEY, upload_id, bodies, value, None
    )


async def wait_for_sweep(stage: Stage) -> None:
    """Nobody goes on with the upload, so it is stale some time, and swept."""
    for _ in range(5):
        await stage.run_service("multipart-cleanup")
        await trio.sleep(2 * 3600.0)
    await stage.heal()


SMALL = {"server": {"min_part_size": 1}}
STALE = {**SMALL, "cleanup_queue": {"multipart_stale_timeout": "1h"}}
SCENES = {
    "copy": Scene(before=put_both, act=copy),
    "copy that is damaged": Scene(
        before=put_both, act=copy, faults=(("one", "copy", Fault.FLIPPED),)
    ),
    "copy of parts": Scene(before=_let(is_native=True), act=copy, settings=SMALL),
    "copy of blobs": Scene(before=_let(is_native=False), act=copy, settings=SMALL),
    "copy of blobs, then put": Scene(
        before=_let(is_native=False), act=copy, after=put_newer, settings=SMALL
    ),
    "copy of blobs of which one fails": Scene(
        before=_let(is_native=False),
        act=copy,
        faults=(("one", "copy", Fault.LOST_ANSWER),),
        settings=SMALL,
    ),
    "copy of a range": Scene(
        before=_let(is_native=True),
        act=copy_parts,
        settings=STALE,
        finally_=wait_for_sweep,
    ),
    "copy of a range that fails": Scene(
        before=_let(is_native=True),
        act=copy_parts,
        faults=(("one", "copy_part", Fault.LOST_ANSWER),),
        settings=STALE,
        finally_=wait_for_sweep,
    ),
    "large copy": Scene(
        before=_let(is_native=True, copies_bytes=FEW_BYTES), act=copy, settings=SMALL
    ),
    "large copy, then delete": Scene(
        before=_let(is_native=True, copies_bytes=FEW_BYTES),
        act=copy,
        after=delete,
        settings=SMALL,
    ),
    "large copy that is cut": Scene(
        before=_let(is_native=True, copies_bytes=FEW_BYTES, cuts=10),
        act=copy,
        settings=SMALL,
    ),
}
