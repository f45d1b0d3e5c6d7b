-- Copies that want repair: few, however many there are in all.
CREATE INDEX object_locations_suspect ON object_locations (version_id, blob)
WHERE state = 'suspect';
