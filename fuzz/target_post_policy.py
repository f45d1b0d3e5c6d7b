"""Fuzz the policies of browsers' forms: the input is the JSON text.

Whatever it holds, it is refused or parsed; what is parsed judges a form without a
crash, and every reason can be sent to a client.
"""

import base64

from s3o.model.errors import InvalidPolicyDocument, RequestError
from s3o.policy.post_form import check_form
from s3o.wire.post_policy import parse_policy

FIELDS = {"bucket": "photos", "key": "cat.jpg", "policy": "p", "x-ignore-a": ""}


def one(data: bytes) -> None:
    """Check one input; raises AssertionError where a rule is broken."""
    try:
        policy = parse_policy(base64.b64encode(data).decode())
    except InvalidPolicyDocument as refusal:
        refusal.reason.encode()
        return
    for bounds in policy.sizes:
        assert 0 <= bounds.low <= bounds.high
    try:
        check_form(policy, FIELDS, 100, 0)
    except RequestError as refusal:
        str(refusal).encode()
    else:
        assert {"bucket", "key"} <= {each.field for each in policy.fields}
