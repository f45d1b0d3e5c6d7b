-- name: set_account_limit
INSERT INTO account_usage (owner, bytes_limit) VALUES (:owner, :bytes_limit)
ON CONFLICT (owner) DO UPDATE SET bytes_limit = excluded.bytes_limit;

-- name: hold_account
-- Whoever makes a bucket for the account holds its row, so that they are counted.
SELECT bytes_held FROM account_usage WHERE owner = :owner;
-- engine: postgres
SELECT bytes_held FROM account_usage WHERE owner = :owner FOR UPDATE;

-- name: reserve_account
-- The one door through which bytes come under an account's limit.
UPDATE account_usage SET bytes_held = bytes_held + :size
WHERE owner = :owner AND (bytes_limit = 0 OR bytes_held + :size <= bytes_limit);

-- name: charge_account
-- A signed difference; buckets of the configuration have no account, and no row.
UPDATE account_usage SET bytes_held = bytes_held + :size
WHERE owner = (SELECT owner FROM buckets WHERE id = :bucket_id);

-- name: read_account
SELECT bytes_limit, bytes_held FROM account_usage WHERE owner = :owner;

-- name: audit_accounts
-- What each account's rows sum up to, beside what account_usage says.
SELECT
    a.owner, a.bytes_held,
    COALESCE((
        SELECT CAST(SUM(o.size) AS BIGINT) FROM buckets AS b
        JOIN objects AS o ON o.bucket_id = b.id
        WHERE b.owner = a.owner
    ), 0) + COALESCE((
        SELECT CAST(SUM(p.size) AS BIGINT) FROM buckets AS b
        JOIN pending_objects AS p ON p.bucket_id = b.id
        WHERE b.owner = a.owner AND p.kind IN ('object', 'part')
    ), 0) + COALESCE((
        SELECT CAST(SUM(m.size) AS BIGINT) FROM buckets AS b
        JOIN multipart_uploads AS u ON u.bucket_id = b.id
        JOIN multipart_parts AS m ON m.upload_id = u.upload_id
        WHERE b.owner = a.owner
    ), 0)
FROM account_usage AS a
ORDER BY a.owner;
