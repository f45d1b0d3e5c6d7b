"""The error table: total, and exact in what clients switch on."""

import importlib
import pkgutil
from xml.etree import ElementTree

import pytest

import s3o
from s3o.model import errors
from s3o.model.errors import S3OError
from s3o.s3api.answers import Identity, render_error
from s3o.s3api.errors import ROWS, row_of

IDENTITY = Identity(request_id="r1", host_id="h1")


def all_errors():
    """Every error class of the product, wherever it is defined."""
    for module in pkgutil.walk_packages(s3o.__path__, "s3o."):
        try:
            importlib.import_module(module.name)
        except ImportError:
            continue
    found, waiting = [], [S3OError]
    while waiting:
        kind = waiting.pop()
        found.append(kind)
        waiting += kind.__subclasses__()
    return found


def test_every_error_class_has_a_row():
    """An error without a row would tell its client of a bug that is none."""
    assert [] == [kind.__name__ for kind in all_errors() if kind not in ROWS]


S3_STATUSES = {
    400: """InvalidArgument InvalidRequest InvalidBucketName InvalidDigest BadDigest
        XAmzContentSHA256Mismatch IncompleteBody MalformedXML MalformedPOSTRequest
        MalformedTrailerError InvalidChunkSizeError InvalidPart InvalidPartOrder
        EntityTooSmall EntityTooLarge KeyTooLongError MetadataTooLarge InvalidTag
        BadRequest InvalidLocationConstraint InvalidStorageClass
        AuthorizationHeaderMalformed AuthorizationQueryParametersError ExpiredToken
        MissingSecurityHeader UnexpectedContent InvalidURI RequestHeaderSectionTooLarge
        MaxMessageLengthExceeded IllegalVersioningConfigurationException""",
    403: """AccessDenied InvalidAccessKeyId SignatureDoesNotMatch RequestTimeTooSkewed
        AllAccessDisabled InvalidObjectState""",
    404: """NoSuchBucket NoSuchKey NoSuchUpload NoSuchVersion NoSuchTagSet
        NoSuchBucketPolicy NoSuchCORSConfiguration NoSuchLifecycleConfiguration
        NoSuchWebsiteConfiguration ServerSideEncryptionConfigurationNotFoundError
        ReplicationConfigurationNotFoundError ObjectLockConfigurationNotFoundError
        NoSuchObjectLockConfiguration OwnershipControlsNotFoundError
        NoSuchPublicAccessBlockConfiguration""",
    405: "MethodNotAllowed",
    409: """BucketAlreadyExists BucketAlreadyOwnedByYou BucketNotEmpty OperationAborted
        ConditionalRequestConflict InvalidBucketState""",
    411: "MissingContentLength",
    412: "PreconditionFailed",
    416: "InvalidRange InvalidPartNumber",
    501: "NotImplemented",
    507: "InsufficientStorage",
}


@pytest.mark.parametrize("status", S3_STATUSES)
def test_every_code_has_s3s_status(status):
    """SDKs switch on the code and caches on the status."""
    codes = set(S3_STATUSES[status].split())
    ours = [row for row in ROWS.values() if row.code in codes]

    assert ours
    assert {status} == {row.status for row in ours}


def make(kind):
    """An instance with every field filled."""
    values = {
        "bool": True,
        "int": 3,
        "float": 1.5,
        "str": "te<xt",
        "tuple[str, ...]": ("a", "b"),
        "float | None": None,
        "str | None": None,
    }
    fields = getattr(kind, "__dataclass_fields__", {})
    return kind(**{name: values[_name(one.type)] for name, one in fields.items()})


def _name(kind) -> str:
    return (
        kind.__name__ if isinstance(kind, type) and "[" not in str(kind) else str(kind)
    )


