-- name: insert_upload
INSERT INTO multipart_uploads (
    upload_id, state, bucket_id, object_key, version_id, content_type, storage_class,
    headers, metadata, tags, checksum_algorithm, checksum_type, initiator,
    created_at, active_at
) VALUES (
    :upload_id, 'open', :bucket_id, :key, :version_id, :content_type, :storage_class,
    :headers, :metadata, :tags, :checksum_algorithm, :checksum_type, :initiator,
    :now_us, :now_us
);

-- name: count_bucket_uploads
-- Counts no further than the limit that is asked about.
SELECT COUNT(*) FROM (
    SELECT 1 FROM multipart_uploads
    WHERE bucket_id = :bucket_id AND state IN ('opening', 'open', 'completing')
    LIMIT :max_rows
) AS uploads;

-- name: find_upload
SELECT
    upload_id, bucket_id, object_key, version_id, state, backend_name, storage_key,
    backend_upload_id, content_type, storage_class, headers, metadata, tags,
    checksum_algorithm, checksum_type, native_part_size, manifest, initiator,
    created_at, active_at
FROM multipart_uploads WHERE upload_id = :upload_id;

-- name: hold_upload
-- The same, for a transaction that changes the upload or its parts.
SELECT
    upload_id, bucket_id, object_key, version_id, state, backend_name, storage_key,
    backend_upload_id, content_type, storage_class, headers, metadata, tags,
    checksum_algorithm, checksum_type, native_part_size, manifest, initiator,
    created_at, active_at
FROM multipart_uploads WHERE upload_id = :upload_id;
-- engine: postgres
SELECT
    upload_id, bucket_id, object_key, version_id, state, backend_name, storage_key,
    backend_upload_id, content_type, storage_class, headers, metadata, tags,
    checksum_algorithm, checksum_type, native_part_size, manifest, initiator,
    created_at, active_at
FROM multipart_uploads WHERE upload_id = :upload_id FOR UPDATE;

-- name: bind_upload
UPDATE multipart_uploads SET
    state = 'opening', backend_name = :backend_name, storage_key = :storage_key
WHERE upload_id = :upload_id AND state = 'open' AND backend_name IS NULL
AND NOT EXISTS (SELECT 1 FROM backend_drains AS d WHERE d.backend_name = :backend_name);

-- name: open_native_upload
UPDATE multipart_uploads SET state = 'open', backend_upload_id = :backend_upload_id
WHERE upload_id = :upload_id AND state = 'opening';

-- name: touch_upload
UPDATE multipart_uploads SET active_at = :now_us WHERE upload_id = :upload_id;

-- name: draw_blob
UPDATE multipart_uploads SET next_blob = next_blob + 1
WHERE upload_id = :upload_id
RETURNING next_blob - 1;

-- name: note_native_part_size
UPDATE multipart_uploads SET native_part_size = :stored_bytes
WHERE upload_id = :upload_id AND native_part_size IS NULL;

-- name: insert_part_intent
INSERT INTO pending_objects (
    storage_key, kind, backend_name, bucket_id, object_key, version_id, sequence,
    blob, size, stored_bytes, content_type, storage_class, upload_id, part_number,
    owner, created_at
) VALUES (
    :storage_key, 'part', :backend_name, :bucket_id, :key, :version_id, :sequence,
    :blob, :size, :stored_bytes, :content_type, :storage_class, :upload_id,
    :part_number, :owner, :now_us
);

-- name: find_native_use
-- Whether a number was ever sent into the backend's own upload.
SELECT 1 FROM pending_objects WHERE storage_key = :storage_key
UNION ALL
SELECT 1 FROM multipart_parts
WHERE upload_id = :upload_id AND part_number = :part_number AND is_native = 1
LIMIT 1;

-- name: find_intent
SELECT
    storage_key, kind, backend_name, bucket_id, object_key, version_id, sequence,
    blob, size, stored_bytes, conditions, content_type, storage_class,
    headers, metadata, tags, etag, checksum_algorithm, checksum_type, checksum_value,
    content_hash, stored_digest, part_sizes, layout,
    encryption_header, wrapped_key, key_id, owner, heartbeat, created_at,
    part_checksums, upload_id, part_number, pinned_blobs
FROM pending_objects WHERE storage_key = :storage_key;

-- name: insert_part
INSERT INTO multipart_parts (
    upload_id, part_number, attempt, is_native, blob, backend_name, storage_key,
    backend_version, backend_etag, size, stored_bytes, etag, checksum_algorithm,
    checksum_value, stored_digest, created_at
) VALUES (
    :upload_id, :part_number, :attempt, :is_native, :blob, :backend_name, :storage_key,
    :backend_version, :backend_etag, :size, :stored_bytes, :etag, :checksum_algorithm,
    :checksum_value, :stored_digest, :now_us
);

-- name: last_attempt
SELECT COALESCE(MAX(attempt), 0) FROM multipart_parts
WHERE upload_id = :upload_id AND part_number = :part_number;

