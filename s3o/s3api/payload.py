"""What authentication hands on: a caller, and how their body must be read.

The payload's mode is part of what was signed, and decides how the body is read; a mode
that is not known is refused, never taken for a plain body.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from s3o.model.errors import (
    InvalidArgument,
    InvalidRequest,
    NotSupported,
    S3OError,
)
from s3o.net.exchange import RequestHead
from s3o.s3api.body import BodyPlan
from s3o.s3api.credentials import Caller
from s3o.wire.aws_chunked import Form
from s3o.wire.sigv4 import UNSIGNED_PAYLOAD, ChunkSigner

PAYLOAD_HEADER = "x-amz-content-sha256"
_FORMS = {form.value: form for form in Form}
_SHA256 = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Authenticated:
    """A caller and their body; there is no other way to either."""

    caller: Caller
    body: BodyPlan


def plan_body(
    head: RequestHead,
    payload: str,
    access_key_id: str,
    chain: Callable[[], ChunkSigner] | None,
    fields: Mapping[str, str] | None = None,
) -> BodyPlan:
    """Return how the body is to be read, from the payload mode that was signed.

    fields: what declares digests, if that is not the head alone. Raises InvalidRequest,
    InvalidArgument, NotSupported.
    """
    form = _FORMS.get(payload)
    is_hash = _SHA256.fullmatch(payload) is not None
    if form is None and not is_hash and payload != UNSIGNED_PAYLOAD:
        raise _unknown_mode(payload)
    if form is not None and head.method != "PUT":
        raise InvalidRequest(f"{form} is only for uploads of objects and parts")
    if form is not None and form.is_signed and chain is None:
        raise InvalidRequest(f"{form} needs a signed request")
    return BodyPlan(
        fields=head.fields if fields is None else fields,
        content_length=head.content_length,
        is_chunked=head.is_chunked,
        sha256=payload.lower() if is_hash else None,
        form=form,
        chain=chain if form is not None and form.is_signed else None,
        access_key_id=access_key_id,
    )


def parse_form_payload(payload: str | None) -> str | None:
    """Return the SHA-256 in hex that a form declares of its file, if it does.

    Raises InvalidArgument, NotSupported: what no form can have is never overlooked.
    """
    if payload is None or payload == UNSIGNED_PAYLOAD:
        return None
    if not _SHA256.fullmatch(payload):
        raise _unknown_mode(payload)
    return payload.lower()


def _unknown_mode(payload: str) -> S3OError:
    if payload.startswith("STREAMING-AWS4-ECDSA-"):
        return NotSupported(payload[:64])
    return InvalidArgument(
        PAYLOAD_HEADER,
        payload[:128],
        f"{PAYLOAD_HEADER} must be {UNSIGNED_PAYLOAD}, {', '.join(Form)} or a valid "
        "sha256 value.",
    )
