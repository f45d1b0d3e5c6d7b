"""What providers do differently, as one table.

The client sends the least that all of them take: no checksum headers, no trailers, no
ACL, no tags. Only what some provider takes away from that, or what it promises beyond
it, is here; nothing else in the product asks which provider it talks to.

A profile is chosen by name, or by the endpoint's host. A server that nothing is known
of gets the generic one, which asks for whole blobs only: a provider that keeps parts or
copies in other ways than AWS cannot be told by any answer (rclone calls itself
AmazonS3), and would show it when a client's upload is to be completed.

Source: the providers' S3 compatibility pages, and tests/real against the servers that
can be run.
"""

from dataclasses import dataclass, replace
from typing import Final

from s3o.model.names import ProfileName
from s3o.model.values import Traits

GENERIC: Final = "generic"
_ALL = Traits(has_multipart=True, can_copy=True, can_copy_part=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One provider's ways.

    etag_is_md5: the ETag of a PUT without KMS or customer keys is the body's MD5.
    is_streaming_signed: takes STREAMING-AWS4-HMAC-SHA256-PAYLOAD.
    has_multi_delete: takes DeleteObjects.
    is_listing_encoded: takes encoding-type=url in listings.
    keeps_versions: buckets keep deleted objects as versions; None: ask each bucket.
    traits: what it can do beyond storing whole blobs.
    """

    name: ProfileName
    hosts: tuple[str, ...] = ()  # suffixes of the endpoint's host
    etag_is_md5: bool = True
    is_streaming_signed: bool = True
    has_multi_delete: bool = True
    is_listing_encoded: bool = True
    keeps_versions: bool | None = None
    traits: Traits = _ALL


PROFILES: tuple[Profile, ...] = (
    Profile(name="aws", hosts=(".amazonaws.com", ".amazonaws.com.cn")),
    Profile(
        name="oci",
        hosts=(".oraclecloud.com", ".customer-oci.com"),
        # "x-amz-content-sha256 must be UNSIGNED-PAYLOAD or a valid sha256 value"
        is_streaming_signed=False,
    ),
    # Its buckets keep all versions unless a lifecycle rule ends them.
    Profile(name="b2", hosts=(".backblazeb2.com",), keeps_versions=True),
    Profile(
        name="r2",
        hosts=(".r2.cloudflarestorage.com",),
        is_streaming_signed=False,
        keeps_versions=False,
        traits=replace(_ALL, needs_equal_parts=True),
    ),
    Profile(
        name="gcs",
        hosts=("storage.googleapis.com",),
        is_streaming_signed=False,
        has_multi_delete=False,
    ),
    Profile(name="wasabi", hosts=(".wasabisys.com",)),
    Profile(name="minio"),
    # Its Complete refuses to leave a part out, but which parts there are is not ours to
    # know after a failed attempt: so parts are blobs.
    Profile(
        name="ceph",
        hosts=(
            ".digitaloceanspaces.com",
            ".linodeobjects.com",
            ".your-objectstorage.com",
        ),
        traits=Traits(can_copy=True),
    ),
    # s3api answers the streaming signature with 501.
    Profile(
        name="swift",
        is_streaming_signed=False,
        traits=replace(_ALL, max_part_number=1000),
    ),
    Profile(
        name="rclone",
        keeps_versions=False,
        # Its Complete wants every part there is and forgets the upload when it refuses;
        # its copies keep the source's metadata beside the new; it knows no part copies.
        traits=Traits(),
    ),
    # What none of the above refuses; a name gives it the rest.
    Profile(name=GENERIC, traits=Traits()),
)
_BY_NAME = {profile.name: profile for profile in PROFILES}


def choose_profile(host: str, name: ProfileName | None = None) -> Profile:
    """Return the profile of that name, or the one whose host suffix fits."""
    if name is not None:
        return _BY_NAME[name]
    host = host.lower()
    for profile in PROFILES:
        if any(
            host == suffix.lstrip(".") or host.endswith(suffix)
            for suffix in profile.hosts
        ):
            return profile
    return _BY_NAME[GENERIC]