-- name: take_superseded_parts
-- Attempts in blobs of their own; a native one stays as long as its upload.
DELETE FROM multipart_parts
WHERE upload_id = :upload_id AND part_number = :part_number AND is_native = 0
AND attempt < :attempt
RETURNING
    part_number, attempt, is_native, blob, backend_name, storage_key, backend_etag,
    backend_version, size, stored_bytes, stored_digest, etag, checksum_algorithm,
    checksum_value, created_at;

-- name: list_parts
-- The latest attempt of each number.
SELECT
    part_number, attempt, is_native, blob, backend_name, storage_key, backend_etag,
    backend_version, size, stored_bytes, stored_digest, etag, checksum_algorithm,
    checksum_value, created_at
FROM multipart_parts AS p
WHERE upload_id = :upload_id AND part_number > :after
AND attempt = (
    SELECT MAX(attempt) FROM multipart_parts AS m
    WHERE m.upload_id = p.upload_id AND m.part_number = p.part_number
)
ORDER BY part_number
LIMIT :max_rows;

-- name: list_attempts
SELECT
    part_number, attempt, is_native, blob, backend_name, storage_key, backend_etag,
    backend_version, size, stored_bytes, stored_digest, etag, checksum_algorithm,
    checksum_value, created_at
FROM multipart_parts
WHERE upload_id = :upload_id
ORDER BY part_number, attempt;

-- name: remove_attempt
DELETE FROM multipart_parts
WHERE upload_id = :upload_id AND part_number = :part_number AND attempt = :attempt;

-- name: remove_parts
DELETE FROM multipart_parts WHERE upload_id = :upload_id;

-- name: sum_parts
SELECT
    backend_name, is_native, CAST(SUM(stored_bytes) AS BIGINT),
    CAST(SUM(size) AS BIGINT)
FROM multipart_parts
WHERE upload_id = :upload_id
GROUP BY backend_name, is_native
ORDER BY backend_name, is_native;

-- name: queue_parts
-- Every blob of an ended upload; its own names, so each may be deleted.
INSERT INTO cleanup_queue (
    backend_name, bucket_id, object_key, storage_key, backend_version, reason,
    size_bytes, next_retry, created_at
)
SELECT
    p.backend_name, u.bucket_id, u.object_key, p.storage_key, p.backend_version,
    :reason, p.stored_bytes, :now_us, :now_us
FROM multipart_parts AS p JOIN multipart_uploads AS u ON u.upload_id = p.upload_id
WHERE p.upload_id = :upload_id AND p.is_native = 0
ORDER BY p.part_number, p.attempt;

-- name: locate_parts
-- Of a finished upload: what is left of its parts becomes the version's blobs.
INSERT INTO object_locations (
    version_id, blob, backend_name, storage_key, backend_version, backend_etag,
    stored_bytes, stored_digest, created_at
)
SELECT
    u.version_id, p.blob, p.backend_name, p.storage_key, p.backend_version,
    p.backend_etag, p.stored_bytes, p.stored_digest, :now_us
FROM multipart_parts AS p JOIN multipart_uploads AS u ON u.upload_id = p.upload_id
WHERE p.upload_id = :upload_id AND p.is_native = 0;

-- name: take_part_intents
DELETE FROM pending_objects WHERE upload_id = :upload_id AND kind = 'part'
RETURNING
    storage_key, kind, backend_name, bucket_id, object_key, version_id, sequence,
    blob, size, stored_bytes, conditions, content_type, storage_class,
    headers, metadata, tags, etag, checksum_algorithm, checksum_type, checksum_value,
    content_hash, stored_digest, part_sizes, layout,
    encryption_header, wrapped_key, key_id, owner, heartbeat, created_at,
    part_checksums, upload_id, part_number, pinned_blobs;

-- name: pin_manifest
UPDATE multipart_uploads SET
    state = 'completing', manifest = :manifest, active_at = :now_us
WHERE upload_id = :upload_id AND state IN ('opening', 'open');

-- name: insert_complete_intent
INSERT INTO pending_objects (
    storage_key, kind, backend_name, bucket_id, object_key, version_id, sequence,
    size, stored_bytes, conditions, content_type, storage_class, headers, metadata,
    tags, etag, checksum_algorithm, checksum_type, checksum_value, part_sizes, layout,
    part_checksums, upload_id, pinned_blobs, owner, created_at
)
SELECT
    :storage_key, 'complete', :backend_name, bucket_id, object_key, version_id,
    :sequence, :size, 0, :conditions, content_type, storage_class, headers, metadata,
    tags, :etag, :checksum_algorithm, :checksum_type, :checksum_value, :part_sizes,
    :layout, :part_checksums, upload_id, :pinned_blobs, :owner, :now_us
FROM multipart_uploads WHERE upload_id = :upload_id;

