-- Columns that multipart, copies of parts and buckets of accounts need.
-- owner: the principal, '' for buckets of the configuration. config: JSON of what a
-- client configured (cors, lifecycle, tagging).
ALTER TABLE buckets ADD COLUMN owner TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE buckets ADD COLUMN config TEXT COLLATE "C";

-- One checksum per part, JSON, in the order of part_sizes.
ALTER TABLE objects ADD COLUMN part_checksums TEXT COLLATE "C";
ALTER TABLE noncurrent_versions ADD COLUMN part_checksums TEXT COLLATE "C";
ALTER TABLE pending_objects ADD COLUMN part_checksums TEXT COLLATE "C";

-- Blob 0 is the native upload; every other attempt draws the next number.
ALTER TABLE multipart_uploads ADD COLUMN next_blob BIGINT NOT NULL DEFAULT 1;
ALTER TABLE multipart_parts ADD COLUMN blob BIGINT NOT NULL DEFAULT 0;
ALTER TABLE multipart_parts ADD COLUMN checksum_algorithm TEXT COLLATE "C";

-- A row with it is a native upload to abort, not a blob to delete.
ALTER TABLE cleanup_queue ADD COLUMN backend_upload_id TEXT COLLATE "C";
ALTER TABLE cleanup_dlq ADD COLUMN backend_upload_id TEXT COLLATE "C";

CREATE INDEX pending_objects_upload ON pending_objects (upload_id)
    WHERE upload_id IS NOT NULL;
