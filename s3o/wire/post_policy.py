"""The policy of a browser's form: base64 of a JSON document, read in one spelling.

Whatever is not understood is refused: a condition that is skipped lets through what its
author forbade. Names of fields and operators ignore case; `expiration` and `conditions`
do not, as on AWS. Nothing here asks the time or looks at a form.

Source: AWS, "Creating an HTML form" and "POST policy".
"""

import base64
import json
import re
from typing import NamedTuple

from s3o.model import limits
from s3o.model.errors import InvalidPolicyDocument
from s3o.model.forms import FieldCondition, PostPolicy, SizeCondition, fold_name
from s3o.model.numbers import parse_uint
from s3o.wire.dates import parse_iso_date

_SIZE = "content-length-range"
_OPERATORS = {"eq": False, "starts-with": True}
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_STRING = re.compile(r'"(?:[^"\\]|\\.)*+"', re.DOTALL)
_OPEN, _CLOSE = "[{", "]}"


class _Number(NamedTuple):
    """A number as it was written; it is never computed with before it is checked."""

    text: str


_Json = str | _Number | bool | None | list["_Json"] | dict[str, "_Json"]


def parse_policy(text: str) -> PostPolicy:
    """Return the policy in a form's field; raises InvalidPolicyDocument."""
    try:
        raw = base64.b64decode(text, validate=True).decode("utf-8")
    except ValueError:
        raise _fault("it is not UTF-8 text in base64") from None
    document = _parse_json(_unescape_dollars(raw))
    if not isinstance(document, dict):
        raise _fault("it is not an object")
    unknown = sorted(document.keys() - {"expiration", "conditions"})
    if unknown:
        raise _fault(f"Unexpected: {_quote(unknown[0])}")
    conditions = document.get("conditions")
    if not isinstance(conditions, list):
        raise _fault("Policy missing conditions.")
    parsed = [_parse_condition(each) for each in conditions]
    return PostPolicy(
        expires_at_us=_parse_expiration(document.get("expiration")),
        fields=tuple(each for each in parsed if isinstance(each, FieldCondition)),
        sizes=tuple(each for each in parsed if isinstance(each, SizeCondition)),
    )


def _parse_expiration(value: _Json) -> int:
    if value is None:
        raise _fault("Policy missing expiration.")
    expires_at_us = parse_iso_date(value) if isinstance(value, str) else None
    if expires_at_us is None:
        raise _fault("Invalid 'expiration' value")
    return expires_at_us


def _parse_condition(value: _Json) -> FieldCondition | SizeCondition:
    if isinstance(value, dict):
        if len(value) != 1:
            raise _fault(
                "Invalid Simple-Condition: Simple-Conditions must have exactly one "
                "property specified."
            )
        [(name, wanted)] = value.items()
        return _field_condition(name, wanted, is_prefix=False)
    if not isinstance(value, list) or len(value) != 3:
        raise _fault("Invalid Condition: a condition has three elements.")
    operator, first, second = value
    if not isinstance(operator, str):
        raise _fault("Invalid Condition: the operator is no text.")
    name = operator.lower()
    if name == _SIZE:
        return _size_condition(first, second)
    if name not in _OPERATORS:
        raise _fault(f"Invalid Condition: unknown operator {_quote(operator)}.")
    if not isinstance(first, str) or not first.startswith("$"):
        raise _fault("Invalid Condition: a field begins with '$'.")
    return _field_condition(first[1:], second, is_prefix=_OPERATORS[name])


def _field_condition(name: str, value: _Json, *, is_prefix: bool) -> FieldCondition:
    if not name or not isinstance(value, str):
        raise _fault("Invalid Condition: a field and its value are text.")
    return FieldCondition(field=fold_name(name), value=value, is_prefix=is_prefix)


def _size_condition(low: _Json, high: _Json) -> SizeCondition:
    bounds = []
    for bound in (low, high):
        digits = bound.text if isinstance(bound, _Number) else bound
        try:
            bounds.append(parse_uint(digits if isinstance(digits, str) else ""))
        except ValueError:
            raise _fault(f"Invalid {_SIZE}: two whole numbers are needed.") from None
    if bounds[0] > bounds[1]:
        raise _fault(f"Invalid {_SIZE}: the minimum is above the maximum.")
    return SizeCondition(low=bounds[0], high=bounds[1])


def _unescape_dollars(text: str) -> str:
    r"""Return text with `\$`, which S3 knows and JSON does not, as `$`."""
    return _ESCAPE.sub(lambda m: "$" if m[1] == "$" else m[0], text)


def _parse_json(text: str) -> _Json:
    _check_depth(text)
    try:
        document: _Json = json.loads(
            text,
            object_pairs_hook=_read_object,
            parse_int=_Number,
            parse_float=_Number,
            parse_constant=_Number,
        )
    except json.JSONDecodeError:
        raise _fault("Invalid JSON.") from None
    return document


def _read_object(pairs: list[tuple[str, _Json]]) -> dict[str, _Json]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _fault("a property is there twice")
    return found


def _check_depth(text: str) -> None:
    depth = 0
    for character in _STRING.sub("", text):
        depth += (character in _OPEN) - (character in _CLOSE)
        if depth > limits.POLICY_DEPTH:
            raise _fault("it is nested too deeply")


def _quote(text: str) -> str:
    """Return text for a message, in ASCII: JSON can name what no answer can carry."""
    return json.dumps(text[:64])


def _fault(reason: str) -> InvalidPolicyDocument:
    return InvalidPolicyDocument(f"Invalid Policy: {reason}")
