-- What the store as a whole held when usage was noted: one row a time of usage_samples.
CREATE TABLE store_samples (
  at            INTEGER PRIMARY KEY,
  stored_bytes  INTEGER NOT NULL,
  logical_bytes INTEGER NOT NULL,
  orphan_bytes  INTEGER NOT NULL
) STRICT;
