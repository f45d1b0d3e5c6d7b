"""What can go wrong, in the domain's own words.

    S3OError
    +-- RequestError       the client's doing: refused, nothing was stored
    |   +-- AuthError      who are you, and may you
    +-- StateError         the request is fine, the world is not as it assumes
    +-- CapacityError      fine, but there is no room or no time for it now
    +-- BackendError       one backend failed; another one may still serve
    +-- LedgerError        the metadata database failed or refused

Lower floors raise these and know no S3 code or status: s3api/errors.py has one row per
class. Messages are lower case, fields say the rest, no secret is ever a field.
"""

from dataclasses import dataclass, field, fields


class S3OError(Exception):
    """Root of all errors that this product raises on purpose."""

    def __str__(self) -> str:
        names = [field.name for field in fields(self)]  # type: ignore[arg-type]
        return ", ".join(f"{name}={getattr(self, name)!r}" for name in names)


# ---- the client's doing


@dataclass(eq=False)
class RequestError(S3OError):
    """A request that must not be carried out."""


@dataclass(eq=False)
class InvalidArgument(RequestError):
    """A parameter or header has a value that makes no sense."""

    name: str
    value: str
    reason: str = ""


@dataclass(eq=False)
class InvalidRequest(RequestError):
    """Headers or parameters that contradict each other, or miss a partner."""

    reason: str


@dataclass(eq=False)
class BadRequest(RequestError):
    """Bytes that are no HTTP request we accept (framing, head, limits)."""

    reason: str


@dataclass(eq=False)
class InvalidUri(RequestError):
    """The target does not parse."""

    reason: str


@dataclass(eq=False)
class KeyTooLong(RequestError):
    """An object key over the limit."""

    size_bytes: int
    limit_bytes: int


@dataclass(eq=False)
class InvalidBucketName(RequestError):
    """Not a bucket name by AWS's rules."""

    name: str


@dataclass(eq=False)
class HeadersTooLarge(RequestError):
    """A request head over the limits."""

    reason: str


@dataclass(eq=False)
class MetadataTooLarge(RequestError):
    """User metadata over the limit."""

    size_bytes: int
    limit_bytes: int


@dataclass(eq=False)
class MalformedXml(RequestError):
    """An XML document that does not parse or does not fit its schema."""

    reason: str


@dataclass(eq=False)
class MessageTooLong(RequestError):
    """A document in the body over its limit."""

    limit_bytes: int


@dataclass(eq=False)
class MissingContentLength(RequestError):
    """A body without a length that can be known beforehand."""


@dataclass(eq=False)
class IncompleteBody(RequestError):
    """Fewer or more bytes than the request declared."""

    expected_bytes: int
    received_bytes: int


@dataclass(eq=False)
class EntityTooLarge(RequestError):
    """An object over the operator's or S3's limit."""

    size_bytes: int
    limit_bytes: int


@dataclass(eq=False)
class InvalidDigest(RequestError):
    """A Content-MD5 that is not base64 of 16 bytes."""

    value: str


@dataclass(eq=False)
class BadDigest(RequestError):
    """The body is not what its declared digest says."""

    algorithm: str
    expected: str
    computed: str


@dataclass(eq=False)
class ContentSha256Mismatch(RequestError):
    """The body is not what x-amz-content-sha256 says."""

    expected: str
    computed: str


@dataclass(eq=False)
class InvalidChunkSize(RequestError):
    """An aws-chunked chunk whose size is not allowed."""

    reason: str


@dataclass(eq=False)
class MalformedTrailer(RequestError):
    """A trailer that is missing, unexpected or unparsable."""

    reason: str


@dataclass(eq=False)
class InvalidTag(RequestError):
    """A tag set outside S3's rules."""

    reason: str


@dataclass(eq=False)
class InvalidStorageClass(RequestError):
    """A storage class S3 does not know."""

    value: str


@dataclass(eq=False)
class InvalidRedirect(RequestError):
    """A website redirect that leads nowhere."""

    value: str


