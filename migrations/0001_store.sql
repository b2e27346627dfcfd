-- The index of a store: who keeps what, since when, and what it weighs.
-- Times are UTC milliseconds, sizes are bytes, hashes are 32 raw bytes.
-- Tables are private and may change with any release; the v1_* views of later migrations are public.

-- What the store itself must remember. One row.
CREATE TABLE store (
  id          INTEGER PRIMARY KEY CHECK (id = 1),
  link_style  TEXT    NOT NULL CHECK (link_style IN ('absolute', 'relative', 'hardlink')),
  durability  TEXT    NOT NULL CHECK (durability IN ('full', 'batch', 'none')),
  created_at  INTEGER NOT NULL,
  -- The latest time any writer has seen: a clock set back must not make anything older.
  clock       INTEGER NOT NULL,
  -- The number of the last record in the binding journal.
  journal_seq INTEGER NOT NULL DEFAULT 0,
  last_gc_at  INTEGER
) STRICT;

-- One row an object. The same bytes with and without the execute bit are two objects.
CREATE TABLE objects (
  id          INTEGER PRIMARY KEY,
  hash        BLOB    NOT NULL CHECK (length(hash) = 32),
  kind        INTEGER NOT NULL CHECK (kind IN (0, 1, 2)),   -- 0 file, 1 executable file, 2 tree
  state       INTEGER NOT NULL CHECK (state IN (0, 1, 2)),  -- 0 live, 1 a tree not complete yet, 2 condemned
  size        INTEGER NOT NULL CHECK (size >= 0),           -- logical: a tree's files, each entry counted
  own_bytes   INTEGER NOT NULL CHECK (own_bytes >= 0),      -- what it holds on disk itself; a tree's blobs are their own
  files       INTEGER NOT NULL CHECK (files >= 0),
  created_at  INTEGER NOT NULL,
  orphaned_at INTEGER,                                      -- when the last thing that kept it let go
  verified_at INTEGER,                                      -- when it was last found whole
  UNIQUE (hash, kind)
) STRICT;

-- gc looks here only, so its work grows with the garbage.
CREATE INDEX objects_orphaned  ON objects (orphaned_at) WHERE orphaned_at IS NOT NULL;
CREATE INDEX objects_unsettled ON objects (state) WHERE state <> 0;
-- "Might this large file be here already?"
CREATE INDEX objects_large     ON objects (size) WHERE size > 262144 AND kind <> 2;

