"""Tag sets: header and document mean the same, and come back as they went in."""

import string
from urllib.parse import quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3o.model import limits
from s3o.model.errors import BadRequest, MalformedXml
from s3o.wire.tags import (
    TAGGING_ELEMENTS,
    parse_tagging_header,
    read_tagging,
    render_tagging,
)
from s3o.wire.xml_read import XmlReader

LEGAL = string.ascii_letters + string.digits + " +-=._:/@" + "éßжعの"
KEYS = st.text(LEGAL, min_size=1, max_size=128).filter(
    lambda key: not key.lower().startswith("aws:")
)
TAGS = st.dictionaries(KEYS, st.text(LEGAL, max_size=256), max_size=10).map(
    lambda tags: tuple(tags.items())
)


def read(raw):
    """Read a Tagging document as the door does."""
    reader = XmlReader(TAGGING_ELEMENTS)
    reader.feed(raw)
    return read_tagging(reader.finish())


@given(TAGS)
def test_every_legal_set_survives_header_and_document(tags):
    """Order and every character of every script."""
    header = "&".join(f"{quote_plus(key)}={quote_plus(value)}" for key, value in tags)

    assert tags == parse_tagging_header(header)
    assert tags == read(render_tagging(tags))


@pytest.mark.parametrize(
    ("header", "tags"),
    [
        ("", ()),
        ("&", ()),
        ("&&&", ()),
        ("key", (("key", ""),)),
        ("key=&", (("key", ""),)),
        ("&a=1&&b=2&", (("a", "1"), ("b", "2"))),
        ("a=b=c", (("a", "b=c"),)),
        ("key%2E=value%2F", (("key.", "value/"),)),
        ("a++b=c%20d", (("a  b", "c d"),)),
    ],
)
def test_a_header_is_read_as_a_query(header, tags):
    """Empty pairs mean nothing, a name alone has an empty value (versitygw's suite)."""
    assert tags == parse_tagging_header(header)


def test_blanks_around_elements_mean_nothing():
    """Java's SDK indents its documents; blanks inside a value are the value's."""
    raw = (
        b'<?xml version="1.0"?>\n<Tagging xmlns="http://s3.amazonaws.com/doc/2006-03-01/'
        b'">\n <TagSet>\n  <Tag>\n   <Key>a</Key>\n   <Value> b </Value>\n  </Tag>\n'
        b" </TagSet>\n</Tagging>\n"
    )

    assert (("a", " b "),) == read(raw)


def test_the_bound_of_elements_is_behind_the_bound_of_tags():
    """Who sends a few tags too many is told so; a flood is cut off while it is read."""
    tag = b"<Tag><Key>%d</Key><Value/></Tag>"

    def document(count):
        tags = b"".join(tag % number for number in range(count))
        return b"<Tagging><TagSet>" + tags + b"</TagSet></Tagging>"

    with pytest.raises(BadRequest, match="10"):
        read(document(limits.TAGS_PER_OBJECT + 1))
    with pytest.raises(MalformedXml):
        read(document(TAGGING_ELEMENTS))
