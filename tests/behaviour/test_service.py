"""The test service itself: what it stores comes back, and strangers stay out."""

from tests.behaviour.service import open_service


async def test_an_object_goes_in_and_out():
    async with open_service() as service:
        put = await service.ask("PUT", "/photos/a b", body=b"hello")
        got = await service.ask("GET", "/photos/a b")
        foreign = await service.ask("GET", "/photos/a b", who="otherskey")
        nobody = await service.ask("GET", "/photos/a b", who=None)

        assert (200, 200, b"hello") == (put.status, got.status, got.body)
        assert (403, "AccessDenied") == (foreign.status, foreign.code)
        assert (403, "AccessDenied") == (nobody.status, nobody.code)
        assert [b"hello"] == list(service.blobs().values())
        assert [] == await service.complaints()
