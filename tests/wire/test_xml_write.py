"""XML written by hand, with what libraries refuse to write."""

from s3o.wire import xml_write


def test_control_characters_go_out_as_references():
    """A key with a control character must not make its whole listing unreadable."""
    expected = "a&#x1;&#xD;&#xA;&#x9;&#x0;&#xFFFE;&amp;&lt;&gt;&quot;é"

    assert expected == xml_write.escape('a\x01\r\n\t\x00\ufffe&<>"é')


def test_url_encoding_follows_the_suites():
    """Slashes stay, a space is %20, a literal plus must not become a space."""
    assert "a/b%20c%2Bd%C3%A9%25~" == xml_write.url_encode("a/b c+dé%~")


def test_a_document_has_declaration_and_namespace():
    """Clients match on the root's name; strict ones on its namespace."""
    written = xml_write.document(
        "R", [xml_write.leaf("A", "&"), xml_write.optional_leaf("B", None)]
    )

    assert (
        b'<?xml version="1.0" encoding="UTF-8"?>\n'
        b'<R xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><A>&amp;</A></R>'
    ) == written
