"""POST of a browser's form: a PUT whose headers are fields, and whose answer is chosen.

The form itself was read, and its policy judged, on the way in (s3o/s3api/forms).

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html
"""

import re
from collections.abc import Mapping
from urllib.parse import quote

from s3o.model.errors import PreconditionFailed
from s3o.model.tenants import Permission
from s3o.model.values import ObjectVersion
from s3o.objects.store import ObjectStore
from s3o.objects.write import PutCall
from s3o.s3api.answers import XML
from s3o.s3api.call import Call
from s3o.s3api.expiration import expiration_headers
from s3o.s3api.form_fields import REDIRECTS, STATUS
from s3o.s3api.operation import OBJECT_HEADERS, Level, Operation
from s3o.wire.conditions import parse_write_conditions, quote_etag
from s3o.wire.digests import checksum_headers
from s3o.wire.headers import parse_object_facts
from s3o.wire.sigv4 import encode_path
from s3o.wire.xml_write import document, leaf

_URL = re.compile(r"https?://[!-.0-~][!-~]*", re.ASCII | re.IGNORECASE)


class ObjectForms:
    """Serves PostObject."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects

    def operations(self) -> tuple[Operation, ...]:
        """Return the rows of the table that this serves."""
        return (
            Operation(
                name="PostObject",
                method="POST",
                level=Level.BUCKET,
                serve=self.post,
                needs=Permission.WRITE,
                headers=OBJECT_HEADERS,
            ),
        )

    async def post(self, call: Call) -> None:
        """PostObject: the answer that the form asks for, once all is committed."""
        if call.named_key is None:
            raise PreconditionFailed(
                "Bucket POST must be of the enclosure-type multipart/form-data"
            )
        version = await self._objects.put(
            PutCall(
                bucket=call.bucket,
                key=call.key,
                facts=parse_object_facts(call.fields),
                conditions=parse_write_conditions(call.fields),
                source=call.open_source(),
            )
        )
        headers = [("etag", quote_etag(version.etag))]
        headers += expiration_headers(call.bucket, version)
        if version.checksum is not None:
            headers += checksum_headers(version.checksum)
        redirect = find_redirect(call.fields)
        if redirect is not None:
            target = extend_redirect(redirect, call.bucket.name, version)
            await call.respond(303, [("location", target), *headers])
            return
        location = _locate(call)
        headers.append(("location", location))
        match call.fields.get(STATUS):
            case "200":
                await call.respond(200, headers)
            case "201":
                body = render_post_response(location, call.bucket.name, version)
                await call.respond(201, [XML, *headers], body)
            case _:
                await call.respond(204, headers)


def find_redirect(fields: Mapping[str, str]) -> str | None:
    """Return where the browser is sent, or None; what is no URL counts as absent."""
    for name in REDIRECTS:
        url = fields.get(name)
        if url is not None:
            return url if _URL.fullmatch(url) else None
    return None


def extend_redirect(url: str, bucket: str, version: ObjectVersion) -> str:
    """Return url with bucket, key and etag in its query."""
    url, hash_sign, fragment = url.partition("#")
    joint = "&" if "?" in url else "?"
    parameters = "&".join(
        f"{name}={quote(value, safe='')}"
        for name, value in (
            ("bucket", bucket),
            ("key", version.key),
            ("etag", quote_etag(version.etag)),
        )
    )
    return f"{url}{joint}{parameters}{hash_sign}{fragment}"


def render_post_response(location: str, bucket: str, version: ObjectVersion) -> bytes:
    """Return the document of status 201."""
    return document(
        "PostResponse",
        [
            leaf("Location", location),
            leaf("Bucket", bucket),
            leaf("Key", version.key),
            leaf("ETag", quote_etag(version.etag)),
        ],
        has_namespace=False,
    )


def _locate(call: Call) -> str:
    """Return the object's URL, in the style in which the form was sent."""
    exchange = call.visit.exchange
    scheme = "https" if exchange.is_tls else "http"
    host = exchange.head.fields.get("host", "")
    bucket = "" if call.target.is_in_host else f"/{call.bucket.name}"
    return f"{scheme}://{host}{bucket}/{encode_path(call.key.encode('utf-8'))}"
