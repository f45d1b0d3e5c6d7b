"""How real S3 providers deviate: one switch per quirk, one set per provider.

Sources: the providers' compatibility pages and reports against other clients; what
rclone, Swift and Ceph do is pinned by tests/real and tests/contract.
"""

from dataclasses import dataclass

from s3o.model import limits


@dataclass(frozen=True, kw_only=True)
class Quirks:
    """One provider's ways; the defaults are AWS's.

    streaming_refusal, multi_delete_refusal: the status that STREAMING-* payloads and
    DeleteObjects are answered with, 0: they are taken. needs_all_parts: Complete must
    name every part there is. is_empty_etag_completed: Complete's answer has an empty
    ETag. has_counted_etags: a joined object's ETag ends with the number of its parts.
    region: the only one that is accepted, "": any. metadata_bytes: of all x-amz-meta-*,
    names and values.
    is_strict: a header that is ill-formed, or a document without an MD5, is refused.
    is_permissive: neither signatures nor digests are looked at. names_are_paths: of
    files, so no blob is another one's folder; segment_bytes of each, 0: any.
    has_sidecars: a file whose name holds the whole name in base64 lies beside each.
    cleans_names: `//` and dots are taken out of names. latency_s: before each answer.
    lists_folders_first: a folder's names stand where the folder's does. page_names: at
    most in a listing's page, whatever was asked for.
    lists_late: the last change is never listed. refuses_s, unready_s: from its start,
    connections are refused and then answered with 503.
    """

    needs_content_md5_on_delete: bool = False
    refuses_checksums: bool = False
    streaming_refusal: int = 0
    multi_delete_refusal: int = 0
    has_multipart: bool = True
    has_part_copy: bool = True
    has_versioning_query: bool = True
    needs_equal_parts: bool = False
    needs_all_parts: bool = False
    max_part_number: int = limits.PARTS
    honours_encoding_type: bool = True
    keeps_versions: bool = False
    has_opaque_etags: bool = False
    is_empty_etag_completed: bool = False
    has_bare_copy_etag: bool = False
    copies_keep_metadata: bool = False
    capitalises_metadata: bool = False
    wraps_errors: bool = False
    lists_without_markers: bool = False
    has_counted_etags: bool = True
    region: str = ""
    create_root: str = "InitiateMultipartUploadResult"
    complete_root: str = "CompleteMultipartUploadResult"
    part_copy_root: str = "CopyPartResult"
    no_upload_code: str = "NoSuchUpload"
    metadata_bytes: int = 2048
    is_strict: bool = False
    is_permissive: bool = False
    names_are_paths: bool = False
    segment_bytes: int = 0
    has_sidecars: bool = False
    cleans_names: bool = False
    latency_s: float = 0.0
    lists_folders_first: bool = False
    page_names: int = 1000
    lists_late: bool = False
    refuses_s: float = 0.0
    unready_s: float = 0.0


PROVIDERS: dict[str, Quirks] = {
    "aws": Quirks(),
    # "x-amz-content-sha256 must be UNSIGNED-PAYLOAD or a valid sha256 value"
    "oci": Quirks(streaming_refusal=400),
    "b2": Quirks(refuses_checksums=True, keeps_versions=True),
    "r2": Quirks(refuses_checksums=True, streaming_refusal=501, needs_equal_parts=True),
    "gcs": Quirks(
        refuses_checksums=True, streaming_refusal=400, multi_delete_refusal=400
    ),
    "wasabi": Quirks(),
    "minio": Quirks(part_copy_root="CopyObjectResult"),
    "ceph": Quirks(
        needs_all_parts=True,
        is_empty_etag_completed=True,
        has_bare_copy_etag=True,
        wraps_errors=True,
        no_upload_code="NoSuchKey",
    ),
    "swift": Quirks(
        needs_content_md5_on_delete=True,
        streaming_refusal=501,
        max_part_number=1000,
        lists_without_markers=True,
        no_upload_code="NoSuchKey",
    ),
    "rclone": Quirks(
        needs_all_parts=True,
        has_part_copy=False,
        has_versioning_query=False,
        copies_keep_metadata=True,
        capitalises_metadata=True,
        cleans_names=True,
        names_are_paths=True,
        segment_bytes=255,
        create_root="InitiateMultipartUpload",
    ),
    # Nobody we know: the worst of all.
    "generic": Quirks(
        refuses_checksums=True,
        needs_content_md5_on_delete=True,
        honours_encoding_type=False,
        has_opaque_etags=True,
        has_versioning_query=False,
        needs_all_parts=True,
        needs_equal_parts=True,
        max_part_number=1000,
        has_part_copy=False,
        copies_keep_metadata=True,
        capitalises_metadata=True,
        wraps_errors=True,
        lists_without_markers=True,
        no_upload_code="NoSuchKey",
    ),
}

# Servers without a profile: what their operators name is in brackets.
STRANGERS: dict[str, Quirks] = {
    # (aws) moto: another root element.
    "moto": Quirks(complete_root="CompleteMultipartUploadResponse"),
    # (aws) s3rver: a joined object looks like one of a single PUT.
    "s3rver": Quirks(has_counted_etags=False),
    # (minio) Garage: its region has a name, and it never heard of versions.
    "garage": Quirks(region="garage", has_versioning_query=False),
    # (aws) LocalStack: stricter than those that are not for tests.
    "localstack": Quirks(is_strict=True, needs_content_md5_on_delete=True),
    # (aws) versitygw over a file system.
    "versitygw": Quirks(is_strict=True, names_are_paths=True, segment_bytes=255),
    # (aws) SeaweedFS: its parts come up one by one.
    "seaweedfs": Quirks(refuses_s=20.0, unready_s=20.0),
    # (aws) S3Mock: takes whatever comes.
    "s3mock": Quirks(is_permissive=True),
    # (aws) s3s-fs: metadata lie in a file beside the blob's.
    "s3s-fs": Quirks(names_are_paths=True, segment_bytes=255, has_sidecars=True),
    # (aws) s3proxy with its middlewares for latency and for eventual consistency.
    "s3proxy": Quirks(latency_s=2.0, lists_late=True),
    # Whoever walks through its folders without a thought of the `/` in names.
    "walker": Quirks(
        names_are_paths=True, segment_bytes=255, lists_folders_first=True, page_names=2
    ),
}
