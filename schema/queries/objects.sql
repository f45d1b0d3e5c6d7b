-- name: lock_key
-- Before every draw of a sequence, also where no row exists. SQLite has one writer.
-- engine: sqlite
-- engine: postgres
SELECT pg_advisory_xact_lock(
    hashtextextended(CAST(:bucket_id AS TEXT) || '/' || CAST(:key AS TEXT), 0)
);

-- name: next_sequence
-- engine: sqlite
UPDATE ledger_sequence SET value = value + 1 WHERE id = 1 RETURNING value;
-- engine: postgres
SELECT nextval('ledger_sequence');

-- name: find_object
-- One row per location; a version without any has one row of NULLs on the right. What
-- grows with the parts stands in the rows of the first blob only: an object of ten
-- thousand blobs would else be read as their square.
SELECT
    o.version_id, o.sequence, o.size, o.etag, o.created_at,
    o.content_type, o.storage_class, o.headers, o.metadata, o.tags,
    o.checksum_algorithm, o.checksum_type, o.checksum_value, o.content_hash,
    CASE WHEN l.blob IS NULL OR l.blob = o.first_blob THEN o.part_sizes END,
    CASE WHEN l.blob IS NULL OR l.blob = o.first_blob THEN o.layout END,
    CASE WHEN l.blob IS NULL OR l.blob = o.first_blob THEN o.part_checksums END,
    l.blob, l.backend_name, l.storage_key, l.backend_version, l.stored_bytes,
    l.stored_digest, l.origin, l.created_at, l.verified_at, l.state, l.backend_etag
FROM (
    SELECT
        *, (
            SELECT MIN(f.blob) FROM object_locations AS f
            WHERE f.version_id = objects.version_id
        ) AS first_blob
    FROM objects
    WHERE bucket_id = :bucket_id AND key = :key AND is_delete_marker = 0
) AS o LEFT JOIN object_locations AS l ON l.version_id = o.version_id
ORDER BY l.blob, l.created_at, l.backend_name
LIMIT :max_rows;

-- name: find_version
SELECT
    version_id, sequence, size, etag, created_at,
    content_type, storage_class, headers, metadata, tags,
    checksum_algorithm, checksum_type, checksum_value, content_hash,
    part_sizes, layout, part_checksums
FROM objects
WHERE bucket_id = :bucket_id AND key = :key AND is_delete_marker = 0;

-- name: find_current
-- What a write needs to know of the row that it would replace.
SELECT version_id, sequence, size, etag, created_at
FROM objects
WHERE bucket_id = :bucket_id AND key = :key AND is_delete_marker = 0;

-- name: find_tombstone
SELECT sequence FROM tombstones WHERE bucket_id = :bucket_id AND key = :key;

-- name: put_object
INSERT INTO objects (
    bucket_id, key, version_id, sequence, size, etag, created_at,
    content_type, storage_class, headers, metadata, tags,
    checksum_algorithm, checksum_type, checksum_value, content_hash,
    part_sizes, layout, part_checksums, encryption_header, wrapped_key, key_id
) VALUES (
    :bucket_id, :key, :version_id, :sequence, :size, :etag, :now_us,
    :content_type, :storage_class, :headers, :metadata, :tags,
    :checksum_algorithm, :checksum_type, :checksum_value, :content_hash,
    :part_sizes, :layout, :part_checksums, :encryption_header, :wrapped_key, :key_id
)
ON CONFLICT (bucket_id, key) DO UPDATE SET
    version_id = excluded.version_id, sequence = excluded.sequence,
    is_delete_marker = 0, size = excluded.size, etag = excluded.etag,
    created_at = excluded.created_at, content_type = excluded.content_type,
    storage_class = excluded.storage_class, headers = excluded.headers,
    metadata = excluded.metadata, tags = excluded.tags,
    checksum_algorithm = excluded.checksum_algorithm,
    checksum_type = excluded.checksum_type,
    checksum_value = excluded.checksum_value,
    content_hash = excluded.content_hash, part_sizes = excluded.part_sizes,
    layout = excluded.layout, part_checksums = excluded.part_checksums,
    encryption_header = excluded.encryption_header,
    wrapped_key = excluded.wrapped_key, key_id = excluded.key_id;

