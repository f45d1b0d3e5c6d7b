"""Forms through the whole service: real ledger, real quotas, nothing left over."""

import pytest
import trio

from s3o.net.memory import memory_stream_pair
from tests.behaviour.service import HOST, Service, open_service
from tests.s3api.forms import form_headers, make_form, make_policy, sign_v4

KEY = ("key", "${filename}")
LARGE = bytes(range(251)) * 5000
SIGNED = sign_v4(make_policy(["starts-with", "$key", ""]))
TABLES = ("objects", "object_locations", "pending_objects")


def post(body: bytes, length: int | None = None) -> bytes:
    """Return a form as it goes over the wire."""
    headers = {
        "host": HOST,
        **form_headers(),
        "content-length": str(len(body) if length is None else length),
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST /photos HTTP/1.1\r\n{lines}\r\n".encode() + body


async def check_untouched(service: Service) -> None:
    """Nothing is listed, nothing is promised to anybody, the books are right."""
    listing = await service.ask("GET", "/photos")

    assert "<Contents>" not in listing.text
    assert {table: [] for table in TABLES} == service.rows(*TABLES)
    assert [] == await service.complaints()
    assert [] == service.crashed


@pytest.mark.parametrize("data", [b"", b"meow", LARGE], ids=["empty", "small", "large"])
async def test_a_form_is_an_object_like_any_other(data: bytes) -> None:
    """It is read back, and costs what a PUT of it would."""
    async with open_service() as service:
        reply = await service.send(post(make_form([KEY, *SIGNED], data)), "POST")
        got = await service.ask("GET", "/photos/cat.jpg")

        assert (204, 200) == (reply.status, got.status)
        assert data == got.body
        assert reply.headers["etag"] == got.headers["etag"]
        assert [] == await service.complaints()


@pytest.mark.parametrize(
    "body",
    [
        make_form([KEY, *SIGNED], LARGE, after=[("x-amz-meta-late", "1")]),
        make_form([KEY, *SIGNED], LARGE, ending=b"--"),
        make_form([KEY, *SIGNED], LARGE, ending=b"--\r\nmore"),
        make_form([KEY, *SIGNED], LARGE[:400_000] + b"\r\n------WebKitFormBoundary7MA4"
                  b"YWxkTrZu0gW--\r\n" + LARGE),
    ],
    ids=["field", "no-line", "epilogue", "early-end"],
)  # fmt: skip
async def test_a_large_form_that_ends_otherwise_gives_everything_back(
    body: bytes,
) -> None:
    """Its quota was reserved and its bytes were on their way; then it was refused."""
    async with open_service() as service:
        reply = await service.send(post(body), "POST")

        assert (400, "MalformedPOSTRequest") == (reply.status, reply.code)
        await check_untouched(service)


@pytest.mark.parametrize("kept", [100, 1500, 100_000, 1_200_000])
async def test_a_browser_that_goes_away_leaves_nothing(kept: int) -> None:
    """In its fields, at the file's beginning, in the middle, just before the end."""
    body = make_form([KEY, *SIGNED], LARGE)
    async with open_service() as service:
        client, served = memory_stream_pair(buffer_bytes=1 << 26)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(service.doors.server.serve_stream, served)
            await client.send_vectored([post(body[:kept], length=len(body))])
            await client.aclose()

        await check_untouched(service)


async def test_a_form_waits_for_room_like_a_put() -> None:
    """507 when no backend has any, and nothing is stored."""
    async with open_service(quotas={"one": 1000}) as service:
        reply = await service.send(post(make_form([KEY, *SIGNED], LARGE)), "POST")

        assert (507, "InsufficientStorage") == (reply.status, reply.code)
        await check_untouched(service)