@dataclass(eq=False)
class InvalidLocation(RequestError):
    """A location constraint that is not ours."""

    value: str


@dataclass(eq=False)
class AclNotSupported(RequestError):
    """An ACL other than what bucket-owner-enforced allows."""

    value: str


@dataclass(eq=False)
class MissingHeader(RequestError):
    """A header that the operation cannot do without."""

    name: str


@dataclass(eq=False)
class UnexpectedContent(RequestError):
    """A body beside a header that says all there is to say."""


@dataclass(eq=False)
class InvalidPart(RequestError):
    """A Complete lists a part that was not uploaded, or not like that."""

    upload_id: str
    part_number: int
    etag: str


@dataclass(eq=False)
class InvalidPartOrder(RequestError):
    """A Complete lists parts that do not ascend."""

    upload_id: str


@dataclass(eq=False)
class EntityTooSmall(RequestError):
    """A part other than the last is below the minimum."""

    size_bytes: int
    minimum_bytes: int
    part_number: int
    etag: str


@dataclass(eq=False)
class NotSupported(RequestError):
    """A sub-resource, header or operation this product does not have (yet)."""

    what: str


@dataclass(eq=False)
class MethodNotAllowed(RequestError):
    """The resource exists, the method does not apply to it."""

    method: str
    allowed: tuple[str, ...] = ()


@dataclass(eq=False)
class ClientGone(RequestError):
    """The client's connection ended before its request did; nobody to answer."""


@dataclass(eq=False)
class ClientTooSlow(RequestError):
    """No progress on the request's body for too long."""

    idle_s: float


# ---- who are you, and may you


@dataclass(eq=False)
class MalformedForm(RequestError):
    """A POST body that is no form we read."""

    reason: str


@dataclass(eq=False)
class FormFieldsTooLarge(RequestError):
    """The fields before a form's file are over the limit."""

    limit_bytes: int


@dataclass(eq=False)
class FormFileTooSmall(RequestError):
    """A form's file is below the minimum of its policy."""

    size_bytes: int
    minimum_bytes: int


@dataclass(eq=False)
class InvalidPolicyDocument(RequestError):
    """A form's policy does not parse."""

    reason: str


@dataclass(eq=False)
class AuthError(RequestError):
    """The caller could not be established, or may not do this."""


@dataclass(eq=False)
class AccessDenied(AuthError):
    """Known or unknown, the caller may not."""

    reason: str = "access denied"


@dataclass(eq=False)
class UnknownAccessKey(AuthError):
    """No credential has this access key id."""

    access_key_id: str


@dataclass(eq=False)
class SignatureMismatch(AuthError):
    """The signature is not the one the secret gives."""

    access_key_id: str
    string_to_sign: str = ""
    canonical_request: str = ""


@dataclass(eq=False)
class RequestTimeTooSkewed(AuthError):
    """The request's date is more than 15 minutes from ours."""

    request_time: str
    server_time: str


@dataclass(eq=False)
class AuthorizationMalformed(AuthError):
    """The Authorization header does not parse, or its scope is not for us."""

    reason: str
    region: str | None = None


@dataclass(eq=False)
class AuthorizationQueryMalformed(AuthError):
    """The query parameters of a presigned URL do not parse."""

    reason: str


@dataclass(eq=False)
class PresignedExpired(AuthError):
    """A presigned URL outside its time."""

    reason: str
    expires: str
    server_time: str


@dataclass(eq=False)
class HeadersNotSigned(AuthError):
    """Headers that must be signed are present but not signed."""

    names: tuple[str, ...]


@dataclass(eq=False)
class SeveralAuthMechanisms(AuthError):
    """More than one way of authenticating in one request."""


@dataclass(eq=False)
class SigV2Refused(AuthError):
    """Signed with signature version 2, which is off."""


@dataclass(eq=False)
class CorsRefused(AuthError):
    """A preflight request that no rule of the bucket answers."""

    reason: str
    method: str
    resource_type: str


# ---- the world is not as the request assumes


