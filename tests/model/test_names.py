"""Storage keys are for ever: their escaping must be reversible and harmless."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3o.model.errors import InvalidBucketName, InvalidUri, KeyTooLong
from s3o.model.names import (
    BucketName,
    ObjectKey,
    WriteId,
    escape_key,
    make_storage_key,
    make_version_id,
    parse_bucket_name,
    parse_object_key,
    parse_storage_key,
    storage_key_prefix,
    unescape_key,
)

WRITE_ID = WriteId("0123456789abcdef" * 2)
PHOTOS = BucketName("photos")
keys = st.text(
    st.one_of(st.sampled_from("/.=! a\\%+é"), st.characters(codec="utf-8")),
    min_size=1,
    max_size=64,
).map(ObjectKey)


@pytest.mark.parametrize(
    ("key", "escaped"),
    [
        ("a/b.txt", "a/b.txt"),
        ("a//b", "a/=2Fb"),
        ("/a", "=2Fa"),
        ("dir/", "dir/"),
        ("../x", "=2E=2E/x"),
        ("a/./b", "a/=2E/b"),
        ("=!", "=3D=21"),
        ("é x", "=C3=A9=20x"),
    ],
)
def test_escaping_vectors(key: str, escaped: str) -> None:
    """The names on people's backends must not change with a release."""
    assert escaped == escape_key(ObjectKey(key))
    assert key == unescape_key(escaped)


@given(keys)
def test_every_key_comes_back_from_its_storage_key(key: ObjectKey) -> None:
    """Recovery reads the key from the name alone."""
    name = parse_storage_key(make_storage_key(PHOTOS, key, WRITE_ID))

    assert (PHOTOS, WRITE_ID) == (name.bucket, name.write_id)
    assert name.key == key or name.key_digest is not None


@given(keys)
def test_no_name_mistreats_a_file_system(key: ObjectKey) -> None:
    """Empty, `.` and `..` segments leave a directory or get normalised away."""
    name = make_storage_key(PHOTOS, key, WRITE_ID)

    assert not {"", ".", ".."} & set(name.split("/"))
    assert len(name) <= 900
    assert all(len(segment) <= 200 for segment in name.split("/"))
    assert name.startswith(storage_key_prefix(PHOTOS, key))


def test_a_long_name_is_hashed() -> None:
    """Providers stop at 1024 bytes, file systems at 255 per segment."""
    name = make_storage_key(PHOTOS, ObjectKey("x" * 1000), WRITE_ID)

    assert name.startswith("photos/!")
    assert parse_storage_key(name).key is None


@pytest.mark.parametrize(
    "text", ["photos/a", "photos/a!b", "photos/a!!" + WRITE_ID, "a/../b!" + WRITE_ID]
)
def test_foreign_names_are_not_ours(text: str) -> None:
    """Only names of our own shape may ever be deleted."""
    with pytest.raises(ValueError, match=r"."):
        parse_storage_key(text)


@pytest.mark.parametrize(
    "name",
    ["ab", "A-b", "a..b", "192.168.0.1", "xn--a", "a-s3alias", "-ab", "a/b", "a" * 64],
)
def test_bad_bucket_names_are_refused(name: str) -> None:
    """AWS's rules; a name must also be a host name."""
    with pytest.raises(InvalidBucketName):
        parse_bucket_name(name)


def test_keys_are_bounded_and_utf8() -> None:
    """1024 bytes, UTF-8, never empty."""
    assert parse_object_key(b"x" * 1024) == "x" * 1024
    with pytest.raises(KeyTooLong):
        parse_object_key(b"x" * 1025)
    with pytest.raises(InvalidUri):
        parse_object_key(b"\xff")
    with pytest.raises(InvalidUri):
        parse_object_key(b"")


def test_version_ids_are_time_ordered() -> None:
    """A later millisecond sorts later, whatever the randomness."""
    early = make_version_id(1_000_000, b"\xff" * 10)
    late = make_version_id(1_001_000, b"\x00" * 10)

    assert early < late
    assert 32 == len(early)
