"""The rows of errors that only browsers and old clients meet: forms and CORS."""

from s3o.model import errors
from s3o.model.errors import S3OError
from s3o.s3api.error_row import Row, extra, field

BROWSER_ROWS: dict[type[S3OError], Row] = {
    errors.MalformedForm: Row(
        400,
        "MalformedPOSTRequest",
        lambda error: (
            "The body of your POST request is not well-formed multipart/form-data: "
            + field("reason")(error)
        ),
    ),
    errors.FormFieldsTooLarge: Row(
        400,
        "MaxPostPreDataLengthExceededError",
        "Your POST request fields preceding the upload file were too large.",
        extra(MaxPostPreDataLength="limit_bytes"),
    ),
    errors.FormFileTooSmall: Row(
        400,
        "EntityTooSmall",
        "Your proposed upload is smaller than the minimum allowed size",
        extra(ProposedSize="size_bytes", MinSizeAllowed="minimum_bytes"),
    ),
    errors.InvalidPolicyDocument: Row(400, "InvalidPolicyDocument", field("reason")),
    errors.CorsRefused: Row(
        403,
        "AccessForbidden",
        field("reason"),
        extra(Method="method", ResourceType="resource_type"),
    ),
}
