"""The one table that turns a domain error into an S3 answer.

Every error class has a row: status, S3's code, the message S3 says, the extra elements
of its document and the headers that go with it. Nothing else in the product knows a
code or a status. What has no row, because nobody foresaw it, is InternalError 500.

Sources: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html; statuses
for what S3 has no word for (no room, limits, outages) are this project's decision.
"""

from collections.abc import Mapping

from s3o.model import errors
from s3o.model.errors import S3OError
from s3o.model.values import Pairs
from s3o.s3api.error_row import (
    Row,
    allow,
    argument,
    bad_digest,
    content_range,
    denied,
    extra,
    field,
    fixed,
    not_supported,
    retry_after,
)
from s3o.s3api.error_rows_browser import BROWSER_ROWS
from s3o.s3api.error_rows_buckets import BUCKET_ROWS

_LATER_S = "1"  # the next attempt may meet another backend or a free slot
_LIMIT_S = "60"  # a limit does not lift within a client's usual retries
_MAX_SKEW_MS = "900000"
ECHO_CHARACTERS = 2048  # of anything a client sent that an answer repeats

STATUS_CLIENT_GONE = 499  # never sent: nobody is there


def _later(status: int, code: str, message: str) -> Row:
    return Row(status, code, message, headers=retry_after(_LATER_S))


_SLOW_DOWN = "Please reduce your request rate."
_LEDGER_DOWN = "The service is temporarily unable to reach its metadata."
_ACCESS_DENIED = "Access Denied"
_INTERNAL = Row(
    500,
    "InternalError",
    "We encountered an internal error. Please try again.",
)
_BACKENDS_FAILED = _later(503, "SlowDown", _SLOW_DOWN)
_INVALID_REQUEST = Row(400, "InvalidRequest", field("reason"))

