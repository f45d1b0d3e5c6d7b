-- name: read_lock
SELECT epoch, holder, heartbeat FROM service_locks WHERE name = :name;

-- name: create_lock
INSERT INTO service_locks (name, epoch, holder, heartbeat)
VALUES (:name, 1, :holder, 0)
ON CONFLICT (name) DO NOTHING;

-- name: take_lock
-- Compare-and-set on what the taker saw: one that still beats is not taken.
UPDATE service_locks SET epoch = epoch + 1, holder = :holder, heartbeat = 0
WHERE name = :name AND epoch = :seen_epoch AND heartbeat = :seen_heartbeat;

-- name: beat_lock
UPDATE service_locks SET heartbeat = heartbeat + 1
WHERE name = :name AND epoch = :epoch AND holder = :holder;

-- name: release_lock
UPDATE service_locks SET holder = NULL
WHERE name = :name AND epoch = :epoch AND holder = :holder;

-- name: hold_lock
-- The fence: read inside the transaction that acts under the lock.
SELECT epoch FROM service_locks WHERE name = :name AND holder IS NOT NULL;
-- engine: postgres
SELECT epoch FROM service_locks WHERE name = :name AND holder IS NOT NULL FOR SHARE;
