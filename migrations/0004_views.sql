-- The public, stable way to ask a store: read-only views. The tables below them are private.
--
-- Times are ISO 8601 in UTC, sizes are bytes, hashes are hex, kinds are the words of the JSON output, and
-- yes and no are 1 and 0. What is condemned, or lies in the trash, is not stored any more and in no view
-- but v1_event. What attached spaces hold is in none.
--
-- The comments inside of a view stay in the database: the first says what a row is, those behind the columns
-- what they hold, and `oma schema` prints them. A view may get further columns; none goes or changes.
-- A later migration that changes a table below a view must drop the view first and make it again.

CREATE VIEW v1_usage (
  -- An owner: what its bindings take on the disk. The fair_bytes of all owners, and what no owner's
  -- binding reaches, are together what is stored, to the byte.
  owner,            -- its key
  version,          -- its version; NULL if it has none
  bindings,         -- how many names it has bound
  artifacts,        -- how many artifacts those names stand for
  files,            -- how many stored files they reach, each once
  total_bytes,      -- bytes of everything they reach, each once: exclusive_bytes + shared_bytes
  exclusive_bytes,  -- of these, what no other owner reaches
  shared_bytes,     -- of these, what other owners reach too
  fair_bytes,       -- shared bytes divided by the number of owners, plus the exclusive ones; the remainder goes to the first owners by key
  last_seen_at      -- when it last bound something, or was registered
) AS
WITH held (owner_id, object_id) AS (
  SELECT owner_id, object_id FROM bindings
  UNION
  SELECT b.owner_id, m.blob_id FROM bindings b JOIN members m ON m.tree_id = b.object_id
), part (owner_id, is_file, bytes, holders, place) AS (
  SELECT h.owner_id, o.kind <> 2, o.own_bytes, count(*) OVER (PARTITION BY h.object_id),
         row_number() OVER (PARTITION BY h.object_id ORDER BY w.key, w.version) - 1
  FROM held h JOIN objects o ON o.id = h.object_id JOIN owners w ON w.id = h.owner_id
), share (owner_id, files, exclusive, shared, fair) AS (
  SELECT owner_id, sum(is_file), sum(iif(holders = 1, bytes, 0)), sum(iif(holders = 1, 0, bytes)),
         sum(bytes / holders + (place < bytes % holders))
  FROM part GROUP BY owner_id
), named (owner_id, bindings, artifacts) AS (
  SELECT owner_id, count(*), count(DISTINCT object_id) FROM bindings GROUP BY owner_id
)
SELECT w.key, nullif(w.version, ''), ifnull(n.bindings, 0), ifnull(n.artifacts, 0), ifnull(s.files, 0),
       ifnull(s.exclusive + s.shared, 0), ifnull(s.exclusive, 0), ifnull(s.shared, 0), ifnull(s.fair, 0),
       strftime('%Y-%m-%dT%H:%M:%fZ', w.last_seen_at / 1000.0, 'unixepoch')
FROM owners w LEFT JOIN named n ON n.owner_id = w.id LEFT JOIN share s ON s.owner_id = w.id
ORDER BY w.key, w.version;

CREATE VIEW v1_binding (
  -- A name that an owner has given to an artifact.
  owner,         -- the owner's key
  version,       -- the owner's version; NULL if it has none
  name,          -- the name
  hash,          -- the artifact: SHA-256 in git's object form, 64 hex digits
  kind,          -- file or tree
  executable,    -- 1 for a file stored with its execute bit, which is an artifact of its own
  size,          -- bytes of its files, each entry counted
  bound_at,      -- when it was bound
  last_used_at,  -- when it was last looked up, to about five minutes; NULL if never
  meta,          -- what was noted beside it: JSON, or NULL
  bound_by       -- who bound it on the owner's behalf, as KEY or KEY@VERSION; NULL: the owner itself
) AS
SELECT w.key, nullif(w.version, ''), b.name, lower(hex(o.hash)), iif(o.kind = 2, 'tree', 'file'), o.kind = 1, o.size,
       strftime('%Y-%m-%dT%H:%M:%fZ', b.bound_at / 1000.0, 'unixepoch'),
       strftime('%Y-%m-%dT%H:%M:%fZ', b.last_used_at / 1000.0, 'unixepoch'), b.meta, b.bound_by
FROM bindings b JOIN owners w ON w.id = b.owner_id JOIN objects o ON o.id = b.object_id
ORDER BY w.key, w.version, b.name;

