-- name: begin_removal
-- From an ordinary or a drained backend, or once more (then with another purpose).
INSERT INTO backend_drains (
    backend_name, state, is_purging, started_at, updated_at
) VALUES (:backend_name, 'removing', :is_purging, :now_us, :now_us)
ON CONFLICT (backend_name) DO UPDATE SET
    state = 'removing', is_purging = excluded.is_purging, last_error = NULL,
    updated_at = excluded.updated_at
WHERE backend_drains.state IN ('drained', 'removing');

-- name: restore_drain
UPDATE backend_drains SET
    state = :state, is_purging = :is_purging, last_error = :error,
    updated_at = :now_us
WHERE backend_name = :backend_name AND state = 'removing';

-- name: preview_removal
-- Versions and bytes on the backend, and those that no other good copy is left of. A
-- copy on another backend that is being removed is none.
SELECT
    COUNT(DISTINCT version_id), CAST(COALESCE(SUM(stored_bytes), 0) AS BIGINT),
    COUNT(DISTINCT CASE WHEN is_alone = 1 THEN version_id END),
    CAST(COALESCE(SUM(is_alone * stored_bytes), 0) AS BIGINT)
FROM (
    SELECT
        a.version_id, a.stored_bytes,
        CASE WHEN EXISTS (
            SELECT 1 FROM object_locations AS o
            WHERE o.version_id = a.version_id AND o.blob = a.blob
            AND o.backend_name <> :backend_name AND o.state = 'live'
            AND o.verified_at IS NOT NULL
            AND o.backend_name NOT IN (
                SELECT d.backend_name FROM backend_drains AS d
                WHERE d.state IN ('removing', 'removed')
            )
        ) THEN 0 ELSE 1 END AS is_alone
    FROM object_locations AS a WHERE a.backend_name = :backend_name
) AS here;

-- name: take_stray_locations
-- Of versions that are gone; fsck would complain of them.
DELETE FROM object_locations
WHERE backend_name = :backend_name AND storage_key IN (
    SELECT l.storage_key FROM object_locations AS l
    WHERE l.backend_name = :backend_name
    AND NOT EXISTS (SELECT 1 FROM objects AS o WHERE o.version_id = l.version_id)
    AND NOT EXISTS (
        SELECT 1 FROM noncurrent_versions AS n WHERE n.version_id = l.version_id
    )
    ORDER BY l.storage_key LIMIT :max_rows
)
RETURNING stored_bytes;

-- name: list_uploads_on_backend
-- Under way, and bound to the backend or with parts on it.
SELECT upload_id FROM (
    SELECT upload_id FROM multipart_uploads
    WHERE backend_name = :backend_name AND state IN ('opening', 'open', 'completing')
    UNION
    SELECT upload_id FROM multipart_parts WHERE backend_name = :backend_name
) AS found
WHERE upload_id > :after
ORDER BY upload_id
LIMIT :max_rows;

-- name: list_backend_intents
SELECT storage_key FROM pending_objects
WHERE backend_name = :backend_name AND kind <> 'complete' AND storage_key > :after
ORDER BY storage_key
LIMIT :max_rows;

-- name: drop_cleanups
DELETE FROM cleanup_queue WHERE id IN (
    SELECT q.id FROM cleanup_queue AS q WHERE q.backend_name = :backend_name
    ORDER BY q.id LIMIT :max_rows
)
RETURNING size_bytes;

-- name: drop_dead_letters
DELETE FROM cleanup_dlq WHERE id IN (
    SELECT q.id FROM cleanup_dlq AS q WHERE q.backend_name = :backend_name
    ORDER BY q.id LIMIT :max_rows
)
RETURNING size_bytes;

-- name: list_backend_dead_letters
SELECT id FROM cleanup_dlq
WHERE backend_name = :backend_name ORDER BY id LIMIT :max_rows;

-- name: take_backend_backups
DELETE FROM ledger_backups
WHERE backend_name = :backend_name AND storage_key IN (
    SELECT b.storage_key FROM ledger_backups AS b WHERE b.backend_name = :backend_name
    ORDER BY b.storage_key LIMIT :max_rows
)
RETURNING state, stored_bytes;

-- name: forget_ended_uploads
DELETE FROM multipart_uploads WHERE upload_id IN (
    SELECT u.upload_id FROM multipart_uploads AS u
    WHERE u.backend_name = :backend_name AND u.state IN ('done', 'aborted')
    ORDER BY u.upload_id LIMIT :max_rows
);

-- name: remove_findings
DELETE FROM reconcile_findings WHERE backend_name = :backend_name;

-- name: remove_pins
DELETE FROM read_pins WHERE backend_name = :backend_name;

-- name: remove_usage
DELETE FROM backend_usage WHERE backend_name = :backend_name;

-- name: remove_quota
DELETE FROM backend_quotas WHERE backend_name = :backend_name;
