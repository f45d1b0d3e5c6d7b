"""A real browser: its forms, its preflights, and what it lets a page see.

Chromium runs a page of another origin without a window; the page tries everything and
writes down what happened. Nothing about CORS or forms is simulated.
"""

import http.server
import json
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import botocore.config
import pytest

from tests.process.daemon import ACCESS_KEY, BUCKET, SECRET_KEY, Daemon

CHROMIUM = shutil.which("chromium")
CLOSED = "closed"

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
]

PAGE = """<!doctype html><meta charset="utf-8"><body><script>
const plan = %s;
const seen = {};
async function look(name, ask) {
  try {
    const reply = await ask();
    seen[name] = {status: reply.status, text: await reply.text(),
                  etag: reply.headers.get("etag"),
                  hidden: reply.headers.get("x-amz-request-id")};
  } catch (error) { seen[name] = {error: error.name}; }
}
function form(fields) {
  const data = new FormData();
  for (const [name, text] of Object.entries(fields)) data.append(name, text);
  data.append("file", new Blob(["from fetch"]), "b\\u00e4r \\"1\\".txt");
  return data;
}
function submit(url, fields) {
  return new Promise((resolve) => {
    const frame = document.createElement("iframe");
    frame.name = "answer";
    document.body.append(frame);
    const page = document.createElement("form");
    Object.assign(page, {method: "post", action: url, target: "answer",
                         enctype: "multipart/form-data"});
    const add = (name, type) => {
      const input = document.createElement("input");
      Object.assign(input, {name, type});
      page.append(input);
      return input;
    };
    for (const [name, text] of Object.entries(fields)) add(name, "hidden").value = text;
    const files = new DataTransfer();
    files.items.add(new File([new Uint8Array(400000).fill(65)], "cat.jpg"));
    add("file", "file").files = files.files;
    document.body.append(page);
    addEventListener("message", (event) => resolve(event.data));
    page.submit();
  });
}
(async () => {
  await look("get", () => fetch(plan.get));
  await look("put", () => fetch(plan.put, {method: "PUT", body: "meow",
                                           headers: {"x-amz-meta-a": "b"}}));
  await look("delete", () => fetch(plan.remove, {method: "DELETE"}));
  await look("missing", () => fetch(plan.missing));
  await look("closed", () => fetch(plan.closed));
  await look("form", () => fetch(plan.form.url, {method: "POST",
                                                 body: form(plan.form.fields)}));
  const more = {...plan.form.fields, acl: "private"};
  await look("refused", () => fetch(plan.form.url, {method: "POST",
                                                    body: form(more)}));
  seen.sent = await submit(plan.page.url, plan.page.fields);
  const out = document.createElement("pre");
  out.textContent = "SEEN" + JSON.stringify(seen) + "NEES";
  document.body.append(out);
})();
</script>"""
DONE = b"<!doctype html><script>parent.postMessage(location.href, '*')</script>"


class Site:
    """A web site of another origin: one page, and where forms lead."""

    def __init__(self) -> None:
        site = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = DONE if self.path.startswith("/done") else site.page
                self.send_response(200)
                self.send_header("content-type", "text/html; charset=utf-8")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_ignored: object) -> None:
                pass

        self.page = b""
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.origin = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def site() -> Iterator[Site]:
    """A web site that runs."""
    running = Site()
    thread = threading.Thread(target=running.server.serve_forever)
    thread.start()
    yield running
    running.server.shutdown()
    thread.join()
    running.server.server_close()


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    """The service, with a bucket for pages and one for none."""
    running = Daemon(tmp_path)
    closed = {"access_key_id": "closedkey", "secret_access_key": "closedsecret"}
    running.config["buckets"].append({"name": CLOSED, "credentials": [closed]})
    with running:
        yield running


def client(daemon: Daemon, access_key: str, secret: str) -> Any:
    """Return a boto3 client."""
    return boto3.client(
        "s3",
        endpoint_url=daemon.endpoint,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret,
        region_name="us-east-1",
        config=botocore.config.Config(signature_version="s3v4"),
    )


