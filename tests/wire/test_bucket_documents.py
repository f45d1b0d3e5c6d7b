"""Lifecycle and CORS documents: read whole or refused, and written as they were."""

import pytest

from s3o.model import limits
from s3o.model.errors import (
    BadRequest,
    InvalidArgument,
    InvalidRequest,
    InvalidTag,
    MalformedXml,
    NotSupported,
)
from s3o.model.tenants import CorsRule, LifecycleRule
from s3o.wire.cors_documents import CORS_ELEMENTS, read_cors, render_cors
from s3o.wire.lifecycle_documents import (
    LIFECYCLE_ELEMENTS,
    read_lifecycle,
    render_lifecycle,
)
from s3o.wire.xml_read import parse_xml

DAY = "<Expiration><Days>1</Days></Expiration>"
ON = "<Status>Enabled</Status>"
ALL = "<Filter/>"


def lifecycle(*rules: str):
    """Read a document of rules, given their insides."""
    body = "".join(f"<Rule>{rule}</Rule>" for rule in rules)
    root = f"<LifecycleConfiguration>{body}</LifecycleConfiguration>"
    return read_lifecycle(parse_xml(root.encode(), LIFECYCLE_ELEMENTS))


def cors(*rules: str):
    """Read a document of CORS rules, given their insides."""
    body = "".join(f"<CORSRule>{rule}</CORSRule>" for rule in rules)
    root = f"<CORSConfiguration>{body}</CORSConfiguration>"
    return read_cors(parse_xml(root.encode(), CORS_ELEMENTS))


AND = (
    "<Filter><And><Prefix>logs/</Prefix><Tag><Key>a</Key><Value>1</Value></Tag>"
    "<Tag><Key>b</Key><Value></Value></Tag>"
    "<ObjectSizeGreaterThan>5</ObjectSizeGreaterThan>"
    "<ObjectSizeLessThan>9</ObjectSizeLessThan></And></Filter>"
)


def test_lifecycle_rules_are_read():
    """Every form of a filter and of an expiration."""
    found = lifecycle(
        f"<ID>one</ID>{AND}{ON}{DAY}",
        "<ID>two</ID><Prefix>old/</Prefix><Status>Disabled</Status>"
        "<Expiration><Date>2030-01-02T00:00:00.000Z</Date></Expiration>",
        f"<ID>three</ID><Filter><Prefix></Prefix></Filter>{ON}"
        "<AbortIncompleteMultipartUpload><DaysAfterInitiation>7</DaysAfterInitiation>"
        "</AbortIncompleteMultipartUpload>",
        f"{ALL}{ON}<Expiration><ExpiredObjectDeleteMarker>false"
        f"</ExpiredObjectDeleteMarker><Days>2</Days></Expiration>",
    )

    assert (
        LifecycleRule(
            id="one",
            is_enabled=True,
            prefix="logs/",
            tags=(("a", "1"), ("b", "")),
            size_above=5,
            size_below=9,
            expire_days=1,
        ),
        LifecycleRule(
            id="two",
            is_enabled=False,
            has_filter=False,
            prefix="old/",
            expire_at_us=1_893_542_400_000_000,
        ),
        LifecycleRule(id="three", is_enabled=True, prefix="", abort_upload_days=7),
        LifecycleRule(id=found[3].id, is_enabled=True, expire_days=2),
    ) == found
    assert 48 == len(found[3].id)


def test_lifecycle_rules_are_written_as_they_were():
    """Terraform shows a difference otherwise, for ever."""
    rules = (
        f"<ID>one</ID>{AND}{ON}{DAY}",
        "<ID>two</ID><Prefix/><Status>Disabled</Status>"
        "<Expiration><Date>2030-01-02T00:00:00.000Z</Date></Expiration>"
        "<AbortIncompleteMultipartUpload><DaysAfterInitiation>7</DaysAfterInitiation>"
        "</AbortIncompleteMultipartUpload>",
        f"<ID>three</ID><Filter><Prefix></Prefix></Filter>{ON}{DAY}",
        f"<ID>four</ID><Filter></Filter>{ON}{DAY}",
        f"<ID>five</ID><Filter><Tag><Key>a</Key><Value>1</Value></Tag></Filter>{ON}{DAY}",
    )
    found = lifecycle(*rules)
    written = render_lifecycle(found)

    assert found == read_lifecycle(parse_xml(written))
    for rule in rules[2:]:
        assert f"<Rule>{rule}</Rule>" in written.decode()


