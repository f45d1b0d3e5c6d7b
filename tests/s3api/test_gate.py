"""The door behind real authentication: signed by our own signer, verified by it."""

import hashlib

import pytest

from s3o.s3api.credentials import CredentialBook, Grant
from s3o.s3api.gate import CredentialGate
from s3o.wire.sigv4 import UNSIGNED_PAYLOAD, RequestSigner
from tests.s3api.house import PHOTOS, House

SIGNER = RequestSigner("photoskey", "photossecret", "us-east-1")


@pytest.fixture
def house():
    """A door that one credential opens."""
    house = House()
    book = CredentialBook(
        [
            Grant(
                principal=PHOTOS.owner,
                access_key_id="photoskey",
                secret_access_key="photossecret",
                token="t0ken",
            )
        ]
    )
    house.door._gate = CredentialGate(house.clock, lambda: book)
    return house


async def ask(house, method, path, body=b"", *, payload=None, headers=None):
    """Send a signed request."""
    signed = SIGNER.sign(
        method,
        path,
        (),
        (("host", "localhost"), *(headers or {}).items()),
        payload or hashlib.sha256(body).hexdigest(),
        house.clock.now_us(),
    )
    return await house.ask(method, path, dict(signed), body, caller=None)


async def test_a_signed_put_is_read_back(house):
    """The thin path through the door."""
    put = await ask(house, "PUT", "/photos/cat.jpg", b"meow")
    get = await ask(house, "GET", "/photos/cat.jpg")

    assert (200, 200, b"meow") == (put.status, get.status, get.body)


async def test_a_wrong_hash_stores_nothing(house):
    """The signed hash is verified before the last bytes go anywhere."""
    put = await ask(house, "PUT", "/photos/a", b"meow", payload="0" * 64)

    assert (400, True) == (put.status, "XAmzContentSHA256Mismatch" in put.text)
    assert {} == house.objects.objects


async def test_declared_digests_are_verified(house):
    """Content-MD5 and checksum headers, each with its own code."""
    bad_md5 = await ask(
        house, "PUT", "/photos/a", b"x", headers={"content-md5": "rubbish"}
    )
    wrong_md5 = await ask(
        house,
        "PUT",
        "/photos/a",
        b"x",
        headers={"content-md5": "1B2M2Y8AsgTpgAmY7PhCfg=="},
    )
    two = await ask(
        house,
        "PUT",
        "/photos/a",
        b"x",
        headers={"x-amz-checksum-crc32": "AAAAAA==", "x-amz-checksum-sha1": "x"},
    )

    assert "<Code>InvalidDigest</Code>" in bad_md5.text
    assert "<Code>BadDigest</Code>" in wrong_md5.text
    assert "<Code>InvalidRequest</Code>" in two.text
    assert {} == house.objects.objects


async def test_strangers_are_told_what_is_wrong(house):
    """Distinct codes are how users find their mistakes."""
    nobody = await house.ask("GET", "/photos/a", caller=None)
    token = await house.ask("GET", "/photos/a", {"x-proxy-token": "t0ken"}, caller=None)
    wrong = await house.ask("GET", "/photos/a", {"x-proxy-token": "x"}, caller=None)

    assert [403, 404, 403] == [nobody.status, token.status, wrong.status]


async def test_a_delete_document_is_verified_before_it_counts(house):
    """Deleting on the word of a damaged document would be the worst of all."""
    await ask(house, "PUT", "/photos/a", b"meow")
    body = b"<Delete><Object><Key>a</Key></Object></Delete>"
    signed = SIGNER.sign(
        "POST",
        "/photos",
        (("delete", ""),),
        (("host", "localhost"), ("x-amz-checksum-crc32", "AAAAAA==")),
        UNSIGNED_PAYLOAD,
        house.clock.now_us(),
    )
    reply = await house.ask("POST", "/photos?delete", dict(signed), body, caller=None)

    assert (400, True) == (reply.status, "<Code>BadDigest</Code>" in reply.text)
    assert [("photos", "a")] == list(house.objects.objects)
