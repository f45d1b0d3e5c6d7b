"""Lifecycle rules in a whole service: of the file, and of a bucket's owner."""

import pytest
import trio

from tests.behaviour.multipart import SMALL, Client
from tests.behaviour.service import Service, open_service

DAY_S = 86_400.0
IDLE = {"usage_flush": {"interval": "24h"}}
RULES = {
    **IDLE,
    "lifecycle": {"rules": [{"prefix": "tmp/", "expiration_days": 1}]},
}
XML = (
    '<LifecycleConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
    "<Rule><ID>r</ID><Status>Enabled</Status><Filter>{}</Filter>{}</Rule>"
    "</LifecycleConfiguration>"
)
EXPIRE = "<Expiration><Days>1</Days></Expiration>"
ABORT = (
    "<AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation>"
    "</AbortIncompleteMultipartUpload>"
)


async def status(service: Service, path: str, who: str = "photoskey") -> int:
    """What HEAD says."""
    return (await service.ask("HEAD", path, who=who)).status


@pytest.mark.slow
async def test_rules_of_the_file_are_relative_to_each_bucket(
    autojump_clock: object,
) -> None:
    """`tmp/` is a folder of every configured bucket, not the bucket called tmp."""
    async with open_service(extra=RULES) as service:
        for path, who in (
            ("/photos/tmp/a", "photoskey"),
            ("/others/tmp/a", "otherskey"),
            ("/photos/kept", "photoskey"),
        ):
            assert 200 == (await service.ask("PUT", path, body=b"x", who=who)).status
        await trio.sleep(DAY_S * 1.2)
        found = [
            await status(service, "/photos/tmp/a"),
            await status(service, "/others/tmp/a", "otherskey"),
            await status(service, "/photos/kept"),
        ]
        await trio.sleep(DAY_S)  # the queue is done, too
        complaints = await service.complaints()
        names = service.backends["one"].names()
        blobs = [name for name in names if not name.startswith(".s3o/")]

    assert ([404, 404, 200], [], 1) == (found, complaints, len(blobs))


@pytest.mark.slow
async def test_rules_put_by_the_owner_are_carried_out(autojump_clock: object) -> None:
    """S3's own API; by tag and size, and uploads that nobody completes."""
    condition = (
        "<And><Tag><Key>k</Key><Value>v</Value></Tag>"
        "<ObjectSizeGreaterThan>2</ObjectSizeGreaterThan></And>"
    )
    tagged = {"x-amz-tagging": "k=v"}
    async with open_service(extra=IDLE) as service:
        put = await service.ask(
            "PUT",
            "/photos",
            (("lifecycle", ""),),
            body=XML.format(condition, EXPIRE).encode(),
        )
        await service.ask("PUT", "/photos/large", headers=tagged, body=b"xxx")
        await service.ask("PUT", "/photos/small", headers=tagged, body=b"xx")
        await service.ask("PUT", "/photos/plain", body=b"xxx")
        await trio.sleep(DAY_S * 2.2)
        found = [
            await status(service, f"/photos/{name}")
            for name in ("large", "small", "plain")
        ]

    assert (200, [404, 200, 200]) == (put.status, found)


async def test_answers_tell_when_an_object_ends(autojump_clock: object) -> None:
    """AWS tells it with GET, HEAD and PUT; the service's clock begins at noon."""
    xml = XML.format("<Prefix>tmp/</Prefix>", EXPIRE).replace("<ID>r<", "<ID>r 1<")
    forever = XML.format("<Prefix>far/</Prefix>", EXPIRE).replace(
        "<Days>1<", "<Days>2147483647<"
    )
    async with open_service(extra=IDLE) as service:
        for document in (xml, forever):
            await service.ask(
                "PUT", "/photos", (("lifecycle", ""),), body=document.encode()
            )
            name = "tmp/a" if document is xml else "far/a"
            put = await service.ask("PUT", f"/photos/{name}", body=b"12345")
            answers = [
                put,
                await service.ask("HEAD", f"/photos/{name}"),
                await service.ask("GET", f"/photos/{name}"),
                await service.ask(
                    "GET", f"/photos/{name}", headers={"range": "bytes=1-2"}
                ),
            ]
            other = await service.ask("PUT", "/photos/other", body=b"12345")
            assert "x-amz-expiration" not in other.headers
            told = {answer.headers.get("x-amz-expiration") for answer in answers}
            if document is xml:
                date = "Sat, 17 Jan 2026 00:00:00 GMT"
                assert {f'expiry-date="{date}", rule-id="r%201"'} == told
            else:
                assert {None} == told


@pytest.mark.slow
async def test_uploads_are_aborted_by_their_rule(autojump_clock: object) -> None:
    """Parts nobody completes cost money; a day is not the sweep's own patience."""
    extra = {
        **IDLE,
        "server": SMALL,
        "cleanup_queue": {"multipart_stale_timeout": "700h"},
    }
    async with open_service(extra=extra) as service:
        xml = XML.format("<Prefix>u/</Prefix>", ABORT).encode()
        await service.ask("PUT", "/photos", (("lifecycle", ""),), body=xml)
        meant, other = Client(service, "/photos/u/a"), Client(service, "/photos/v")
        for client in (meant, other):
            await client.create({})
            await client.part(1, b"part")
        await trio.sleep(DAY_S * 2.2)
        found = [(await client.part(2, b"more")).status for client in (meant, other)]
        complaints = await service.complaints()

    assert ([404, 200], []) == (found, complaints)
