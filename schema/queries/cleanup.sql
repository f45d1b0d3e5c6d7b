-- name: enqueue_cleanup
INSERT INTO cleanup_queue (
    backend_name, bucket_id, object_key, storage_key, backend_version, backend_etag,
    origin, reason, size_bytes, is_ambiguous, repeats_left, next_retry, created_at
) VALUES (
    :backend_name, :bucket_id, :key, :storage_key, :backend_version, :backend_etag,
    :origin, :reason, :size_bytes, :is_ambiguous, :repeats_left, :next_us, :now_us
);
