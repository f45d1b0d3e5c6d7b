-- name: find_bucket
SELECT id, name, created_at, owner FROM buckets WHERE name = :name;

-- name: hold_bucket
-- Says whether the bucket is live, and keeps it so until the transaction ends.
SELECT name FROM buckets WHERE id = :bucket_id;
-- engine: postgres
SELECT name FROM buckets WHERE id = :bucket_id FOR SHARE;

-- name: list_buckets
SELECT id, name, created_at, owner FROM buckets ORDER BY name;

-- name: insert_bucket
INSERT INTO buckets (name, created_at) VALUES (:name, :now_us)
ON CONFLICT (name) DO NOTHING;
