"""The rows of errors that only operations on buckets meet."""

from s3o.model import errors
from s3o.model.errors import S3OError
from s3o.s3api.error_row import Row, extra


def _not_configured(code: str, message: str) -> Row:
    return Row(404, code, message, extra(BucketName="bucket"))


BUCKET_ROWS: dict[type[S3OError], Row] = {
    errors.BucketAlreadyExists: Row(
        409,
        "BucketAlreadyExists",
        "The requested bucket name is not available. The bucket namespace is shared "
        "by all users of the system. Please select a different name and try again.",
        extra(BucketName="bucket"),
    ),
    errors.BucketNotEmpty: Row(
        409,
        "BucketNotEmpty",
        "The bucket you tried to delete is not empty",
        extra(BucketName="bucket"),
    ),
    errors.TooManyBuckets: Row(
        400,
        "TooManyBuckets",
        "You have attempted to create more buckets than allowed",
        extra(BucketLimit="limit"),
    ),
    errors.NoBucketPolicy: _not_configured(
        "NoSuchBucketPolicy", "The bucket policy does not exist"
    ),
    errors.NoCorsConfiguration: _not_configured(
        "NoSuchCORSConfiguration", "The CORS configuration does not exist"
    ),
    errors.NoLifecycleConfiguration: _not_configured(
        "NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist"
    ),
    errors.NoTagSet: _not_configured("NoSuchTagSet", "The TagSet does not exist"),
    errors.NoWebsiteConfiguration: _not_configured(
        "NoSuchWebsiteConfiguration",
        "The specified bucket does not have a website configuration",
    ),
    errors.NoEncryptionConfiguration: _not_configured(
        "ServerSideEncryptionConfigurationNotFoundError",
        "The server side encryption configuration was not found",
    ),
    errors.NoReplicationConfiguration: _not_configured(
        "ReplicationConfigurationNotFoundError",
        "The replication configuration was not found",
    ),
    errors.NoObjectLockConfiguration: _not_configured(
        "ObjectLockConfigurationNotFoundError",
        "Object Lock configuration does not exist for this bucket",
    ),
    errors.NoPublicAccessBlock: _not_configured(
        "NoSuchPublicAccessBlockConfiguration",
        "The public access block configuration was not found",
    ),
    errors.NotConfigured: _not_configured(
        "NoSuchConfiguration", "The specified configuration does not exist."
    ),
}
