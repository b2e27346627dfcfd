-- The Julia world: ids that another program computed, artifacts declared but not here yet, owners
-- that may be gone, and scratch spaces this store follows.

-- By which rule an object's id follows from what is stored:
-- 0 git's, 1 that of OhMyArtifacts.jl, 2 none: the id was taken over, `recorded` is git's id of what is stored.
ALTER TABLE objects ADD COLUMN rule     INTEGER NOT NULL DEFAULT 0 CHECK (rule IN (0, 1, 2));
ALTER TABLE objects ADD COLUMN recorded BLOB    CHECK ((recorded IS NULL OR length(recorded) = 32) AND (rule = 2) = (recorded IS NOT NULL));
-- Whether its file came in by a hard link: then it may stay on the disk under its other name.
ALTER TABLE objects ADD COLUMN linked   INTEGER NOT NULL DEFAULT 0 CHECK (linked IN (0, 1));
-- Why the id cannot be computed.
ALTER TABLE objects ADD COLUMN doubt    TEXT;

-- How it is known whether an owner still exists, and what the last look found.
ALTER TABLE owners ADD COLUMN probe      TEXT CHECK (probe IN ('julia'));
ALTER TABLE owners ADD COLUMN target     TEXT;     -- for `julia`: the depot
ALTER TABLE owners ADD COLUMN gone_since INTEGER;  -- since when it is known to be gone; none if alive or unknown

-- What a built-in Artifacts.toml of Julia declares: where it can be had, and by which hash it is known there.
CREATE TABLE declarations (
  id         INTEGER PRIMARY KEY,
  owner_id   INTEGER NOT NULL REFERENCES owners (id) ON DELETE CASCADE,
  name       TEXT    NOT NULL,                       -- what it is, or will be, bound to
  artifact   TEXT    NOT NULL,                       -- its name in the file
  platform   TEXT,                                   -- the triplet; none if it serves every platform
  tree_sha1  TEXT,                                   -- git's SHA-1 of the tree, 40 digits
  lazy       INTEGER NOT NULL CHECK (lazy IN (0, 1)),
  downloads  TEXT    NOT NULL CHECK (json_valid(downloads)),
  whole      TEXT    NOT NULL CHECK (json_valid(whole)), -- all that the file has under the name, for the export
  created_at INTEGER NOT NULL,
  UNIQUE (owner_id, name)
) STRICT;

-- Scratch spaces of OhMyArtifacts.jl that this store follows.
CREATE TABLE spaces (
  id          INTEGER PRIMARY KEY,
  root        TEXT    NOT NULL UNIQUE,               -- spelt as Julia spells it
  depot       TEXT,
  writes      INTEGER NOT NULL CHECK (writes IN (0, 1)), -- whether changes here go there too
  attached_at INTEGER NOT NULL,
  synced_at   INTEGER
) STRICT;

-- What both sides agreed on last: the base of the next comparison. In the mirror of a space: what it binds.
CREATE TABLE space_bindings (
  space_id INTEGER NOT NULL REFERENCES spaces (id) ON DELETE CASCADE,
  uuid     TEXT    NOT NULL,
  version  TEXT    NOT NULL DEFAULT '',
  name     TEXT    NOT NULL,
  hash     BLOB    NOT NULL CHECK (length(hash) = 32),
  meta     TEXT    CHECK (meta IS NULL OR json_valid(meta)),
  bound_at INTEGER NOT NULL,
  PRIMARY KEY (space_id, uuid, version, name)
) STRICT, WITHOUT ROWID;

-- Files of a space as they were when last read: what has not changed is not read again.
CREATE TABLE space_files (
  space_id INTEGER NOT NULL REFERENCES spaces (id) ON DELETE CASCADE,
  path     TEXT    NOT NULL,
  stamp    TEXT    NOT NULL,
  PRIMARY KEY (space_id, path)
) STRICT, WITHOUT ROWID;

-- An owner that is gone lets go too.
CREATE TABLE events_new (
  id      INTEGER PRIMARY KEY,
  at      INTEGER NOT NULL,
  what    TEXT    NOT NULL CHECK (what IN ('bind', 'rebind', 'unbind', 'lapse', 'collect')),
  hash    BLOB    NOT NULL CHECK (length(hash) = 32),
  kind    INTEGER NOT NULL,
  owner   TEXT,
  version TEXT,
  name    TEXT,
  run_id  INTEGER
) STRICT;
INSERT INTO events_new SELECT id, at, what, hash, kind, owner, version, name, run_id FROM events;
DROP TABLE events;
ALTER TABLE events_new RENAME TO events;
CREATE INDEX events_hash ON events (hash);

-- Keys that OhMyArtifacts.jl does not know but keeps beside a binding.
ALTER TABLE bindings ADD COLUMN extra TEXT CHECK (extra IS NULL OR json_valid(extra));
