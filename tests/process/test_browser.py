"""What boto3 hands to web pages: presigned URLs and forms, of both versions."""

import hashlib
import http.client
import json
import os
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import boto3
import botocore.config
import pytest
from urllib3.filepost import encode_multipart_formdata

from tests.process.daemon import ACCESS_KEY, BUCKET, SECRET_KEY, Daemon

OTHER_KEY, OTHER_SECRET, OTHER = "publickey", "publicsecret", "public"
VERSIONS = ("s3v4", "s3")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """One service: version 2 allowed, one of two buckets public."""
    running = Daemon(
        tmp_path_factory.mktemp("browser"), extra={"auth": {"allow_sigv2": True}}
    )
    running.config["buckets"].append(
        {
            "name": OTHER,
            "public_read": True,
            "credentials": [
                {"access_key_id": OTHER_KEY, "secret_access_key": OTHER_SECRET}
            ],
        }
    )
    with running:
        yield running


def client(daemon: Daemon, version: str, *, is_other: bool = False) -> Any:
    """Return a boto3 client that signs with a version."""
    return boto3.client(
        "s3",
        endpoint_url=daemon.endpoint,
        aws_access_key_id=OTHER_KEY if is_other else ACCESS_KEY,
        aws_secret_access_key=OTHER_SECRET if is_other else SECRET_KEY,
        region_name="us-east-1",
        config=botocore.config.Config(signature_version=version),
    )


def send(
    method: str, url: str, body: bytes = b"", headers: Mapping[str, str] | None = None
) -> tuple[int, dict[str, str], bytes]:
    """Send a request as a page does, with no credentials but the URL's."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=30)
    try:
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        connection.request(method, target, body, dict(headers or {}))
        answer = connection.getresponse()
        fields = {name.lower(): value for name, value in answer.getheaders()}
        return answer.status, fields, answer.read()
    finally:
        connection.close()


def submit(
    form: Mapping[str, Any], data: bytes, **changes: str | None
) -> tuple[int, dict[str, str], bytes]:
    """Send a presigned form with a file, fields changed or (None) left out."""
    fields = {**form["fields"], **changes}
    parts: list[Any] = [(name, text) for name, text in fields.items() if text]
    parts.append(("file", ("cat.jpg", data, "image/jpeg")))
    body, kind = encode_multipart_formdata(parts)
    return send("POST", form["url"], body, {"content-type": kind})


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("size", [0, 5, 300_000, 20_000_000])
def test_a_presigned_form(daemon: Daemon, version: str, size: int) -> None:
    """Small and large, stored whole, with the fields the signer allowed."""
    s3 = client(daemon, version)
    data = os.urandom(size)
    form = s3.generate_presigned_post(
        BUCKET,
        f"forms/{version}-{size}-${{filename}}",
        Fields={"Content-Type": "image/jpeg", "success_action_status": "201"},
        Conditions=[
            {"Content-Type": "image/jpeg"},
            {"success_action_status": "201"},
            ["content-length-range", size, size],
        ],
    )
    status, headers, body = submit(form, data)
    key = f"forms/{version}-{size}-cat.jpg"
    stored = client(daemon, "s3v4").get_object(Bucket=BUCKET, Key=key)

    assert 201 == status, body
    assert f"<Key>{key}</Key>".encode() in body
    assert data == stored["Body"].read()
    assert "image/jpeg" == stored["ContentType"]
    assert f'"{hashlib.md5(data).hexdigest()}"' == headers["etag"] == stored["ETag"]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_form_that_was_tampered_with(daemon: Daemon, version: str) -> None:
    """Another key, another size, a field more, a policy changed: nothing is stored."""
    s3 = client(daemon, version)
    form = s3.generate_presigned_post(
        BUCKET, "tampered", Conditions=[["content-length-range", 1, 10]]
    )
    signature = "x-amz-signature" if version == "s3v4" else "signature"
    policy = form["fields"]["policy"]
    answers = [
        submit(form, b"meow", key="elsewhere"),
        submit(form, b"x" * 11),
        submit(form, b""),
        submit(form, b"meow", acl="private"),
        submit(form, b"meow", policy=policy[:-4] + "AAA="),
        submit(form, b"meow", **{signature: "0" * 64}),
        submit(form, b"meow", **{signature: None}),
    ]

    assert [403, 400, 400, 403, 403, 403, 400] == [status for status, _, _ in answers]
    for key in ("tampered", "elsewhere"):
        found = client(daemon, "s3v4").list_objects_v2(Bucket=BUCKET, Prefix=key)
        assert "Contents" not in found


@pytest.mark.parametrize("version", VERSIONS)
def test_presigned_urls(daemon: Daemon, version: str) -> None:
    """A page puts, gets and deletes with links alone."""
    s3 = client(daemon, version)
    name = {"Bucket": BUCKET, "Key": f"links/{version} \u00e4+&.txt"}
    put = s3.generate_presigned_url(
        "put_object", {**name, "ContentType": "text/plain", "Metadata": {"a": "b"}}
    )
    get = s3.generate_presigned_url(
        "get_object", {**name, "ResponseContentDisposition": 'attachment; filename="x"'}
    )
    headers = {"content-type": "text/plain", "x-amz-meta-a": "b"}
    status, _, text = send("PUT", put, b"meow", headers)
    assert 200 == status, text
    found = send("GET", get)
    wrong = send("GET", get.replace("attachment", "inline"))
    other = send("PUT", get, b"oops")
    deleted = send("DELETE", s3.generate_presigned_url("delete_object", name))

    assert (200, b"meow") == (found[0], found[2])
    assert 'attachment; filename="x"' == found[1]["content-disposition"]
    assert ("text/plain", "b") == (found[1]["content-type"], found[1]["x-amz-meta-a"])
    assert (403, 403, 204) == (wrong[0], other[0], deleted[0])
    assert 403 == send("GET", s3.generate_presigned_url("get_object", name) + "x")[0]


def test_a_link_of_version_2_ends(daemon: Daemon) -> None:
    """Its time is the link's own."""
    s3 = client(daemon, "s3")
    name = {"Bucket": BUCKET, "Key": "ended"}
    url = s3.generate_presigned_url("get_object", name, ExpiresIn=-10)
    status, _, body = send("GET", url)

    assert (403, True) == (status, b"Request has expired" in body)


