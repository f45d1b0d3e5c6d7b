-- Accounts: what each holds in all its buckets, against its limit; 0 is no limit.
-- Counted are objects, announced uploads and parts, each as sent; a row is made by the
-- configuration and stays when the account leaves it.
CREATE TABLE account_usage (
    owner TEXT NOT NULL PRIMARY KEY,
    bytes_limit INTEGER NOT NULL CHECK (bytes_limit >= 0),
    bytes_held INTEGER NOT NULL DEFAULT 0 CHECK (bytes_held >= 0)
) STRICT, WITHOUT ROWID;

CREATE INDEX buckets_owner ON buckets (owner, name);
