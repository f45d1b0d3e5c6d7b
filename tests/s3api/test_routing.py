"""The table of operations: what is matched, and that nothing falls through."""

import pytest

from s3o.model.facts import Crashed, RequestFinished, RequestStarted
from s3o.s3api.operations import SUBRESOURCES
from tests.s3api.house import House

# The sub-resources of S3's own list (s3 service model and documentation).
LISTED = [
    *("acl", "accelerate", "analytics", "annotation", "annotations", "attributes"),
    *("cors", "delete", "encryption", "intelligent-tiering", "inventory", "legal-hold"),
    *("lifecycle", "location", "logging", "metadataTable", "metadataConfiguration"),
    *("metrics", "notification", "object-lock", "ownershipControls", "policy"),
    *("policyStatus", "publicAccessBlock", "renameObject", "replication"),
    *("requestPayment", "restore", "retention", "select", "session", "tagging"),
    *("torrent", "versionId", "versioning", "website", "abac", "append"),
]
SERVED = {
    ("GET", "/photos", "location"),
    ("POST", "/photos", "delete"),
    ("GET", "/photos/a", "attributes"),
    *((method, "/photos", "acl") for method in ("GET", "PUT")),
    *((method, "/photos/a", "acl") for method in ("GET", "PUT")),
    *((method, "/photos", "ownershipControls") for method in ("GET", "PUT")),
    *(
        (method, "/photos", name)
        for name in ("cors", "lifecycle", "tagging")
        for method in ("GET", "PUT", "DELETE")
    ),
    *(
        ("GET", "/photos", name)
        for name in (
            *("accelerate", "analytics", "encryption", "intelligent-tiering"),
            *("inventory", "logging", "metrics", "notification", "object-lock"),
            *("policy", "policyStatus", "publicAccessBlock", "replication"),
            *("requestPayment", "versioning", "website"),
        )
    ),
    *(
        ("DELETE", "/photos", name)
        for name in (
            *("encryption", "policy", "publicAccessBlock", "replication", "website"),
        )
    ),
    *((method, "/photos/a", "tagging") for method in ("GET", "PUT", "DELETE")),
    *((method, "/photos/a", "versionId") for method in ("GET", "HEAD", "DELETE")),
}


@pytest.fixture
async def house():
    """A door with one object."""
    house = House()
    await house.put("a", b"hello")
    return house


@pytest.mark.parametrize("suffix", ["", "=", "=x"])
@pytest.mark.parametrize("name", LISTED)
async def test_no_subresource_falls_through(house, name, suffix):
    """The reference stores tag sets as objects and deletes objects for their tags."""
    before = dict(house.objects.objects)
    for target in ("/photos", "/photos/a"):
        for method in ("GET", "HEAD", "PUT", "POST", "DELETE"):
            if (method, target, name) in SERVED:
                continue
            reply = await house.ask(method, f"{target}?{name}{suffix}")
            assert 501 == reply.status, (method, target)

    assert before == house.objects.objects


