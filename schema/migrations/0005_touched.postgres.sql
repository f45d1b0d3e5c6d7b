-- Objects whose row changed without a new sequence (their tags), for the log of the
-- ledger; changes counts, so that one is forgotten only as it was logged.
CREATE TABLE ledger_touched (
    bucket_id BIGINT NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    changes BIGINT NOT NULL DEFAULT 1,
    PRIMARY KEY (bucket_id, key)
);
