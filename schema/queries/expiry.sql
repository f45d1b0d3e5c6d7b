-- name: list_aging
-- One range of the primary key; :before_key is the prefix's successor.
SELECT key, version_id, size, created_at, tags
FROM objects
WHERE bucket_id = :bucket_id AND key >= :from_key AND key > :after_key
AND key < :before_key AND is_delete_marker = 0
ORDER BY key
LIMIT :max_rows;