def test_every_listed_subresource_is_in_the_table():
    """The two lists are written independently."""
    missing = [name for name in LISTED if name not in SUBRESOURCES]

    assert ["metadataTable", "metadataConfiguration"] == missing


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("PUT", "/photos/a?partNumber=1", 400),
        ("PUT", "/photos/a?uploadId=x", 405),
        ("GET", "/photos/a?partNumber=1", 206),
        ("DELETE", "/photos/a?partNumber=1", 501),
        ("GET", "/photos/a?partNumber=1&uploadId=x", 501),
        ("HEAD", "/photos/a?attributes", 501),
        ("GET", "/photos/a?uploads", 400),
        ("GET", "/photos/a?versions", 400),
        ("DELETE", "/photos/a?versions", 400),
        ("GET", "/photos?versions&uploads", 501),
        ("HEAD", "/photos?versions", 501),
        ("PUT", "/photos?versions", 501),
        ("DELETE", "/photos?ownershipControls", 501),
        ("GET", "/photos?location&cors", 501),
        ("GET", "/photos?list-type=2&location", 501),
        ("POST", "/photos?delete&tagging", 501),
        ("DELETE", "/photos", 403),
        ("POST", "/photos", 412),
        ("POST", "/photos/a", 405),
        ("PATCH", "/photos/a", 405),
        ("OPTIONS", "/photos/a", 400),
        ("OPTIONS", "/", 405),
        ("PUT", "/", 405),
        ("HEAD", "/", 405),
        ("DELETE", "/", 405),
        ("GET", "/?acl", 501),
        ("HEAD", "/photos/a?tagging", 501),
        ("POST", "/photos/a?tagging", 501),
        ("GET", "/photos/a?tagging&retention", 501),
        ("PUT", "/photos/a?versionId=null", 501),
        ("GET", "/photos/a?x-id=GetObject&utm=1", 200),
        ("GET", "/photos/a/%ff", 400),
        ("GET", "/photos/" + "k" * 1025, 400),
        ("GET", "//a", 400),
    ],
)
async def test_what_is_not_in_the_table_is_refused(house, method, target, status):
    """Each with the answer that S3 or its strictest suite gives."""
    reply = await house.ask(method, target)

    assert status == reply.status


async def test_a_key_has_at_most_1024_bytes(house):
    """Bytes of UTF-8, not characters; the answer tells the limit."""
    fits = await house.ask("GET", "/photos/" + "%C3%A9" * 512)
    over = await house.ask("GET", "/photos/" + "%C3%A9" * 512 + "k")

    assert (404, 400) == (fits.status, over.status)
    assert (
        "<Code>KeyTooLongError</Code><Message>Your key is too long</Message>"
        "<Size>1025</Size><MaxSizeAllowed>1024</MaxSizeAllowed>"
    ) in over.text


async def test_405_names_the_methods_there_are(house):
    """RFC 9110 requires Allow."""
    bucket = await house.ask("PATCH", "/photos")
    key = await house.ask("POST", "/photos/a")

    assert "DELETE, GET, HEAD, POST, PUT" == bucket.headers["allow"]
    assert "DELETE, GET, HEAD, PUT" == key.headers["allow"]


@pytest.mark.parametrize(
    ("method", "target"),
    [("GET", "/photos/a"), ("DELETE", "/photos/a"), ("PUT", "/photos")],
)
async def test_a_copy_source_belongs_to_a_put_of_an_object(house, method, target):
    """Anywhere else the client means something that we must not guess."""
    reply = await house.ask(method, target, {"x-amz-copy-source": "photos/a"})

    assert (400, True) == (reply.status, "<Code>InvalidArgument</Code>" in reply.text)


async def test_service_calls_are_refused_unauthenticated(house):
    """s3-tests asks IAM at every teardown; it must hear at once that there is none."""
    reply = await house.ask("POST", "/", {}, b"Action=ListRoles", caller=None)

    assert 405 == reply.status


async def test_virtual_hosts_name_the_bucket(house):
    """Many SDKs put the bucket into the host name."""
    reply = await house.ask("GET", "/a", {"host": "photos.s3.example"})
    path = await house.ask("GET", "/photos/a", {"host": "192.0.2.9:9000"})

    assert (200, b"hello") == (reply.status, reply.body)
    assert (200, b"hello") == (path.status, path.body)


async def test_others_buckets_are_denied(house):
    """Whether they exist is none of the caller's business."""
    for target in ("/others/a", "/nobodys/a", "/others?list-type=2"):
        reply = await house.ask("GET", target)
        assert (403, True) == (reply.status, "<Code>AccessDenied</Code>" in reply.text)


async def test_a_bucket_that_vanished_is_404(house):
    """Credentials may outlive their bucket in the middle of a reload."""
    del house.buckets.buckets["photos"]
    reply = await house.ask("GET", "/photos/a")

    assert (404, True) == (reply.status, "<Code>NoSuchBucket</Code>" in reply.text)


