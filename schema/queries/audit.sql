-- name: audit_quotas
-- What the rows sum up to, beside what backend_quotas says.
SELECT
    q.backend_name,
    q.bytes_used, COALESCE(l.bytes, 0) + COALESCE(b.whole, 0),
    q.bytes_reserved,
    COALESCE(p.bytes, 0) + COALESCE(m.bytes, 0) + COALESCE(b.unfinished, 0),
    q.orphan_bytes, COALESCE(c.bytes, 0) + COALESCE(d.bytes, 0),
    q.object_count, COALESCE(l.objects, 0)
FROM (
    SELECT
        backend_name, CAST(SUM(bytes_used) AS BIGINT) AS bytes_used,
        CAST(SUM(bytes_reserved) AS BIGINT) AS bytes_reserved,
        CAST(SUM(orphan_bytes) AS BIGINT) AS orphan_bytes,
        CAST(SUM(object_count) AS BIGINT) AS object_count
    FROM backend_quotas GROUP BY backend_name
) AS q
LEFT JOIN (
    SELECT
        backend_name, CAST(SUM(stored_bytes) AS BIGINT) AS bytes,
        CAST(SUM(CASE WHEN blob = (
            SELECT MIN(f.blob) FROM object_locations AS f
            WHERE f.version_id = a.version_id
        ) THEN 1 ELSE 0 END) AS BIGINT) AS objects
    FROM object_locations AS a GROUP BY backend_name
) AS l ON l.backend_name = q.backend_name
LEFT JOIN (
    SELECT backend_name, CAST(SUM(stored_bytes) AS BIGINT) AS bytes
    FROM pending_objects GROUP BY backend_name
) AS p ON p.backend_name = q.backend_name
LEFT JOIN (
    SELECT backend_name, CAST(SUM(stored_bytes) AS BIGINT) AS bytes
    FROM multipart_parts GROUP BY backend_name
) AS m ON m.backend_name = q.backend_name
LEFT JOIN (
    SELECT backend_name, CAST(SUM(size_bytes) AS BIGINT) AS bytes
    FROM cleanup_queue GROUP BY backend_name
) AS c ON c.backend_name = q.backend_name
LEFT JOIN (
    SELECT backend_name, CAST(SUM(size_bytes) AS BIGINT) AS bytes
    FROM cleanup_dlq GROUP BY backend_name
) AS d ON d.backend_name = q.backend_name
LEFT JOIN (
    SELECT
        backend_name,
        CAST(SUM(CASE state WHEN 'whole' THEN stored_bytes ELSE 0 END) AS BIGINT)
            AS whole,
        CAST(SUM(CASE state WHEN 'whole' THEN 0 ELSE stored_bytes END) AS BIGINT)
            AS unfinished
    FROM ledger_backups GROUP BY backend_name
) AS b ON b.backend_name = q.backend_name
ORDER BY q.backend_name;

-- name: audit_unknown_backends
SELECT 'object_locations', storage_key FROM object_locations
WHERE backend_name NOT IN (SELECT backend_name FROM backend_quotas)
UNION ALL
SELECT 'pending_objects', storage_key FROM pending_objects
WHERE backend_name NOT IN (SELECT backend_name FROM backend_quotas)
UNION ALL
SELECT 'multipart_uploads', upload_id FROM multipart_uploads
WHERE backend_name NOT IN (SELECT backend_name FROM backend_quotas)
UNION ALL
SELECT 'multipart_parts', storage_key FROM multipart_parts
WHERE backend_name NOT IN (SELECT backend_name FROM backend_quotas)
UNION ALL
SELECT 'cleanup_queue', storage_key FROM cleanup_queue
WHERE backend_name NOT IN (SELECT backend_name FROM backend_quotas)
UNION ALL
SELECT 'cleanup_dlq', storage_key FROM cleanup_dlq
WHERE backend_name NOT IN (SELECT backend_name FROM backend_quotas)
UNION ALL
SELECT 'ledger_backups', storage_key FROM ledger_backups
WHERE backend_name NOT IN (SELECT backend_name FROM backend_quotas)
LIMIT 100;

-- name: audit_objects_without_bytes
SELECT bucket_id, key FROM objects
WHERE is_delete_marker = 0
AND version_id NOT IN (SELECT version_id FROM object_locations)
LIMIT 100;

-- name: audit_locations_without_object
SELECT backend_name, storage_key FROM object_locations
WHERE version_id NOT IN (SELECT version_id FROM objects)
AND version_id NOT IN (SELECT version_id FROM noncurrent_versions)
LIMIT 100;

