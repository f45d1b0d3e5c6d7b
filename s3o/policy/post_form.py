"""Whether a browser's form is what its policy allows.

Rule 1: every condition holds, for the fields as they will be used (the file's name in
its place). Rule 2: every field is named by a condition, else somebody could add one
that the policy's author did not think of; the bucket is a field like the others, so a
policy is good for one bucket only. Rule 3: the size is the file's, not the request's.

Source: AWS, "POST policy", condition matching.
"""

import json
from collections.abc import Mapping

from s3o.model.errors import AccessDenied, EntityTooLarge, FormFileTooSmall
from s3o.model.forms import FieldCondition, PostPolicy

BUCKET = "bucket"
# The policy cannot speak of these: they are the file, itself and its signature.
_UNCOVERED = frozenset(
    {"awsaccesskeyid", "file", "policy", "signature", "x-amz-signature"}
)
_IGNORED_PREFIX = "x-ignore-"
_LIST_VALUED = frozenset({"content-type"})


def check_form(
    policy: PostPolicy, fields: Mapping[str, str], size: int, now_us: int
) -> None:
    """Raise unless the form is allowed: fields, names lower-case, and the file's size.

    fields holds the bucket that the request names, under BUCKET. Raises AccessDenied,
    EntityTooLarge, FormFileTooSmall.
    """
    if now_us >= policy.expires_at_us:
        raise AccessDenied("Invalid according to Policy: Policy expired.")
    for condition in policy.fields:
        if not _holds(condition, fields.get(condition.field)):
            raise AccessDenied(
                "Invalid according to Policy: Policy Condition failed: "
                + _render(condition)
            )
    covered = {condition.field for condition in policy.fields} | _UNCOVERED
    for name in fields:
        if name not in covered and not name.startswith(_IGNORED_PREFIX):
            raise AccessDenied(
                f"Invalid according to Policy: Extra input fields: {name}"
            )
    for bounds in policy.sizes:
        if size > bounds.high:
            raise EntityTooLarge(size, bounds.high)
        if size < bounds.low:
            raise FormFileTooSmall(size, bounds.low)


def _holds(condition: FieldCondition, value: str | None) -> bool:
    if value is None:
        return False
    if not condition.is_prefix:
        return value == condition.value
    values = value.split(",") if condition.field in _LIST_VALUED else [value]
    return all(each.strip(" ").startswith(condition.value) for each in values)


def _render(condition: FieldCondition) -> str:
    operator = "starts-with" if condition.is_prefix else "eq"
    return json.dumps([operator, f"${condition.field}", condition.value])
