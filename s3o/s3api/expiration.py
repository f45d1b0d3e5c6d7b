"""x-amz-expiration: when the rules of its bucket's owner will end an object.

Told with every answer about an object whose headers leave after it is known: GET, HEAD,
PUT and a browser's form. Rules of the configuration file are the operator's and are not
told. Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
"""

from urllib.parse import quote

from s3o.model.values import Bucket, ObjectVersion, Pairs
from s3o.policy.lifecycle import Aging, expiries_of, find_expiry
from s3o.wire.dates import render_http_date

_LAST_US = 253_370_764_800_000_000  # the year 9999; a rule's days may be 2**31


def expiration_headers(bucket: Bucket, version: ObjectVersion) -> Pairs:
    """Return the header, or nothing for an object that no rule means."""
    if not bucket.config.lifecycle:
        return ()
    aging = Aging(
        key=version.key,
        size=version.size,
        created_at_us=version.created_at_us,
        tags=version.facts.tags,
    )
    found = find_expiry(expiries_of(bucket.config.lifecycle), aging)
    if found is None or found[0] >= _LAST_US:
        return ()
    due_us, rule = found
    date, rule_id = render_http_date(due_us), quote(rule.id, safe="")
    return (("x-amz-expiration", f'expiry-date="{date}", rule-id="{rule_id}"'),)
