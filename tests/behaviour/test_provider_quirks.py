"""Providers' quirks as a client of the whole service does not notice them."""

import pytest
from trio.testing import MockClock

from s3o.model import limits
from tests.behaviour.multipart import manifest, tag
from tests.behaviour.providers import Provided, open_provided
from tests.fakes.s3_quirks import PROVIDERS
from tests.fakes.s3_server import S3Fault
from tests.fakes.sources import pattern

pytestmark = pytest.mark.slow
QUIET = {"ledger_backup": {"enabled": False}}
PART = pattern(limits.PART_MIN_BYTES)


@pytest.mark.parametrize("profile", ["rclone", "generic"])
async def test_metadata_that_the_provider_forgot_is_told(profile: str) -> None:
    """rclone's is lost with a restart; the ledger has it."""
    async with open_provided({"near": (profile, PROVIDERS["rclone"])}) as provided:
        headers = {"x-amz-meta-camera": "X100", "content-type": "image/jpeg"}
        await provided.service.ask("PUT", "/photos/a", headers=headers, body=b"x")
        bucket = provided.servers["near"].bucket
        for name, blobs in bucket.versions.items():
            bucket.add(name, bucket.make(blobs[-1].body, {}))
        found = await provided.service.ask("GET", "/photos/a")

        assert b"x" == found.body
        assert headers.items() <= found.headers.items()


@pytest.mark.parametrize("provider", sorted(PROVIDERS))
@pytest.mark.parametrize("is_named", [True, False], ids=["named", "unnamed"])
async def test_upload_that_leaves_a_part_out_is_completed(
    autojump_clock: MockClock, provider: str, is_named: bool
) -> None:
    """Also where the profile was not named, and where a part was sent twice."""
    profile = provider if is_named else "generic"
    providers = {"near": (profile, PROVIDERS[provider])}
    async with open_provided(providers, QUIET) as provided:
        assert PART + b"end" == await upload(provided)
        await provided.settle(autojump_clock)


async def upload(provided: Provided) -> bytes:
    """Send three parts, the first one twice, leave the second out; read the object."""
    provided.servers["near"].plant("UploadPart", S3Fault.NO_LENGTH)
    path = "/photos/film"
    created = await provided.insist("POST", path, (("uploads", ""),))
    upload_id = ("uploadId", tag(created.text, "UploadId"))
    etags = {}
    for number, body in ((1, PART), (2, PART), (3, b"end")):
        query = (("partNumber", str(number)), upload_id)
        part = await provided.insist("PUT", path, query, body=body)
        etags[number] = part.headers["etag"]
    body = manifest([(1, etags[1]), (3, etags[3])])
    ended = await provided.insist("POST", path, (upload_id,), body=body)
    assert 200 == ended.status, ended.text
    assert b"<Error>" not in ended.body, ended.text
    return (await provided.insist("GET", path)).body
