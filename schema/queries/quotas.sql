-- name: read_quotas
SELECT
    backend_name, CAST(SUM(bytes_limit) AS BIGINT), CAST(SUM(bytes_used) AS BIGINT),
    CAST(SUM(bytes_reserved) AS BIGINT), CAST(SUM(orphan_bytes) AS BIGINT)
FROM backend_quotas
GROUP BY backend_name
ORDER BY backend_name;
-- engine: sqlite
SELECT backend_name, bytes_limit, bytes_used, bytes_reserved, orphan_bytes
FROM backend_quotas
WHERE stripe = 0
ORDER BY backend_name;

-- name: reserve_quota
-- The one door through which bytes come under the limit; closed while a backend is
-- emptied, whatever a process believes that has not heard of it.
UPDATE backend_quotas SET bytes_reserved = bytes_reserved + :size
WHERE backend_name = :backend_name AND stripe = 0
AND NOT EXISTS (SELECT 1 FROM backend_drains AS d WHERE d.backend_name = :backend_name)
AND (bytes_limit = 0
    OR bytes_used + bytes_reserved + orphan_bytes + :size <= bytes_limit);

-- name: move_quota
-- Signed differences; what leaves one column of a backend enters another.
UPDATE backend_quotas SET
    bytes_used = bytes_used + :used, bytes_reserved = bytes_reserved + :reserved,
    orphan_bytes = orphan_bytes + :orphan, object_count = object_count + :objects
WHERE backend_name = :backend_name AND stripe = 0;

-- name: set_quota_limit
-- A backend that was taken out of the ledger does not come back by a restart.
INSERT INTO backend_quotas (backend_name, stripe, bytes_limit)
SELECT CAST(:backend_name AS TEXT), 0, CAST(:bytes_limit AS BIGINT)
WHERE NOT EXISTS (
    SELECT 1 FROM backend_drains AS d
    WHERE d.backend_name = :backend_name AND d.state = 'removed'
)
ON CONFLICT (backend_name, stripe) DO UPDATE SET bytes_limit = excluded.bytes_limit;

-- name: count_objects
SELECT backend_name, CAST(SUM(object_count) AS BIGINT)
FROM backend_quotas GROUP BY backend_name ORDER BY backend_name;

-- name: count_uploads
SELECT backend_name, COUNT(*) FROM multipart_uploads
WHERE backend_name IS NOT NULL AND state IN ('opening', 'open', 'completing')
GROUP BY backend_name ORDER BY backend_name;
