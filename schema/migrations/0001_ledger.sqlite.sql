-- The ledger, SQLite. Column by column the same as 0001_ledger.postgres.sql.
-- Times are microseconds since 1970 UTC, sizes bytes, flags 0 or 1, lists JSON.
-- TEXT compares byte by byte (BINARY), which is S3's order of keys.

CREATE TABLE meta (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The one order of writes. PostgreSQL has a SEQUENCE of this name.
CREATE TABLE ledger_sequence (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    value INTEGER NOT NULL
) STRICT;

INSERT INTO ledger_sequence (id, value) VALUES (1, 0);

-- AUTOINCREMENT: an id is never given twice, so rows of a deleted bucket stay ghosts.
CREATE TABLE buckets (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    versioning TEXT NOT NULL DEFAULT 'off',
    created_at INTEGER NOT NULL
) STRICT;

-- The current version per key: all that GET, HEAD and LIST read.
CREATE TABLE objects (
    bucket_id INTEGER NOT NULL,
    key TEXT NOT NULL,
    version_id TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    is_delete_marker INTEGER NOT NULL DEFAULT 0,
    size INTEGER NOT NULL,
    etag TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    content_type TEXT NOT NULL,
    storage_class TEXT NOT NULL,
    headers TEXT,
    metadata TEXT,
    tags TEXT,
    checksum_algorithm TEXT,
    checksum_type TEXT,
    checksum_value TEXT,
    content_hash TEXT,
    part_sizes TEXT,
    layout TEXT,
    encryption_header BLOB,
    wrapped_key BLOB,
    key_id TEXT,
    PRIMARY KEY (bucket_id, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE noncurrent_versions (
    bucket_id INTEGER NOT NULL,
    key TEXT NOT NULL,
    version_id TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    is_delete_marker INTEGER NOT NULL DEFAULT 0,
    size INTEGER NOT NULL,
    etag TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    content_type TEXT NOT NULL,
    storage_class TEXT NOT NULL,
    headers TEXT,
    metadata TEXT,
    tags TEXT,
    checksum_algorithm TEXT,
    checksum_type TEXT,
    checksum_value TEXT,
    content_hash TEXT,
    part_sizes TEXT,
    layout TEXT,
    encryption_header BLOB,
    wrapped_key BLOB,
    key_id TEXT,
    noncurrent_at INTEGER NOT NULL,
    PRIMARY KEY (bucket_id, key, sequence)
) STRICT, WITHOUT ROWID;

-- Version ids are time-ordered, so both trees grow at their right edge.
CREATE TABLE object_locations (
    version_id TEXT NOT NULL,
    blob INTEGER NOT NULL,
    backend_name TEXT NOT NULL,
    storage_key TEXT NOT NULL,
    backend_version TEXT,
    backend_etag TEXT,
    stored_bytes INTEGER NOT NULL CHECK (stored_bytes >= 0),
    stored_digest TEXT,
    origin TEXT NOT NULL DEFAULT 'own',
    state TEXT NOT NULL DEFAULT 'live',
    created_at INTEGER NOT NULL,
    verified_at INTEGER,
    PRIMARY KEY (version_id, blob, backend_name)
) STRICT, WITHOUT ROWID;

CREATE INDEX object_locations_backend ON object_locations (backend_name, version_id);

-- Intents: every write to a backend is announced here and reserves its bytes.
CREATE TABLE pending_objects (
    storage_key TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('object', 'part', 'copy', 'complete')),
    backend_name TEXT NOT NULL,
    bucket_id INTEGER NOT NULL,
    object_key TEXT NOT NULL,
    version_id TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    blob INTEGER NOT NULL DEFAULT 0,
    size INTEGER NOT NULL,
    stored_bytes INTEGER NOT NULL CHECK (stored_bytes >= 0),
    conditions TEXT,
    content_type TEXT NOT NULL,
    storage_class TEXT NOT NULL,
    headers TEXT,
    metadata TEXT,
    tags TEXT,
    etag TEXT,
    checksum_algorithm TEXT,
    checksum_type TEXT,
    checksum_value TEXT,
    content_hash TEXT,
    stored_digest TEXT,
    part_sizes TEXT,
    layout TEXT,
    encryption_header BLOB,
    wrapped_key BLOB,
    key_id TEXT,
    upload_id TEXT,
    part_number INTEGER,
    pinned_blobs TEXT,
    owner TEXT NOT NULL,
    heartbeat INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE tombstones (
    bucket_id INTEGER NOT NULL,
    key TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (bucket_id, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE multipart_uploads (
    upload_id TEXT NOT NULL PRIMARY KEY,
    state TEXT NOT NULL
        CHECK (state IN ('opening', 'open', 'completing', 'done', 'aborted')),
    bucket_id INTEGER NOT NULL,
    object_key TEXT NOT NULL,
    version_id TEXT NOT NULL,
    backend_name TEXT,
    storage_key TEXT,
    backend_upload_id TEXT,
    content_type TEXT NOT NULL,
    storage_class TEXT NOT NULL,
    headers TEXT,
    metadata TEXT,
    tags TEXT,
    checksum_algorithm TEXT,
    checksum_type TEXT,
    encryption_header BLOB,
    wrapped_key BLOB,
    key_id TEXT,
    native_part_size INTEGER,
    manifest TEXT,
    initiator TEXT NOT NULL DEFAULT '',
    heartbeat INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    active_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX multipart_uploads_key
    ON multipart_uploads (bucket_id, object_key, upload_id);

-- One row per acknowledged attempt of a part; the highest attempt counts.
CREATE TABLE multipart_parts (
    upload_id TEXT NOT NULL,
    part_number INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    is_native INTEGER NOT NULL,
    backend_name TEXT NOT NULL,
    storage_key TEXT NOT NULL,
    backend_version TEXT,
    backend_etag TEXT,
    size INTEGER NOT NULL,
    stored_bytes INTEGER NOT NULL CHECK (stored_bytes >= 0),
    etag TEXT NOT NULL,
    checksum_value TEXT,
    stored_digest TEXT,
    encryption_header BLOB,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (upload_id, part_number, attempt)
) STRICT, WITHOUT ROWID;

CREATE TABLE completed_uploads (
    upload_id TEXT NOT NULL PRIMARY KEY,
    bucket_id INTEGER NOT NULL,
    object_key TEXT NOT NULL,
    version_id TEXT NOT NULL,
    etag TEXT NOT NULL,
    checksum_algorithm TEXT,
    checksum_type TEXT,
    checksum_value TEXT,
    manifest_digest TEXT NOT NULL,
    completed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- bytes_limit 0 is no limit. One stripe here; PostgreSQL may use several.
CREATE TABLE backend_quotas (
    backend_name TEXT NOT NULL,
    stripe INTEGER NOT NULL DEFAULT 0,
    bytes_limit INTEGER NOT NULL CHECK (bytes_limit >= 0),
    bytes_used INTEGER NOT NULL DEFAULT 0 CHECK (bytes_used >= 0),
    bytes_reserved INTEGER NOT NULL DEFAULT 0 CHECK (bytes_reserved >= 0),
    orphan_bytes INTEGER NOT NULL DEFAULT 0 CHECK (orphan_bytes >= 0),
    object_count INTEGER NOT NULL DEFAULT 0 CHECK (object_count >= 0),
    PRIMARY KEY (backend_name, stripe)
) STRICT, WITHOUT ROWID;

CREATE TABLE backend_usage (
    backend_name TEXT NOT NULL,
    period TEXT NOT NULL,
    api_requests INTEGER NOT NULL DEFAULT 0,
    egress_bytes INTEGER NOT NULL DEFAULT 0,
    ingress_bytes INTEGER NOT NULL DEFAULT 0,
    updated_at INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (backend_name, period)
) STRICT, WITHOUT ROWID;

-- AUTOINCREMENT: a late answer about one row must never meet another one.
CREATE TABLE cleanup_queue (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    backend_name TEXT NOT NULL,
    bucket_id INTEGER NOT NULL,
    object_key TEXT NOT NULL,
    storage_key TEXT NOT NULL,
    backend_version TEXT,
    backend_etag TEXT,
    origin TEXT NOT NULL DEFAULT 'own',
    reason TEXT NOT NULL,
    size_bytes INTEGER NOT NULL CHECK (size_bytes >= 0),
    is_ambiguous INTEGER NOT NULL DEFAULT 0,
    repeats_left INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0,
    last_error TEXT,
    next_retry INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE INDEX cleanup_queue_due ON cleanup_queue (backend_name, next_retry);

CREATE TABLE cleanup_dlq (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    original_id INTEGER NOT NULL,
    backend_name TEXT NOT NULL,
    bucket_id INTEGER NOT NULL,
    object_key TEXT NOT NULL,
    storage_key TEXT NOT NULL,
    backend_version TEXT,
    backend_etag TEXT,
    origin TEXT NOT NULL DEFAULT 'own',
    reason TEXT NOT NULL,
    size_bytes INTEGER NOT NULL CHECK (size_bytes >= 0),
    is_ambiguous INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL,
    last_error TEXT,
    first_enqueued_at INTEGER NOT NULL,
    moved_at INTEGER NOT NULL
) STRICT;

-- Bytes a process reads for longer than the grace; every process spares them.
CREATE TABLE read_pins (
    holder TEXT NOT NULL,
    backend_name TEXT NOT NULL,
    storage_key TEXT NOT NULL,
    heartbeat INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (backend_name, storage_key, holder)
) STRICT, WITHOUT ROWID;

CREATE TABLE notification_outbox (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    transaction_id INTEGER NOT NULL DEFAULT 0,
    event_type TEXT NOT NULL,
    payload TEXT NOT NULL,
    endpoint_url TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    next_retry INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    last_error TEXT
) STRICT;

CREATE INDEX notification_outbox_due ON notification_outbox (next_retry);

-- Less contention, not correctness: that comes from the fencing epoch.
CREATE TABLE service_locks (
    name TEXT NOT NULL PRIMARY KEY,
    epoch INTEGER NOT NULL,
    holder TEXT,
    heartbeat INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
