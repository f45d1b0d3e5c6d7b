-- name: add_usage
INSERT INTO backend_usage (
    backend_name, period, api_requests, egress_bytes, ingress_bytes, updated_at
) VALUES (
    :backend_name, :period, :api_requests, :egress_bytes, :ingress_bytes, :now_us
)
ON CONFLICT (backend_name, period) DO UPDATE SET
    api_requests = backend_usage.api_requests + excluded.api_requests,
    egress_bytes = backend_usage.egress_bytes + excluded.egress_bytes,
    ingress_bytes = backend_usage.ingress_bytes + excluded.ingress_bytes,
    updated_at = excluded.updated_at;

-- name: read_usage
SELECT backend_name, api_requests, egress_bytes, ingress_bytes
FROM backend_usage WHERE period = :period ORDER BY backend_name;