-- name: reopen_upload
-- Back to what it was: waiting for the backend's answer, or open.
UPDATE multipart_uploads SET
    manifest = NULL, active_at = :now_us,
    state = CASE
        WHEN backend_name IS NOT NULL AND backend_upload_id IS NULL THEN 'opening'
        ELSE 'open' END
WHERE upload_id = :upload_id AND state = 'completing';

-- name: end_upload
-- Compare-and-set on the state that was seen.
UPDATE multipart_uploads SET state = :state
WHERE upload_id = :upload_id AND state = :seen_state;

-- name: remove_unbound_upload
-- It never had a name on a backend, so no listing has to be waited for.
DELETE FROM multipart_uploads
WHERE upload_id = :upload_id AND backend_name IS NULL
AND state IN ('done', 'aborted');

-- name: insert_completed_upload
INSERT INTO completed_uploads (
    upload_id, bucket_id, object_key, version_id, etag, checksum_algorithm,
    checksum_type, checksum_value, manifest_digest, completed_at
) VALUES (
    :upload_id, :bucket_id, :key, :version_id, :etag, :checksum_algorithm,
    :checksum_type, :checksum_value, :manifest_digest, :now_us
);

-- name: find_completed_upload
SELECT
    version_id, etag, checksum_algorithm, checksum_type, checksum_value,
    manifest_digest, completed_at
FROM completed_uploads
WHERE upload_id = :upload_id AND bucket_id = :bucket_id AND object_key = :key;

-- name: expire_completed_uploads
DELETE FROM completed_uploads WHERE completed_at < :before_us;

-- name: stale_uploads
SELECT
    upload_id, bucket_id, object_key, version_id, state, backend_name, storage_key,
    backend_upload_id, content_type, storage_class, headers, metadata, tags,
    checksum_algorithm, checksum_type, native_part_size, manifest, initiator,
    created_at, active_at
FROM multipart_uploads
WHERE state IN ('opening', 'open')
AND (active_at < :before_us OR active_at > :after_us)
ORDER BY active_at, upload_id
LIMIT :max_rows;

-- name: find_upload_names
-- Under which of these names (a JSON list) the ledger has anything begun or to be ended.
SELECT n.value FROM json_each(:names) AS n
WHERE n.value IN (
    SELECT storage_key FROM multipart_uploads
    WHERE backend_name = :backend_name AND storage_key IS NOT NULL
    UNION ALL
    SELECT storage_key FROM cleanup_queue WHERE backend_name = :backend_name
    UNION ALL
    SELECT storage_key FROM cleanup_dlq WHERE backend_name = :backend_name
)
OR EXISTS (SELECT 1 FROM pending_objects AS p WHERE p.storage_key = n.value);
-- engine: postgres
SELECT n.value FROM jsonb_array_elements_text(CAST(:names AS JSONB)) AS n (value)
WHERE n.value IN (
    SELECT storage_key FROM multipart_uploads
    WHERE backend_name = :backend_name AND storage_key IS NOT NULL
    UNION ALL
    SELECT storage_key FROM cleanup_queue WHERE backend_name = :backend_name
    UNION ALL
    SELECT storage_key FROM cleanup_dlq WHERE backend_name = :backend_name
)
OR EXISTS (SELECT 1 FROM pending_objects AS p WHERE p.storage_key = n.value);

-- name: finished_native_uploads
-- Positive evidence: a native upload under such a name serves nobody.
SELECT
    upload_id, bucket_id, object_key, version_id, state, backend_name, storage_key,
    backend_upload_id, content_type, storage_class, headers, metadata, tags,
    checksum_algorithm, checksum_type, native_part_size, manifest, initiator,
    created_at, active_at
FROM multipart_uploads
WHERE backend_name = :backend_name AND upload_id > :after
AND state IN ('opening', 'aborted', 'done')
ORDER BY upload_id
LIMIT :max_rows;

-- name: forget_upload
DELETE FROM multipart_uploads
WHERE upload_id = :upload_id AND state IN ('done', 'aborted');

-- name: list_bucket_uploads
SELECT upload_id, object_key FROM multipart_uploads
WHERE bucket_id = :bucket_id AND state IN ('opening', 'open', 'completing')
ORDER BY object_key, upload_id;

-- name: list_bucket_intents
SELECT storage_key FROM pending_objects
WHERE bucket_id = :bucket_id
ORDER BY storage_key;

-- name: list_uploads
-- One range of the index; ids of one key are in order of initiation.
SELECT
    upload_id, bucket_id, object_key, version_id, state, backend_name, storage_key,
    backend_upload_id, content_type, storage_class, headers, metadata, tags,
    checksum_algorithm, checksum_type, native_part_size, manifest, initiator,
    created_at, active_at
FROM multipart_uploads
WHERE bucket_id = :bucket_id AND object_key < :before_key
AND (object_key, upload_id) > (:from_key, :from_upload)
AND state IN ('opening', 'open', 'completing')
ORDER BY object_key, upload_id
LIMIT :max_rows;
