"""Who is calling: every mechanism, every refusal, each with its own error."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3o.model.errors import (
    AccessDenied,
    AuthorizationMalformed,
    AuthorizationQueryMalformed,
    HeadersNotSigned,
    InvalidArgument,
    InvalidRequest,
    NotSupported,
    PresignedExpired,
    RequestTimeTooSkewed,
    S3OError,
    SeveralAuthMechanisms,
    SignatureMismatch,
    SigV2Refused,
    UnknownAccessKey,
)
from s3o.model.tenants import Permission
from s3o.s3api.credentials import ANONYMOUS, Caller, CredentialBook, Grant
from s3o.wire import sigv4
from s3o.wire.sigv4_claims import parse_authorization
from tests.s3api.callers import (
    ACCESS_KEY,
    BOOK,
    NOW_US,
    PHOTOS,
    SECRET,
    TOKEN,
    botocore_head,
    change,
    check,
    make_head,
    presign,
    sha256,
    sign,
)

OWNER = "bucket:photos"
CALLER = Caller(principal=OWNER, access_key_id=ACCESS_KEY)
MINUTE_US = 60_000_000


# ---- what must be let in


def test_a_signed_header_proves_its_caller():
    """The mechanism of every SDK."""
    assert check(sign()).caller == CALLER


def test_a_presigned_url_proves_its_caller():
    """The mechanism of everything that only knows a link."""
    assert check(presign()).caller == CALLER


def test_a_token_proves_its_caller():
    """The old mechanism, for clients that cannot sign."""
    head = make_head("GET", "/backups/k", [("host", "h"), ("x-proxy-token", TOKEN)])

    assert check(head).caller == Caller(principal="bucket:backups")


def test_any_region_is_accepted_unless_one_is_demanded():
    """A proxy over many regions has none of its own."""
    head = sign(region="eu-west-7")
    book = CredentialBook(
        [Grant(principal=OWNER, access_key_id=ACCESS_KEY, secret_access_key=SECRET)],
        region="eu-central-1",
    )

    assert check(head).caller == CALLER
    with pytest.raises(AuthorizationMalformed) as refusal:
        check(head, book=book)
    assert "eu-central-1" == refusal.value.region
    with pytest.raises(AuthorizationQueryMalformed):
        check(presign(region="eu-west-7"), book=book)


def test_a_credential_brings_its_rights_along():
    """What the configuration grants is what the caller has, by key and by token."""
    rights = {
        "permissions": frozenset({Permission.READ}),
        "key_prefixes": ("a/",),
        "attached": frozenset({PHOTOS}),
    }
    book = CredentialBook(
        [
            Grant(
                principal="ann",
                access_key_id=ACCESS_KEY,
                secret_access_key=SECRET,
                token=TOKEN,
                **rights,
            )
        ]
    )
    by_token = make_head("GET", "/k", [("host", "h"), ("x-proxy-token", TOKEN)])

    assert Caller(principal="ann", access_key_id=ACCESS_KEY, **rights) == (
        check(sign(), book=book).caller
    )
    assert Caller(principal="ann", **rights) == check(by_token, book=book).caller


@pytest.mark.parametrize("minutes", [-15, 15])
def test_clocks_may_differ_by_fifteen_minutes(minutes):
    """AWS's tolerance, to the second."""
    assert check(sign(), now_us=NOW_US + minutes * MINUTE_US).caller == CALLER


def test_a_date_header_stands_in_for_x_amz_date():
    """Old clients date their requests with HTTP's own header."""
    head = change(sign(), x_amz_date=None, date="Fri, 24 May 2013 00:00:00 GMT")
    headers = [pair for pair in head.headers if pair[0] != "authorization"]
    names = sorted(name for name, _ in headers)
    canonical = sigv4.canonical_request(
        "GET", "/photos/cat.jpg", (), sorted(headers), "UNSIGNED-PAYLOAD"
    )
    scope = sigv4.Scope("20130524", "us-east-1")
    text = sigv4.string_to_sign("20130524T000000Z", scope, canonical)
    signature = sigv4.sign(sigv4.derive_key(SECRET, scope), text)
    authorization = (
        f"AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/{scope.text}, "
        f"SignedHeaders={';'.join(names)}, Signature={signature}"
    )

    assert check(change(head, authorization=authorization)).caller == CALLER


