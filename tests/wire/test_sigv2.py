"""Signature version 2: AWS's example, and botocore as the other implementation."""

from urllib.parse import quote, urlsplit

import pytest
from botocore.auth import HmacV1QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from s3o.model.errors import AccessDenied
from s3o.wire import sigv2
from s3o.wire.target import parse_query, parse_target

ACCESS_KEY = "AKIAIOSFODNN7EXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
EXPIRES = "1175139620"
DOMAINS = ("s3.example",)


def signature(method, url, fields=(), expires=EXPIRES):
    """Return our signature of a request to url."""
    parts = urlsplit(url)
    text = f"{parts.path}?{parts.query}" if parts.query else parts.path
    target = parse_target(text, parts.netloc, DOMAINS)
    return sigv2.sign(
        SECRET, sigv2.string_to_sign(method, target, dict(fields), expires)
    )


class Presigner(HmacV1QueryAuth):
    """botocore's signer at a fixed time."""

    def _get_date(self):
        return EXPIRES


def botocore_url(method, url, headers=(), auth_path=None):
    """Return url presigned by botocore."""
    request = AWSRequest(method=method, url=url, headers=dict(headers))
    request.auth_path = auth_path
    Presigner(Credentials(ACCESS_KEY, SECRET)).add_auth(request)
    return request.url


def test_the_example_of_the_documentation():
    """AWS, "Signing and authenticating REST requests", query string alternative."""
    url = "http://johnsmith.s3.example/photos/puppy.jpg"

    assert "NpgCjnDzrM+WFzoENXmpNDUsSn8=" == signature("GET", url)


@pytest.mark.parametrize(
    ("method", "target", "headers"),
    [
        ("GET", "/photos/cat.jpg", {}),
        ("GET", "/photos", {}),
        ("PUT", "/photos/a%20b/%C3%A4~.jpg", {}),
        ("GET", "/photos/a?versionId=null&response-content-type=text%2Fplain", {}),
        ("GET", "/photos/a?x=1&response-expires=a%20b%26c%3Dd&prefix=z", {}),
        ("PUT", "/photos/a?uploadId=abc&partNumber=3", {}),
        ("POST", "/photos/a?uploads", {}),
        ("GET", "/photos?acl", {}),
        ("GET", "/photos?select-type=2&select=x", {}),
        ("PUT", "/photos/a", {"Content-Type": "text/plain"}),
        ("PUT", "/photos/a", {"x-amz-meta-b": "2 3", "x-amz-meta-a": "1"}),
        ("PUT", "/photos/a", {"Content-MD5": "XUFAKrxLKna5cZ2REBfFkg=="}),
        ("PUT", "/photos/a", {"x-amz-acl": "private", "Content-Type": "a/b"}),
        ("PUT", "/photos/a", {"x-amz-meta-a": "d\u00e9j\u00e0"}),
    ],
)
def test_botocore_signs_the_same(method, target, headers):
    """Whatever boto3 presigns must be what we verify."""
    url = botocore_url(method, f"http://localhost{target}", headers)
    query = parse_query(urlsplit(url).query)

    assert query.get("Signature") == signature(method, url)
    assert ACCESS_KEY == query.get("AWSAccessKeyId")
    assert EXPIRES == query.get("Expires")


def test_a_virtual_host_is_signed_with_its_bucket():
    """The same object has one canonical resource, however it is addressed."""
    url = botocore_url(
        "GET", "http://photos.s3.example/a/b?acl", auth_path="/photos/a/b"
    )

    assert parse_query(urlsplit(url).query).get("Signature") == signature("GET", url)


def test_headers_sent_as_headers_are_signed_like_hoisted_ones():
    """boto3's user sends Content-Type as AWS demands; the signature is the same."""
    headers = {"content-type": "text/plain", "x-amz-meta-a": "1"}
    hoisted = botocore_url("PUT", "http://localhost/photos/a", headers)

    assert signature("PUT", hoisted) == signature(
        "PUT", "http://localhost/photos/a", headers
    )


@given(
    st.dictionaries(
        st.sampled_from(sorted(sigv2.SIGNED_PARAMETERS)),
        st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), min_size=1),
        max_size=5,
    )
)
def test_every_signed_parameter_agrees_with_botocore(parameters):
    """The list of signed parameters is one list in both."""
    query = "&".join(f"{n}={quote(v, '')}" for n, v in parameters.items())
    url = botocore_url("GET", f"http://localhost/photos/a?{query}")

    assert parse_query(urlsplit(url).query).get("Signature") == signature("GET", url)


@pytest.mark.parametrize(
    "query",
    [
        "AWSAccessKeyId=a&Signature=b",
        "AWSAccessKeyId=a&Expires=1",
        "Signature=b&Expires=1",
        "AWSAccessKeyId=a&Signature=b&Expires=1&Expires=2",
        "AWSAccessKeyId=a&AWSAccessKeyId=c&Signature=b&Expires=1",
        "AWSAccessKeyId=a&Signature=b&Expires=",
        "AWSAccessKeyId=a&Signature=b&Expires=-1",
        "AWSAccessKeyId=a&Signature=b&Expires=1e9",
        "AWSAccessKeyId=a&Signature=b&Expires=1_0",
        "AWSAccessKeyId=a&Signature=b&Expires=%D9%A3",
        "AWSAccessKeyId=a&Signature=b&Expires=999999999999999999",
        "AWSAccessKeyId=a&Signature=b&Expires=2026-01-01T00:00:00Z",
    ],
)
def test_half_a_claim_is_denied(query):
    """Nothing is guessed, and nothing falls back to somebody anonymous."""
    with pytest.raises(AccessDenied):
        sigv2.parse_presigned(parse_query(query))
