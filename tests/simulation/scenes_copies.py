"""A copy where its source lies, and the process dies."""

from dataclasses import replace

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


SMALL = {"server": {"min_part_size": 1}}
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
