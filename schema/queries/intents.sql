-- name: insert_intent
INSERT INTO pending_objects (
    storage_key, kind, backend_name, bucket_id, object_key, version_id, sequence,
    blob, size, stored_bytes, conditions, content_type, storage_class,
    headers, metadata, tags, owner, created_at
) VALUES (
    :storage_key, :kind, :backend_name, :bucket_id, :key, :version_id, :sequence,
    :blob, :size, :stored_bytes, :conditions, :content_type, :storage_class,
    :headers, :metadata, :tags, :owner, :now_us
);

-- name: take_intent
-- Exactly one transaction ever gets the row: commit, promotion or drop.
DELETE FROM pending_objects WHERE storage_key = :storage_key
RETURNING
    storage_key, kind, backend_name, bucket_id, object_key, version_id, sequence,
    blob, size, stored_bytes, conditions, content_type, storage_class,
    headers, metadata, tags, etag, checksum_algorithm, checksum_type, checksum_value,
    content_hash, stored_digest, part_sizes, layout,
    encryption_header, wrapped_key, key_id, owner, heartbeat, created_at,
    part_checksums, upload_id, part_number, pinned_blobs;

-- name: list_intents
SELECT
    storage_key, kind, backend_name, bucket_id, object_key, version_id, sequence,
    blob, size, stored_bytes, conditions, content_type, storage_class,
    headers, metadata, tags, etag, checksum_algorithm, checksum_type, checksum_value,
    content_hash, stored_digest, part_sizes, layout,
    encryption_header, wrapped_key, key_id, owner, heartbeat, created_at,
    part_checksums, upload_id, part_number, pinned_blobs
FROM pending_objects
WHERE storage_key > :after
ORDER BY storage_key
LIMIT :max_rows;

-- name: find_intent_key
SELECT bucket_id, object_key FROM pending_objects WHERE storage_key = :storage_key;

-- name: note_digests
UPDATE pending_objects SET
    etag = :etag, checksum_algorithm = :checksum_algorithm,
    checksum_type = :checksum_type, checksum_value = :checksum_value,
    content_hash = :content_hash, stored_digest = :stored_digest
WHERE storage_key = :storage_key;

-- name: beat_intent
UPDATE pending_objects SET heartbeat = heartbeat + 1 WHERE storage_key = :storage_key;