def test_spaces_and_order_in_the_authorization_header_do_not_matter():
    """SDKs write it with and without spaces after the commas."""
    head = sign()
    algorithm, _, rest = head.fields["authorization"].partition(" ")
    turned = ",".join(reversed(rest.split(", ")))

    assert check(change(head, authorization=f"{algorithm} {turned}")).caller == CALLER
    tight = head.fields["authorization"].replace(", ", ",")
    assert check(change(head, authorization=tight)).caller == CALLER
    wide = head.fields["authorization"].replace(", ", " ,\t ")
    assert check(change(head, authorization=wide)).caller == CALLER


def test_awss_presigned_example_gives_the_published_signature():
    """https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html"""
    target = (
        "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential="
        "AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date="
        "20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature="
        "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    )
    head = make_head("GET", target, [("host", "examplebucket.s3.amazonaws.com")])

    assert check(head).caller == CALLER


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
SAFE = st.text("abcXYZ019 -_.~!*'()$&+,;=:@%/?#ä€\x7f", max_size=10)


@given(
    key=SAFE,
    query=st.dictionaries(st.sampled_from(["prefix", "a b", "ä", "acl", "x+y"]), SAFE),
    note=st.text("abc =;,", max_size=8),
    is_presigned=st.booleans(),
)
def test_what_botocore_signs_is_accepted(key, query, note, is_presigned):
    """Differential: the SDK most clients are built on."""
    url = "https://s3.example.com" + sigv4.encode_path(b"/photos/" + key.encode())
    if query:
        url += "?" + sigv4.encode_query(query.items())
    headers = {"x-amz-meta-note": note.strip(), "content-type": "text/plain"}
    head, at_us = botocore_head("PUT", url, headers, is_presigned=is_presigned)

    assert check(head, now_us=at_us).caller == CALLER


# ---- who is refused, and why


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_request_without_any_mechanism_is_a_strangers(method):
    """What strangers may read is the door's to say; here they are nobody's owner."""
    caller = check(make_head(method, "/photos/k", [("host", "h")])).caller

    assert caller is ANONYMOUS
    assert not caller.may_own


@pytest.mark.parametrize(
    ("method", "more"),
    [
        ("PUT", ()),
        ("POST", ()),
        ("DELETE", ()),
        ("PATCH", ()),
        ("GET", [("authorization", "")]),
        ("GET", [("x-amz-security-token", "t")]),
    ],
)
def test_strangers_at_most_read(method, more):
    """And whoever shows half a credential is no stranger."""
    with pytest.raises(AccessDenied):
        check(make_head(method, "/photos/k", [("host", "h"), *more]))


@pytest.mark.parametrize("token", ["", "wrong", TOKEN[:-1], TOKEN + "x", "tökén"])
def test_a_wrong_token_is_denied(token):
    """A prefix is as wrong as anything else, and odd bytes are no crash."""
    head = make_head("GET", "/backups/k", [("host", "h"), ("x-proxy-token", token)])

    with pytest.raises(AccessDenied):
        check(head)


def test_an_unknown_access_key_is_refused_with_its_own_error():
    """SDKs and people act differently on a wrong key than on a wrong secret."""
    for head in (sign(access_key="AKNOBODY"), presign(access_key="AKNOBODY")):
        with pytest.raises(UnknownAccessKey) as refusal:
            check(head)
        assert "AKNOBODY" == refusal.value.access_key_id


def test_the_secret_of_unknown_keys_opens_nothing():
    """Whoever reads our source knows the dummy secret."""
    head = sign(
        access_key="x", secret="nobody has this secret and no caller comes of it"
    )

    with pytest.raises(UnknownAccessKey):
        check(head)


def test_a_wrong_secret_is_a_wrong_signature_and_says_what_was_signed():
    """People debug signatures by comparing the string to sign."""
    with pytest.raises(SignatureMismatch) as refusal:
        check(sign(secret="wrong"))

    assert refusal.value.string_to_sign.startswith("AWS4-HMAC-SHA256\n20130524T000000Z")
    assert refusal.value.canonical_request.startswith("GET\n/photos/cat.jpg\n\nhost:")
    assert SECRET not in str(refusal.value)


@pytest.mark.parametrize("signature", ["", "0", "g" * 64, "\xe9" * 64, "a" * 65])
def test_an_odd_signature_is_an_ordinary_refusal(signature):
    """compare_digest raises TypeError on text that is not ASCII."""
    head = sign()
    pattern = r"Signature=.*"
    changed = re.sub(pattern, f"Signature={signature}", head.fields["authorization"])
    expected = SignatureMismatch if signature else AuthorizationMalformed

    with pytest.raises(expected):
        check(change(head, authorization=changed))


@pytest.mark.parametrize(
    ("method", "target", "headers"),
    [
        ("PUT", None, {}),
        (None, "/photos/dog.jpg", {}),
        (None, "/photos/cat.jpg?acl", {}),
        (None, "/photos//cat.jpg", {}),
        (None, "/photos/./cat.jpg", {}),
        (None, None, {"host": "other.example.com"}),
        (None, None, {"x_amz_date": "20130524T000001Z"}),
        (None, None, {"x_amz_content_sha256": sha256(b"")}),
        (None, None, {"range": None}),
        (None, None, {"range": "bytes=0-1"}),
    ],
)
def test_whatever_was_signed_cannot_be_changed(method, target, headers):
    """Method, path, query, host, date, payload hash and every signed header."""
    head = change(sign(headers=[("range", "bytes=0-0")]), **headers)
    moved = make_head(method or head.method, target or head.target, head.headers)

    with pytest.raises(SignatureMismatch):
        check(moved)


@pytest.mark.parametrize("name", ["x-amz-copy-source", "x-amz-meta-a", "x-amz-acl"])
def test_an_amz_header_nobody_signed_is_refused_by_name(name):
    """Somebody on the way could turn a signed PUT into a copy."""
    for head in (sign("PUT"), presign("PUT")):
        added = make_head("PUT", head.target, [*head.headers, (name, "v")])
        with pytest.raises(HeadersNotSigned) as refusal:
            check(added)
        assert (name,) == refusal.value.names


def test_a_host_nobody_signed_is_refused():
    """The host decides the bucket in virtual-host style."""
    head = sign()
    authorization = head.fields["authorization"].replace("Headers=host;", "Headers=")

    with pytest.raises(HeadersNotSigned) as refusal:
        check(change(head, authorization=authorization))
    assert ("host",) == refusal.value.names


@pytest.mark.parametrize("seconds", [-901, 901, 86_400 * 365])
def test_a_request_from_another_time_is_skewed(seconds):
    """SDKs correct their clock on this very error."""
    now_us = NOW_US + seconds * 1_000_000

    with pytest.raises(RequestTimeTooSkewed) as refusal:
        check(sign(), now_us=now_us)
    assert "20130524T000000Z" == refusal.value.request_time


@pytest.mark.parametrize(
    "date",
    [
        *(None, "", "yesterday", "20130524", "2013" * 4, "99991231T235959Z"),
        "Fri, 31 Dec 9999 23:59:60 GMT",
    ],
)
def test_a_request_without_a_readable_date_is_denied(date):
    """Without a date a signature would be good for ever."""
    with pytest.raises(AccessDenied):
        check(change(sign(), x_amz_date=date))


def test_the_payload_hash_is_required_in_signed_headers():
    """A signature that says nothing about the body would cover any body."""
    with pytest.raises(InvalidRequest):
        check(change(sign(), x_amz_content_sha256=None))


@pytest.mark.parametrize(
    ("find", "replace"),
    [
        ("AWS4-HMAC-SHA256 ", "AWS4-ECDSA-P256-SHA256 "),
        ("AWS4-HMAC-SHA256 ", "AWS4-HMAC-SHA512 "),
        ("Credential=", "Credentials="),
        ("Credential=", ""),
        (", Signature=", ", Signature=0, Signature="),
        (", SignedHeaders=", ", X=y, SignedHeaders="),
        ("/20130524/", "/20130525/"),
        ("/20130524/", "/2013-05-24/"),
        ("/us-east-1/", "//"),
        ("/us-east-1/", "/"),
        ("/us-east-1/", f"/{'r' * 65}/"),
        ("/us-east-1/", "/\xe9/"),
        ("/s3/", "/iam/"),
        ("/s3/", "/s3/s3/"),
        ("aws4_request", "aws3_request"),
        (f"={ACCESS_KEY}/", "=/"),
        ("SignedHeaders=host;", "SignedHeaders=Host;"),
        ("SignedHeaders=host;", "SignedHeaders=host;host;"),
        ("SignedHeaders=host;", "SignedHeaders=host;;"),
        ("SignedHeaders=host;", "SignedHeaders=host\xe9;"),
    ],
)
def test_a_malformed_authorization_header_is_refused_as_such(find, replace):
    """400, so that nobody takes it for a wrong secret."""
    head = sign()
    assert find in head.fields["authorization"]
    authorization = head.fields["authorization"].replace(find, replace)

    with pytest.raises(AuthorizationMalformed):
        check(change(head, authorization=authorization))


@pytest.mark.parametrize(
    "parameters",
    [
        {"X-Amz-Algorithm": None},
        {"X-Amz-Algorithm": "AWS4-ECDSA-P256-SHA256"},
        {"X-Amz-Credential": None},
        {"X-Amz-Credential": "AK/20130524/us-east-1/s3"},
        {"X-Amz-Credential": "AK/20130524/us-east-1/sts/aws4_request"},
        {"X-Amz-Credential": "AK/20130525/us-east-1/s3/aws4_request"},
        {"X-Amz-Credential": "AK/20130524/€/s3/aws4_request"},
        {"X-Amz-Date": None},
        {"X-Amz-Date": "20130524"},
        {"X-Amz-Date": "20131324T000000Z"},
        {"X-Amz-Date": "20130524T240000Z"},
        {"X-Amz-Date": "00000101T000000Z"},
        {"X-Amz-Date": "19691231T235959Z"},
        {"X-Amz-Date": "99991231T235959Z"},
        {"X-Amz-Date": "Fri, 24 May 2013 00:00:00 GMT"},
        {"X-Amz-Expires": None},
        {"X-Amz-Expires": "0"},
        {"X-Amz-Expires": "-1"},
        {"X-Amz-Expires": "604801"},
        {"X-Amz-Expires": "1_0"},
        {"X-Amz-Expires": "\u0661"},
        {"X-Amz-Expires": "9" * 5000},
        {"X-Amz-SignedHeaders": None},
        {"X-Amz-SignedHeaders": ""},
    ],
)
def test_malformed_presigned_parameters_are_refused_as_such(parameters):
    """Each names the query, not a header."""
    with pytest.raises(AuthorizationQueryMalformed):
        check(presign(change=parameters))


def test_a_repeated_presigned_parameter_is_refused():
    """Two values, two readers, two opinions."""
    head = presign()
    target = head.target + "&X-Amz-Expires=604800"

    with pytest.raises(AuthorizationQueryMalformed):
        check(make_head("GET", target, head.headers))


def test_a_presigned_url_is_good_for_its_time_only():
    """Both ends: not before it was made, not after it expired."""
    head = presign(expires="60")
    assert check(head, now_us=NOW_US + MINUTE_US).caller == CALLER
    assert check(head, now_us=NOW_US - 15 * MINUTE_US).caller == CALLER

    with pytest.raises(PresignedExpired) as late:
        check(head, now_us=NOW_US + MINUTE_US + 1)
    with pytest.raises(PresignedExpired) as early:
        check(head, now_us=NOW_US - 15 * MINUTE_US - 1)
    assert "Request has expired" == late.value.reason
    assert "2013-05-24T00:01:00.000Z" == late.value.expires
    assert "Request is not yet valid" == early.value.reason


def test_a_presigned_query_cannot_be_changed():
    """Otherwise a link to one version or range is a link to all."""
    head = presign(query={"response-content-type": "text/plain"})
    for target in (head.target + "&acl", head.target.replace("plain", "html")):
        with pytest.raises(SignatureMismatch):
            check(make_head("GET", target, head.headers))


def test_two_mechanisms_in_one_request_are_refused():
    """Which one counts would be anybody's guess (CVE-2026-41145)."""
    signed, link = sign(), presign()
    v2 = ("authorization", "AWS AK:c2ln")
    both = [
        make_head("GET", link.target, signed.headers),
        change(signed, x_proxy_token=TOKEN),
        change(link, x_proxy_token=TOKEN),
        make_head("GET", link.target, [*link.headers, v2]),
        make_head("GET", link.target + "&AWSAccessKeyId=AK", link.headers),
        make_head("GET", "/k?X-Amz-Signature=0", signed.headers),
    ]

    for head in both:
        with pytest.raises(SeveralAuthMechanisms):
            check(head)


def test_signature_version_2_is_refused_by_name():
    """boto3 presigns with it by default; the error names the cure."""
    host = ("host", "h")
    for head in (
        make_head("GET", "/photos/k", [host, ("authorization", "AWS AK:c2ln")]),
        make_head("GET", "/photos/k?AWSAccessKeyId=A&Expires=1&Signature=s", [host]),
    ):
        with pytest.raises(SigV2Refused):
            check(head)


def test_another_scheme_is_refused_without_repeating_it():
    """The value of a Basic header is a password."""
    head = make_head("GET", "/", [("host", "h"), ("authorization", "Basic c2VjcmV0")])

    with pytest.raises(InvalidArgument) as refusal:
        check(head)
    assert "c2VjcmV0" not in str(refusal.value)


def test_temporary_credentials_are_refused():
    """There is no STS; a token nobody checks must not look checked."""
    for head in (
        sign(headers=[("x-amz-security-token", "t")]),
        presign(query={"X-Amz-Security-Token": "t"}),
    ):
        with pytest.raises(AccessDenied):
            check(head)


# ---- payload modes


@pytest.mark.parametrize(
    ("payload", "error"),
    [
        ("", InvalidArgument),
        ("unsigned-payload", InvalidArgument),
        ("a" * 63, InvalidArgument),
        ("STREAMING-UNSIGNED-PAYLOAD", InvalidArgument),
        ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILERS", InvalidArgument),
        ("STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", NotSupported),
        ("STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER", NotSupported),
    ],
)
def test_an_unknown_payload_mode_is_refused(payload, error):
    """Taken for a plain body, chunk headers become part of the object."""
    with pytest.raises(error):
        check(sign("PUT", payload=payload))
    with pytest.raises(error):
        check(
            change(
                make_head("PUT", "/backups/k", [("x-proxy-token", TOKEN)]),
                x_amz_content_sha256=payload,
            )
        )


STREAMING = [
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
    "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
]


@pytest.mark.parametrize("payload", STREAMING)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE"])
def test_streaming_payloads_are_for_uploads_only(method, payload):
    """AWS's rule."""
    with pytest.raises(InvalidRequest):
        check(sign(method, payload=payload))


@pytest.mark.parametrize("payload", STREAMING[:2])
def test_signed_chunks_need_a_signed_request(payload):
    """A token seeds no chain; without a check they must not be taken."""
    headers = [("x-proxy-token", TOKEN), ("x-amz-content-sha256", payload)]

    with pytest.raises(InvalidRequest):
        check(make_head("PUT", "/backups/k", headers))


# ---- work and secrets


def test_an_unknown_key_costs_the_same_work():
    """Otherwise access keys can be found out by timing."""
    calls = []

    class Counting(CredentialBook):
        def key_for(self, access_key_id, scope):
            key, caller = super().key_for(access_key_id, scope)
            calls.append((type(key), len(self._keys._keys)))
            return key, caller

    grants = [
        Grant(principal=OWNER, access_key_id=ACCESS_KEY, secret_access_key=SECRET)
    ]
    for access_key, error in ((ACCESS_KEY, SignatureMismatch), ("x", UnknownAccessKey)):
        book = Counting(grants)
        for _ in range(2):
            with pytest.raises(error):
                check(sign(access_key=access_key, secret="wrong"), book=book)

    assert [(sigv4.SigningKey, 1)] * 4 == calls


def test_secrets_are_in_no_repr():
    """Reprs end in logs and tracebacks."""
    grant = Grant(
        principal=OWNER, access_key_id="AK", secret_access_key=SECRET, token=TOKEN
    )
    plan = check(sign("PUT", payload=STREAMING[0])).body
    shown = f"{grant!r} {BOOK!r} {plan!r} {BOOK._accounts!r} {BOOK._tokens!r}"

    assert SECRET not in shown
    assert TOKEN not in shown
    assert "Signature=" not in shown


@given(st.text(st.characters(max_codepoint=255), max_size=60), st.text(max_size=20))
def test_noise_in_the_header_is_a_domain_error(noise, date):
    """No input makes a 500."""
    for value in (noise, f"AWS4-HMAC-SHA256 {noise}"):
        for at in (date, "20130524T000000Z"):
            with pytest.raises(S3OError):
                parse_authorization(value, at)
