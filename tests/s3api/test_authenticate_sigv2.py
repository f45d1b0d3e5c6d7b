"""URLs presigned with version 2: only where allowed, only whole, only in time."""

from urllib.parse import quote

import pytest

from s3o.model.errors import (
    AccessDenied,
    InvalidRequest,
    PresignedExpired,
    S3OError,
    SeveralAuthMechanisms,
    SignatureMismatch,
    SigV2Refused,
    UnknownAccessKey,
)
from s3o.model.tenants import bucket_principal
from s3o.s3api.credentials import CredentialBook, Grant
from s3o.wire import sigv2
from s3o.wire.target import parse_target
from tests.s3api.callers import (
    ACCESS_KEY,
    BOOK,
    HOST,
    NOW_US,
    PHOTOS,
    SECRET,
    check,
    make_head,
    sign,
)

OPEN_BOOK = CredentialBook(
    [
        Grant(
            principal=bucket_principal(PHOTOS),
            access_key_id=ACCESS_KEY,
            secret_access_key=SECRET,
        )
    ],
    allows_sigv2=True,
)
EXPIRES = str(NOW_US // 1_000_000 + 60)


def presign(
    method="GET",
    target="/photos/cat.jpg",
    headers=(),
    *,
    expires=EXPIRES,
    access_key=ACCESS_KEY,
    secret=SECRET,
    sent_method=None,
    more="",
    more_headers=(),
):
    """Return a head presigned with version 2; more of it is not signed."""
    text = sigv2.string_to_sign(
        method, parse_target(target, None, ()), dict(headers), expires
    )
    signature = quote(sigv2.sign(secret, text), safe="")
    joint = "&" if "?" in target else "?"
    full = (
        f"{target}{joint}AWSAccessKeyId={access_key}&Signature={signature}"
        f"&Expires={expires}{more}"
    )
    fields = [("host", HOST), *headers, *more_headers]
    return make_head(sent_method or method, full, fields, length=0)


def admit(head):
    """Authenticate where version 2 is allowed."""
    return check(head, book=OPEN_BOOK)


@pytest.mark.parametrize(
    "head",
    [
        presign(),
        presign("PUT", headers=[("content-type", "a/b"), ("x-amz-meta-a", "1")]),
        presign("GET", "/photos/a?response-content-type=a%2Fb"),
        presign("GET", "/photos", more="&list-type=2&prefix=a"),
        presign(more="&x-id=GetObject"),
        presign(expires=str(NOW_US // 1_000_000)),
    ],
)
def test_a_url_in_time_proves_its_caller(head):
    """boto3 with its default region presigns nothing else."""
    assert ACCESS_KEY == admit(head).caller.access_key_id
    with pytest.raises(SigV2Refused):
        check(head, book=BOOK)


def test_hoisted_headers_are_part_of_the_body_plan():
    """A Content-MD5 that was signed into the URL is verified like a header's."""
    md5 = "XUFAKrxLKna5cZ2REBfFkg=="
    head = presign("PUT", f"/photos/a?content-md5={quote(md5, '')}")

    assert md5 == admit(head).body.fields["content-md5"]


@pytest.mark.parametrize(
    ("head", "error"),
    [
        (presign(secret="wrong"), SignatureMismatch),
        (presign(access_key="AKIANOBODY"), UnknownAccessKey),
        (presign(sent_method="PUT"), SignatureMismatch),
        (presign(sent_method="HEAD"), SignatureMismatch),
        (presign(sent_method="DELETE"), SignatureMismatch),
        (presign(expires=str(NOW_US // 1_000_000 - 1)), PresignedExpired),
        (presign(expires="0"), PresignedExpired),
        (presign(expires="x"), AccessDenied),
        (presign(more="&Expires=9999999999"), AccessDenied),
        (presign(more="&acl"), SignatureMismatch),
        (presign(more="&uploadId=1&partNumber=1"), SignatureMismatch),
        (presign(more="&response-content-type=text%2Fhtml"), SignatureMismatch),
        (presign(more="&versionId=x"), SignatureMismatch),
        (presign(more="&attributes"), AccessDenied),
        (presign(more="&retention"), AccessDenied),
        (presign(more="&legal-hold"), AccessDenied),
        (presign(more="&x-amz-acl=private"), SignatureMismatch),
        (presign(more="&X-Amz-Meta-A=1"), SignatureMismatch),
        (presign(more="&content-type=a%2Fb"), SignatureMismatch),
        (presign(more_headers=[("x-amz-copy-source", "/a/b")]), SignatureMismatch),
        (presign(more_headers=[("x-amz-meta-a", "1")]), SignatureMismatch),
        (presign(more_headers=[("content-type", "a/b")]), SignatureMismatch),
        (presign(more="&X-Amz-Signature=1"), SeveralAuthMechanisms),
        (
            presign(more_headers=[("authorization", "AWS4-HMAC-SHA256 x")]),
            SeveralAuthMechanisms,
        ),
        (presign(more_headers=[("x-proxy-token", "t")]), SeveralAuthMechanisms),
        (presign(headers=[("x-amz-security-token", "t")]), AccessDenied),
        (presign(target="/photos/a?x-amz-security-token=t"), AccessDenied),
        (
            presign(
                "PUT",
                headers=[
                    ("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD")
                ],
            ),
            InvalidRequest,
        ),
    ],
)
def test_a_changed_or_stale_url_proves_nothing(head, error):
    """What somebody on the way adds or changes must break the signature."""
    with pytest.raises(S3OError) as caught:
        admit(head)

    assert error is type(caught.value)


def test_a_header_of_version_2_is_never_accepted():
    """The settled decision: presigned URLs and forms only."""
    head = make_head(
        "GET", "/photos/a", [("host", HOST), ("authorization", f"AWS {ACCESS_KEY}:x")]
    )

    with pytest.raises(SigV2Refused):
        admit(head)


@pytest.mark.parametrize(
    "target",
    [
        "/photos/a?Signature=x",
        "/photos/a?AWSAccessKeyId=x",
        "/photos/a?awsaccesskeyid=x&signature=y&expires=1",
    ],
)
def test_half_a_signature_is_not_anonymous(target):
    """On a public bucket it would be served without anybody noticing."""
    head = make_head("GET", target, [("host", HOST)])

    with pytest.raises(AccessDenied):
        admit(head)
    with pytest.raises(SigV2Refused):
        check(head)


def test_an_unknown_key_with_a_signature_that_is_no_ascii():
    """Bytes are compared; text that is not ASCII is an ordinary mismatch."""
    head = make_head(
        "GET",
        f"/photos/a?AWSAccessKeyId={ACCESS_KEY}&Signature=%C3%A4&Expires={EXPIRES}",
        [("host", HOST)],
    )

    with pytest.raises(SignatureMismatch):
        admit(head)


def test_version_4_is_untouched_by_the_switch():
    """The switch adds a way in, it changes none."""
    assert ACCESS_KEY == admit(sign()).caller.access_key_id
