"""Which foreign names become objects: a table, for each of them has hurt somebody."""

import pytest

from s3o.model.names import BucketId, BucketName
from s3o.model.values import Bucket
from s3o.policy.importing import (
    Shape,
    made_up_etag,
    map_by_prefix,
    map_into,
    shape_of,
)

PHOTOS = Bucket(id=BucketId(1), name=BucketName("photos"), created_at_us=0)
WRITE = "0123456789abcdef" * 2


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        (f"photos/cat.jpg!{WRITE}", Shape.OWN),
        (f"photos/!{'0' * 64}!{WRITE}", Shape.OWN),
        (f"other/=C3=A9!{WRITE}", Shape.OWN),
        (".s3o/cluster/log-1", Shape.BACKUP),
        (".s3o/", Shape.BACKUP),
        ("photos/cat.jpg", Shape.FOREIGN),
        (f"photos/cat.jpg!{WRITE[1:]}", Shape.FOREIGN),
        ("photos/cat.jpg!", Shape.FOREIGN),
        (".s3o", Shape.FOREIGN),
    ],
)
def test_shape_tells_whose_a_name_may_be(name: str, shape: Shape) -> None:
    """Bytes under names of our shape are never imported, for they are versions."""
    assert shape is shape_of(name)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("photos/cat.jpg", "cat.jpg"),
        ("photos/2024/é ü.jpg", "2024/é ü.jpg"),
        ("photos/folder/", "folder/"),
        ("photos//a", "/a"),
        ("photos/", None),
        ("photos", None),
        ("cat.jpg", None),
        ("other/cat.jpg", None),
        ("Photos/cat.jpg", None),
        ("photos/../cat.jpg", None),
        ("photos/a/./b", None),
        ("photos/a\nb", None),
        ("photos/a\x00b", None),
        ("photos/a\x7f", None),
        (f"photos/{'a' * 1024}", "a" * 1024),
        (f"photos/{'a' * 1025}", None),
        (f"photos/{'é' * 513}", None),
        ("photos/\ud800", None),
    ],
)
def test_reconciler_maps_by_the_bucket_in_the_name(name: str, key: str | None) -> None:
    """Only names under a configured bucket, and only fit ones."""
    target = map_by_prefix({PHOTOS.name: PHOTOS})(name)

    assert key == (None if target is None else target.key)


def test_sync_maps_every_name_into_its_bucket() -> None:
    """Whole, also where it begins with the bucket's own name."""
    find = map_into(PHOTOS)
    names = ["cat.jpg", "photos/cat.jpg", "../x", ""]

    assert ["cat.jpg", "photos/cat.jpg", None, None] == [
        None if target is None else target.key for target in map(find, names)
    ]


def test_made_up_etag_follows_the_file_and_passes_for_no_md5() -> None:
    """Clients compare MD5s with ETags of that shape."""
    etag = made_up_etag("a", 1, 2)

    assert etag.endswith("-1")
    assert etag == made_up_etag("a", 1, 2)
    assert 4 == len(
        {
            etag,
            made_up_etag("b", 1, 2),
            made_up_etag("a", 2, 2),
            made_up_etag("a", 1, None),
        }
    )
