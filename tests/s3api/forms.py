"""Browsers for tests: they sign policies, and write forms byte by byte."""

import base64
import json
from collections.abc import Sequence

from s3o.wire import sigv2, sigv4

ACCESS_KEY, SECRET = "photoskey", "photossecret"
BOUNDARY = "----WebKitFormBoundary7MA4YWxkTrZu0gW"
AMZ_DATE = "20260101T000000Z"
EXPIRATION = "2100-01-01T00:00:00.000Z"
SCOPE = sigv4.Scope(AMZ_DATE[:8], "us-east-1")

Field = tuple[str, str | bytes]


def encode_policy(document: object) -> str:
    """Return a policy as a form carries it; text is taken as it is."""
    text = document if isinstance(document, str) else json.dumps(document)
    return base64.b64encode(text.encode()).decode()


def make_policy(*conditions: object, expiration: object = EXPIRATION) -> object:
    """Return a policy for bucket photos with these and the usual conditions."""
    return {
        "expiration": expiration,
        "conditions": [
            {"bucket": "photos"},
            {"x-amz-algorithm": "AWS4-HMAC-SHA256"},
            {"x-amz-credential": f"{ACCESS_KEY}/{SCOPE.text}"},
            {"x-amz-date": AMZ_DATE},
            *conditions,
        ],
    }


def sign_v4(policy: object, *, access_key: str = ACCESS_KEY, secret: str = SECRET):
    """Return the fields of a signature of version 4."""
    text = encode_policy(policy)
    return [
        ("x-amz-algorithm", "AWS4-HMAC-SHA256"),
        ("x-amz-credential", f"{access_key}/{SCOPE.text}"),
        ("x-amz-date", AMZ_DATE),
        ("policy", text),
        ("x-amz-signature", sigv4.sign(sigv4.derive_key(secret, SCOPE), text)),
    ]


def sign_v2(policy: object, *, access_key: str = ACCESS_KEY, secret: str = SECRET):
    """Return the fields of a signature of version 2."""
    text = encode_policy(policy)
    return [
        ("AWSAccessKeyId", access_key),
        ("policy", text),
        ("signature", sigv2.sign(secret, text)),
    ]


def encode_field(name: str, value: str | bytes) -> bytes:
    """Return one field's part, without the boundary before it."""
    raw = value.encode() if isinstance(value, str) else value
    head = f'Content-Disposition: form-data; name="{name}"\r\n\r\n'
    return head.encode() + raw


def encode_file(data: bytes, file_name: str = "cat.jpg", *, name: str = "file"):
    """Return the file's part."""
    head = (
        f'Content-Disposition: form-data; name="{name}"; filename="{file_name}"\r\n'
        "Content-Type: image/jpeg\r\n\r\n"
    )
    return head.encode() + data


def join_parts(
    parts: Sequence[bytes], boundary: str = BOUNDARY, ending: bytes = b"--\r\n"
) -> bytes:
    """Return a form's body."""
    mark = f"--{boundary}".encode()
    lines = b"".join(mark + b"\r\n" + part + b"\r\n" for part in parts)
    return lines + mark + ending


def make_form(
    fields: Sequence[Field],
    data: bytes | None = b"meow",
    *,
    file_name: str = "cat.jpg",
    after: Sequence[Field] = (),
    ending: bytes = b"--\r\n",
) -> bytes:
    """Return a form's body: fields, the file, and what follows it."""
    parts = [encode_field(*field) for field in fields]
    if data is not None:
        parts.append(encode_file(data, file_name))
    parts += [encode_field(*field) for field in after]
    return join_parts(parts, ending=ending)


def form_headers(boundary: str = BOUNDARY) -> dict[str, str]:
    """Return the headers a browser sends with a form."""
    return {"content-type": f"multipart/form-data; boundary={boundary}"}