-- name: put_tags
UPDATE objects SET tags = :tags
WHERE bucket_id = :bucket_id AND key = :key AND is_delete_marker = 0;

-- name: delete_object
DELETE FROM objects WHERE bucket_id = :bucket_id AND key = :key;

-- name: put_tombstone
-- Never older than the counted clock, which decides when it has lived long enough.
INSERT INTO tombstones (bucket_id, key, sequence, created_at)
VALUES (
    :bucket_id, :key, :sequence,
    COALESCE(
        (
            SELECT CAST(value AS BIGINT) FROM meta
            WHERE name = 'counted_us' AND CAST(value AS BIGINT) > :now_us
        ),
        :now_us
    )
)
ON CONFLICT (bucket_id, key) DO UPDATE SET
    sequence = excluded.sequence, created_at = excluded.created_at;

-- name: list_expired_tombstones
-- A tombstone outlives its age while any bytes of its key may still come back.
SELECT t.bucket_id, t.key FROM tombstones AS t
WHERE t.created_at < :before_us
AND (t.bucket_id, t.key) > (:after_bucket_id, :after_key)
AND (t.bucket_id, t.key) NOT IN (SELECT bucket_id, object_key FROM cleanup_queue)
AND (t.bucket_id, t.key) NOT IN (SELECT bucket_id, object_key FROM cleanup_dlq)
AND (t.bucket_id, t.key) NOT IN (SELECT bucket_id, object_key FROM pending_objects)
AND NOT EXISTS (
    SELECT 1 FROM objects AS o
    JOIN object_locations AS l ON l.version_id = o.version_id
    WHERE o.bucket_id = t.bucket_id AND o.key = t.key AND l.origin = 'imported'
)
AND NOT EXISTS (
    SELECT 1 FROM noncurrent_versions AS n
    JOIN object_locations AS l ON l.version_id = n.version_id
    WHERE n.bucket_id = t.bucket_id AND n.key = t.key AND l.origin = 'imported'
)
ORDER BY t.bucket_id, t.key
LIMIT :max_rows;

-- name: delete_tombstone
-- A newer delete of the key has renewed it.
DELETE FROM tombstones
WHERE bucket_id = :bucket_id AND key = :key AND created_at < :before_us;

-- name: insert_location
INSERT INTO object_locations (
    version_id, blob, backend_name, storage_key, backend_version, backend_etag,
    stored_bytes, stored_digest, created_at, verified_at
) VALUES (
    :version_id, :blob, :backend_name, :storage_key, :backend_version, :backend_etag,
    :stored_bytes, :stored_digest, :now_us, :verified_us
);

-- name: take_locations
-- The locations leave the version; the caller queues their bytes.
DELETE FROM object_locations WHERE version_id = :version_id
RETURNING
    blob, backend_name, storage_key, backend_version, stored_bytes,
    stored_digest, origin, created_at, verified_at, state, backend_etag;

-- name: list_keys
-- One range of the primary key; :before_key is the prefix's successor.
SELECT
    key, version_id, sequence, size, etag, created_at, storage_class,
    checksum_algorithm, checksum_type, checksum_value
FROM objects
WHERE bucket_id = :bucket_id AND key >= :from_key AND key < :before_key
AND is_delete_marker = 0
ORDER BY key
LIMIT :max_rows;

-- name: list_keys_after
SELECT
    key, version_id, sequence, size, etag, created_at, storage_class,
    checksum_algorithm, checksum_type, checksum_value
FROM objects
WHERE bucket_id = :bucket_id AND key > :from_key AND key < :before_key
AND is_delete_marker = 0
ORDER BY key
LIMIT :max_rows;
