"""Answers that report an error, and the headers that every answer carries."""

from dataclasses import dataclass

from s3o.model.values import Pairs
from s3o.s3api import errors
from s3o.wire.xml_write import document, leaf

Answer = tuple[int, Pairs, bytes]

XML = ("content-type", "application/xml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What every answer carries: by what it is found in the logs, and for which pages.

    cors: the headers that let a page of another origin see it.
    """

    request_id: str
    host_id: str
    cors: Pairs = ()

    @property
    def headers(self) -> Pairs:
        """The headers of every answer."""
        return (
            ("x-amz-request-id", self.request_id),
            ("x-amz-id-2", self.host_id),
            *self.cors,
        )


def render_error(
    error: BaseException, identity: Identity, resource: str, *, is_head: bool = False
) -> Answer:
    """Return status, headers and body of the answer that reports error.

    resource: the path as sent. The answer to a HEAD has no body.
    """
    status = errors.row_of(error).status
    headers = (*identity.headers, *errors.headers_of(error))
    if is_head:
        return status, headers, b""
    parts = [
        leaf("Code", errors.row_of(error).code),
        leaf("Message", errors.message_of(error)),
        *(leaf(name, text) for name, text in errors.extras_of(error)),
        leaf("Resource", resource[: errors.ECHO_CHARACTERS]),
        leaf("RequestId", identity.request_id),
        leaf("HostId", identity.host_id),
    ]
    return status, (XML, *headers), document("Error", parts, has_namespace=False)