_CLIENTS_DOING: dict[type[S3OError], Row] = {
    errors.InvalidArgument: Row(
        400,
        "InvalidArgument",
        argument,
        extra(ArgumentName="name", ArgumentValue="value"),
    ),
    errors.InvalidRequest: _INVALID_REQUEST,
    errors.BadRequest: Row(400, "BadRequest", field("reason")),
    errors.InvalidUri: Row(400, "InvalidURI", "Couldn't parse the specified URI."),
    errors.KeyTooLong: Row(
        400,
        "KeyTooLongError",
        "Your key is too long",
        extra(Size="size_bytes", MaxSizeAllowed="limit_bytes"),
    ),
    errors.InvalidBucketName: Row(
        400,
        "InvalidBucketName",
        "The specified bucket is not valid.",
        extra(BucketName="name"),
    ),
    errors.HeadersTooLarge: Row(
        400,
        "RequestHeaderSectionTooLarge",
        "Your request header and query section exceed the maximum allowed size.",
    ),
    errors.MetadataTooLarge: Row(
        400,
        "MetadataTooLarge",
        "Your metadata headers exceed the maximum allowed metadata size",
        extra(Size="size_bytes", MaxSizeAllowed="limit_bytes"),
    ),
    errors.MalformedXml: Row(
        400,
        "MalformedXML",
        "The XML you provided was not well-formed or did not validate against our "
        "published schema",
    ),
    errors.MessageTooLong: Row(
        400,
        "MaxMessageLengthExceeded",
        "Your request was too big.",
        extra(MaxMessageLengthBytes="limit_bytes"),
    ),
    errors.MissingContentLength: Row(
        411,
        "MissingContentLength",
        "You must provide the Content-Length HTTP header.",
    ),
    errors.IncompleteBody: Row(
        400,
        "IncompleteBody",
        "You did not provide the number of bytes specified by the Content-Length "
        "HTTP header",
        extra(
            NumberBytesExpected="expected_bytes", NumberBytesProvided="received_bytes"
        ),
    ),
    errors.EntityTooLarge: Row(
        400,
        "EntityTooLarge",
        "Your proposed upload exceeds the maximum allowed size",
        extra(ProposedSize="size_bytes", MaxSizeAllowed="limit_bytes"),
    ),
    errors.InvalidDigest: Row(
        400,
        "InvalidDigest",
        "The Content-MD5 you specified was invalid.",
        {"Content-MD5": field("value")},
    ),
    errors.BadDigest: Row(
        400,
        "BadDigest",
        bad_digest,
        extra(ExpectedDigest="expected", CalculatedDigest="computed"),
    ),
    errors.ContentSha256Mismatch: Row(
        400,
        "XAmzContentSHA256Mismatch",
        "The provided 'x-amz-content-sha256' header does not match what was computed.",
        extra(
            ClientComputedContentSHA256="expected", S3ComputedContentSHA256="computed"
        ),
    ),
    errors.InvalidChunkSize: Row(
        400,
        "InvalidChunkSizeError",
        "Only the last chunk is allowed to have a size less than 8192 bytes",
    ),
    errors.MalformedTrailer: Row(
        400,
        "MalformedTrailerError",
        "The request contained trailing data that was not well-formed or did not "
        "conform to our published schema.",
    ),
    errors.InvalidTag: Row(400, "InvalidTag", field("reason")),
    errors.InvalidStorageClass: Row(
        400,
        "InvalidStorageClass",
        "The storage class you specified is not valid",
        extra(StorageClassRequested="value"),
    ),
    errors.InvalidRedirect: Row(
        400,
        "InvalidRedirectLocation",
        "The website redirect location must have a prefix of 'http://' or 'https://' "
        "or '/'.",
    ),
    errors.InvalidLocation: Row(
        400,
        "InvalidLocationConstraint",
        "The specified location-constraint is not valid",
        extra(LocationConstraint="value"),
    ),
    errors.AclNotSupported: Row(
        400, "AccessControlListNotSupported", "The bucket does not allow ACLs"
    ),
    errors.MissingHeader: Row(
        400,
        "MissingSecurityHeader",
        "Your request was missing a required header.",
        extra(MissingHeaderName="name"),
    ),
    errors.UnexpectedContent: Row(
        400, "UnexpectedContent", "This request does not support content."
    ),
    errors.InvalidPart: Row(
        400,
        "InvalidPart",
        "One or more of the specified parts could not be found. The part may not have "
        "been uploaded, or the specified entity tag may not match the part's entity "
        "tag.",
        extra(UploadId="upload_id", PartNumber="part_number", ETag="etag"),
    ),
    errors.InvalidPartOrder: Row(
        400,
        "InvalidPartOrder",
        "The list of parts was not in ascending order. Parts must be ordered by part "
        "number.",
        extra(UploadId="upload_id"),
    ),
    errors.EntityTooSmall: Row(
        400,
        "EntityTooSmall",
        "Your proposed upload is smaller than the minimum allowed size",
        extra(
            ProposedSize="size_bytes",
            MinSizeAllowed="minimum_bytes",
            PartNumber="part_number",
            ETag="etag",
        ),
    ),
    errors.NotSupported: Row(501, "NotImplemented", not_supported),
    errors.MethodNotAllowed: Row(
        405,
        "MethodNotAllowed",
        "The specified method is not allowed against this resource.",
        extra(Method="method"),
        allow,
    ),
    errors.ClientGone: Row(STATUS_CLIENT_GONE, "ClientGone", "The client left."),
    errors.ClientTooSlow: Row(
        400,
        "RequestTimeout",
        "Your socket connection to the server was not read from or written to within "
        "the timeout period. Idle connections will be closed.",
    ),
    errors.RequestError: Row(400, "InvalidRequest", "The request is not valid."),
}

