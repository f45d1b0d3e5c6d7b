"""Manifests: what is read, and what is no manifest."""

import pytest

from s3o.model import limits
from s3o.model.errors import InvalidArgument, MalformedXml
from s3o.model.values import Checksum, ChecksumAlgorithm, ManifestPart
from s3o.wire.upload_documents import MANIFEST_ELEMENTS, read_manifest
from s3o.wire.xml_read import parse_xml

NAMESPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'


def manifest(*parts: str, namespace: str = NAMESPACE) -> bytes:
    """A document of these Part elements."""
    inside = "".join(f"<Part>{part}</Part>" for part in parts)
    return (
        f"<CompleteMultipartUpload {namespace}>{inside}</CompleteMultipartUpload>"
    ).encode()


@pytest.mark.parametrize("namespace", [NAMESPACE, ""])
@pytest.mark.parametrize("etag", ['"e"', "e", "&quot;e&quot;", "&#34;e&#34;"])
def test_parts_are_read_in_order_with_any_quotes(namespace: str, etag: str) -> None:
    """SDKs send back the header's quotes, curl users do not."""
    document = manifest(
        f"<PartNumber>2</PartNumber><ETag>{etag}</ETag>",
        "<ETag>f</ETag><PartNumber> 7 </PartNumber>"
        "<ChecksumCRC32>AAAAAA==</ChecksumCRC32><Size>3</Size>",
        namespace=namespace,
    )

    assert (
        ManifestPart(number=2, etag="e"),
        ManifestPart(
            number=7,
            etag="f",
            checksums=(Checksum(ChecksumAlgorithm.CRC32, "AAAAAA=="),),
        ),
    ) == read_manifest(parse_xml(document))


@pytest.mark.parametrize(
    "document",
    [
        manifest(),
        manifest("<PartNumber>1</PartNumber>"),
        manifest("<ETag>e</ETag>"),
        manifest("<PartNumber>1</PartNumber><ETag></ETag>"),
        manifest("<PartNumber>one</PartNumber><ETag>e</ETag>"),
        manifest("<PartNumber>1_0</PartNumber><ETag>e</ETag>"),
        manifest("<PartNumber>1</PartNumber><PartNumber>2</PartNumber><ETag>e</ETag>"),
        manifest("<PartNumber>1</PartNumber><ETag>e<b/></ETag>"),
        manifest("<PartNumber>1</PartNumber><ETag>e</ETag><ChecksumX>A</ChecksumX>"),
        b"<CompleteMultipartUpload><Other/></CompleteMultipartUpload>",
        b"<Delete><Part/></Delete>",
    ],
)
def test_document_that_is_no_manifest_is_refused(document: bytes) -> None:
    """An empty or unrelated body once made empty objects over existing ones."""
    with pytest.raises(MalformedXml):
        read_manifest(parse_xml(document))


@pytest.mark.parametrize("number", ["0", "-1"])
def test_part_number_below_one_is_refused(number: str) -> None:
    """Such a part cannot have been uploaded; AWS names the argument."""
    document = manifest(f"<PartNumber>{number}</PartNumber><ETag>e</ETag>")
    with pytest.raises(InvalidArgument):
        read_manifest(parse_xml(document))


@pytest.mark.slow
def test_the_largest_manifest_fits_and_a_larger_one_does_not() -> None:
    """10 000 parts with all that SDKs say of each, within the bounds of XML."""
    part = (
        "<PartNumber>1</PartNumber><ETag>e</ETag><Size>1</Size>"
        "<ChecksumSHA256>A</ChecksumSHA256><LastModified>x</LastModified>"
    )
    largest = manifest(*[part] * limits.PARTS)
    assert len(largest) < limits.XML_LARGE_BYTES

    assert limits.PARTS == len(read_manifest(parse_xml(largest, MANIFEST_ELEMENTS)))
    with pytest.raises(MalformedXml):
        read_manifest(parse_xml(manifest(*[part] * (limits.PARTS + 1))))