TAG = "<Tag><Key>a</Key><Value>1</Value></Tag>"


@pytest.mark.parametrize(
    ("rule", "error"),
    [
        (f"{ALL}{ON}", InvalidRequest),
        (f"{ON}{DAY}", MalformedXml),
        (f"<Prefix/>{ALL}{ON}{DAY}", MalformedXml),
        (f"{ALL}{DAY}", MalformedXml),
        (f"{ALL}<Status>enabled</Status>{DAY}", MalformedXml),
        (f"{ALL}{ON}{DAY}{DAY}", MalformedXml),
        (f"{ALL}{ON}{DAY}<Odd/>", MalformedXml),
        (f"{ALL}{ON}{DAY}<Transition><Days>1</Days></Transition>", NotSupported),
        (f"{ALL}{ON}{DAY}<NoncurrentVersionExpiration/>", NotSupported),
        (f"{ALL}{ON}{DAY}<NoncurrentVersionTransition/>", NotSupported),
        (
            f"{ALL}{ON}<Expiration><ExpiredObjectDeleteMarker>true"
            "</ExpiredObjectDeleteMarker></Expiration>",
            NotSupported,
        ),
        (f"{ALL}{ON}<Expiration/>", MalformedXml),
        (f"{ALL}{ON}<Expiration><Days>0</Days></Expiration>", InvalidArgument),
        (f"{ALL}{ON}<Expiration><Days>-1</Days></Expiration>", InvalidArgument),
        (f"{ALL}{ON}<Expiration><Days>1_0</Days></Expiration>", InvalidArgument),
        (f"{ALL}{ON}<Expiration><Days>2147483648</Days></Expiration>", InvalidArgument),
        (
            f"{ALL}{ON}<Expiration><Date>2030-01-02T00:00:01Z</Date></Expiration>",
            InvalidArgument,
        ),
        (f"{ALL}{ON}<Expiration><Date>soon</Date></Expiration>", MalformedXml),
        (
            f"{ALL}{ON}<Expiration><Days>1</Days><Date>2030-01-02T00:00:00Z</Date>"
            "</Expiration>",
            MalformedXml,
        ),
        (f"<Filter><Prefix>a</Prefix>{TAG}</Filter>{ON}{DAY}", MalformedXml),
        (f"<Filter><And></And></Filter>{ON}{DAY}", MalformedXml),
        (f"<Filter><And>{TAG}{TAG}</And></Filter>{ON}{DAY}", InvalidRequest),
        (f"<Filter><Tag><Key>a</Key></Tag></Filter>{ON}{DAY}", MalformedXml),
        (
            f"<Filter><Tag><Key>aws:a</Key><Value/></Tag></Filter>{ON}{DAY}",
            InvalidTag,
        ),
        (
            "<Filter><And>"
            + "".join(f"<Tag><Key>{n}</Key><Value/></Tag>" for n in range(11))
            + f"</And></Filter>{ON}{DAY}",
            BadRequest,
        ),
        (f"<Filter><Odd/></Filter>{ON}{DAY}", MalformedXml),
        (f"<Filter><Prefix>{'a' * 1025}</Prefix></Filter>{ON}{DAY}", InvalidRequest),
        (
            f"<Filter><ObjectSizeGreaterThan>x</ObjectSizeGreaterThan></Filter>{ON}{DAY}",
            MalformedXml,
        ),
        (
            "<Filter><And><ObjectSizeGreaterThan>5</ObjectSizeGreaterThan>"
            f"<ObjectSizeLessThan>5</ObjectSizeLessThan></And></Filter>{ON}{DAY}",
            InvalidRequest,
        ),
        (f"<ID>{'a' * 256}</ID>{ALL}{ON}{DAY}", InvalidArgument),
        (
            f"<Filter>{TAG}</Filter>{ON}<AbortIncompleteMultipartUpload>"
            "<DaysAfterInitiation>1</DaysAfterInitiation>"
            "</AbortIncompleteMultipartUpload>",
            InvalidRequest,
        ),
        (
            f"<Filter><ObjectSizeLessThan>5</ObjectSizeLessThan></Filter>{ON}"
            "<AbortIncompleteMultipartUpload><DaysAfterInitiation>1"
            "</DaysAfterInitiation></AbortIncompleteMultipartUpload>",
            InvalidRequest,
        ),
        (f"{ALL}{ON}<AbortIncompleteMultipartUpload/>", MalformedXml),
    ],
)
def test_lifecycle_rules_that_are_not_understood_are_refused(rule, error):
    """A rule that loses a part of its filter deletes what it must not."""
    with pytest.raises(error):
        lifecycle(rule)


