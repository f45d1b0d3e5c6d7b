-- name: find_kept_object
-- A version by its id, current or not, as find_version has it.
SELECT
    bucket_id, key,
    version_id, sequence, size, etag, created_at,
    content_type, storage_class, headers, metadata, tags,
    checksum_algorithm, checksum_type, checksum_value, content_hash,
    part_sizes, layout, part_checksums
FROM objects WHERE version_id = :version_id AND is_delete_marker = 0
UNION ALL
SELECT
    bucket_id, key,
    version_id, sequence, size, etag, created_at,
    content_type, storage_class, headers, metadata, tags,
    checksum_algorithm, checksum_type, checksum_value, content_hash,
    part_sizes, layout, part_checksums
FROM noncurrent_versions WHERE version_id = :version_id AND is_delete_marker = 0
LIMIT 1;

-- name: check_versions
-- Every current version, with how many of its blobs have a location.
SELECT
    bucket_id, key,
    version_id, sequence, size, etag, created_at,
    content_type, storage_class, headers, metadata, tags,
    checksum_algorithm, checksum_type, checksum_value, content_hash,
    part_sizes, layout, part_checksums,
    (
        SELECT COUNT(DISTINCT l.blob) FROM object_locations AS l
        WHERE l.version_id = objects.version_id
    )
FROM objects
WHERE (bucket_id, key) > (:after_bucket_id, :after_key) AND is_delete_marker = 0
ORDER BY bucket_id, key
LIMIT :max_rows;

-- name: check_names
-- What should lie on one backend, in byte order: bytes of versions, parts of uploads
-- under way, backups of the ledger. others: good copies of the same bytes elsewhere.
SELECT
    l.storage_key, 'object', l.stored_bytes, l.backend_etag, l.state, l.version_id,
    b.name, COALESCE(o.key, n.key), (
        SELECT COUNT(*) FROM object_locations AS c
        WHERE c.version_id = l.version_id AND c.blob = l.blob
        AND c.backend_name <> l.backend_name AND c.state = 'live'
    )
FROM object_locations AS l
LEFT JOIN objects AS o ON o.version_id = l.version_id
LEFT JOIN noncurrent_versions AS n ON n.version_id = l.version_id
LEFT JOIN buckets AS b ON b.id = COALESCE(o.bucket_id, n.bucket_id)
WHERE l.backend_name = :backend_name AND l.storage_key > :after
UNION ALL
SELECT
    p.storage_key, 'part', p.stored_bytes, p.backend_etag, 'live', NULL,
    b.name, u.object_key, 0
FROM multipart_parts AS p
JOIN multipart_uploads AS u ON u.upload_id = p.upload_id
LEFT JOIN buckets AS b ON b.id = u.bucket_id
WHERE p.backend_name = :backend_name AND p.storage_key > :after AND p.is_native = 0
UNION ALL
SELECT storage_key, 'backup', stored_bytes, NULL, 'live', NULL, NULL, NULL, 0
FROM ledger_backups
WHERE backend_name = :backend_name AND storage_key > :after AND state = 'whole'
ORDER BY 1
LIMIT :max_rows;

-- name: count_locations
SELECT backend_name, COUNT(*) FROM object_locations
GROUP BY backend_name ORDER BY backend_name;

-- name: list_suspects
-- Blobs with a copy that wants repair.
SELECT DISTINCT version_id, blob FROM object_locations
WHERE state = 'suspect' AND (version_id, blob) > (:after_version_id, :after_blob)
ORDER BY version_id, blob
LIMIT :max_rows;

-- name: count_copies_by_state
SELECT state, COUNT(*), MIN(COALESCE(verified_at, created_at))
FROM object_locations GROUP BY state ORDER BY state;

-- name: put_content_hash
UPDATE objects SET content_hash = :sha256
WHERE bucket_id = :bucket_id AND key = :key AND version_id = :version_id
AND content_hash IS NULL;

-- name: list_unhashed
SELECT bucket_id, key, version_id FROM objects
WHERE content_hash IS NULL AND is_delete_marker = 0
AND (bucket_id, key) > (:after_bucket_id, :after_key)
ORDER BY bucket_id, key
LIMIT :max_rows;
