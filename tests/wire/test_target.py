"""The request target: one reading for signature and storage."""

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3o.model.errors import InvalidUri
from s3o.wire.target import parse_target

DOMAINS = ("s3.example.com", "example.com", "eu.s3.example.com")


@pytest.mark.parametrize(
    ("target", "bucket", "key"),
    [
        ("/", None, None),
        ("/?list-type=2", None, None),
        ("/photos", "photos", None),
        ("/photos/", "photos", None),
        ("/photos/cat.jpg", "photos", b"cat.jpg"),
        ("/photos//cat.jpg", "photos", b"/cat.jpg"),
        ("/photos/a/", "photos", b"a/"),
        ("/photos/../other/k", "photos", b"../other/k"),
        ("/photos/./%2e%2e/k", "photos", b"./../k"),
        ("/photos/a+b%20c", "photos", b"a+b c"),
        ("/photos/%C3%A4%2Fx", "photos", "ä/x".encode()),
        ("/photos/%2525", "photos", b"%25"),
        ("/photos/k%3Facl?acl", "photos", b"k?acl"),
        ("/ph%6Ftos/k", "photos", b"k"),
        ("/pho%2Ftos/k", "pho/tos", b"k"),
    ],
)
def test_path_style_is_cut_at_raw_slashes_and_decoded_once(target, bucket, key):
    """Normalising, or decoding twice, lets a signed path reach another object."""
    parsed = parse_target(target, "s3.example.com", DOMAINS)

    assert (bucket, key) == (parsed.bucket, parsed.key)


@pytest.mark.parametrize(
    ("host", "bucket"),
    [
        ("photos.s3.example.com", "photos"),
        ("photos.s3.example.com:9000", "photos"),
        ("PHOTOS.S3.Example.Com.", "photos"),
        ("my.dotted.bucket.s3.example.com", "my.dotted.bucket"),
        ("photos.eu.s3.example.com", "photos"),
        ("photos.example.com", "photos"),
        ("s3.example.com", None),
        ("eu.s3.example.com", None),
        (".s3.example.com", None),
        ("photoss3.example.com", "photoss3"),
        ("elsewhere.org", None),
        ("127.0.0.1:9000", None),
        ("[::1]:9000", None),
        ("", None),
        (None, None),
    ],
)
def test_virtual_hosts_take_the_longest_domain_that_fits(host, bucket):
    """An operator may serve several domains, one inside the other."""
    parsed = parse_target("/a/b", host, DOMAINS)

    expected = ("a", b"b") if bucket is None else (bucket, b"a/b")
    assert expected == (parsed.bucket, parsed.key)


@pytest.mark.parametrize(
    "target",
    [
        "",
        "*",
        "photos/k",
        "http://s3.example.com/photos/k",
        "/photos/k#part",
        "/photos/ k",
        "/photos/\x01",
        "/photos/ä",
        "/photos/%",
        "/photos/%4",
        "/photos/%zz",
        "/photos/%FF",
        "/photos/%ED%A0%80",
        "/%FF/k",
        "/photos?prefix=%",
        "/photos?prefix=%FF",
        "/photos?%C3=x",
        "//",
        "//k",
        "///",
        "/photos/" + "k" * 16 * 1024,
        "/photos?" + "&".join(f"a{number}" for number in range(201)),
    ],
)
def test_targets_with_two_readings_or_none_are_refused(target):
    """What a proxy and we could read differently must never reach storage."""
    with pytest.raises(InvalidUri):
        parse_target(target, None, ())


def test_the_query_is_decoded_with_plus_as_space():
    """Prefixes with spaces come as + from browsers and as %20 from SDKs."""
    query = parse_target("/b?prefix=a+b%2Bc&acl&x-id=&x=1&x=2&&", None, ()).query

    expected = (("prefix", "a b+c"), ("acl", ""), ("x-id", ""), ("x", "1"), ("x", "2"))
    assert expected == query.pairs
    assert {"prefix", "acl", "x-id", "x"} == query.names
    assert query.has("acl")
    assert "" == query.get("acl")
    assert "1" == query.get("x")
    assert query.get("none") is None
    assert 2 == query.count("x")


@given(
    key=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40),
    safe=st.sampled_from(["", "/", "/!$&'()*+,;=:@~"]),
)
def test_every_key_survives_every_way_of_escaping(key, safe):
    """Clients differ in what they escape; the key and the signature must not."""
    parsed = parse_target("/photos/" + quote(key, safe), None, ())

    assert key.encode() == parsed.key
    assert "/photos/" + quote(key, "/") == parsed.canonical_path