def test_lifecycle_documents_are_bounded():
    """By number of rules, each with an id of its own."""
    rule = f"{ALL}{ON}{DAY}"
    assert 1000 == len({each.id for each in lifecycle(*[rule] * 1000)})

    with pytest.raises(InvalidRequest):
        lifecycle(*[rule] * 1001)
    with pytest.raises(MalformedXml):
        lifecycle()
    with pytest.raises(InvalidArgument):
        lifecycle(*[f"<ID>a</ID>{rule}"] * 2)


GET = "<AllowedMethod>GET</AllowedMethod>"
ANY = "<AllowedOrigin>*</AllowedOrigin>"


def test_cors_rules_are_read_and_written():
    """Every list in its order."""
    found = cors(
        f"<ID>one</ID>{GET}<AllowedMethod>PUT</AllowedMethod>"
        "<AllowedOrigin>https://*.example.com</AllowedOrigin>"
        "<AllowedOrigin>http://localhost:3000</AllowedOrigin>"
        "<AllowedHeader>x-amz-*</AllowedHeader><ExposeHeader>ETag</ExposeHeader>"
        "<MaxAgeSeconds>600</MaxAgeSeconds>",
        f"{GET}{ANY}",
    )

    assert (
        CorsRule(
            id="one",
            allowed_origins=("https://*.example.com", "http://localhost:3000"),
            allowed_methods=("GET", "PUT"),
            allowed_headers=("x-amz-*",),
            expose_headers=("ETag",),
            max_age_s=600,
        ),
        CorsRule(allowed_origins=("*",), allowed_methods=("GET",)),
    ) == found
    assert found == read_cors(parse_xml(render_cors(found)))


@pytest.mark.parametrize(
    ("rule", "error"),
    [
        (GET, MalformedXml),
        (ANY, MalformedXml),
        (f"{GET}{ANY}<Odd/>", MalformedXml),
        (f"{GET}{ANY}<MaxAgeSeconds>-1</MaxAgeSeconds>", MalformedXml),
        (f"{GET}{ANY}<ID>a</ID><ID>b</ID>", MalformedXml),
        (f"{GET}{ANY}<AllowedHeader><A/></AllowedHeader>", MalformedXml),
        (f"<AllowedMethod>PATCH</AllowedMethod>{ANY}", InvalidRequest),
        (f"<AllowedMethod>get</AllowedMethod>{ANY}", InvalidRequest),
        (f"{GET}<AllowedOrigin>*a*</AllowedOrigin>", InvalidRequest),
        (f"{GET}<AllowedOrigin/>", InvalidRequest),
        (f"{GET}<AllowedOrigin>é</AllowedOrigin>", InvalidRequest),
        (f"{GET}<AllowedOrigin>a&#13;b</AllowedOrigin>", InvalidRequest),
        (f"{GET}<AllowedOrigin>{'a' * 257}</AllowedOrigin>", InvalidRequest),
        (f"{GET}{ANY}<AllowedHeader>**</AllowedHeader>", InvalidRequest),
        (f"{GET}{ANY}<ExposeHeader>*</ExposeHeader>", InvalidRequest),
        (f"{GET}{ANY}<ID>{'a' * 256}</ID>", InvalidRequest),
        (f"{GET}{ANY * (limits.CORS_VALUES + 1)}", InvalidRequest),
    ],
)
def test_cors_rules_that_are_not_understood_are_refused(rule, error):
    """What ends in a header must not split it."""
    with pytest.raises(error):
        cors(rule)


def test_cors_documents_are_bounded():
    """AWS's hundred rules."""
    assert 100 == len(cors(*[f"{GET}{ANY}"] * 100))
    with pytest.raises(InvalidRequest):
        cors(*[f"{GET}{ANY}"] * 101)
    with pytest.raises(MalformedXml):
        cors()