-- name: audit_unknown_buckets
SELECT 'objects', key FROM objects
WHERE bucket_id NOT IN (SELECT id FROM buckets)
UNION ALL
SELECT 'pending_objects', object_key FROM pending_objects
WHERE bucket_id NOT IN (SELECT id FROM buckets)
UNION ALL
SELECT 'multipart_uploads', upload_id FROM multipart_uploads
WHERE state IN ('opening', 'open', 'completing')
AND bucket_id NOT IN (SELECT id FROM buckets)
LIMIT 100;

-- name: audit_shared_names
-- A name has one purpose: bytes of a version, an announced write, or to be deleted. The
-- upload that a backend had under a name is a thing of its own beside a blob of it.
SELECT backend_name, storage_key FROM (
    SELECT backend_name, storage_key, '' AS backend_upload_id FROM object_locations
    UNION ALL
    SELECT backend_name, storage_key, '' FROM pending_objects WHERE kind <> 'complete'
    UNION ALL
    SELECT backend_name, storage_key, '' FROM multipart_parts WHERE is_native = 0
    UNION ALL
    SELECT backend_name, storage_key, COALESCE(backend_upload_id, '')
    FROM multipart_uploads
    WHERE storage_key IS NOT NULL AND state IN ('opening', 'open', 'completing')
    UNION ALL
    SELECT backend_name, storage_key, COALESCE(backend_upload_id, '')
    FROM cleanup_queue
    UNION ALL
    SELECT backend_name, storage_key, COALESCE(backend_upload_id, '') FROM cleanup_dlq
    UNION ALL
    SELECT backend_name, storage_key, '' FROM ledger_backups
) AS names
GROUP BY backend_name, storage_key, backend_upload_id
HAVING COUNT(*) > 1
LIMIT 100;

-- name: audit_parts_without_upload
-- Parts and announced attempts hold reservations that only their upload gives back.
SELECT upload_id, storage_key FROM multipart_parts
WHERE upload_id NOT IN (
    SELECT upload_id FROM multipart_uploads
    WHERE state IN ('opening', 'open', 'completing')
)
UNION ALL
SELECT upload_id, storage_key FROM pending_objects
WHERE kind IN ('part', 'complete') AND (upload_id IS NULL OR upload_id NOT IN (
    SELECT upload_id FROM multipart_uploads
    WHERE state IN ('opening', 'open', 'completing')
))
UNION ALL
SELECT p.upload_id, p.storage_key FROM multipart_parts AS p
JOIN multipart_uploads AS u ON u.upload_id = p.upload_id
WHERE p.is_native = 1 AND (
    p.blob <> 0 OR u.backend_upload_id IS NULL OR p.storage_key <> u.storage_key
    OR p.backend_name <> u.backend_name
)
LIMIT 100;

-- name: audit_completions
-- Completing, its manifest and its intent come and go together.
SELECT u.upload_id, u.state FROM multipart_uploads AS u
LEFT JOIN pending_objects AS p ON p.upload_id = u.upload_id AND p.kind = 'complete'
WHERE (u.state = 'completing') <> (p.storage_key IS NOT NULL)
OR (u.state = 'completing' AND u.manifest IS NULL)
OR (u.state IN ('opening', 'open') AND u.manifest IS NOT NULL)
LIMIT 100;

-- name: audit_impossible_rows
SELECT 'objects', key FROM objects WHERE size < 0 OR sequence < 0 OR created_at < 0
UNION ALL
SELECT 'object_locations', storage_key FROM object_locations
WHERE stored_bytes < 0 OR blob < 0 OR created_at < 0
UNION ALL
SELECT 'pending_objects', storage_key FROM pending_objects
WHERE stored_bytes < 0 OR size < 0 OR sequence < 0
UNION ALL
SELECT 'multipart_parts', storage_key FROM multipart_parts
WHERE stored_bytes < 0 OR size < 0 OR blob < 0 OR part_number < 1 OR attempt < 1
UNION ALL
SELECT 'backend_quotas', backend_name FROM backend_quotas
GROUP BY backend_name
HAVING SUM(bytes_used) < 0 OR SUM(bytes_reserved) < 0 OR SUM(orphan_bytes) < 0
LIMIT 100;

-- name: audit_sequences
-- Each draw is unique, so a version and a tombstone of one key never share one.
SELECT o.bucket_id, o.key FROM objects AS o
JOIN tombstones AS t ON t.bucket_id = o.bucket_id AND t.key = o.key
WHERE t.sequence >= o.sequence
LIMIT 100;