@pytest.mark.parametrize("kind", list(ROWS), ids=lambda kind: kind.__name__)
def test_every_row_renders(kind):
    """Each row reads fields of its class; a wrong name must not wait for its day."""
    error = make(kind)
    status, headers, body = render_error(error, IDENTITY, "/b/k<")
    root = ElementTree.fromstring(body)

    assert 400 <= status <= 599
    assert root.findtext("Code") == row_of(error).code
    assert root.findtext("Message")
    assert ("/b/k<", "r1", "h1") == tuple(
        root.findtext(name) for name in ("Resource", "RequestId", "HostId")
    )
    assert ("x-amz-request-id", "r1") in headers
    assert all("\n" not in value for _, value in headers)
    assert b"" == render_error(error, IDENTITY, "/", is_head=True)[2]


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (errors.NoSuchKey("b", "k"), 404, "NoSuchKey"),
        (errors.EntityTooLarge(2, 1), 400, "EntityTooLarge"),
        (errors.TooManyUploads("b", 9), 503, "SlowDown"),
        (errors.UploadCompleting("u"), 409, "OperationAborted"),
        (errors.InvalidPart("u", 1, "e"), 400, "InvalidPart"),
        (errors.InvalidPartOrder("u"), 400, "InvalidPartOrder"),
        (errors.NoRoom(1), 507, "InsufficientStorage"),
        (errors.UsageExhausted(("a",)), 429, "SlowDown"),
        (errors.Overloaded(), 503, "SlowDown"),
        (errors.BackendsFailed("GetObject"), 503, "SlowDown"),
        (errors.LedgerUnavailable("x"), 503, "ServiceUnavailable"),
        (errors.MissingContentLength(), 411, "MissingContentLength"),
        (errors.NotSupported("?acl"), 501, "NotImplemented"),
        (errors.HeadersNotSigned(("x-amz-a",)), 403, "AccessDenied"),
        (errors.PreconditionFailed("If-Match"), 412, "PreconditionFailed"),
        (ValueError("x"), 500, "InternalError"),
    ],
)
def test_the_settled_statuses(error, status, code):
    """SDKs retry by status and code."""
    answered, _, body = render_error(error, IDENTITY, "/")

    assert (status, code) == (answered, ElementTree.fromstring(body).findtext("Code"))


def test_extra_elements_and_headers_go_along():
    """Clients read Condition, ActualObjectSize, Allow, Retry-After, Region."""
    _, headers, body = render_error(
        errors.RangeNotSatisfiable("bytes=9-", 3), IDENTITY, "/"
    )
    assert ("content-range", "bytes */3") in headers
    assert b"<ActualObjectSize>3</ActualObjectSize>" in body
    assert b"<RangeRequested>bytes=9-</RangeRequested>" in body

    _, headers, _ = render_error(
        errors.MethodNotAllowed("POST", ("GET", "PUT")), IDENTITY, "/"
    )
    assert ("allow", "GET, PUT") in headers
    for error in (errors.Overloaded(), errors.UsageExhausted(())):
        assert "retry-after" in dict(render_error(error, IDENTITY, "/")[1])
    _, _, body = render_error(
        errors.AuthorizationMalformed("wrong region", "eu"), IDENTITY, "/"
    )
    assert b"<Region>eu</Region>" in body
    _, _, body = render_error(errors.AuthorizationMalformed("bad"), IDENTITY, "/")
    assert b"Region" not in body


def test_what_a_client_sent_is_echoed_in_bounds():
    """An answer must not grow with what an attacker sends."""
    huge = "x" * 100_000
    _, _, body = render_error(errors.InvalidArgument("n", huge, huge), IDENTITY, huge)

    assert len(body) < 10_000


def test_a_small_part_is_told_with_its_numbers():
    """Clients print them; without the number nobody finds the part among thousands."""
    error = errors.EntityTooSmall(4, 5_242_880, 7, "abc")
    root = ElementTree.fromstring(render_error(error, IDENTITY, "/b/k")[2])

    assert [
        ("Code", "EntityTooSmall"),
        ("ProposedSize", "4"),
        ("MinSizeAllowed", "5242880"),
        ("PartNumber", "7"),
        ("ETag", "abc"),
    ] == [
        (child.tag, child.text)
        for child in root
        if child.tag not in ("Message", "Resource", "RequestId", "HostId")
    ]
