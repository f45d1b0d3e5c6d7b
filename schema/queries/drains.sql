-- name: begin_drain
INSERT INTO backend_drains (backend_name, state, started_at, updated_at)
VALUES (:backend_name, 'draining', :now_us, :now_us)
ON CONFLICT (backend_name) DO NOTHING;

-- name: list_drains
SELECT
    backend_name, state, is_purging, moved_objects, moved_bytes, last_error,
    started_at, updated_at
FROM backend_drains ORDER BY backend_name;

-- name: find_drain
SELECT
    backend_name, state, is_purging, moved_objects, moved_bytes, last_error,
    started_at, updated_at
FROM backend_drains WHERE backend_name = :backend_name;

-- name: change_drain
-- Compare-and-set on the state that was seen.
UPDATE backend_drains SET state = :state, last_error = NULL, updated_at = :now_us
WHERE backend_name = :backend_name AND state = :seen_state;

-- name: note_drain
UPDATE backend_drains SET
    moved_objects = moved_objects + :objects, moved_bytes = moved_bytes + :bytes,
    last_error = :error, updated_at = :now_us
WHERE backend_name = :backend_name;

-- name: end_drain
DELETE FROM backend_drains WHERE backend_name = :backend_name AND state = :seen_state;

-- name: lock_quota
-- Waits for whoever reserves on the backend now. SQLite has one writer.
-- engine: sqlite
-- engine: postgres
SELECT backend_name FROM backend_quotas
WHERE backend_name = :backend_name ORDER BY stripe FOR UPDATE;

-- name: count_remaining
-- Everything that still names the backend, by kind.
SELECT
    (SELECT COUNT(*) FROM object_locations WHERE backend_name = :backend_name),
    (
        SELECT CAST(COALESCE(SUM(stored_bytes), 0) AS BIGINT) FROM object_locations
        WHERE backend_name = :backend_name
    ),
    (SELECT COUNT(*) FROM pending_objects WHERE backend_name = :backend_name),
    (SELECT COUNT(*) FROM multipart_parts WHERE backend_name = :backend_name),
    (
        SELECT COUNT(*) FROM multipart_uploads WHERE backend_name = :backend_name
        AND state IN ('opening', 'open', 'completing')
    ),
    (
        SELECT COUNT(*) FROM multipart_uploads WHERE backend_name = :backend_name
        AND state IN ('done', 'aborted')
    ),
    (SELECT COUNT(*) FROM cleanup_queue WHERE backend_name = :backend_name),
    (SELECT COUNT(*) FROM cleanup_dlq WHERE backend_name = :backend_name),
    (SELECT COUNT(*) FROM ledger_backups WHERE backend_name = :backend_name);

-- name: find_remaining
-- Whether anything does.
SELECT 1 WHERE EXISTS (
    SELECT 1 FROM object_locations WHERE backend_name = :backend_name
) OR EXISTS (
    SELECT 1 FROM pending_objects WHERE backend_name = :backend_name
) OR EXISTS (
    SELECT 1 FROM multipart_parts WHERE backend_name = :backend_name
) OR EXISTS (
    SELECT 1 FROM multipart_uploads WHERE backend_name = :backend_name
) OR EXISTS (
    SELECT 1 FROM cleanup_queue WHERE backend_name = :backend_name
) OR EXISTS (
    SELECT 1 FROM cleanup_dlq WHERE backend_name = :backend_name
) OR EXISTS (
    SELECT 1 FROM ledger_backups WHERE backend_name = :backend_name
);
