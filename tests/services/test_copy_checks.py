"""A copy whose digest nobody knows is proved by its object, not by itself."""

from dataclasses import replace

import pytest

from s3o.ledger.copy_rows import find_blob
from s3o.model.names import ObjectKey
from s3o.model.values import LocationState
from s3o.services.copy_checks import CopyProver
from tests.fakes.sources import pattern
from tests.objects.house import KEY, open_house
from tests.objects.uploading import Uploading

BODY = pattern(5000)


@pytest.mark.parametrize("is_rotten", [False, True])
async def test_joined_parts_are_compared_with_the_etag(*, is_rotten: bool) -> None:
    """Else rotten bytes would be proved by being read, and copied as good ones."""
    async with open_house() as house:
        upload = Uploading(house)
        await upload.create()
        await upload.parts([BODY[:2000], BODY[2000:]])
        await upload.complete()
        stored = await house.store.find(house.bucket, ObjectKey(KEY))
        [place] = stored.locations
        assert place.stored_md5 is None
        if is_rotten:
            blobs = house.rig.inner[place.backend].blobs
            blobs[place.storage_key] = replace(
                blobs[place.storage_key], body=b"?" * len(BODY)
            )
        found = await house.ledger.read(
            lambda tx: find_blob(tx, stored.version.version_id, 0)
        )
        assert found is not None
        prover = CopyProver(
            house.ledger,
            house.rig.fleet,
            house.rig.observer,
            house.rig.clock,
            house.blob_checker,
        )

        assert (not is_rotten) == await prover.read(found[0], place, None)
        [after] = (await house.store.find(house.bucket, ObjectKey(KEY))).locations
        expected = LocationState.SUSPECT if is_rotten else LocationState.LIVE
        assert expected == after.state
        assert is_rotten == (after.verified_at_us is None)


@pytest.mark.parametrize("is_rotten", [False, True])
async def test_blobs_that_all_lack_a_digest_prove_one_another(
    *, is_rotten: bool
) -> None:
    """Else none could ever be copied; where the sum is wrong, none is blamed."""
    async with open_house() as house:
        upload = Uploading(house)
        await upload.create()
        await upload.parts([BODY[:2000], b"replaced by the next", BODY[3000:]])
        await upload.part(2, BODY[2000:3000])
        await upload.complete()
        house.connection.execute(
            "UPDATE object_locations SET stored_digest = NULL, verified_at = NULL"
        )
        stored = await house.store.find(house.bucket, ObjectKey(KEY))
        first, last = stored.locations
        if is_rotten:
            blobs = house.rig.inner[last.backend].blobs
            rotten = b"?" * last.stored_bytes
            blobs[last.storage_key] = replace(blobs[last.storage_key], body=rotten)
        prover = CopyProver(
            house.ledger,
            house.rig.fleet,
            house.rig.observer,
            house.rig.clock,
            house.blob_checker,
        )
        for place in (first, last):
            found = await house.ledger.read(
                lambda tx, blob=place.blob: find_blob(
                    tx, stored.version.version_id, blob
                )
            )
            assert found is not None
            assert (not is_rotten) == await prover.read(found[0], place, None)

        after = (await house.store.find(house.bucket, ObjectKey(KEY))).locations
        assert {LocationState.LIVE} == {place.state for place in after}
        assert is_rotten == (None in {place.verified_at_us for place in after})