_CALLERS: dict[type[S3OError], Row] = {
    errors.AccessDenied: Row(403, "AccessDenied", denied),
    errors.UnknownAccessKey: Row(
        403,
        "InvalidAccessKeyId",
        "The AWS Access Key Id you provided does not exist in our records.",
        extra(AWSAccessKeyId="access_key_id"),
    ),
    errors.SignatureMismatch: Row(
        403,
        "SignatureDoesNotMatch",
        "The request signature we calculated does not match the signature you "
        "provided. Check your key and signing method.",
        extra(
            AWSAccessKeyId="access_key_id",
            StringToSign="string_to_sign",
            CanonicalRequest="canonical_request",
        ),
    ),
    errors.RequestTimeTooSkewed: Row(
        403,
        "RequestTimeTooSkewed",
        "The difference between the request time and the current time is too large.",
        {
            **extra(RequestTime="request_time", ServerTime="server_time"),
            "MaxAllowedSkewMilliseconds": fixed(_MAX_SKEW_MS),
        },
    ),
    errors.AuthorizationMalformed: Row(
        400, "AuthorizationHeaderMalformed", field("reason"), extra(Region="region")
    ),
    errors.AuthorizationQueryMalformed: Row(
        400, "AuthorizationQueryParametersError", field("reason")
    ),
    errors.PresignedExpired: Row(
        403,
        "AccessDenied",
        field("reason"),
        extra(Expires="expires", ServerTime="server_time"),
    ),
    errors.HeadersNotSigned: Row(
        403,
        "AccessDenied",
        "There were headers present in the request which were not signed",
        {
            "HeadersNotSigned": lambda error: ", ".join(
                error.names if isinstance(error, errors.HeadersNotSigned) else ()
            )
        },
    ),
    errors.SeveralAuthMechanisms: Row(
        400,
        "InvalidArgument",
        "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, "
        "Signature query string parameter or the Authorization header should be "
        "specified",
        {"ArgumentName": fixed("Authorization")},
    ),
    errors.SigV2Refused: Row(
        400,
        "InvalidRequest",
        "The authorization mechanism you have provided is not supported. Please use "
        'AWS4-HMAC-SHA256 (in boto3: signature_version="s3v4").',
    ),
    errors.AuthError: Row(403, "AccessDenied", _ACCESS_DENIED),
}

_STATES: dict[type[S3OError], Row] = {
    errors.NoSuchBucket: Row(
        404,
        "NoSuchBucket",
        "The specified bucket does not exist",
        extra(BucketName="bucket"),
    ),
    errors.NoSuchKey: Row(
        404, "NoSuchKey", "The specified key does not exist.", extra(Key="key")
    ),
    errors.NoSuchUpload: Row(
        404,
        "NoSuchUpload",
        "The specified upload does not exist. The upload ID may be invalid, or the "
        "upload may have been aborted or completed.",
        extra(UploadId="upload_id"),
    ),
    errors.UploadCompleting: Row(
        409,
        "OperationAborted",
        "A conflicting conditional operation is currently in progress against this "
        "resource. Please try again.",
        extra(UploadId="upload_id"),
    ),
    errors.PreconditionFailed: Row(
        412,
        "PreconditionFailed",
        "At least one of the pre-conditions you specified did not hold",
        extra(Condition="condition"),
    ),
    errors.ConditionalConflict: Row(
        409,
        "ConditionalRequestConflict",
        "The conditional request cannot succeed due to a conflicting operation "
        "against this resource.",
        extra(Condition="condition"),
    ),
    errors.RangeNotSatisfiable: Row(
        416,
        "InvalidRange",
        "The requested range is not satisfiable",
        extra(RangeRequested="requested", ActualObjectSize="size_bytes"),
        content_range,
    ),
    errors.InvalidPartNumber: Row(
        416,
        "InvalidPartNumber",
        "The requested partnumber is not satisfiable",
        extra(PartNumberRequested="part_number", ActualPartCount="parts_count"),
    ),
    errors.NoSuchVersion: Row(
        404,
        "NoSuchVersion",
        "The specified version does not exist.",
        extra(Key="key", VersionId="version_id"),
    ),
    # An operator's calls only; no S3 operation meets them.
    errors.NoSuchBackend: Row(404, "NoSuchBackend", "There is no such backend."),
    errors.DrainConflict: Row(409, "OperationAborted", field("reason")),
    errors.OnlyCopies: Row(
        409, "OperationAborted", "The backend has the only copies of objects."
    ),
    errors.StateError: Row(409, "OperationAborted", "The state does not allow this."),
}

