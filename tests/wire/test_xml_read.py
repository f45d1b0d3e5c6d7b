"""XML that others wrote: what is read, and every attack that is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3o.model.errors import MalformedXml
from s3o.model.values import BlobPage, ListedBlob
from s3o.wire import backend_documents, client_documents
from s3o.wire.client_documents import DeleteDocument, DeleteEntry
from s3o.wire.xml_read import XmlReader, parse_xml
from s3o.wire.xml_write import document, leaf

DELETE = b"""<?xml version="1.0" encoding="utf-8"?>
<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
  <!-- in order -->
  <Object><Key> b &amp;&#x1F600; </Key><VersionId>null</VersionId></Object>
  <Object a="1"><Key>a</Key><ETag>"e"</ETag><Size>3</Size>
    <LastModifiedTime>Sun, 06 Nov 1994 08:49:37 GMT</LastModifiedTime></Object>
  <Quiet>true</Quiet>
</Delete>
"""


def test_a_delete_document_is_read_in_order():
    """The answer names the keys in the order of the request, blanks and all."""
    expected = DeleteDocument(
        entries=(
            DeleteEntry(key=" b &\U0001f600 ", version_id="null"),
            DeleteEntry(
                key="a",
                etag='"e"',
                size="3",
                last_modified="Sun, 06 Nov 1994 08:49:37 GMT",
            ),
        ),
        is_quiet=True,
    )

    assert expected == client_documents.read_delete(parse_xml(DELETE))


@pytest.mark.parametrize("size", [1, 2, 7, 64])
def test_pieces_make_no_difference(size):
    """Bodies arrive cut anywhere, within a character too."""
    reader = XmlReader()
    for at in range(0, len(DELETE), size):
        reader.feed(DELETE[at : at + size])

    assert parse_xml(DELETE) == reader.finish()


def test_namespaces_and_a_byte_order_mark_mean_nothing():
    """s3cmd sends no namespace, others a prefix."""
    plain = b"<Delete><Object><Key>a</Key></Object></Delete>"
    prefixed = (
        b'\xef\xbb\xbf<s:Delete xmlns:s="urn:x"><s:Object><s:Key>a</s:Key>'
        b"</s:Object></s:Delete>"
    )

    assert parse_xml(plain) == parse_xml(prefixed)


@pytest.mark.parametrize(
    "attack",
    [
        b"",
        b"  ",
        b"<a>",
        b"<a></b>",
        b"<a/><b/>",
        b"<a/>junk",
        b"<a>\x00</a>",
        b"<a>\xff</a>",
        b"<a>&undefined;</a>",
        b"<!DOCTYPE a><a/>",
        b'<!DOCTYPE a [<!ENTITY l "lol">]><a>&l;</a>',
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        b"<?php echo 1 ?><a/>",
        b"<a/><?pi?>",
        b'<?xml version="1.0" encoding="ISO-8859-1"?><a/>',
        b'<?xml version="1.0" encoding="UTF-16"?><a/>',
        "<a/>".encode("utf-16"),
        "<a/>".encode("utf-16-le"),
        "<a/>".encode("utf-16-be"),
        "\ufeff<a/>".encode("utf-16-be"),
        "<a/>".encode("utf-32"),
        "<a/>".encode("utf-7").replace(b"<", b"+ADw-"),
        b"<x:a/>",
        b"<a>" * 9 + b"</a>" * 9,
        b"<a>" + b"<b/>" * 100_000 + b"</a>",
    ],
)
def test_attacks_are_malformed(attack):
    """Billion laughs, XXE, depth, other encodings, trailing garbage."""
    with pytest.raises(MalformedXml):
        parse_xml(attack)


def test_eight_levels_are_allowed():
    """The deepest document of S3 has six."""
    assert "a" == parse_xml(b"<a>" * 8 + b"</a>" * 8).name


@given(st.binary(max_size=200))
def test_no_bytes_are_a_crash(data):
    """Whatever arrives is read or refused."""
    try:
        root = parse_xml(data)
    except MalformedXml:
        return
    assert root.name


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"])))
def test_what_is_written_is_read(text):
    """A key comes back as it went out."""
    text = text.replace("\ufffe", "").replace("\uffff", "")

    assert text == parse_xml(document("A", [leaf("Key", text)])).text_of("Key")


@pytest.mark.parametrize(
    "inner",
    [
        b"",
        b"<Quiet>true</Quiet>",
        b"<Object></Object>",
        b"<Object><Key></Key></Object>",
        b"<Object><Key>a</Key><Key>b</Key></Object>",
        b"<Object><Key>a<b/></Key></Object>",
        b"<Object><Key>a</Key><IfOlderThan>1</IfOlderThan></Object>",
        b"<Object><Key>a</Key></Object><Loud>true</Loud>",
        b"<Object><Key>a</Key></Object><Quiet>yes</Quiet>",
        b"<Object><Key>a</Key></Object>" * 1001,
    ],
)
def test_a_delete_that_does_not_fit_its_schema_is_refused(inner):
    """Deleting on a guess is the worst guess."""
    root = parse_xml(b"<Delete>" + inner + b"</Delete>")
    with pytest.raises(MalformedXml):
        client_documents.read_delete(root)


def test_a_thousand_keys_fit_into_the_bound_of_elements():
    """The largest legal document must not trip the attack limits."""
    one = (
        b"<Object><Key>a</Key><VersionId>null</VersionId><ETag>e</ETag>"
        b"<LastModifiedTime>t</LastModifiedTime><Size>1</Size></Object>"
    )
    body = b"<Delete><Quiet>false</Quiet>" + one * 1000 + b"</Delete>"
    root = parse_xml(body, client_documents.DELETE_ELEMENTS)

    assert 1000 == len(client_documents.read_delete(root).entries)


def test_create_bucket_configurations_are_read():
    """SDKs outside us-east-1 send one, also with tags; directory buckets need more."""
    read = client_documents.read_create_bucket
    root = "CreateBucketConfiguration"

    plain = parse_xml(document(root, [leaf("LocationConstraint", "eu-west-1")]))
    assert "eu-west-1" == read(plain).location_constraint
    assert read(parse_xml(document(root, []))).location_constraint is None
    tag = "<Tag><Key>k</Key><Value/></Tag>"
    tagged = parse_xml(document(root, [f"<Tags>{tag}</Tags>"]))
    assert (("k", ""),) == read(tagged).tags
    special = parse_xml(document(root, ["<Bucket><Type>Directory</Type></Bucket>"]))
    assert ("Bucket",) == read(special).unsupported
    for wrong in (
        document("Other", []),
        document(root, ["<Other/>"]),
        document(root, ["<Tags><Tag/></Tags>"]),
    ):
        with pytest.raises(MalformedXml):
            read(parse_xml(wrong))


def test_a_backend_listing_is_read():
    """Names decode when the provider honoured encoding-type=url."""
    root = parse_xml(
        b"<ListBucketResult><EncodingType>url</EncodingType><Contents>"
        b"<Key>a+b%2B%C3%A9</Key><Size>3</Size><ETag>&quot;e&quot;</ETag>"
        b"<LastModified>2026-11-22T14:05:00.000Z</LastModified><Odd/></Contents>"
        b"<IsTruncated>true</IsTruncated>"
        b"<NextContinuationToken>t</NextContinuationToken></ListBucketResult>"
    )
    blob = ListedBlob(
        name="a b+é",
        stored_bytes=3,
        etag="e",
        modified_at_us=1_795_356_300_000_000,
    )

    assert BlobPage(blobs=(blob,), next_token="t") == backend_documents.read_list_page(
        root
    )


@pytest.mark.parametrize(
    "answer",
    [
        b"<Other/>",
        b"<ListBucketResult/>",
        b"<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
        b"<ListBucketResult><IsTruncated>false</IsTruncated>"
        b"<Contents><Key>a</Key><Size>-1</Size></Contents></ListBucketResult>",
        b"<ListBucketResult><IsTruncated>false</IsTruncated>"
        b"<EncodingType>url</EncodingType>"
        b"<Contents><Key>%FF</Key><Size>1</Size></Contents></ListBucketResult>",
    ],
)
def test_a_backend_listing_that_misses_something_is_refused(answer):
    """Half a listing taken for a whole one would lose sight of blobs."""
    with pytest.raises(MalformedXml):
        backend_documents.read_list_page(parse_xml(answer))


def test_backends_errors_and_delete_results_are_read():
    """The provider's own code decides whether to retry."""
    error = backend_documents.read_error(
        parse_xml(b"<Error><Code>SlowDown</Code><Message>m</Message></Error>")
    )
    wrapped = backend_documents.read_error(
        parse_xml(b"<ErrorResponse><Error><Code>X</Code></Error></ErrorResponse>")
    )
    result = backend_documents.read_delete_result(
        parse_xml(
            b"<DeleteResult><Deleted><Key>a</Key></Deleted>"
            b"<Error><Key>b</Key><Code>AccessDenied</Code></Error></DeleteResult>"
        )
    )

    assert ("SlowDown", "m") == (error.code, error.message)
    assert "X" == wrapped.code
    assert ("a",) == result.deleted
    assert ["AccessDenied"] == [one.code for one in result.failed]
    with pytest.raises(MalformedXml):
        backend_documents.read_error(parse_xml(b"<html/>"))
