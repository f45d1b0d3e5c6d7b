-- name: forget_bucket_objects
DELETE FROM objects WHERE bucket_id = :bucket_id;

-- name: list_bucket_ids
SELECT id FROM buckets ORDER BY id;

-- name: forget_lost_versions
-- Locations whose version is gone.
DELETE FROM object_locations
WHERE version_id NOT IN (SELECT version_id FROM objects);

-- name: forget_locations
DELETE FROM object_locations WHERE version_id = :version_id;

-- name: forget_location
DELETE FROM object_locations
WHERE version_id = :version_id AND blob = :blob AND backend_name = :backend_name;

-- name: set_location_state
UPDATE object_locations SET state = :state
WHERE backend_name = :backend_name AND storage_key = :storage_key;

-- name: trust_locations
-- Of a backend that could not be asked.
UPDATE object_locations SET state = 'live' WHERE backend_name = :backend_name;

-- name: list_location_states
SELECT blob, backend_name, state FROM object_locations
WHERE version_id = :version_id ORDER BY blob, backend_name;

-- name: insert_candidate
-- A blob that the backups do not know: an object that may have been acknowledged.
INSERT INTO pending_objects (
    storage_key, kind, backend_name, bucket_id, object_key, version_id, sequence,
    blob, size, stored_bytes, content_type, storage_class, headers, metadata,
    etag, checksum_algorithm, checksum_type, checksum_value, stored_digest,
    owner, created_at
) VALUES (
    :storage_key, :kind, :backend_name, :bucket_id, :key, :version_id, :sequence,
    :blob, :size, :stored_bytes, :content_type, :storage_class, :headers, :metadata,
    :etag, :checksum_algorithm, :checksum_type, :checksum_value, :stored_digest,
    'recover', :created_at
)
ON CONFLICT (storage_key) DO NOTHING;

-- name: find_candidate
SELECT storage_key FROM pending_objects WHERE version_id = :version_id LIMIT 1;

-- name: insert_found_backup
INSERT INTO ledger_backups (
    backend_name, storage_key, kind, state, after_sequence, through_sequence,
    stored_bytes, created_at
) VALUES (
    :backend_name, :storage_key, :kind, 'whole', :after_sequence, :through_sequence,
    :stored_bytes, :now_us
)
ON CONFLICT (backend_name, storage_key) DO NOTHING;

-- name: bury_found
-- A blob that only a person can judge; it stays where it is, on the quota.
INSERT INTO cleanup_dlq (
    original_id, backend_name, bucket_id, object_key, storage_key, origin, reason,
    size_bytes, attempts, last_error, first_enqueued_at, moved_at
) VALUES (
    0, :backend_name, :bucket_id, :key, :storage_key, 'own', :reason,
    :size_bytes, 0, :error, :now_us, :now_us
);

-- name: list_located_backends
SELECT DISTINCT backend_name FROM object_locations
UNION SELECT backend_name FROM cleanup_queue
UNION SELECT backend_name FROM cleanup_dlq
UNION SELECT backend_name FROM ledger_backups
ORDER BY 1;

-- name: recount_quotas
UPDATE backend_quotas SET
    bytes_used = COALESCE((
        SELECT SUM(l.stored_bytes) FROM object_locations AS l
        WHERE l.backend_name = backend_quotas.backend_name
    ), 0) + COALESCE((
        SELECT SUM(b.stored_bytes) FROM ledger_backups AS b
        WHERE b.backend_name = backend_quotas.backend_name AND b.state = 'whole'
    ), 0),
    bytes_reserved = 0,
    orphan_bytes = COALESCE((
        SELECT SUM(c.size_bytes) FROM cleanup_queue AS c
        WHERE c.backend_name = backend_quotas.backend_name
    ), 0) + COALESCE((
        SELECT SUM(d.size_bytes) FROM cleanup_dlq AS d
        WHERE d.backend_name = backend_quotas.backend_name
    ), 0),
    object_count = (
        SELECT COUNT(*) FROM object_locations AS a
        WHERE a.backend_name = backend_quotas.backend_name AND a.blob = (
            SELECT MIN(f.blob) FROM object_locations AS f
            WHERE f.version_id = a.version_id
        )
    )
WHERE stripe = 0;

-- name: recount_accounts
UPDATE account_usage SET bytes_held = COALESCE((
    SELECT SUM(o.size) FROM buckets AS b JOIN objects AS o ON o.bucket_id = b.id
    WHERE b.owner = account_usage.owner
), 0);

-- name: ensure_account
INSERT INTO account_usage (owner, bytes_limit) VALUES (:owner, 0)
ON CONFLICT (owner) DO NOTHING;

-- name: list_owners
SELECT DISTINCT owner FROM buckets WHERE owner <> '' ORDER BY owner;