-- Which blobs a tree needs, each once. Every gc and usage query runs on this narrow table.
CREATE TABLE members (
  tree_id INTEGER NOT NULL REFERENCES objects (id) ON DELETE CASCADE,
  blob_id INTEGER NOT NULL REFERENCES objects (id) ON DELETE RESTRICT,
  PRIMARY KEY (tree_id, blob_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX members_blob ON members (blob_id, tree_id);

-- A tree's paths. The blob is not a foreign key here: `members` has it, and a second one would cost
-- an index as large as the table.
CREATE TABLE tree_entries (
  tree_id INTEGER NOT NULL REFERENCES objects (id) ON DELETE CASCADE,
  path    BLOB    NOT NULL CHECK (length(path) > 0),
  mode    INTEGER NOT NULL CHECK (mode IN (33188, 33261, 40960, 16384)), -- 100644, 100755, 120000, 040000
  blob_id INTEGER,
  target  BLOB,                                             -- a symbolic link's text
  PRIMARY KEY (tree_id, path),
  CHECK ((mode IN (33188, 33261)) = (blob_id IS NOT NULL)),
  CHECK ((mode = 40960) = (target IS NOT NULL))
) STRICT, WITHOUT ROWID;

CREATE TABLE owners (
  id           INTEGER PRIMARY KEY,
  key          TEXT    NOT NULL CHECK (key <> ''),
  version      TEXT    NOT NULL DEFAULT '',                 -- '' for an owner without versions
  title        TEXT,
  root         TEXT,                                        -- a path that exists as long as the owner does
  created_at   INTEGER NOT NULL,
  last_seen_at INTEGER NOT NULL,
  UNIQUE (key, version)
) STRICT;

CREATE TABLE bindings (
  id           INTEGER PRIMARY KEY,
  owner_id     INTEGER NOT NULL REFERENCES owners (id) ON DELETE CASCADE,
  name         TEXT    NOT NULL,
  object_id    INTEGER NOT NULL REFERENCES objects (id) ON DELETE RESTRICT,
  meta         TEXT    CHECK (meta IS NULL OR json_valid(meta)),
  bound_at     INTEGER NOT NULL,
  last_used_at INTEGER,
  UNIQUE (owner_id, name)
) STRICT;

CREATE INDEX bindings_object ON bindings (object_id);

-- Protects an object between create and bind, or while a session works: until a time, or for as
-- long as the session lives.
CREATE TABLE leases (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  object_id  INTEGER NOT NULL REFERENCES objects (id) ON DELETE RESTRICT,
  session    TEXT,
  expires_at INTEGER,
  reason     TEXT    NOT NULL,
  created_at INTEGER NOT NULL,
  CHECK ((session IS NULL) <> (expires_at IS NULL))
) STRICT;

CREATE INDEX leases_object  ON leases (object_id);
CREATE INDEX leases_session ON leases (session) WHERE session IS NOT NULL;
CREATE INDEX leases_expiry  ON leases (expires_at) WHERE expires_at IS NOT NULL;

-- Protects an object for good, or until a time.
CREATE TABLE pins (
  object_id  INTEGER PRIMARY KEY REFERENCES objects (id) ON DELETE RESTRICT,
  reason     TEXT    NOT NULL,
  until      INTEGER,
  created_at INTEGER NOT NULL
) STRICT;

-- Where an artifact came from, so that it can be had again.
CREATE TABLE sources (
  id         INTEGER PRIMARY KEY,
  object_id  INTEGER NOT NULL REFERENCES objects (id) ON DELETE CASCADE,
  kind       TEXT    NOT NULL CHECK (kind IN ('path', 'command', 'url', 'archive')),
  location   TEXT    NOT NULL,
  created_at INTEGER NOT NULL,
  UNIQUE (object_id, kind, location)
) STRICT;

-- What happened to bindings and artifacts. Outlives the rows it speaks of.
CREATE TABLE events (
  id      INTEGER PRIMARY KEY,
  at      INTEGER NOT NULL,
  what    TEXT    NOT NULL CHECK (what IN ('bind', 'rebind', 'unbind', 'collect')),
  hash    BLOB    NOT NULL CHECK (length(hash) = 32),
  kind    INTEGER NOT NULL,
  owner   TEXT,
  version TEXT,
  name    TEXT,
  run_id  INTEGER
) STRICT;

CREATE INDEX events_hash ON events (hash);

CREATE TABLE gc_runs (
  id               INTEGER PRIMARY KEY,
  started_at       INTEGER NOT NULL,
  collect_delay_ms INTEGER NOT NULL,
  objects          INTEGER NOT NULL,
  bytes            INTEGER NOT NULL
) STRICT;

CREATE TABLE gc_items (
  run_id      INTEGER NOT NULL REFERENCES gc_runs (id) ON DELETE CASCADE,
  hash        BLOB    NOT NULL CHECK (length(hash) = 32),
  kind        INTEGER NOT NULL,
  size        INTEGER NOT NULL,
  freed_bytes INTEGER NOT NULL,
  orphaned_at INTEGER,
  reason      TEXT    NOT NULL,
  names       TEXT    NOT NULL CHECK (json_valid(names)),
  PRIMARY KEY (run_id, hash, kind)
) STRICT, WITHOUT ROWID;

CREATE INDEX gc_items_hash ON gc_items (hash);

-- What each owner held at a time, for growth over time.
CREATE TABLE usage_samples (
  at              INTEGER NOT NULL,
  owner           TEXT    NOT NULL,
  version         TEXT    NOT NULL,
  total_bytes     INTEGER NOT NULL,
  exclusive_bytes INTEGER NOT NULL,
  fair_bytes      INTEGER NOT NULL,
  PRIMARY KEY (at, owner, version)
) STRICT, WITHOUT ROWID;