@dataclass(eq=False)
class StateError(S3OError):
    """The request is fine, the state is not."""


@dataclass(eq=False)
class NoSuchBucket(StateError):
    """No bucket of that name."""

    bucket: str


@dataclass(eq=False)
class NoSuchKey(StateError):
    """No object at that key."""

    bucket: str
    key: str


@dataclass(eq=False)
class NoSuchVersion(StateError):
    """No version of that id at that key."""

    version_id: str
    key: str = ""


@dataclass(eq=False)
class NoSuchUpload(StateError):
    """No multipart upload of that id at that key."""

    upload_id: str


@dataclass(eq=False)
class UploadCompleting(StateError):
    """The upload is being completed, with a manifest other than this or not to abort.

    A repetition may find it completed, or open again.
    """

    upload_id: str


@dataclass(eq=False)
class BucketAlreadyExists(StateError):
    """Somebody else's bucket has this name."""

    bucket: str


@dataclass(eq=False)
class NotConfigured(StateError):
    """The bucket has no such configuration."""

    bucket: str


@dataclass(eq=False)
class NoBucketPolicy(NotConfigured):
    """The bucket has no policy."""


@dataclass(eq=False)
class NoCorsConfiguration(NotConfigured):
    """The bucket has no CORS configuration."""


@dataclass(eq=False)
class NoLifecycleConfiguration(NotConfigured):
    """The bucket has no lifecycle configuration."""


@dataclass(eq=False)
class NoTagSet(NotConfigured):
    """The bucket has no tags."""


@dataclass(eq=False)
class NoWebsiteConfiguration(NotConfigured):
    """The bucket has no website."""


@dataclass(eq=False)
class NoEncryptionConfiguration(NotConfigured):
    """The bucket has no default encryption."""


@dataclass(eq=False)
class NoReplicationConfiguration(NotConfigured):
    """The bucket has no replication."""


@dataclass(eq=False)
class NoObjectLockConfiguration(NotConfigured):
    """The bucket has no object lock."""


@dataclass(eq=False)
class NoPublicAccessBlock(NotConfigured):
    """The bucket has no public access block."""


@dataclass(eq=False)
class BucketNotEmpty(StateError):
    """A bucket that holds objects is not deleted."""

    bucket: str


@dataclass(eq=False)
class TooManyBuckets(StateError):
    """The account owns as many buckets as it may."""

    limit: int


@dataclass(eq=False)
class PreconditionFailed(StateError):
    """A condition of the request does not hold."""

    condition: str


@dataclass(eq=False)
class ConditionalConflict(StateError):
    """A conditional write lost a race that it may win when repeated."""

    condition: str


@dataclass(eq=False)
class NoSuchBackend(StateError):
    """Neither the configuration nor the ledger has a backend of that name."""

    backend: str


@dataclass(eq=False)
class DrainConflict(StateError):
    """What is going on with the backend does not allow this; state: as in the ledger.

    reason says what an operator can do about it.
    """

    backend: str
    state: str
    reason: str


@dataclass(eq=False)
class OnlyCopies(StateError):
    """The backend has the only good copies of objects, so it is not just forgotten."""

    backend: str
    objects: int
    stored_bytes: int


@dataclass(eq=False)
class RangeNotSatisfiable(StateError):
    """A range that starts behind the end of the object."""

    requested: str
    size_bytes: int


@dataclass(eq=False)
class InvalidPartNumber(StateError):
    """A partNumber the object does not have."""

    part_number: int
    parts_count: int


# ---- no room, no time


@dataclass(eq=False)
class CapacityError(S3OError):
    """Nothing wrong with the request; it cannot be served now."""


@dataclass(eq=False)
class NoRoom(CapacityError):
    """No backend has room for size_bytes within its quotas and limits."""

    size_bytes: int


@dataclass(eq=False)
class TooManyUploads(CapacityError):
    """The bucket has as many multipart uploads in progress as the operator allows."""

    bucket: str
    limit: int


@dataclass(eq=False)
class QuotaExceeded(CapacityError):
    """The account may not keep size_bytes more."""

    size_bytes: int
    limit_bytes: int