_CAPACITIES: dict[type[S3OError], Row] = {
    errors.NoRoom: Row(
        507, "InsufficientStorage", "No backend has room for the object."
    ),
    # AWS has no quotas; the code and status are Ceph RGW's, which clients know.
    errors.QuotaExceeded: Row(
        403,
        "QuotaExceeded",
        "The account's buckets may not hold that many bytes more.",
        extra(ProposedSize="size_bytes", QuotaBytes="limit_bytes"),
    ),
    errors.UsageExhausted: Row(
        429,
        "SlowDown",
        "Every copy of the object is over its monthly usage limit.",
        headers=retry_after(_LIMIT_S),
    ),
    errors.TooManyUploads: _later(
        503, "SlowDown", "The bucket has too many active multipart uploads."
    ),
    errors.Overloaded: _later(503, "SlowDown", _SLOW_DOWN),
    errors.BackendsFailed: _BACKENDS_FAILED,
    errors.WriteLost: _later(503, "SlowDown", _SLOW_DOWN),
    errors.CopyObsolete: _later(503, "SlowDown", _SLOW_DOWN),
    errors.CapacityError: _later(503, "SlowDown", _SLOW_DOWN),
}

# One backend's failure reaches a client only where no other one could serve.
_BACKENDS: dict[type[S3OError], Row] = dict.fromkeys(
    (
        errors.BackendUnreachable,
        errors.BackendTimeout,
        errors.BackendProtocolError,
        errors.BackendRefused,
        errors.BackendThrottled,
        errors.BackendFull,
        errors.BackendCircuitOpen,
        errors.BackendBusy,
        errors.BackendOverUsage,
        errors.BlobMissing,
        errors.UploadMissing,
        errors.BlobDamaged,
        errors.BackendError,
    ),
    _BACKENDS_FAILED,
)

_LEDGERS: dict[type[S3OError], Row] = {
    **dict.fromkeys(
        (
            errors.LedgerUnavailable,
            errors.CommitUnknown,
            errors.SchemaUnusable,
            errors.LedgerError,
        ),
        _later(503, "ServiceUnavailable", _LEDGER_DOWN),
    ),
    errors.LedgerDamaged: _INTERNAL,
}

ROWS: Mapping[type[S3OError], Row] = {
    **_CLIENTS_DOING,
    **_CALLERS,
    **BROWSER_ROWS,
    **BUCKET_ROWS,
    **_STATES,
    **_CAPACITIES,
    **_BACKENDS,
    **_LEDGERS,
    S3OError: _INTERNAL,
}


def row_of(error: BaseException) -> Row:
    """Return the row of an error; whatever nobody foresaw is InternalError."""
    return (
        ROWS.get(type(error), _INTERNAL) if isinstance(error, S3OError) else _INTERNAL
    )


def message_of(error: BaseException) -> str:
    """Return what the client is told in words."""
    message = row_of(error).message
    if isinstance(message, str):
        return message
    assert isinstance(error, S3OError)
    return message(error)[:ECHO_CHARACTERS]


def extras_of(error: BaseException) -> list[tuple[str, str]]:
    """Return the extra elements of an error's document; empty ones are left out."""
    if not isinstance(error, S3OError):
        return []
    texts = [(name, read(error)) for name, read in (row_of(error).extra or {}).items()]
    return [(name, text[:ECHO_CHARACTERS]) for name, text in texts if text]


def headers_of(error: BaseException) -> Pairs:
    """Return the headers that go with an error."""
    render = row_of(error).headers
    return render(error) if render is not None and isinstance(error, S3OError) else ()
