-- name: find_bucket
SELECT id, name, created_at, owner, config FROM buckets WHERE name = :name;

-- name: hold_bucket
-- Says whether the bucket is live, and keeps it so until the transaction ends.
SELECT name, owner FROM buckets WHERE id = :bucket_id;
-- engine: postgres
SELECT name, owner FROM buckets WHERE id = :bucket_id FOR SHARE;

-- name: hold_bucket_alone
-- The same, and nobody else holds it: no write to the bucket is under way.
SELECT id, name, created_at, owner, config FROM buckets WHERE id = :bucket_id;
-- engine: postgres
SELECT id, name, created_at, owner, config FROM buckets WHERE id = :bucket_id
FOR UPDATE;

-- name: list_buckets
SELECT id, name, created_at, owner, config FROM buckets ORDER BY name;

-- name: insert_bucket
INSERT INTO buckets (name, owner, config, created_at)
VALUES (:name, :owner, :config, :now_us)
ON CONFLICT (name) DO NOTHING;

-- name: count_buckets_of
SELECT COUNT(*) FROM buckets WHERE owner = :owner;

-- name: find_any_object
-- A version or delete marker, of any age, keeps its bucket.
SELECT key FROM objects WHERE bucket_id = :bucket_id
UNION ALL
SELECT key FROM noncurrent_versions WHERE bucket_id = :bucket_id
LIMIT 1;

-- name: delete_bucket
DELETE FROM buckets WHERE id = :bucket_id;

-- name: set_bucket_config
UPDATE buckets SET config = :config WHERE id = :bucket_id;
