-- name: enqueue_cleanup
INSERT INTO cleanup_queue (
    backend_name, bucket_id, object_key, storage_key, backend_version, backend_etag,
    backend_upload_id, origin, reason, size_bytes, is_ambiguous, repeats_left,
    next_retry, created_at
) VALUES (
    :backend_name, :bucket_id, :key, :storage_key, :backend_version, :backend_etag,
    :backend_upload_id, :origin, :reason, :size_bytes, :is_ambiguous, :repeats_left,
    :next_us, :now_us
);

-- name: due_cleanups
-- Per backend, so that the queue of one that is down does not hide the others'.
SELECT
    id, backend_name, bucket_id, object_key, storage_key, backend_version,
    backend_etag, origin, reason, size_bytes, is_ambiguous, repeats_left, attempts,
    last_error, next_retry, created_at, backend_upload_id
FROM cleanup_queue
WHERE backend_name = :backend_name AND next_retry <= :now_us
ORDER BY next_retry, id
LIMIT :max_rows;

-- name: find_stranded
-- Whether a row waits for longer than any row has to.
SELECT id FROM cleanup_queue
WHERE backend_name = :backend_name AND next_retry > :longest_us
LIMIT 1;

-- name: recall_stranded
-- What was not tried yet is due now, the rest after the longest wait there is.
UPDATE cleanup_queue SET next_retry = CASE
    WHEN attempts = 0 AND (is_ambiguous = 0 OR repeats_left = :repeats)
    THEN CAST(:now_us AS BIGINT) ELSE CAST(:wait_until_us AS BIGINT) END
WHERE backend_name = :backend_name AND next_retry > :longest_us;

-- name: find_cleanup
SELECT backend_name, size_bytes, repeats_left, is_ambiguous
FROM cleanup_queue WHERE id = :id;

-- name: remove_cleanup
DELETE FROM cleanup_queue WHERE id = :id;

-- name: repeat_cleanup
UPDATE cleanup_queue SET
    repeats_left = repeats_left - 1, attempts = 0, last_error = NULL,
    next_retry = :next_us
WHERE id = :id;

-- name: retry_cleanup
UPDATE cleanup_queue SET
    attempts = attempts + 1, last_error = :error, next_retry = :next_us
WHERE id = :id;

-- name: bury_cleanup
-- The bytes are still there, so they stay orphan bytes.
INSERT INTO cleanup_dlq (
    original_id, backend_name, bucket_id, object_key, storage_key, backend_version,
    backend_etag, backend_upload_id, origin, reason, size_bytes, is_ambiguous,
    attempts, last_error, first_enqueued_at, moved_at
)
SELECT
    id, backend_name, bucket_id, object_key, storage_key, backend_version,
    backend_etag, backend_upload_id, origin, reason, size_bytes, is_ambiguous,
    attempts + 1, :error, created_at, :now_us
FROM cleanup_queue WHERE id = :id;

-- name: count_rows
SELECT
    (SELECT COUNT(*) FROM cleanup_queue),
    (SELECT COUNT(*) FROM cleanup_dlq),
    (SELECT COUNT(*) FROM pending_objects);

-- name: list_dead_letters
SELECT
    id, original_id, backend_name, bucket_id, object_key, storage_key, reason,
    size_bytes, attempts, last_error, first_enqueued_at, moved_at, backend_upload_id
FROM cleanup_dlq
WHERE id > :after
ORDER BY id
LIMIT :max_rows;

-- name: find_dead_letter
SELECT backend_name, size_bytes FROM cleanup_dlq WHERE id = :id;

-- name: remove_dead_letter
DELETE FROM cleanup_dlq WHERE id = :id;

-- name: revive_dead_letter
INSERT INTO cleanup_queue (
    backend_name, bucket_id, object_key, storage_key, backend_version, backend_etag,
    backend_upload_id, origin, reason, size_bytes, is_ambiguous, repeats_left,
    last_error, next_retry, created_at
)
SELECT
    backend_name, bucket_id, object_key, storage_key, backend_version, backend_etag,
    backend_upload_id, origin, reason, size_bytes, is_ambiguous,
    CASE WHEN is_ambiguous = 0 THEN 0 ELSE CAST(:repeats AS BIGINT) END, last_error,
    :now_us, first_enqueued_at
FROM cleanup_dlq WHERE id = :id;
