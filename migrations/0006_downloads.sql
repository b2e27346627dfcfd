-- What is known of a download beside its address: enough to ask whether there is something newer, to have
-- the same again, and to say what that would cost.

CREATE TABLE downloads (
  source_id     INTEGER PRIMARY KEY REFERENCES sources (id) ON DELETE CASCADE,
  sha256        BLOB    NOT NULL CHECK (length(sha256) = 32),           -- of the bytes that came, plain
  bytes         INTEGER NOT NULL CHECK (bytes >= 0),
  unpacked      TEXT    NOT NULL CHECK (unpacked IN ('no', 'whole', 'stripped')), -- what became of them
  executable    INTEGER NOT NULL CHECK (executable IN (0, 1)),          -- whether a file is to be run
  links         TEXT    NOT NULL CHECK (links IN ('error', 'keep', 'skip')),      -- those that lead nowhere
  etag          TEXT,
  last_modified TEXT,
  took_ms       INTEGER NOT NULL CHECK (took_ms >= 0),
  places        TEXT    NOT NULL CHECK (json_valid(places)),            -- where it was looked for, in order
  checked_at    INTEGER NOT NULL                                        -- when the source last had this version
) STRICT;

-- Which of an artifact's sources a name stands for: equal bytes may have come from several.
CREATE TABLE downloaded_names (
  binding_id INTEGER PRIMARY KEY REFERENCES bindings (id) ON DELETE CASCADE,
  source_id  INTEGER NOT NULL REFERENCES sources (id) ON DELETE CASCADE,
  demanded   INTEGER NOT NULL CHECK (demanded IN (0, 1))  -- whether its bytes had to have the hash they have
) STRICT;

CREATE INDEX downloaded_names_source ON downloaded_names (source_id);

-- "Is a file of this hash here already?"
CREATE INDEX downloads_sha256 ON downloads (sha256);
-- "What did this address bring?"
CREATE INDEX sources_location ON sources (location) WHERE kind = 'url';
