-- name: list_known_names
-- What the ledger has on one backend, in byte order of the names.
SELECT
    storage_key, version_id, blob, stored_bytes, backend_etag, state, origin,
    created_at
FROM object_locations
WHERE backend_name = :backend_name AND storage_key > :after
ORDER BY storage_key
LIMIT :max_rows;

-- name: find_known_name
SELECT
    storage_key, version_id, blob, stored_bytes, backend_etag, state, origin,
    created_at
FROM object_locations
WHERE backend_name = :backend_name AND storage_key = :storage_key
LIMIT 1;

-- name: find_explained_names
-- Which of these names (a JSON list) anything in the ledger accounts for.
SELECT n.value FROM json_each(:names) AS n
WHERE EXISTS (
    SELECT 1 FROM object_locations AS l
    WHERE l.backend_name = :backend_name AND l.storage_key = n.value
)
OR EXISTS (SELECT 1 FROM pending_objects AS p WHERE p.storage_key = n.value)
OR EXISTS (
    SELECT 1 FROM ledger_backups AS b
    WHERE b.backend_name = :backend_name AND b.storage_key = n.value
)
OR n.value IN (
    SELECT storage_key FROM cleanup_queue WHERE backend_name = :backend_name
    UNION ALL
    SELECT storage_key FROM cleanup_dlq WHERE backend_name = :backend_name
    UNION ALL
    SELECT storage_key FROM multipart_parts WHERE backend_name = :backend_name
    UNION ALL
    SELECT storage_key FROM multipart_uploads
    WHERE backend_name = :backend_name AND storage_key IS NOT NULL
);
-- engine: postgres
SELECT n.value FROM jsonb_array_elements_text(CAST(:names AS JSONB)) AS n (value)
WHERE EXISTS (
    SELECT 1 FROM object_locations AS l
    WHERE l.backend_name = :backend_name AND l.storage_key = n.value
)
OR EXISTS (SELECT 1 FROM pending_objects AS p WHERE p.storage_key = n.value)
OR EXISTS (
    SELECT 1 FROM ledger_backups AS b
    WHERE b.backend_name = :backend_name AND b.storage_key = n.value
)
OR n.value IN (
    SELECT storage_key FROM cleanup_queue WHERE backend_name = :backend_name
    UNION ALL
    SELECT storage_key FROM cleanup_dlq WHERE backend_name = :backend_name
    UNION ALL
    SELECT storage_key FROM multipart_parts WHERE backend_name = :backend_name
    UNION ALL
    SELECT storage_key FROM multipart_uploads
    WHERE backend_name = :backend_name AND storage_key IS NOT NULL
);

-- name: find_key_history
-- What stands against an import of a key: a version, or the memory of a delete.
SELECT
    (
        SELECT o.version_id FROM objects AS o
        WHERE o.bucket_id = :bucket_id AND o.key = :key
    ),
    (
        SELECT t.created_at FROM tombstones AS t
        WHERE t.bucket_id = :bucket_id AND t.key = :key
    );

-- name: insert_imported_location
INSERT INTO object_locations (
    version_id, blob, backend_name, storage_key, backend_etag, stored_bytes, origin,
    created_at
) VALUES (
    :version_id, 0, :backend_name, :storage_key, :backend_etag, :stored_bytes,
    'imported', :now_us
);

-- name: put_imported_facts
-- Once, and only for the version that was asked about: a client may have overwritten it.
UPDATE objects SET
    content_type = :content_type, headers = :headers, metadata = :metadata
WHERE bucket_id = :bucket_id AND key = :key AND version_id = :version_id
AND content_type = '';

-- name: last_mark
SELECT COALESCE(MAX(seen_at), 0) FROM reconcile_findings
WHERE backend_name = :backend_name;

-- name: note_finding
-- Provisional until the listing turns out complete: sightings do not rise here, and a
-- first sighting that never counted begins anew.
INSERT INTO reconcile_findings (
    backend_name, storage_key, kind, stored_bytes, backend_etag, sightings,
    first_seen_at, seen_at
) VALUES (
    :backend_name, :storage_key, :kind, :stored_bytes, :backend_etag, 0, :now_us,
    :mark_us
)
ON CONFLICT (backend_name, storage_key) DO UPDATE SET
    sightings = CASE WHEN reconcile_findings.kind = excluded.kind
        THEN reconcile_findings.sightings ELSE 0 END,
    first_seen_at = CASE
        WHEN reconcile_findings.kind = excluded.kind
        AND reconcile_findings.sightings > 0
        THEN reconcile_findings.first_seen_at ELSE excluded.first_seen_at END,
    kind = excluded.kind, stored_bytes = excluded.stored_bytes,
    backend_etag = excluded.backend_etag, seen_at = excluded.seen_at;

-- name: list_findings
SELECT
    storage_key, kind, stored_bytes, backend_etag, sightings, first_seen_at, seen_at
FROM reconcile_findings
WHERE backend_name = :backend_name AND storage_key > :after
ORDER BY storage_key
LIMIT :max_rows;

-- name: forget_unseen_findings
-- A complete listing did not show them again.
DELETE FROM reconcile_findings
WHERE backend_name = :backend_name AND storage_key > :after
AND storage_key <= :through AND seen_at < :mark_us;

-- name: count_sightings
UPDATE reconcile_findings SET sightings = sightings + 1
WHERE backend_name = :backend_name AND storage_key > :after
AND storage_key <= :through AND seen_at = :mark_us;

-- name: forget_finding
DELETE FROM reconcile_findings
WHERE backend_name = :backend_name AND storage_key = :storage_key;

-- name: last_sequence
-- engine: sqlite
SELECT value FROM ledger_sequence WHERE id = 1;
-- engine: postgres
SELECT last_value FROM ledger_sequence;

-- name: find_version_before
-- The version committed last before a sequence was drawn, as far as it still exists.
SELECT created_at FROM objects
WHERE sequence < :sequence
ORDER BY sequence DESC
LIMIT 1;

-- name: suspect_location
-- A check failed: nothing proves these bytes any more. What the backend tells of them
-- now is what it will be asked about; but imported bytes stay those that were imported.
UPDATE object_locations SET
    state = 'suspect', verified_at = NULL,
    backend_etag = CASE WHEN origin = 'imported' THEN backend_etag
        ELSE CAST(:backend_etag AS TEXT) END
WHERE version_id = :version_id AND blob = :blob AND backend_name = :backend_name
AND storage_key = :storage_key AND state IN ('live', 'lost')
AND (
    verified_at IS NULL OR verified_at <= :now_us OR verified_at > :far_ahead_us
);