CREATE VIEW v1_artifact (
  -- An artifact that is stored: a directory, or a file that somebody bound, leased, pinned or put in on its own.
  hash,          -- its hash: SHA-256 in git's object form, 64 hex digits
  kind,          -- file or tree
  executable,    -- 1 for a file stored with its execute bit; the same bytes without it are another artifact
  size,          -- bytes of its files, each entry counted
  stored_bytes,  -- bytes on the disk of all it needs, each file once; others may need them too
  files,         -- how many files it has, each entry counted; 1 for a file
  created_at,    -- when it came in
  orphaned_at,   -- since when nothing keeps it; NULL if something does, or nobody noted when that ended
  verified_at,   -- when it was last found whole; NULL if never
  bindings,      -- how many names stand for it
  state,         -- live: a binding, lease or pin keeps it, or a directory that has one; orphan: nothing does
  class,         -- how it can be had again: refetchable, rebuildable or irreplaceable
  sources        -- where it came from: a JSON array of objects with kind, location and created_at
) AS
WITH held (id) AS MATERIALIZED (
  SELECT object_id FROM bindings UNION SELECT object_id FROM leases UNION SELECT object_id FROM pins
), kept (id) AS MATERIALIZED (
  SELECT id FROM held UNION SELECT m.blob_id FROM held h JOIN members m ON m.tree_id = h.id
), chosen AS (
  SELECT o.*, o.id IN (SELECT id FROM kept) AS lives FROM objects o
  WHERE o.state = 0
    AND (o.kind = 2 OR o.id IN (SELECT id FROM held) OR EXISTS (SELECT 1 FROM sources s WHERE s.object_id = o.id)
         OR (o.id NOT IN (SELECT id FROM kept)
             AND (o.orphaned_at IS NOT NULL OR NOT EXISTS (SELECT 1 FROM members m WHERE m.blob_id = o.id))))
)
SELECT lower(hex(o.hash)), iif(o.kind = 2, 'tree', 'file'), o.kind = 1, o.size,
       o.own_bytes + ifnull((SELECT sum(b.own_bytes) FROM members m JOIN objects b ON b.id = m.blob_id
                             WHERE m.tree_id = o.id), 0),
       o.files, strftime('%Y-%m-%dT%H:%M:%fZ', o.created_at / 1000.0, 'unixepoch'),
       iif(o.lives, NULL, strftime('%Y-%m-%dT%H:%M:%fZ', (
         SELECT max(at) FROM (SELECT o.orphaned_at AS at
                              UNION ALL SELECT t.orphaned_at FROM members m JOIN objects t ON t.id = m.tree_id
                                        WHERE m.blob_id = o.id AND t.state = 0)) / 1000.0, 'unixepoch')),
       strftime('%Y-%m-%dT%H:%M:%fZ', o.verified_at / 1000.0, 'unixepoch'),
       (SELECT count(*) FROM bindings b WHERE b.object_id = o.id),
       iif(o.lives, 'live', 'orphan'),
       CASE (SELECT min(CASE s.kind WHEN 'url' THEN 0 WHEN 'path' THEN 2 ELSE 1 END)
             FROM sources s WHERE s.object_id = o.id)
         WHEN 0 THEN 'refetchable' WHEN 1 THEN 'rebuildable' ELSE 'irreplaceable' END,
       -- By hand: SQLite up to 3.40 lets no view call its JSON functions where the schema is not trusted.
       (SELECT ifnull('[' || group_concat('{"kind":"' || kind || '","location":"' || (
                 WITH RECURSIVE escaped (code, text) AS (
                   SELECT 1, replace(replace(location, '\', '\\'), '"', '\"')
                   UNION ALL
                   SELECT code + 1, replace(text, char(code), printf('\u%04x', code)) FROM escaped WHERE code < 32)
                 SELECT text FROM escaped WHERE code = 32)
               || '","created_at":"' || at || '"}', ',') || ']', '[]')
        FROM (SELECT s.kind, s.location, strftime('%Y-%m-%dT%H:%M:%fZ', s.created_at / 1000.0, 'unixepoch') AS at
              FROM sources s WHERE s.object_id = o.id ORDER BY s.created_at, s.id))
FROM chosen o
ORDER BY o.hash, o.kind;

CREATE VIEW v1_garbage (
  -- An artifact that nothing keeps: gc takes it when its delay is over, unless a rule or an undo still wants it.
  hash,         -- its hash: SHA-256 in git's object form, 64 hex digits
  kind,         -- file or tree
  executable,   -- 1 for a file stored with its execute bit
  size,         -- bytes of its files, each entry counted
  freed_bytes,  -- bytes that leave the disk if all of this view goes; what several rows need counts with the first
  orphaned_at,  -- since when nothing keeps it; NULL if nobody noted that
  class,        -- how it can be had again: refetchable, rebuildable or irreplaceable
  names         -- the names it had, as OWNER:NAME, the latest first: a JSON array
) AS
WITH held (id) AS MATERIALIZED (
  SELECT object_id FROM bindings UNION SELECT object_id FROM leases UNION SELECT object_id FROM pins
), kept (id) AS MATERIALIZED (
  SELECT id FROM held UNION SELECT m.blob_id FROM held h JOIN members m ON m.tree_id = h.id
), wanted (id) AS MATERIALIZED (
  -- What lies in the trash may be brought back, and needs its files then.
  SELECT m.blob_id FROM objects t JOIN members m ON m.tree_id = t.id WHERE t.trash_run IS NOT NULL
), loose AS MATERIALIZED (
  SELECT o.id, o.hash, o.kind, o.size, o.orphaned_at, iif(o.id IN (SELECT id FROM wanted), 0, o.own_bytes) AS bytes
  FROM objects o WHERE o.state = 0 AND o.id NOT IN (SELECT id FROM kept)
), inside (tree_id, blob_id, bytes, place) AS MATERIALIZED (
  SELECT t.id, b.id, b.bytes, row_number() OVER (PARTITION BY b.id ORDER BY t.hash)
  FROM loose t JOIN members m ON m.tree_id = t.id JOIN loose b ON b.id = m.blob_id
)
SELECT lower(hex(o.hash)), iif(o.kind = 2, 'tree', 'file'), o.kind = 1, o.size,
       o.bytes + ifnull((SELECT sum(i.bytes) FROM inside i JOIN loose b ON b.id = i.blob_id
                         WHERE i.tree_id = o.id AND i.place = 1 AND b.orphaned_at IS NULL), 0),
       strftime('%Y-%m-%dT%H:%M:%fZ', o.orphaned_at / 1000.0, 'unixepoch'),
       CASE (SELECT min(CASE s.kind WHEN 'url' THEN 0 WHEN 'path' THEN 2 ELSE 1 END)
             FROM sources s WHERE s.object_id = o.id)
         WHEN 0 THEN 'refetchable' WHEN 1 THEN 'rebuildable' ELSE 'irreplaceable' END,
       (SELECT ifnull('[' || group_concat('"' || (
                 WITH RECURSIVE escaped (code, text) AS (
                   SELECT 1, replace(replace(full_name, '\', '\\'), '"', '\"')
                   UNION ALL
                   SELECT code + 1, replace(text, char(code), printf('\u%04x', code)) FROM escaped WHERE code < 32)
                 SELECT text FROM escaped WHERE code = 32) || '"', ',') || ']', '[]')
        FROM (SELECT e.owner || iif(ifnull(e.version, '') = '', '', '@' || e.version) || ':' || e.name AS full_name
              FROM events e WHERE e.hash = o.hash AND e.kind = o.kind AND e.owner IS NOT NULL
              GROUP BY e.owner, e.version, e.name ORDER BY max(e.id) DESC))
FROM loose o
WHERE o.kind = 2 OR o.orphaned_at IS NOT NULL OR o.id NOT IN (SELECT blob_id FROM inside)
ORDER BY o.orphaned_at, o.hash, o.kind;

CREATE VIEW v1_sharing (
  -- Two owners that reach the same files: what they share, each pair once, the first by key before the other.
  owner,          -- the first owner's key
  version,        -- its version; NULL if it has none
  other_owner,    -- the other owner's key
  other_version,  -- its version; NULL if it has none
  files,          -- how many stored files both reach
  shared_bytes    -- bytes of everything both reach, each once
) AS
WITH held (owner_id, object_id) AS MATERIALIZED (
  SELECT owner_id, object_id FROM bindings
  UNION
  SELECT b.owner_id, m.blob_id FROM bindings b JOIN members m ON m.tree_id = b.object_id
), pairs (first_id, other_id, files, bytes) AS (
  SELECT f.owner_id, t.owner_id, sum(o.kind <> 2), sum(o.own_bytes)
  FROM held f JOIN held t ON t.object_id = f.object_id JOIN objects o ON o.id = f.object_id
       JOIN owners v ON v.id = f.owner_id JOIN owners w ON w.id = t.owner_id
  WHERE (v.key, v.version) < (w.key, w.version)
  GROUP BY f.owner_id, t.owner_id
)
SELECT v.key, nullif(v.version, ''), w.key, nullif(w.version, ''), p.files, p.bytes
FROM pairs p JOIN owners v ON v.id = p.first_id JOIN owners w ON w.id = p.other_id
ORDER BY v.key, v.version, w.key, w.version;

CREATE VIEW v1_owner (
  -- An owner, and what was last noted of whether it still exists; `oma owner show` looks anew.
  owner,         -- its key
  version,       -- its version; NULL if it has none
  title,         -- what it is called, for people; NULL if nobody said
  state,         -- gone: a look found nothing of it; ended: its time was over when the store was last used; present: neither
  kind,          -- how that is known: julia, path, command, expiry (it only has an end), or manual (only people know)
  evidence,      -- what is looked at, as kind and path, depot or command, with `; ` between; NULL if nothing is
  bindings,      -- how many names it has bound
  soft_budget,   -- above so many bytes it is warned, and goes first; NULL: no limit
  hard_budget,   -- above so many bytes nothing more is bound; NULL: no limit
  expires_at,    -- the end of its life, whatever is looked at; NULL: none
  created_at,    -- when it was first seen
  last_seen_at,  -- when it last bound something, or was registered
  gone_since     -- since when it is known to be gone; NULL if it is not
) AS
SELECT w.key, nullif(w.version, ''), w.title,
       CASE WHEN w.gone_since IS NOT NULL THEN 'gone'
            WHEN w.expires_at <= (SELECT max(s.clock, ifnull((SELECT at FROM last_use), 0)) FROM store s) THEN 'ended'
            ELSE 'present' END,
       CASE (SELECT min(CASE p.kind WHEN 'julia' THEN 0 WHEN 'path' THEN 1 ELSE 2 END) FROM probes p WHERE p.owner_id = w.id)
         WHEN 0 THEN 'julia' WHEN 1 THEN 'path' WHEN 2 THEN 'command'
         ELSE iif(w.expires_at IS NULL, 'manual', 'expiry') END,
       (SELECT group_concat(seen, '; ')
        FROM (SELECT rtrim(p.kind || ' ' || p.target) AS seen FROM probes p WHERE p.owner_id = w.id ORDER BY p.id)),
       (SELECT count(*) FROM bindings b WHERE b.owner_id = w.id),
       w.soft_budget, w.hard_budget,
       strftime('%Y-%m-%dT%H:%M:%fZ', w.expires_at / 1000.0, 'unixepoch'),
       strftime('%Y-%m-%dT%H:%M:%fZ', w.created_at / 1000.0, 'unixepoch'),
       strftime('%Y-%m-%dT%H:%M:%fZ', w.last_seen_at / 1000.0, 'unixepoch'),
       strftime('%Y-%m-%dT%H:%M:%fZ', w.gone_since / 1000.0, 'unixepoch')
FROM owners w
ORDER BY w.key, w.version;

CREATE VIEW v1_event (
  -- Something that happened to a name or an artifact, the oldest first. The artifact may be gone.
  event,       -- its number: what happened later has a larger one
  at,          -- when
  what,        -- bind, rebind, unbind, lapse, evict, remove, delegate, rename, collect or restore
  hash,        -- the artifact: SHA-256 in git's object form, 64 hex digits
  kind,        -- file or tree
  executable,  -- 1 for a file stored with its execute bit
  owner,       -- whose name it was about; NULL if it was about none
  version,     -- the owner's version; NULL if it has none
  name,        -- the name; NULL if it was about none
  run,         -- the run of gc that did it; NULL if none did
  detail       -- to whom it was handed, by which rule it went; NULL if there is no more to say
) AS
SELECT e.id, strftime('%Y-%m-%dT%H:%M:%fZ', e.at / 1000.0, 'unixepoch'), e.what, lower(hex(e.hash)),
       iif(e.kind = 2, 'tree', 'file'), e.kind = 1, e.owner, nullif(e.version, ''), e.name, e.run_id, e.detail
FROM events e
ORDER BY e.id;
