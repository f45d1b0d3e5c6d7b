"""A real bucket that keeps versions: what we delete is gone, not hidden."""

from contextlib import aclosing

import pytest

from s3o.model.names import StorageKey
from s3o.model.values import BlobHeaders
from s3o.wire.backend_documents import read_versions_page
from s3o.wire.xml_read import parse_xml
from tests.contract.factories import CountingMeter
from tests.fakes.sources import BytesSource
from tests.real.ceph import ceph
from tests.real.servers import call_bucket, create_bucket, make_backend

NAMES = [StorageKey(f"photos/{number}!{number:032x}") for number in range(5)]
ENABLE = (
    b'<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
    b"<Status>Enabled</Status></VersioningConfiguration>"
)


@pytest.mark.real
async def test_no_version_is_left_after_a_delete() -> None:
    """Hidden bytes would stay on the bill, and on no quota."""
    server = ceph()
    settings = server.settings("versioned")
    await create_bucket(settings)
    await call_bucket(settings, "PUT", (("versioning", ""),), ENABLE)
    async with aclosing(make_backend(settings, CountingMeter())) as backend:
        for name in NAMES:
            await backend.put(name, BytesSource(b"meow"), BlobHeaders())
        outcomes = await backend.delete(NAMES)
        absent = await backend.delete(NAMES[:1])
    left = await call_bucket(settings, "GET", (("versions", ""),))

    assert [None] * 6 == [one.error for one in [*outcomes, *absent]]
    assert () == read_versions_page(parse_xml(left)).versions