def browse(url: str, profile: Path) -> dict[str, Any]:
    """Open a page in chromium; return what it has written down."""
    assert CHROMIUM is not None
    done = subprocess.run(
        [
            CHROMIUM,
            *("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"),
            *("--disable-dev-shm-usage", "--disable-background-networking"),
            f"--user-data-dir={profile}",
            "--virtual-time-budget=20000",
            "--dump-dom",
            url,
        ],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    found = re.search(r"<pre>SEEN(.*)NEES</pre>", done.stdout, re.DOTALL)
    assert found, f"{done.stdout}\n{done.stderr[-4000:]}"
    seen: dict[str, Any] = json.loads(unescape(found[1]))
    return seen


def test_a_page_of_another_origin(daemon: Daemon, site: Site, tmp_path: Path) -> None:
    """It reads, writes and posts what the rules and the policy allow, and no more."""
    s3 = client(daemon, ACCESS_KEY, SECRET_KEY)
    other = client(daemon, "closedkey", "closedsecret")
    rule = {
        "AllowedOrigins": [site.origin],
        "AllowedMethods": ["GET", "PUT", "POST"],
        "AllowedHeaders": ["x-amz-meta-*", "content-type"],
        "ExposeHeaders": ["ETag"],
    }
    s3.put_bucket_cors(Bucket=BUCKET, CORSConfiguration={"CORSRules": [rule]})
    s3.put_object(Bucket=BUCKET, Key="a", Body=b"hello")
    other.put_object(Bucket=CLOSED, Key="a", Body=b"secret")
    redirect = f"{site.origin}/done"

    def link(operation: str, key: str, **more: object) -> str:
        name = {"Bucket": BUCKET, "Key": key, **more}
        url: str = s3.generate_presigned_url(operation, name)
        return url

    plan = {
        "get": link("get_object", "a"),
        "put": link("put_object", "put", Metadata={"a": "b"}),
        "remove": link("delete_object", "a"),
        "missing": link("get_object", "missing"),
        "closed": other.generate_presigned_url(
            "get_object", {"Bucket": CLOSED, "Key": "a"}
        ),
        "form": s3.generate_presigned_post(BUCKET, "fetched/${filename}"),
        "page": s3.generate_presigned_post(
            BUCKET,
            "posted/${filename}",
            Fields={"success_action_redirect": redirect},
            Conditions=[{"success_action_redirect": redirect}],
        ),
    }
    site.page = (PAGE % json.dumps(plan)).encode()
    seen = browse(f"{site.origin}/", tmp_path / "profile")

    got = seen["get"]
    assert (200, "hello", None) == (got["status"], got["text"], got["hidden"])
    assert got["etag"]
    assert 200 == seen["put"]["status"]
    assert {"a": "b"} == s3.head_object(Bucket=BUCKET, Key="put")["Metadata"]
    # No rule allows DELETE: the preflight was refused, so nothing was sent.
    assert {"error": "TypeError"} == seen["delete"] == seen["closed"]
    s3.head_object(Bucket=BUCKET, Key="a")
    assert 404 == seen["missing"]["status"]
    assert "NoSuchKey" in seen["missing"]["text"]

    assert 204 == seen["form"]["status"]
    assert (403, True) == (
        seen["refused"]["status"],
        "Extra input fields: acl" in seen["refused"]["text"],
    )
    query = urlsplit(seen["sent"]).query
    assert "bucket=photos&key=posted%2Fcat.jpg&etag=%22" in query
    keys = [each["Key"] for each in s3.list_objects_v2(Bucket=BUCKET)["Contents"]]
    assert ["a", "fetched/b\u00e4r %221%22.txt", "posted/cat.jpg", "put"] == keys
    posted = s3.get_object(Bucket=BUCKET, Key="posted/cat.jpg")["Body"].read()
    assert b"A" * 400_000 == posted