def test_version_2_opens_no_other_door(daemon: Daemon) -> None:
    """Requests that boto3 signs in a header with version 2 stay refused."""
    s3 = client(daemon, "s3")

    with pytest.raises(botocore.exceptions.ClientError, match="AWS4-HMAC-SHA256"):
        s3.put_object(Bucket=BUCKET, Key="header", Body=b"meow")


def test_strangers_read_the_public_bucket_only(daemon: Daemon) -> None:
    """Its objects, by their names, and no other bucket's."""
    for name, is_other in ((OTHER, True), (BUCKET, False)):
        client(daemon, "s3v4", is_other=is_other).put_object(
            Bucket=name, Key="page.html", Body=b"<p>meow", ContentType="text/html"
        )
    status, headers, body = daemon.request("GET", f"/{OTHER}/page.html")
    private, _, _ = daemon.request("GET", f"/{BUCKET}/page.html")
    listing, _, _ = daemon.request("GET", f"/{OTHER}")

    assert (200, b"<p>meow") == (status, body), body
    assert "text/html" == headers["content-type"]
    assert (403, 403) == (private, listing)


def test_no_line_of_the_log_holds_a_signature(daemon: Daemon) -> None:
    """Links and forms are credentials; the log is read by many."""
    s3 = client(daemon, "s3v4")
    form = s3.generate_presigned_post(BUCKET, "logged")
    url = s3.generate_presigned_url("get_object", {"Bucket": BUCKET, "Key": "logged"})
    submit(form, b"meow")
    send("GET", url)
    logged = json.dumps(daemon.log_lines())

    assert "s3.PostObject" in logged
    assert form["fields"]["x-amz-signature"] not in logged
    assert form["fields"]["policy"] not in logged
    assert url.partition("X-Amz-Signature=")[2] not in logged
