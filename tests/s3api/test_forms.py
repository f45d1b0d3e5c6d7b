"""Forms behind the door: what they store, how they answer, and all that stores nothing.

Every refusal is judged twice: by its answer, and by the bucket, which must be empty.
"""

import base64
import hashlib
import xml.etree.ElementTree as ET
import zlib
from dataclasses import replace

import pytest

from s3o.model import limits
from s3o.model.names import BucketName
from s3o.model.tenants import Permission
from s3o.s3api.credentials import CredentialBook, Grant
from s3o.s3api.gate import CredentialGate
from tests.fakes.clock import START_US
from tests.s3api.forms import (
    ACCESS_KEY,
    AMZ_DATE,
    BOUNDARY,
    SCOPE,
    SECRET,
    encode_field,
    encode_file,
    encode_policy,
    form_headers,
    join_parts,
    make_form,
    make_policy,
    sign_v2,
    sign_v4,
)
from tests.s3api.house import PHOTOS, House

ANY_KEY = ["starts-with", "$key", ""]
LARGE = bytes(range(251)) * (limits.FORM_LOOKAHEAD_BYTES // 251 + 50)
KEY = ("key", "cat.jpg")


def grant(**changes) -> Grant:
    """Return the credential that signs."""
    whole = Grant(
        principal=PHOTOS.owner, access_key_id=ACCESS_KEY, secret_access_key=SECRET
    )
    return replace(whole, **changes)


@pytest.fixture
def house():
    """A door that real credentials open; signatures of version 2 are off."""
    house = House()
    use_book(house, grant())
    return house


def use_book(house, *grants, **how):
    """Let these credentials in, from now on."""
    book = CredentialBook(grants, **how)
    house.door._gate = CredentialGate(house.clock, lambda: book)


async def post(house, body, *, path="/photos", headers=None, boundary=BOUNDARY):
    """Send a form."""
    fields = {**form_headers(boundary), **(headers or {})}
    return await house.ask("POST", path, fields, body, caller=None)


async def submit(house, conditions, fields, data=b"meow", **how):
    """Send a form whose fields were signed with these conditions beside the usual."""
    policy = make_policy(*conditions, **how.pop("policy", {}))
    return await post(house, make_form([*fields, *sign_v4(policy)], data, **how))


def stored(house, key="cat.jpg"):
    """Return the object's version and bytes."""
    return house.objects.objects["photos", key]


def code(reply) -> str:
    """Return an error's code."""
    return ET.fromstring(reply.body).findtext("Code") or ""


# ---- what is stored, and how that is answered


@pytest.mark.parametrize("data", [b"", b"meow", LARGE, b"\r\n--" * 70_000])
async def test_a_form_stores_its_file(house, data):
    """Small and large, the file is exactly what the browser read from the disk."""
    reply = await submit(house, [ANY_KEY], [KEY], data)
    version, body = stored(house)

    assert (204, b"") == (reply.status, reply.body)
    assert data == body
    assert len(data) == version.size
    assert f'"{hashlib.md5(data).hexdigest()}"' == reply.headers["etag"]
    assert "http://localhost/photos/cat.jpg" == reply.headers["location"]
    assert "binary/octet-stream" == version.facts.content_type


async def test_fields_become_the_objects_headers(house):
    """All that a PUT's headers can say."""
    fields = [
        ("Content-Type", "image/jpeg"),
        ("Cache-Control", "no-cache"),
        ("Content-Disposition", 'attachment; filename="k\u00e4tzchen.jpg"'),
        ("x-amz-meta-who", "eric \u00e4"),
        ("X-Amz-Meta-Other", "1"),
        ("x-amz-storage-class", "STANDARD_IA"),
        ("acl", "private"),
        (
            "tagging",
            "<Tagging><TagSet><Tag><Key>a b</Key><Value>1+2=&#51;</Value></Tag>"
            "</TagSet></Tagging>",
        ),
        ("x-ignore-this", "tracking"),
        ("submit", "Upload"),
    ]
    names = [name for name, _ in fields if not name.startswith("x-ignore")]
    conditions = [ANY_KEY, *(["starts-with", f"${name}", ""] for name in names)]
    reply = await submit(house, conditions, [KEY, *fields])

    assert 204 == reply.status, reply.text
    facts = stored(house)[0].facts
    assert "image/jpeg" == facts.content_type
    assert ("cache-control", "no-cache") in facts.headers
    assert {"who": "eric \u00e4", "other": "1"} == {
        name: value.encode("latin-1").decode() for name, value in facts.metadata
    }
    assert (("a b", "1+2=3"),) == facts.tags
    assert "STANDARD_IA" == facts.storage_class


@pytest.mark.parametrize(
    ("file_name", "key"),
    [
        ("cat.jpg", "up/cat.jpg"),
        ("C:\\Users\\eric\\cat.jpg", "up/cat.jpg"),
        ("/home/eric/k\u00e4tzchen.jpg", "up/k\u00e4tzchen.jpg"),
        ("../../etc/passwd", "up/passwd"),
        ("", "up/"),
        ("${filename}", "up/${filename}"),
    ],
)
async def test_the_files_name_takes_its_place_in_the_key(house, file_name, key):
    """Without the path that some browsers put before it."""
    condition = ["starts-with", "$key", "up/"]
    fields = [("key", "up/${filename}")]
    reply = await submit(house, [condition], fields, file_name=file_name)

    assert 204 == reply.status
    assert [("photos", key)] == list(house.objects.objects)


async def test_the_condition_sees_the_key_with_the_name_in_it(house):
    """A file called otherwise must not slip through as `${filename}`."""
    condition = ["starts-with", "$key", "cat"]
    fields = [("key", "${filename}")]
    good = await submit(house, [condition], fields, file_name="cat.gif")
    bad = await submit(house, [condition], fields, file_name="dog.gif")

    assert (204, 403) == (good.status, bad.status)
    assert [("photos", "cat.gif")] == list(house.objects.objects)


@pytest.mark.parametrize(
    ("wanted", "status"),
    [("200", 200), ("201", 201), ("204", 204), ("404", 204), ("", 204), ("2_01", 204)],
)
async def test_the_form_chooses_the_status(house, wanted, status):
    """Anything but the three is the default."""
    condition = ["starts-with", "$success_action_status", ""]
    reply = await submit(
        house, [ANY_KEY, condition], [KEY, ("success_action_status", wanted)]
    )

    assert status == reply.status
    assert (reply.body == b"") is (status != 201)


async def test_201_has_a_document(house):
    """Upload widgets read the location from it."""
    key = "a <b>/\u00e4.jpg"
    condition = {"success_action_status": "201"}
    fields = [("key", key), ("success_action_status", "201")]
    reply = await submit(house, [ANY_KEY, condition], fields)
    root = ET.fromstring(reply.body)
    location = "http://localhost/photos/a%20%3Cb%3E/%C3%A4.jpg"

    assert "application/xml" == reply.headers["content-type"]
    assert "PostResponse" == root.tag
    assert [
        ("Location", location),
        ("Bucket", "photos"),
        ("Key", key),
        ("ETag", f'"{hashlib.md5(b"meow").hexdigest()}"'),
    ] == [(child.tag, child.text) for child in root]
    assert location == reply.headers["location"]


@pytest.mark.parametrize("field", ["success_action_redirect", "redirect"])
@pytest.mark.parametrize(
    ("url", "location"),
    [
        ("http://a.example/done", "http://a.example/done?{}"),
        ("https://a.example/done?x=1", "https://a.example/done?x=1&{}"),
        ("https://a.example/#top", "https://a.example/?{}#top"),
    ],
)
async def test_the_browser_is_sent_on(house, field, url, location):
    """With what it stored in the query."""
    reply = await submit(house, [ANY_KEY, {field: url}], [KEY, (field, url)])
    etag = hashlib.md5(b"meow").hexdigest()
    query = f"bucket=photos&key=cat.jpg&etag=%22{etag}%22"

    assert 303 == reply.status
    assert location.format(query) == reply.headers["location"]


@pytest.mark.parametrize(
    "url",
    [
        "",
        "javascript:alert(1)",
        "//a.example",
        "http://",
        "http://a b",
        "http://\u00e4/",
    ],
)
async def test_what_is_no_url_is_as_if_absent(house, url):
    """AWS's rule; and no header is ever made of it."""
    fields = [KEY, ("success_action_redirect", url)]
    condition = ["starts-with", "$success_action_redirect", ""]
    reply = await submit(house, [ANY_KEY, condition], fields)

    assert 204 == reply.status


async def test_a_virtual_host_names_the_bucket(house):
    """The form's action is then the host's root."""
    body = make_form([KEY, *sign_v4(make_policy(ANY_KEY))])
    reply = await post(house, body, path="/", headers={"host": "photos.s3.example"})

    assert 204 == reply.status
    assert "http://photos.s3.example/cat.jpg" == reply.headers["location"]


async def test_the_connection_can_be_used_again(house):
    """Nothing of a form is left behind to be taken for the next request."""
    data = LARGE
    reply = await submit(house, [ANY_KEY], [KEY], data)

    assert "close" != reply.headers.get("connection")


async def test_version_2_where_it_is_allowed(house):
    """boto3's default region signs forms so."""
    policy = {
        "expiration": "2100-01-01T00:00:00Z",
        "conditions": [{"bucket": "photos"}],
    }
    policy["conditions"].append(ANY_KEY)
    refused = await post(house, make_form([KEY, *sign_v2(policy)]))
    use_book(house, grant(), allows_sigv2=True)
    accepted = await post(house, make_form([KEY, *sign_v2(policy)]))
    wrong = await post(house, make_form([KEY, *sign_v2(policy, secret="x")]))
    unknown = await post(house, make_form([KEY, *sign_v2(policy, access_key="x")]))

    assert (400, "InvalidRequest") == (refused.status, code(refused))
    assert "s3v4" in refused.text
    assert 204 == accepted.status
    assert (403, "SignatureDoesNotMatch") == (wrong.status, code(wrong))
    assert (403, "InvalidAccessKeyId") == (unknown.status, code(unknown))


async def test_digests_that_the_form_declares_are_verified(house):
    """As on a PUT, before the object exists."""
    md5 = base64.b64encode(hashlib.md5(b"meow").digest()).decode()
    sha256 = hashlib.sha256(b"meow").hexdigest()
    crc32 = base64.b64encode(zlib.crc32(b"meow").to_bytes(4, "big")).decode()
    for name, good, bad, error in (
        ("Content-MD5", md5, base64.b64encode(bytes(16)).decode(), "BadDigest"),
        ("x-amz-checksum-crc32", crc32, "AAAAAA==", "BadDigest"),
        ("x-amz-content-sha256", sha256, "0" * 64, "XAmzContentSHA256Mismatch"),
    ):
        condition = ["starts-with", f"${name}", ""]
        refused = await submit(house, [ANY_KEY, condition], [KEY, (name, bad)])
        assert (400, error) == (refused.status, code(refused))
        assert {} == house.objects.objects
        accepted = await submit(house, [ANY_KEY, condition], [KEY, (name, good)])
        assert 204 == accepted.status
        house.objects.objects.clear()


async def test_conditions_of_the_write_hold_for_forms(house):
    """A form never overwrites what its sender wanted kept."""
    body = make_form([KEY, *sign_v4(make_policy(ANY_KEY))])
    first = await post(house, body, headers={"if-none-match": "*"})
    second = await post(house, body, headers={"if-none-match": "*"})

    assert (204, 412) == (first.status, second.status)


# ---- whose bucket, whose key


async def test_a_credential_is_confined_in_forms_too(house):
    """Its permissions and its keys, as with a PUT."""
    use_book(house, grant(permissions=frozenset({Permission.READ})))
    read_only = await submit(house, [ANY_KEY], [KEY])
    use_book(house, grant(key_prefixes=("up/",)))
    outside = await submit(house, [ANY_KEY], [KEY])
    inside = await submit(house, [ANY_KEY], [("key", "up/a")])

    assert (403, 403, 204) == (read_only.status, outside.status, inside.status)
    assert [("photos", "up/a")] == list(house.objects.objects)


async def test_a_form_for_somebody_elses_bucket(house):
    """The policy was signed by one who may not write there."""
    policy = make_policy(ANY_KEY)
    policy["conditions"][0] = {"bucket": "others"}
    reply = await post(house, make_form([KEY, *sign_v4(policy)]), path="/others")
    missing = make_policy(ANY_KEY)
    missing["conditions"][0] = {"bucket": "nowhere"}
    nowhere = await post(house, make_form([KEY, *sign_v4(missing)]), path="/nowhere")

    assert (403, "AccessDenied") == (reply.status, code(reply))
    assert (403, "AccessDenied") == (nowhere.status, code(nowhere))
    assert {} == house.objects.objects


async def test_a_policy_is_good_for_one_bucket(house):
    """Sent to another bucket of the same owner it must not store there."""
    use_book(house, grant(attached=frozenset({BucketName("others")})))
    body = make_form([KEY, *sign_v4(make_policy(ANY_KEY))])
    mentioned = make_form([KEY, ("bucket", "photos"), *sign_v4(make_policy(ANY_KEY))])
    replies = [
        await post(house, body, path="/others"),
        await post(house, mentioned, path="/others"),
    ]

    assert [403, 403] == [reply.status for reply in replies]
    assert {} == house.objects.objects


async def test_a_policy_expires(house):
    """The clock decides, not the form."""
    late = START_US // 1_000_000
    assert late < 4_000_000_000
    reply = await submit(
        house, [ANY_KEY], [KEY], policy={"expiration": "2001-01-01T00:00:00Z"}
    )

    assert (403, "AccessDenied") == (reply.status, code(reply))
    assert "Invalid according to Policy: Policy expired." in reply.text
    assert {} == house.objects.objects


# ---- sizes


@pytest.mark.parametrize("data", [b"12345", LARGE])
@pytest.mark.parametrize(
    ("low", "high", "status", "error"),
    [
        (0, 0, 204, None),
        (-1, 0, 204, None),
        (-2, -1, 400, "EntityTooLarge"),
        (1, 9, 400, "EntityTooSmall"),
    ],
)
async def test_the_real_size_is_what_counts(house, data, low, high, status, error):
    """One byte more or less than the policy allows stores nothing."""
    condition = ["content-length-range", len(data) + low, len(data) + high]
    reply = await submit(house, [ANY_KEY, condition], [KEY], data)

    assert status == reply.status
    if error is not None:
        assert error == code(reply)
        assert {} == house.objects.objects


async def test_no_length_no_form(house):
    """A size that is not known cannot be reserved."""
    body = make_form([KEY, *sign_v4(make_policy(ANY_KEY))])
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    reply = await post(house, chunked, headers={"transfer-encoding": "chunked"})

    assert (411, "MissingContentLength") == (reply.status, code(reply))
    assert {} == house.objects.objects


@pytest.mark.parametrize(
    "how",
    [
        {"after": [("x-amz-meta-late", "1")]},
        {"after": [("submit", "Upload")]},
        {"ending": b"--"},
        {"ending": b"--\r\n\r\n"},
        {"ending": b"--\n"},
        {"ending": b"--\r\nepilogue"},
        {"ending": b"--" + b" " * 300_000},
    ],
)
async def test_a_large_file_must_be_last(house, how):
    """Its size was reserved before the end was seen; another end stores nothing."""
    reply = await submit(house, [ANY_KEY], [KEY], LARGE, **how)

    assert (400, "MalformedPOSTRequest") == (reply.status, code(reply))
    assert {} == house.objects.objects


@pytest.mark.parametrize(
    "how",
    [
        {"after": [("x-amz-meta-late", "1"), ("key", "other")]},
        {"after": [("submit", "Upload")]},
        {"ending": b"--"},
        {"ending": b"--\r\n\r\n"},
        {"ending": b"--\r\nepilogue"},
    ],
)
async def test_after_a_small_file_anything_is_ignored(house, how):
    """S3 reads no field behind the file; neither the policy nor the object sees it."""
    reply = await submit(house, [ANY_KEY], [KEY], b"meow", **how)
    version, body = stored(house)

    assert (204, b"meow") == (reply.status, body)
    assert () == version.facts.metadata


# ---- hostile forms

SIGNED = sign_v4(make_policy(ANY_KEY))


def without(*names):
    """Return the signature's fields without some."""
    return [field for field in SIGNED if field[0] not in names]


def changed(**values):
    """Return the signature's fields with some changed; "_" stands for "-"."""
    new = {name.replace("_", "-"): value for name, value in values.items()}
    return [(name, new.get(name, value)) for name, value in SIGNED]


def raw(*parts, ending=b"--\r\n"):
    """Return a form of these parts after a good signature."""
    return join_parts([*(encode_field(*f) for f in SIGNED), *parts], ending=ending)


GOOD_KEY = encode_field(*KEY)
GOOD_FILE = encode_file(b"meow")
MARK = f"--{BOUNDARY}".encode()

HOSTILE = {
    "empty body": (b"", 400, "MalformedPOSTRequest"),
    "no boundary at all": (b"x" * 100, 400, "MalformedPOSTRequest"),
    "another boundary": (
        make_form([KEY, *SIGNED]).replace(BOUNDARY.encode(), b"other"),
        400,
        "MalformedPOSTRequest",
    ),
    "boundary in another case": (
        make_form([KEY, *SIGNED]).replace(BOUNDARY.encode(), BOUNDARY.upper().encode()),
        400,
        "MalformedPOSTRequest",
    ),
    "preamble": (
        b"hello\r\n" + make_form([KEY, *SIGNED]),
        400,
        "MalformedPOSTRequest",
    ),
    "bare LF lines": (
        make_form([KEY, *SIGNED]).replace(b"\r\n", b"\n"),
        400,
        "MalformedPOSTRequest",
    ),
    "blank after boundary": (
        make_form([KEY, *SIGNED]).replace(MARK + b"\r\n", MARK + b" \r\n"),
        400,
        "MalformedPOSTRequest",
    ),
    "longer boundary inside": (
        raw(GOOD_KEY + b"\r\n" + MARK + b"x", GOOD_FILE),
        400,
        "MalformedPOSTRequest",
    ),
    "boundary inside a small file": (
        raw(GOOD_KEY, GOOD_FILE + b"\r\n" + MARK + b"x"),
        400,
        "MalformedPOSTRequest",
    ),
    "cut in the fields": (
        make_form([KEY, *SIGNED])[:300],
        400,
        "MalformedPOSTRequest",
    ),
    "cut before the file's data": (
        make_form([KEY, *SIGNED]).partition(b"meow")[0][:-3],
        400,
        "MalformedPOSTRequest",
    ),
    "cut in the file": (
        make_form([KEY, *SIGNED]).partition(b"meow")[0] + b"me",
        400,
        "MalformedPOSTRequest",
    ),
    "cut in the last boundary": (
        make_form([KEY, *SIGNED])[:-6],
        400,
        "MalformedPOSTRequest",
    ),
    "cut before the last dashes": (
        make_form([KEY, *SIGNED], ending=b""),
        400,
        "MalformedPOSTRequest",
    ),
    "no file": (make_form([KEY, *SIGNED], None), 400, "InvalidArgument"),
    "only the end": (join_parts([]), 400, "InvalidArgument"),
    "file under another name": (
        raw(GOOD_KEY, encode_file(b"meow", name="data")),
        400,
        "InvalidArgument",
    ),
    "fields after the file": (
        make_form([], after=[KEY, *SIGNED]),
        403,
        "AccessDenied",
    ),
    "key after the file": (
        make_form(SIGNED, after=[KEY]),
        400,
        "InvalidArgument",
    ),
    "policy after the file": (
        make_form([KEY, *without("policy")], after=SIGNED),
        400,
        "InvalidArgument",
    ),
    "no key": (make_form(SIGNED), 400, "InvalidArgument"),
    "empty key": (make_form([("key", ""), *SIGNED]), 400, "InvalidArgument"),
    "empty file name for a key": (
        make_form([("key", "${filename}"), *SIGNED], file_name=""),
        400,
        "InvalidArgument",
    ),
    "key too long": (
        make_form([("key", "k" * 1025), *SIGNED]),
        400,
        "KeyTooLongError",
    ),
    "key too long with the file's name": (
        make_form([("key", "k" * 1000 + "${filename}"), *SIGNED], file_name="n" * 100),
        400,
        "KeyTooLongError",
    ),
    "key twice": (make_form([KEY, KEY, *SIGNED]), 400, "InvalidArgument"),
    "key twice in two cases": (
        make_form([KEY, ("KEY", "other"), *SIGNED]),
        400,
        "InvalidArgument",
    ),
    "policy twice": (
        make_form([KEY, ("policy", "e30="), *SIGNED]),
        400,
        "InvalidArgument",
    ),
    "signature twice": (
        make_form([KEY, *SIGNED, ("X-Amz-Signature", "0" * 64)]),
        400,
        "InvalidArgument",
    ),
    "key that is no UTF-8": (
        make_form([("key", b"\xff\xfe"), *SIGNED]),
        400,
        "MalformedPOSTRequest",
    ),
    "file name that is no UTF-8": (
        make_form([KEY, *SIGNED]).replace(b"cat.jpg", b"\xff"),
        400,
        "MalformedPOSTRequest",
    ),
    "field in base64": (
        raw(
            b'Content-Disposition: form-data; name="key"\r\n'
            b"Content-Transfer-Encoding: base64\r\n\r\nY2F0",
            GOOD_FILE,
        ),
        400,
        "MalformedPOSTRequest",
    ),
    "file in base64": (
        raw(
            GOOD_KEY,
            b"Content-Transfer-Encoding: base64\r\n" + encode_file(b"bWVvdw=="),
        ),
        400,
        "MalformedPOSTRequest",
    ),
    "part without a name": (
        raw(GOOD_KEY, b"Content-Disposition: form-data\r\n\r\nx", GOOD_FILE),
        400,
        "MalformedPOSTRequest",
    ),
    "part without headers": (
        raw(GOOD_KEY, b"\r\nx", GOOD_FILE),
        400,
        "MalformedPOSTRequest",
    ),
    "two names in one part": (
        raw(
            b'Content-Disposition: form-data; name="key"; name="x"\r\n\r\na', GOOD_FILE
        ),
        400,
        "MalformedPOSTRequest",
    ),
    "folded header": (
        raw(b'Content-Disposition: form-data;\r\n name="key"\r\n\r\na', GOOD_FILE),
        400,
        "MalformedPOSTRequest",
    ),
    "huge field": (
        make_form([KEY, *SIGNED, ("x-ignore-a", "x" * 30_000)]),
        400,
        "MaxPostPreDataLengthExceededError",
    ),
    "huge header of a part": (
        raw(GOOD_KEY, b"X-Long: " + b"x" * 5000 + b"\r\n" + GOOD_FILE),
        400,
        "MaxPostPreDataLengthExceededError",
    ),
    "huge name": (
        make_form([KEY, *SIGNED, ("n" * 30_000, "")]),
        400,
        "MaxPostPreDataLengthExceededError",
    ),
    "too many fields": (
        make_form([KEY, *SIGNED, *((f"x-ignore-{n}", "") for n in range(120))]),
        400,
        "MalformedPOSTRequest",
    ),
    "nobody": (make_form([KEY]), 403, "AccessDenied"),
    "no policy": (make_form([KEY, *without("policy")]), 400, "InvalidArgument"),
    "empty policy": (make_form([KEY, *changed(policy="")]), 400, "InvalidArgument"),
    "no signature": (
        make_form([KEY, *without("x-amz-signature")]),
        400,
        "InvalidArgument",
    ),
    "only a policy": (
        make_form([KEY, ("policy", encode_policy(make_policy(ANY_KEY)))]),
        400,
        "InvalidArgument",
    ),
    "no date": (make_form([KEY, *without("x-amz-date")]), 400, "InvalidArgument"),
    "no credential": (
        make_form([KEY, *without("x-amz-credential")]),
        400,
        "InvalidArgument",
    ),
    "no algorithm": (
        make_form([KEY, *without("x-amz-algorithm")]),
        400,
        "InvalidArgument",
    ),
    "other algorithm": (
        make_form([KEY, *changed(x_amz_algorithm="AWS4-ECDSA-P256-SHA256")]),
        400,
        "InvalidArgument",
    ),
    "no algorithm by name": (
        make_form([KEY, *changed(x_amz_algorithm="none")]),
        400,
        "InvalidArgument",
    ),
    "date of another day": (
        make_form([KEY, *changed(x_amz_date="20260102T000000Z")]),
        400,
        "InvalidArgument",
    ),
    "date that is none": (
        make_form([KEY, *changed(x_amz_date="yesterday")]),
        400,
        "InvalidArgument",
    ),
    "scope of another service": (
        make_form(
            [
                KEY,
                *changed(
                    x_amz_credential=f"{ACCESS_KEY}/20260101/us-east-1/ec2/aws4_request"
                ),
            ]
        ),
        400,
        "InvalidArgument",
    ),
    "scope cut short": (
        make_form([KEY, *changed(x_amz_credential=f"{ACCESS_KEY}/20260101")]),
        400,
        "InvalidArgument",
    ),
    "other region than signed": (
        make_form(
            [
                KEY,
                *changed(
                    x_amz_credential=f"{ACCESS_KEY}/20260101/eu-west-1/s3/aws4_request"
                ),
            ]
        ),
        403,
        "SignatureDoesNotMatch",
    ),
    "wrong signature": (
        make_form([KEY, *changed(x_amz_signature="0" * 64)]),
        403,
        "SignatureDoesNotMatch",
    ),
    "signature that is no ASCII": (
        make_form([KEY, *changed(x_amz_signature="\u00e4")]),
        403,
        "SignatureDoesNotMatch",
    ),
    "wrong secret": (
        make_form([KEY, *sign_v4(make_policy(ANY_KEY), secret="guess")]),
        403,
        "SignatureDoesNotMatch",
    ),
    "unknown key": (
        make_form(
            [KEY, *changed(x_amz_credential=f"AKIANOBODY/{SCOPE.text}")],
        ),
        403,
        "InvalidAccessKeyId",
    ),
    "policy changed after signing": (
        make_form(
            [KEY, *changed(policy=encode_policy(make_policy(ANY_KEY, {"a": "b"})))]
        ),
        403,
        "SignatureDoesNotMatch",
    ),
    "policy with a blank behind it": (
        make_form([KEY, *changed(policy=encode_policy(make_policy(ANY_KEY)) + " ")]),
        403,
        "SignatureDoesNotMatch",
    ),
    "signatures of two versions": (
        make_form([KEY, *SIGNED, ("AWSAccessKeyId", "a"), ("signature", "b")]),
        400,
        "InvalidArgument",
    ),
    "temporary credentials": (
        make_form(
            [
                KEY,
                ("x-amz-security-token", "t"),
                *sign_v4(make_policy(ANY_KEY, {"x-amz-security-token": "t"})),
            ]
        ),
        403,
        "AccessDenied",
    ),
    "policy that is no JSON": (
        make_form([KEY, *sign_v4("{")]),
        400,
        "InvalidPolicyDocument",
    ),
    "policy without conditions": (
        make_form([KEY, *sign_v4({"expiration": "2100-01-01T00:00:00Z"})]),
        400,
        "InvalidPolicyDocument",
    ),
    "policy that never ends": (
        make_form([KEY, *sign_v4({"conditions": []})]),
        400,
        "InvalidPolicyDocument",
    ),
    "policy without conditions on anything": (
        make_form(
            [KEY, *sign_v4({"expiration": "2100-01-01T00:00:00Z", "conditions": []})]
        ),
        403,
        "AccessDenied",
    ),
    "policy that leaves the bucket open": (
        make_form(
            [
                KEY,
                *sign_v4(
                    {
                        "expiration": "2100-01-01T00:00:00Z",
                        "conditions": make_policy(ANY_KEY)["conditions"][1:],
                    }
                ),
            ]
        ),
        403,
        "AccessDenied",
    ),
    "policy that leaves the key open": (
        make_form([KEY, *sign_v4(make_policy())]),
        403,
        "AccessDenied",
    ),
    "field that the policy does not know": (
        make_form([KEY, ("x-amz-meta-more", "1"), *SIGNED]),
        403,
        "AccessDenied",
    ),
    "type that the policy does not know": (
        make_form([KEY, ("Content-Type", "text/html"), *SIGNED]),
        403,
        "AccessDenied",
    ),
    "redirect that the policy does not know": (
        make_form([KEY, ("success_action_redirect", "http://evil/"), *SIGNED]),
        403,
        "AccessDenied",
    ),
    "other key than signed": (
        make_form([KEY, *sign_v4(make_policy({"key": "dog.jpg"}))]),
        403,
        "AccessDenied",
    ),
    "key outside its prefix": (
        make_form([KEY, *sign_v4(make_policy(["starts-with", "$key", "user/"]))]),
        403,
        "AccessDenied",
    ),
    "other bucket in a field": (
        make_form([KEY, ("bucket", "others"), *SIGNED]),
        403,
        "AccessDenied",
    ),
    "other bucket in the policy": (
        make_form([KEY, *sign_v4(make_policy(ANY_KEY, {"bucket": "others"}))]),
        403,
        "AccessDenied",
    ),
}


def covered(name, value):
    """Return a form with a field that its policy allows."""
    policy = make_policy(ANY_KEY, ["starts-with", f"${name}", ""])
    return make_form([KEY, (name, value), *sign_v4(policy)])


HOSTILE |= {
    "public ACL": (covered("acl", "public-read"), 400, "AccessControlListNotSupported"),
    "unknown ACL": (covered("acl", "x"), 400, "InvalidArgument"),
    "unknown storage class": (
        covered("x-amz-storage-class", "FAST"),
        400,
        "InvalidStorageClass",
    ),
    "encryption that we do not have": (
        covered("x-amz-server-side-encryption", "aws:kms"),
        501,
        "NotImplemented",
    ),
    "copy source": (
        covered("x-amz-copy-source", "/others/secret"),
        400,
        "InvalidArgument",
    ),
    "line break in metadata": (
        covered("x-amz-meta-a", "1\r\nset-cookie: x"),
        400,
        "InvalidArgument",
    ),
    "line break in the name of metadata": (
        covered("x-amz-meta-a b", "1"),
        400,
        "InvalidArgument",
    ),
    "script letters in the name of metadata": (
        covered("x-amz-meta-\u00e4", "1"),
        400,
        "InvalidArgument",
    ),
    "metadata without a name": (covered("x-amz-meta-", "1"), 400, "InvalidArgument"),
    "too much metadata": (
        covered("x-amz-meta-a", "x" * 3000),
        400,
        "MetadataTooLarge",
    ),
    "tags that are no XML": (covered("tagging", "a=b"), 400, "MalformedXML"),
    "tags with an entity": (
        covered(
            "tagging",
            '<!DOCTYPE x [<!ENTITY a "b">]><Tagging><TagSet/></Tagging>',
        ),
        400,
        "MalformedXML",
    ),
    "checksum of a trailer": (
        covered("x-amz-trailer", "x-amz-checksum-crc32"),
        400,
        "InvalidRequest",
    ),
    "payload in chunks": (
        covered("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"),
        400,
        "InvalidArgument",
    ),
    "checksum that is none": (
        covered("x-amz-checksum-crc32", "x"),
        400,
        "InvalidRequest",
    ),
    "wrong checksum": (
        covered("x-amz-checksum-crc32", "AAAAAA=="),
        400,
        "BadDigest",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_hostile_form_stores_nothing(house, name):
    """The answer is exact, and the bucket is as it was."""
    body, status, expected = HOSTILE[name]
    reply = await post(house, body)

    assert (status, expected) == (reply.status, code(reply))
    assert {} == house.objects.objects


@pytest.mark.parametrize(
    ("headers", "path", "status", "expected"),
    [
        ({"authorization": "AWS4-HMAC-SHA256 x"}, "/photos", 400, "InvalidArgument"),
        ({"authorization": ""}, "/photos", 403, "AccessDenied"),
        ({"x-proxy-token": "t"}, "/photos", 400, "InvalidArgument"),
        ({}, "/photos?X-Amz-Signature=1", 400, "InvalidArgument"),
        ({}, "/photos?AWSAccessKeyId=1&Signature=2", 400, "InvalidArgument"),
        ({"x-amz-acl": "private"}, "/photos", 403, "AccessDenied"),
        ({"x-amz-copy-source": "/a/b"}, "/photos", 403, "AccessDenied"),
        ({"x-amz-meta-a": "1"}, "/photos", 403, "AccessDenied"),
        ({}, "/photos?x-amz-meta-a=1", 403, "AccessDenied"),
        ({}, "/photos?delete", 403, "AccessDenied"),
        ({}, "/photos?uploads", 403, "AccessDenied"),
        ({}, "/photos/cat.jpg", 403, "AccessDenied"),
        ({}, "/", 405, "MethodNotAllowed"),
        (
            {"content-type": "multipart/form-data"},
            "/photos",
            400,
            "MalformedPOSTRequest",
        ),
        (
            {"content-type": "multipart/form-data; boundary=a; boundary=b"},
            "/photos",
            400,
            "MalformedPOSTRequest",
        ),
        (
            {"content-type": "multipart/mixed; boundary=x"},
            "/photos",
            403,
            "AccessDenied",
        ),
        (
            {"content-type": "application/x-www-form-urlencoded"},
            "/photos",
            403,
            "AccessDenied",
        ),
    ],
)
async def test_a_good_form_in_bad_company_stores_nothing(
    house, headers, path, status, expected
):
    """One mechanism per request, and nothing that no policy speaks of."""
    reply = await post(house, make_form([KEY, *SIGNED]), headers=headers, path=path)

    assert (status, expected) == (reply.status, code(reply))
    assert {} == house.objects.objects


async def test_strangers_are_refused_before_their_file_is_read(house):
    """The fields are all that anybody may make us read."""
    body = make_form([KEY, *changed(x_amz_signature="0" * 64)], LARGE)
    head_only = body[: body.index(LARGE)]
    length = {"content-length": str(len(body))}
    reply = await post(house, head_only, headers=length)

    assert (403, "SignatureDoesNotMatch") == (reply.status, code(reply))


async def test_no_secret_and_no_signature_is_noted(house):
    """The audit line knows bucket and key, as for a PUT."""
    await submit(house, [ANY_KEY], [KEY])
    [line] = [fact for fact in house.observer.facts if hasattr(fact, "request_bytes")]

    assert ("s3.PostObject", "PostObject") == (line.event, line.operation)
    assert ("photos", "cat.jpg", 204) == (line.bucket, line.key, line.status)
    assert SIGNED[-1][1] not in repr(house.observer.facts)


def test_the_date_of_the_signature_is_the_scopes():
    """The kit signs what it says."""
    assert AMZ_DATE.startswith(SCOPE.date)
