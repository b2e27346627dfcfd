-- Owners with a life, clean-up by policy, and undo.

-- How it is known whether an owner still exists. Each row is one reason to think that it does: it is
-- gone when every row says so, and nobody knows as long as one cannot be looked at.
CREATE TABLE probes (
  id       INTEGER PRIMARY KEY,
  owner_id INTEGER NOT NULL REFERENCES owners (id) ON DELETE CASCADE,
  kind     TEXT    NOT NULL CHECK (kind IN ('path', 'julia', 'command')),
  target   TEXT    NOT NULL,                          -- the path, the depot ('' for any), the command line
  mount    TEXT    CHECK (mount IS NULL OR kind = 'path'), -- where the filesystem it lay on was mounted
  user_id  INTEGER CHECK ((user_id IS NOT NULL) = (kind = 'command')), -- who registered it, and alone runs it
  UNIQUE (owner_id, kind, target)
) STRICT;

INSERT INTO probes (owner_id, kind, target)
  SELECT id, 'julia', ifnull(target, '') FROM owners WHERE probe = 'julia';
INSERT INTO probes (owner_id, kind, target) SELECT id, 'path', root FROM owners WHERE root IS NOT NULL;

ALTER TABLE owners DROP COLUMN root;
ALTER TABLE owners DROP COLUMN probe;
ALTER TABLE owners DROP COLUMN target;
-- The end of its life, whatever its probes say.
ALTER TABLE owners ADD COLUMN expires_at  INTEGER;
-- Above the soft budget it is warned and goes first, above the hard one it is refused. Bytes.
ALTER TABLE owners ADD COLUMN soft_budget INTEGER CHECK (soft_budget >= 0);
ALTER TABLE owners ADD COLUMN hard_budget INTEGER CHECK (hard_budget >= 0);

CREATE INDEX owners_ending ON owners (expires_at) WHERE expires_at IS NOT NULL;

-- Whether it has bound nothing: gc finds those whom nobody needs without looking at the others.
ALTER TABLE owners ADD COLUMN empty INTEGER NOT NULL DEFAULT 1 CHECK (empty IN (0, 1));
UPDATE owners SET empty = 0 WHERE id IN (SELECT owner_id FROM bindings);
CREATE INDEX owners_empty ON owners (id) WHERE empty = 1;
CREATE TRIGGER owners_bind AFTER INSERT ON bindings BEGIN
  UPDATE owners SET empty = 0 WHERE id = new.owner_id AND empty = 1;
END;
CREATE TRIGGER owners_unbind AFTER DELETE ON bindings BEGIN
  UPDATE owners SET empty = 1
  WHERE id = old.owner_id AND NOT EXISTS (SELECT 1 FROM bindings WHERE owner_id = old.owner_id);
END;
CREATE TRIGGER owners_hand_over AFTER UPDATE OF owner_id ON bindings BEGIN
  UPDATE owners SET empty = 0 WHERE id = new.owner_id AND empty = 1;
  UPDATE owners SET empty = 1
  WHERE id = old.owner_id AND NOT EXISTS (SELECT 1 FROM bindings WHERE owner_id = old.owner_id);
END;

-- The owner that bound it on behalf of the one that has it, as KEY or KEY@VERSION.
ALTER TABLE bindings ADD COLUMN bound_by TEXT;
-- What nobody used for long is found without looking at the rest.
CREATE INDEX bindings_used ON bindings (ifnull(last_used_at, bound_at));

-- Who holds it, for people.
ALTER TABLE leases ADD COLUMN holder TEXT;

-- A condemned object that a run keeps in its trash for a while, and whether its file lies there yet.
ALTER TABLE objects ADD COLUMN trash_run INTEGER;
ALTER TABLE objects ADD COLUMN trashed   INTEGER NOT NULL DEFAULT 0
  CHECK (trashed = 0 OR (trashed = 1 AND trash_run IS NOT NULL AND state = 2));
DROP INDEX objects_unsettled;
CREATE INDEX objects_unsettled ON objects (state) WHERE state <> 0 AND trashed = 0;
CREATE INDEX objects_trashed   ON objects (trash_run) WHERE trash_run IS NOT NULL;

ALTER TABLE gc_runs ADD COLUMN trashed_bytes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE gc_runs ADD COLUMN keep_until    INTEGER;  -- how long its trash is kept; none: it had none
ALTER TABLE gc_runs ADD COLUMN undone_at     INTEGER;
ALTER TABLE gc_runs ADD COLUMN emptied_at    INTEGER;  -- when its trash was emptied

ALTER TABLE gc_items ADD COLUMN rule       TEXT;       -- the rule that took it, as it was written
ALTER TABLE gc_items ADD COLUMN sources    TEXT CHECK (sources IS NULL OR json_valid(sources));
ALTER TABLE gc_items ADD COLUMN files      INTEGER;
ALTER TABLE gc_items ADD COLUMN created_at INTEGER;

-- The latest time at which anybody used the store, to write or to look something up.
CREATE TABLE last_use (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  at INTEGER NOT NULL
) STRICT;
INSERT INTO last_use (id, at) SELECT 1, clock FROM store;

-- Stretches of time in which nobody used the store, and how much of each does not count: a clock
-- that jumps ahead must not make everything old at once.
CREATE TABLE clock_gaps (
  at         INTEGER PRIMARY KEY,                      -- when the gap ended
  skipped_ms INTEGER NOT NULL CHECK (skipped_ms > 0)   -- up to then, not counted
) STRICT;

-- More can happen to a binding than to be bound and unbound.
CREATE TABLE events_new (
  id      INTEGER PRIMARY KEY,
  at      INTEGER NOT NULL,
  what    TEXT    NOT NULL CHECK (what IN ('bind', 'rebind', 'unbind', 'lapse', 'evict', 'remove', 'delegate',
                                           'rename', 'collect', 'restore')),
  hash    BLOB    NOT NULL CHECK (length(hash) = 32),
  kind    INTEGER NOT NULL,
  owner   TEXT,
  version TEXT,
  name    TEXT,
  run_id  INTEGER,
  detail  TEXT,                                        -- to whom it was handed, by which rule it went
  was     TEXT CHECK (was IS NULL OR json_valid(was))  -- a binding let go, as it was: for undo
) STRICT;
INSERT INTO events_new SELECT id, at, what, hash, kind, owner, version, name, run_id, NULL, NULL FROM events;
DROP TABLE events;
ALTER TABLE events_new RENAME TO events;
CREATE INDEX events_hash ON events (hash);
CREATE INDEX events_name ON events (name, owner) WHERE name IS NOT NULL;
CREATE INDEX events_run  ON events (run_id) WHERE run_id IS NOT NULL;
