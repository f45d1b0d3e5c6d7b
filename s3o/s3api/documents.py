"""Read the XML document in a request's body, without keeping the others waiting."""

import trio

from s3o.model.limits import PIECE_BYTES
from s3o.s3api.call import Call
from s3o.wire.xml_read import Element, XmlReader


async def read_xml(
    call: Call, limit_bytes: int, max_elements: int, *, is_checksummed: bool = True
) -> Element | None:
    """Return the root of the body's document, verified whole; None for no body.

    is_checksummed: x-amz-checksum-* headers are about the document (else an object).
    Raises MessageTooLong, MalformedXml, and what verification raises.
    """
    body = await call.read_document(limit_bytes, is_checksummed=is_checksummed)
    if not body:
        return None
    reader = XmlReader(max_elements)
    for start in range(0, len(body), PIECE_BYTES):
        reader.feed(body[start : start + PIECE_BYTES])
        await trio.lowlevel.checkpoint()
    return reader.finish()
