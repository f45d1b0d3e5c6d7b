-- name: current_sequence
SELECT value FROM ledger_sequence WHERE id = 1;
-- engine: postgres
SELECT last_value FROM ledger_sequence;

-- name: dump_objects
SELECT
    bucket_id, key, version_id, sequence, size, etag, created_at,
    content_type, storage_class, headers, metadata, tags,
    checksum_algorithm, checksum_type, checksum_value, content_hash,
    part_sizes, layout, part_checksums, encryption_header, wrapped_key, key_id
FROM objects
WHERE (bucket_id, key) > (:after_bucket_id, :after_key) AND is_delete_marker = 0
ORDER BY bucket_id, key
LIMIT :max_rows;

-- name: dump_objects_since
SELECT
    bucket_id, key, version_id, sequence, size, etag, created_at,
    content_type, storage_class, headers, metadata, tags,
    checksum_algorithm, checksum_type, checksum_value, content_hash,
    part_sizes, layout, part_checksums, encryption_header, wrapped_key, key_id
FROM objects
WHERE sequence > :after AND is_delete_marker = 0
ORDER BY sequence
LIMIT :max_rows;

-- name: dump_touched
SELECT
    o.bucket_id, o.key, o.version_id, o.sequence, o.size, o.etag, o.created_at,
    o.content_type, o.storage_class, o.headers, o.metadata, o.tags,
    o.checksum_algorithm, o.checksum_type, o.checksum_value, o.content_hash,
    o.part_sizes, o.layout, o.part_checksums, o.encryption_header, o.wrapped_key,
    o.key_id, t.changes
FROM ledger_touched AS t
JOIN objects AS o ON o.bucket_id = t.bucket_id AND o.key = t.key
WHERE o.is_delete_marker = 0
ORDER BY t.bucket_id, t.key
LIMIT :max_rows;

-- name: touch_object
INSERT INTO ledger_touched (bucket_id, key) VALUES (:bucket_id, :key)
ON CONFLICT (bucket_id, key) DO UPDATE SET changes = ledger_touched.changes + 1;

-- name: touch_version
INSERT INTO ledger_touched (bucket_id, key)
SELECT bucket_id, key FROM objects WHERE version_id = :version_id
ON CONFLICT (bucket_id, key) DO UPDATE SET changes = ledger_touched.changes + 1;

-- name: forget_touched
DELETE FROM ledger_touched
WHERE bucket_id = :bucket_id AND key = :key AND changes = :changes;

-- name: forget_touched_ghosts
-- Of objects that are gone there is nothing to log.
DELETE FROM ledger_touched
WHERE (bucket_id, key) NOT IN (SELECT bucket_id, key FROM objects);

-- name: dump_locations
SELECT
    blob, backend_name, storage_key, backend_version, backend_etag, stored_bytes,
    stored_digest, origin, created_at, verified_at, state
FROM object_locations
WHERE version_id = :version_id
ORDER BY blob, created_at, backend_name;

-- name: dump_tombstones
SELECT bucket_id, key, sequence, created_at FROM tombstones
WHERE (bucket_id, key) > (:after_bucket_id, :after_key)
ORDER BY bucket_id, key
LIMIT :max_rows;

-- name: dump_tombstones_since
SELECT bucket_id, key, sequence, created_at FROM tombstones
WHERE sequence > :after
ORDER BY sequence
LIMIT :max_rows;

-- name: dump_buckets
SELECT id, name, versioning, created_at, owner, config FROM buckets
WHERE id > :after ORDER BY id LIMIT :max_rows;

-- name: dump_usage
SELECT
    backend_name, period, api_requests, egress_bytes, ingress_bytes, updated_at
FROM backend_usage ORDER BY backend_name, period;

-- name: dump_intents
-- Writes under way: what they bring to a backend may be acknowledged after this.
SELECT storage_key FROM pending_objects WHERE kind = 'object' ORDER BY storage_key;

-- name: insert_backup
INSERT INTO ledger_backups (
    backend_name, storage_key, kind, state, after_sequence, through_sequence,
    stored_bytes, stored_digest, created_at
) VALUES (
    :backend_name, :storage_key, :kind, 'writing', :after_sequence, :through_sequence,
    :stored_bytes, :stored_digest, :now_us
);

-- name: finish_backup
UPDATE ledger_backups SET state = 'whole'
WHERE backend_name = :backend_name AND storage_key = :storage_key
AND state = 'writing';

-- name: list_backups
SELECT
    backend_name, storage_key, kind, state, after_sequence, through_sequence,
    stored_bytes, created_at
FROM ledger_backups ORDER BY through_sequence, storage_key, backend_name;

-- name: last_completed
SELECT MAX(completed_at) FROM completed_uploads;

-- name: take_backup
DELETE FROM ledger_backups
WHERE backend_name = :backend_name AND storage_key = :storage_key
RETURNING state, stored_bytes;

-- name: raise_sequence
UPDATE ledger_sequence SET value = :value WHERE id = 1 AND value < :value;
-- engine: postgres
SELECT setval('ledger_sequence', GREATEST(last_value, CAST(:value AS BIGINT)))
FROM ledger_sequence;

-- name: restore_bucket
-- The newest name and configuration of an id win.
INSERT INTO buckets (id, name, versioning, created_at, owner, config)
VALUES (:id, :name, :versioning, :created_at, :owner, :config)
ON CONFLICT (id) DO UPDATE SET
    name = excluded.name, versioning = excluded.versioning,
    owner = excluded.owner, config = excluded.config;

-- name: restore_location
INSERT INTO object_locations (
    version_id, blob, backend_name, storage_key, backend_version, backend_etag,
    stored_bytes, stored_digest, origin, state, created_at, verified_at
) VALUES (
    :version_id, :blob, :backend_name, :storage_key, :backend_version, :backend_etag,
    :stored_bytes, :stored_digest, :origin, :state, :created_at, :verified_at
)
ON CONFLICT (version_id, blob, backend_name) DO NOTHING;

-- name: restore_tombstone
INSERT INTO tombstones (bucket_id, key, sequence, created_at)
VALUES (:bucket_id, :key, :sequence, :created_at)
ON CONFLICT (bucket_id, key) DO UPDATE SET
    sequence = excluded.sequence, created_at = excluded.created_at
WHERE tombstones.sequence < excluded.sequence;

-- name: restore_usage
INSERT INTO backend_usage (
    backend_name, period, api_requests, egress_bytes, ingress_bytes, updated_at
) VALUES (
    :backend_name, :period, :api_requests, :egress_bytes, :ingress_bytes, :updated_at
)
ON CONFLICT (backend_name, period) DO UPDATE SET
    api_requests = excluded.api_requests, egress_bytes = excluded.egress_bytes,
    ingress_bytes = excluded.ingress_bytes, updated_at = excluded.updated_at
WHERE excluded.updated_at >= backend_usage.updated_at;

-- name: locate_by_name
SELECT version_id, blob, stored_bytes, state FROM object_locations
WHERE backend_name = :backend_name AND storage_key = :storage_key;