async def test_every_answer_carries_its_request_id(house):
    """Support begins with it; the client's own is kept if it is harmless."""
    own = await house.ask("GET", "/photos/a", {"x-request-id": "abc.1-2_3"})
    made = await house.ask("GET", "/photos/b", {"x-request-id": 'a"b'})
    refused = await house.ask("GET", "/photos/a", caller=None)

    assert "abc.1-2_3" == own.headers["x-amz-request-id"]
    assert 32 == len(made.headers["x-amz-request-id"])
    assert f"<RequestId>{made.headers['x-amz-request-id']}</RequestId>" in made.text
    assert "x-amz-request-id" in refused.headers


async def test_what_net_refuses_has_a_request_id_too(house):
    """Heads that do not parse never reach the door."""
    reply = await house.ask("GET", "/photos/a#x")

    assert 400 == reply.status
    assert "<Code>BadRequest</Code>" in reply.text
    assert reply.headers["x-amz-request-id"]


@pytest.mark.parametrize(
    ("method", "target", "caller", "event", "status"),
    [
        ("GET", "/photos/a", "photos", "s3.GetObject", 200),
        ("HEAD", "/photos/b", "photos", "s3.HeadObject", 404),
        ("GET", "/photos?list-type=2", "photos", "s3.ListObjectsV2", 200),
        ("GET", "/photos/a", None, "s3.AuthFailure", 403),
        ("GET", "/others/a", "photos", "s3.BucketMismatch", 403),
        ("GET", "//", "photos", "s3.InvalidPath", 400),
        ("PATCH", "/photos/a", "photos", "s3.MethodNotAllowed", 405),
    ],
)
async def test_facts_say_what_was_asked_and_answered(
    house, method, target, caller, event, status
):
    """The first audit line of a request."""
    house.observer.clear()
    reply = await house.ask(method, target, caller=caller)
    (started,) = house.observer.of(RequestStarted)
    (finished,) = house.observer.of(RequestFinished)

    assert method == started.method == finished.method
    assert (event, status) == (finished.event, finished.status)
    assert reply.status == status
    assert reply.headers["x-amz-request-id"] == finished.request_id
    assert target.partition("?")[0] == finished.path
    assert "192.0.2.1:40000" == finished.remote
    assert len(reply.body) == finished.response_bytes
    assert (status == 200) == (finished.error == "")


async def test_uploads_count_what_arrived(house):
    """Request sizes are metrics."""
    await house.put("b", b"hello")
    finished = house.observer.of(RequestFinished)[-1]

    assert ("photos", "b", 5) == (finished.bucket, finished.key, finished.request_bytes)


async def test_an_unforeseen_error_is_500_and_reported(house):
    """A bug must be seen by the operator and survived by the client."""
    house.objects.failures["find"] = KeyError("secret")
    reply = await house.ask("GET", "/photos/a", {"x-request-id": "bug1"})
    (crashed,) = house.observer.of(Crashed)

    assert (500, "bug1") == (reply.status, reply.headers["x-amz-request-id"])
    assert "<Code>InternalError</Code>" in reply.text
    assert "secret" not in reply.text
    assert "KeyError" in crashed.traceback
    assert 500 == house.observer.of(RequestFinished)[-1].status


async def test_more_requests_than_allowed_are_shed(house):
    """Admission is first, so that an overload costs next to nothing."""
    house.max_concurrent_requests = 1
    house.door._in_hand = 1
    shed = await house.ask("GET", "/photos/a", caller=None)
    house.door._in_hand = 0
    served = await house.ask("GET", "/photos/a")

    assert (503, True) == (shed.status, "<Code>SlowDown</Code>" in shed.text)
    assert "1" == shed.headers["retry-after"]
    assert "s3.AdmissionRejected" == house.observer.of(RequestFinished)[-2].event
    assert 200 == served.status
