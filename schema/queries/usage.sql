-- name: add_usage
-- Not of a backend that has been taken out of the ledger: nothing would remove the row.
INSERT INTO backend_usage (
    backend_name, period, api_requests, egress_bytes, ingress_bytes, updated_at
)
SELECT
    CAST(:backend_name AS TEXT), CAST(:period AS TEXT), CAST(:api_requests AS BIGINT),
    CAST(:egress_bytes AS BIGINT), CAST(:ingress_bytes AS BIGINT),
    CAST(:now_us AS BIGINT)
WHERE NOT EXISTS (
    SELECT 1 FROM backend_drains AS d
    WHERE d.backend_name = :backend_name AND d.state = 'removed'
)
ON CONFLICT (backend_name, period) DO UPDATE SET
    api_requests = backend_usage.api_requests + excluded.api_requests,
    egress_bytes = backend_usage.egress_bytes + excluded.egress_bytes,
    ingress_bytes = backend_usage.ingress_bytes + excluded.ingress_bytes,
    updated_at = excluded.updated_at;

-- name: read_usage
SELECT backend_name, api_requests, egress_bytes, ingress_bytes
FROM backend_usage WHERE period = :period ORDER BY backend_name;
