-- name: mark_suspect
UPDATE object_locations SET state = 'suspect', verified_at = NULL
WHERE version_id = :version_id AND blob = :blob AND backend_name = :backend_name
AND storage_key = :storage_key AND state = 'live';
