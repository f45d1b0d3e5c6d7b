-- name: insert_copy_intent
INSERT INTO pending_objects (
    storage_key, kind, backend_name, bucket_id, object_key, version_id, sequence,
    blob, size, stored_bytes, stored_digest, content_type, storage_class, owner,
    created_at
) VALUES (
    :storage_key, 'copy', :backend_name, :bucket_id, :key, :version_id, :sequence,
    :blob, :stored_bytes, :stored_bytes, :stored_md5, '', '', :owner,
    :now_us
);

-- name: find_kept_version
-- What a copy of its blobs must know of a version, current or not.
SELECT
    bucket_id, key, content_type, storage_class, headers, metadata, tags,
    CASE WHEN part_sizes IS NULL AND layout IS NULL THEN 1 ELSE 0 END, sequence
FROM objects WHERE version_id = :version_id AND is_delete_marker = 0
UNION ALL
SELECT
    bucket_id, key, content_type, storage_class, headers, metadata, tags,
    CASE WHEN part_sizes IS NULL AND layout IS NULL THEN 1 ELSE 0 END, sequence
FROM noncurrent_versions WHERE version_id = :version_id AND is_delete_marker = 0
LIMIT 1;

-- name: find_bucket_name
SELECT name FROM buckets WHERE id = :bucket_id;

-- name: list_locations
SELECT
    blob, backend_name, storage_key, backend_version, stored_bytes,
    stored_digest, origin, created_at, verified_at, state, backend_etag
FROM object_locations
WHERE version_id = :version_id
ORDER BY blob, created_at, backend_name;

-- name: list_blob_locations
SELECT
    blob, backend_name, storage_key, backend_version, stored_bytes,
    stored_digest, origin, created_at, verified_at, state, backend_etag
FROM object_locations
WHERE version_id = :version_id AND blob = :blob
ORDER BY created_at, backend_name;

-- name: find_lowest_blob
SELECT MIN(blob) FROM object_locations WHERE version_id = :version_id;

-- name: take_location
DELETE FROM object_locations
WHERE version_id = :version_id AND blob = :blob AND backend_name = :backend_name
RETURNING
    blob, backend_name, storage_key, backend_version, stored_bytes,
    stored_digest, origin, created_at, verified_at, state, backend_etag;

-- name: mark_location
-- An observation that is older than a proof says nothing; but no proof is of a time far
-- ahead: that clock was wrong.
UPDATE object_locations SET state = :state, verified_at = NULL
WHERE version_id = :version_id AND blob = :blob AND backend_name = :backend_name
AND storage_key = :storage_key
AND (
    verified_at IS NULL OR verified_at <= :now_us OR verified_at > :far_ahead_us
);

-- name: verify_location
UPDATE object_locations SET
    state = 'live', verified_at = :now_us,
    stored_digest = COALESCE(stored_digest, :stored_md5)
WHERE version_id = :version_id AND blob = :blob AND backend_name = :backend_name
AND storage_key = :storage_key
AND (stored_digest IS NULL OR stored_digest = :stored_md5);

-- name: list_copies_by_backend
SELECT
    l.storage_key, l.version_id, COALESCE(o.bucket_id, n.bucket_id), b.name,
    COALESCE(o.key, n.key),
    l.blob, l.backend_name, l.storage_key, l.backend_version, l.stored_bytes,
    l.stored_digest, l.origin, l.created_at, l.verified_at, l.state, l.backend_etag
FROM object_locations AS l
LEFT JOIN objects AS o ON o.version_id = l.version_id
LEFT JOIN noncurrent_versions AS n ON n.version_id = l.version_id
LEFT JOIN buckets AS b ON b.id = COALESCE(o.bucket_id, n.bucket_id)
WHERE l.backend_name = :backend_name AND l.storage_key > :after
ORDER BY l.storage_key
LIMIT :max_rows;

-- name: note_copy_upload
-- The backend's own id: whoever drops the intent has the upload aborted.
UPDATE pending_objects SET upload_id = :backend_upload_id
WHERE storage_key = :storage_key AND kind = 'copy';

-- name: find_window_end
-- The version at which a look at a bounded number of locations ends.
SELECT version_id FROM object_locations
WHERE version_id > :after
ORDER BY version_id
LIMIT 1 OFFSET :max_rows;

-- name: list_thin_blobs
-- Blobs with fewer good copies than wanted. :counted names the backends whose copies
-- count, each between slashes, which no name holds.
SELECT version_id, blob FROM object_locations
WHERE (version_id, blob) > (:after, CAST(:after_blob AS BIGINT))
AND version_id <= :until
GROUP BY version_id, blob
HAVING SUM(
    CASE WHEN state = 'live' AND verified_at IS NOT NULL
    AND REPLACE(CAST(:counted AS TEXT), '/' || backend_name || '/', '')
        <> CAST(:counted AS TEXT)
    THEN 1 ELSE 0 END
) < :factor
ORDER BY version_id, blob
LIMIT :max_rows;

-- name: list_surplus_blobs
-- Blobs with more locations than wanted; quarantined ones are kept for a person.
SELECT version_id, blob FROM object_locations
WHERE (version_id, blob) > (:after, CAST(:after_blob AS BIGINT))
AND version_id <= :until AND state <> 'quarantined'
GROUP BY version_id, blob
HAVING COUNT(*) > :factor
ORDER BY version_id, blob
LIMIT :max_rows;
