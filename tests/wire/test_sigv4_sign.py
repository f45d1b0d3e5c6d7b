"""Signing requests: AWS's published examples, and botocore as a second opinion."""

import hashlib
from datetime import UTC, datetime
from urllib.parse import quote

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from s3o.wire import sigv4

ACCESS_KEY = "AKIAIOSFODNN7EXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
HOST = "examplebucket.s3.amazonaws.com"
NOW_US = 1369353600_000_000  # 2013-05-24T00:00:00Z
SIGNER = sigv4.RequestSigner(ACCESS_KEY, SECRET, "us-east-1")

# https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
AWS_EXAMPLES = {
    "GET Object": (
        "GET",
        "/test.txt",
        (),
        (("host", HOST), ("range", "bytes=0-9")),
        b"",
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
    ),
    "PUT Object": (
        "PUT",
        "/test%24file.text",
        (),
        (
            ("host", HOST),
            ("date", "Fri, 24 May 2013 00:00:00 GMT"),
            ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
        ),
        b"Welcome to Amazon S3.",
        "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
    ),
    "GET Bucket Lifecycle": (
        "GET",
        "/",
        (("lifecycle", ""),),
        (("host", HOST),),
        b"",
        "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
    ),
    "List Objects": (
        "GET",
        "/",
        (("max-keys", "2"), ("prefix", "J")),
        (("host", HOST),),
        b"",
        "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
    ),
}


@pytest.mark.parametrize("name", AWS_EXAMPLES)
def test_aws_published_examples_give_the_published_signatures(name):
    """A signature that is nearly right is refused by every provider."""
    method, path, query, headers, body, expected = AWS_EXAMPLES[name]

    signed = dict(
        SIGNER.sign(
            method, path, query, headers, hashlib.sha256(body).hexdigest(), NOW_US
        )
    )

    assert expected == signed["authorization"].rpartition("=")[2]
    assert "20130524T000000Z" == signed["x-amz-date"]


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
VALUES = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=12)


@given(
    key=TEXT,
    query=st.lists(st.tuples(TEXT.filter(bool), TEXT), max_size=4),
    value=st.lists(VALUES, max_size=3).map("  ".join),
)
def test_signatures_equal_botocores(key, query, value):
    """Odd keys, parameters and header values must sign as every SDK signs them."""
    path = sigv4.encode_path(b"/bucket/" + key.encode())
    headers = (("host", "s3.example.com"), ("x-amz-meta-note", value))

    ours = SIGNER.sign("PUT", path, query, headers, "UNSIGNED-PAYLOAD", NOW_US)

    assert botocore_signature(path, query, headers) == dict(ours)["authorization"]


def botocore_signature(path, query, headers):
    """Return the Authorization header of botocore for the same request."""
    url = "https://s3.example.com" + path
    if query:
        url += "?" + "&".join(f"{quote(k, '')}={quote(v, '')}" for k, v in query)
    request = AWSRequest("PUT", url, headers=dict(headers))
    request.context["timestamp"] = "20130524T000000Z"
    request.headers["X-Amz-Date"] = "20130524T000000Z"
    request.headers["X-Amz-Content-SHA256"] = "UNSIGNED-PAYLOAD"
    auth = S3SigV4Auth(Credentials(ACCESS_KEY, SECRET), "s3", "us-east-1")
    canonical = auth.canonical_request(request)
    auth.credentials.secret_key = SECRET
    signature = auth.signature(auth.string_to_sign(request, canonical), request)
    names = auth.signed_headers(auth.headers_to_sign(request))
    return (
        f"AWS4-HMAC-SHA256 Credential={auth.scope(request)}, "
        f"SignedHeaders={names}, Signature={signature}"
    )


@pytest.mark.parametrize(
    ("value", "signed"),
    [
        ("a", "a"),
        ("", ""),
        (" a", "a"),
        ("a ", "a"),
        ("\ta\t", "a"),
        ("a  b   c", "a b c"),
        ("a: b", "a: b"),
        ('"a  b"', '"a b"'),
        ("a\xa0\xa0b\x85", "a\xa0\xa0b\x85"),
    ],
)
def test_header_values_are_trimmed_and_runs_of_spaces_collapsed(value, signed):
    """Only spaces: str.split would also take bytes of UTF-8 for blanks."""
    canonical = sigv4.canonical_request("GET", "/", (), [("a", value)], "h")

    assert f"GET\n/\n\na:{signed}\n\na\nh" == canonical


def test_the_signer_changes_its_key_at_midnight():
    """A process that lives longer than a day must not sign with yesterday's key."""
    signer = sigv4.RequestSigner(ACCESS_KEY, SECRET, "us-east-1")
    call = ("GET", "/", (), (("host", HOST),), sigv4.EMPTY_SHA256)
    first = signer.sign(*call, NOW_US)
    later = signer.sign(*call, NOW_US + 86_400_000_000)

    fresh = sigv4.RequestSigner(ACCESS_KEY, SECRET, "us-east-1")
    assert fresh.sign(*call, NOW_US + 86_400_000_000) == later
    assert first != later


def test_the_key_cache_is_bounded_and_knows_secrets_apart():
    """A reload that changes a secret must count at once, and memory must not grow."""
    cache = sigv4.KeyCache(limit=2)
    scopes = [sigv4.Scope("20130524", f"region-{number}") for number in range(5)]
    for scope in scopes:
        cache.get("old", scope)

    new = cache.get("new", scopes[4]).sign(b"text")

    assert sigv4.sign(sigv4.derive_key("new", scopes[4]), "text") == new
    assert new != cache.get("old", scopes[4]).sign(b"text")
    assert 2 == len(cache._keys)


def test_the_secret_is_not_in_the_signers_repr():
    """Reprs end in logs."""
    assert SECRET not in repr(SIGNER)


@given(st.integers(0, 4_000_000_000))
def test_timestamps_are_what_datetime_says(seconds):
    """The string to sign holds the time to the second."""
    expected = datetime.fromtimestamp(seconds, UTC).strftime("%Y%m%dT%H%M%SZ")

    assert expected == sigv4.format_timestamp(seconds * 1_000_000 + 999_999)
