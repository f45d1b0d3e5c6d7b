-- What places, moves, counts and checks copies.
-- Reconcile and recover merge the names of one backend in byte order; a log of the
-- ledger follows sequences.
DROP INDEX object_locations_backend;

CREATE INDEX object_locations_name ON object_locations (backend_name, storage_key);

CREATE INDEX objects_sequence ON objects (sequence);

CREATE INDEX tombstones_sequence ON tombstones (sequence);

-- From a location to its key: locations know their version only.
CREATE INDEX objects_version ON objects (version_id);

CREATE INDEX noncurrent_versions_version ON noncurrent_versions (version_id);

-- A backend that is being emptied, is empty, is being taken out of the ledger, or was
-- while the configuration still has it; no row is an ordinary backend. is_purging: its
-- bytes are deleted, too.
CREATE TABLE backend_drains (
    backend_name TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    state TEXT COLLATE "C" NOT NULL
        CHECK (state IN ('draining', 'drained', 'removing', 'removed')),
    is_purging BIGINT NOT NULL DEFAULT 0,
    moved_objects BIGINT NOT NULL DEFAULT 0,
    moved_bytes BIGINT NOT NULL DEFAULT 0,
    last_error TEXT COLLATE "C",
    started_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

-- What one listing of a backend showed and another one must confirm: a location whose
-- name is missing there, or a name that nothing here knows.
CREATE TABLE reconcile_findings (
    backend_name TEXT COLLATE "C" NOT NULL,
    storage_key TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL CHECK (kind IN ('missing', 'unknown')),
    stored_bytes BIGINT NOT NULL,
    backend_etag TEXT COLLATE "C",
    sightings BIGINT NOT NULL DEFAULT 1,
    first_seen_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL,
    PRIMARY KEY (backend_name, storage_key)
);

-- Copies of the ledger itself: snapshots, and logs of what was committed since. Their
-- bytes are used bytes of their backend.
CREATE TABLE ledger_backups (
    backend_name TEXT COLLATE "C" NOT NULL,
    storage_key TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL CHECK (kind IN ('snapshot', 'log')),
    state TEXT COLLATE "C" NOT NULL CHECK (state IN ('writing', 'whole', 'leaving')),
    after_sequence BIGINT NOT NULL,
    through_sequence BIGINT NOT NULL,
    stored_bytes BIGINT NOT NULL CHECK (stored_bytes >= 0),
    stored_digest TEXT COLLATE "C",
    created_at BIGINT NOT NULL,
    PRIMARY KEY (backend_name, storage_key)
);
