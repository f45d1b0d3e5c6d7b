"""CompleteMultipartUpload: the manifest a client sends.

Order, existence and sizes of the parts are the ledger's question; here a manifest has
1..10 000 parts, each with one number and one ETag. An element that is not known is
refused: it may be a checksum that nobody would verify. What ListParts tells of a part
is known and skipped, for there are clients that send back what they were given.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html
"""

import re
from collections.abc import Mapping

from s3o.model import limits
from s3o.model.errors import InvalidArgument, MalformedXml
from s3o.model.numbers import parse_uint
from s3o.model.values import Checksum, ChecksumAlgorithm, ManifestPart
from s3o.wire.conditions import unquote_etag
from s3o.wire.digests import checksum_element
from s3o.wire.xml_read import Element

MANIFEST_ELEMENTS = limits.XML_ELEMENTS

_CHECKSUMS: Mapping[str, ChecksumAlgorithm] = {
    checksum_element(algorithm): algorithm for algorithm in ChecksumAlgorithm
}
_KNOWN = frozenset({"PartNumber", "ETag", "Size", "LastModified", *_CHECKSUMS})
_NEGATIVE = re.compile(r"-[0-9]{1,20}", re.ASCII)


def read_manifest(root: Element) -> tuple[ManifestPart, ...]:
    """Return the parts in a CompleteMultipartUpload document, in its order.

    Raises MalformedXml; InvalidArgument for a part number no part can have.
    """
    if root.name != "CompleteMultipartUpload":
        raise MalformedXml(f"the document is a {root.name}")
    for child in root.children:
        if child.name != "Part":
            raise MalformedXml(f"unexpected element {child.name}")
    if not 1 <= len(root.children) <= limits.PARTS:
        raise MalformedXml(f"not 1 to {limits.PARTS} parts")
    return tuple(_read_part(child) for child in root.children)


def _read_part(element: Element) -> ManifestPart:
    texts: dict[str, str] = {}
    for child in element.children:
        if child.name not in _KNOWN or child.name in texts or child.children:
            raise MalformedXml(f"unexpected element {child.name} in Part")
        texts[child.name] = child.text.strip()
    if not texts.get("PartNumber") or not texts.get("ETag"):
        raise MalformedXml("a part without number or ETag")
    return ManifestPart(
        number=_read_number(texts["PartNumber"]),
        etag=unquote_etag(texts["ETag"]),
        checksums=tuple(
            Checksum(algorithm, texts[name])
            for name, algorithm in _CHECKSUMS.items()
            if texts.get(name)
        ),
    )


def _read_number(text: str) -> int:
    if not _NEGATIVE.fullmatch(text):
        try:
            number = parse_uint(text)
        except ValueError:
            raise MalformedXml("a part number that is none") from None
        if number:
            return number  # too large a one names a part that does not exist
    raise InvalidArgument("PartNumber", text, "PartNumber must be >= 1")