@dataclass(eq=False)
class UsageExhausted(CapacityError):
    """Every copy is on a backend over its monthly limit."""

    backends: tuple[str, ...]


@dataclass(eq=False)
class Overloaded(CapacityError):
    """More requests than the operator allows at once."""


@dataclass(eq=False)
class BackendsFailed(CapacityError):
    """Every backend that could have served this failed; a retry may work."""

    operation: str
    reasons: tuple[str, ...] = ()


@dataclass(eq=False)
class WriteLost(CapacityError):
    """The write's intent was gone at commit: nothing changed, a retry may work."""

    storage_key: str


@dataclass(eq=False)
class CopyObsolete(CapacityError):
    """Nobody needs the copy: its version is gone, or has a good one on that backend."""

    version_id: str
    backend: str


# ---- one backend


@dataclass(eq=False)
class BackendError(S3OError):
    """One call to one backend failed.

    is_definite: the call certainly had no effect, now or later: nothing was sent, or
    the provider refused it as a whole. Otherwise it may have had one.
    """

    backend: str
    operation: str
    reason: str = ""
    is_definite: bool = field(default=False, kw_only=True)


@dataclass(eq=False)
class BackendUnreachable(BackendError):
    """No connection, or it broke before an answer."""


@dataclass(eq=False)
class BackendTimeout(BackendError):
    """No progress within backend_timeout."""


@dataclass(eq=False)
class BackendProtocolError(BackendError):
    """An answer that breaks HTTP, S3 or our limits."""


@dataclass(eq=False)
class BackendRefused(BackendError):
    """An error answer: status and the provider's own code."""

    status: int = 0
    code: str = ""


@dataclass(eq=False)
class BackendThrottled(BackendError):
    """The provider asks for fewer requests."""

    retry_after_s: float | None = None


@dataclass(eq=False)
class BackendFull(BackendError):
    """The provider or the disk says that it has no room."""


@dataclass(eq=False)
class BackendCircuitOpen(BackendError):
    """The circuit breaker does not let the call through; nothing was sent."""

    is_definite: bool = field(default=True, kw_only=True)


@dataclass(eq=False)
class BackendBusy(BackendError):
    """All our connections to it are in use; nothing was sent."""

    is_definite: bool = field(default=True, kw_only=True)


@dataclass(eq=False)
class BackendOverUsage(BackendError):
    """A monthly limit does not let the call through; nothing was sent."""

    limit_type: str = ""
    is_definite: bool = field(default=True, kw_only=True)


# Our own side held the call back before its first byte: a part's number may be used in
# the backend's upload as before, and nothing is told of what an earlier call has done.
NOTHING_WAS_SENT = (BackendBusy, BackendCircuitOpen, BackendOverUsage)


@dataclass(eq=False)
class BlobMissing(BackendError):
    """The backend says that it has no such blob (never a client's 404)."""

    storage_key: str = ""


@dataclass(eq=False)
class UploadMissing(BackendError):
    """The backend knows no such native upload: completed, aborted, or never begun."""

    storage_key: str = ""
    upload_id: str = ""


@dataclass(eq=False)
class BlobDamaged(BackendError):
    """The bytes are not the ones that were stored."""

    storage_key: str = ""


# ---- the ledger


@dataclass(eq=False)
class LedgerError(S3OError):
    """The metadata database."""


@dataclass(eq=False)
class LedgerUnavailable(LedgerError):
    """No answer from the database, or its circuit is open; nothing was changed."""

    reason: str


@dataclass(eq=False)
class CommitUnknown(LedgerError):
    """COMMIT failed in a way that leaves its outcome open; the intent stays."""

    reason: str


@dataclass(eq=False)
class SchemaUnusable(LedgerError):
    """The database's schema is newer than the code, or was tampered with."""

    reason: str


@dataclass(eq=False)
class LedgerDamaged(LedgerError):
    """A row that no code of ours can have written; it is refused, not believed."""

    table: str
    reason: str
