//! The questions: how `oma` is asked, and what `sqlite3` is asked instead.

use std::path::Path;

use rusqlite::{Connection, types::FromSql};

use crate::fill::{DAY, NOW};

/// What a question is about, for `du`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum About {
    Store,
    Owner,
    Artifact,
}

/// A question put to one store.
pub(crate) struct Question {
    pub(crate) name: &'static str,
    pub(crate) words: Vec<String>,
    /// The same in plain SQL, as somebody would write it who knows the tables.
    pub(crate) sql: String,
    pub(crate) about: About,
    /// Milliseconds it may take over the smaller store; none: nobody said.
    pub(crate) goal: Option<f64>,
}

/// What is asked for by name: the same sort of thing in every store.
pub(crate) struct Subject {
    pub(crate) owner_id: i64,
    pub(crate) owner: String,
    name: String,
    pub(crate) object_id: i64,
    /// The file that most directories have.
    everywhere: String,
    /// So large are fifty artifacts.
    size: i64,
    file: String,
}

impl Subject {
    pub(crate) fn of(root: &Path) -> Self {
        let index = Connection::open(root.join("index.sqlite")).expect("its index");
        // Neither a large owner nor a small one: 83 bindings each in both stores, on average.
        let owner_id = one(&index, "SELECT owner_id FROM bindings GROUP BY owner_id ORDER BY abs(count(*) - 83), 1");
        let owner = format!("SELECT key || iif(version = '', '', '@' || version) FROM owners WHERE id = {owner_id}");
        let bound =
            format!("FROM bindings b JOIN objects o ON o.id = b.object_id WHERE o.kind = 2 AND owner_id = {owner_id}");
        Self {
            owner_id,
            owner: one(&index, &owner),
            name: one(&index, &format!("SELECT b.name {bound} ORDER BY b.id")),
            object_id: one(&index, &format!("SELECT b.object_id {bound} ORDER BY b.id")),
            everywhere: one(&index, "SELECT lower(hex(hash)) FROM objects WHERE id = 1"),
            size: one(
                &index,
                "SELECT o.size FROM bindings b JOIN objects o ON o.id = b.object_id ORDER BY 1 DESC LIMIT 1 OFFSET 50",
            ),
            file: one(
                &index,
                "SELECT CAST(substr(path, 8) AS TEXT) FROM tree_entries WHERE path LIKE 'part-1/data-5%'",
            ),
        }
    }
}

fn one<T: FromSql>(index: &Connection, sql: &str) -> T {
    index.query_row(sql, [], |row| row.get(0)).expect("a row")
}

/// The questions of the demand, and after them some that read everything.
pub(crate) fn questions(subject: &Subject) -> Vec<Question> {
    let Subject { owner, name, everywhere, size, file, .. } = subject;
    let named = format!("{owner}:{name}");
    let ask = |name, words: &[&str], sql, about, goal| Question {
        name,
        words: words.iter().map(ToString::to_string).collect(),
        sql,
        about,
        goal,
    };
    let (large, old) = (format!("size>{size}"), "used>700d");
    vec![
        ask("usage", &["usage"], USAGE.to_owned(), About::Store, Some(300.0)),
        ask("usage -o OWNER", &["usage", "-o", owner], usage_of(subject), About::Owner, Some(50.0)),
        ask("why OWNER:NAME", &["why", &named], why(subject.object_id), About::Artifact, Some(50.0)),
        ask(
            "what-if --remove-owner",
            &["what-if", "--remove-owner", owner],
            what_if(subject),
            About::Owner,
            Some(50.0),
        ),
        ask("ls -f size>…", &["ls", "-f", &large], ls(&format!("o.size > {size}")), About::Store, Some(50.0)),
        ask("ls -f used>700d", &["ls", "-f", old], ls(&unused_since(NOW - 700 * DAY)), About::Store, Some(50.0)),
        ask("usage --by artifact", &["usage", "--by", "artifact"], BY_ARTIFACT.to_owned(), About::Store, None),
        ask("find NAME", &["find", file], find(file), About::Store, None),
        ask("dup", &["dup"], DUP.to_owned(), About::Store, None),
        ask("why FILE", &["why", everywhere], why(1), About::Store, None),
    ]
}

/// Remainders go to the first owners, a byte each: with a window over the holders, not with a mean.
pub(crate) const USAGE: &str = "
WITH reach (owner, id) AS (
  SELECT owner_id, object_id FROM bindings
  UNION
  SELECT b.owner_id, m.blob_id FROM bindings b JOIN members m ON m.tree_id = b.object_id),
shares AS (
  SELECT r.owner, o.kind <> 2 AS is_file, o.own_bytes AS bytes,
         count(*) OVER (PARTITION BY r.id) AS holders,
         row_number() OVER (PARTITION BY r.id ORDER BY w.key, w.version) - 1 AS place
  FROM reach r JOIN objects o ON o.id = r.id JOIN owners w ON w.id = r.owner)
SELECT w.key, w.version, (SELECT count(*) FROM bindings b WHERE b.owner_id = w.id),
       ifnull(sum(is_file), 0), ifnull(sum(bytes), 0), ifnull(sum(iif(holders = 1, bytes, 0)), 0),
       ifnull(sum(iif(holders > 1, bytes, 0)), 0),
       ifnull(sum(bytes / holders + (place < bytes % holders)), 0)
FROM owners w LEFT JOIN shares s ON s.owner = w.id GROUP BY w.id ORDER BY w.key, w.version";

const BY_ARTIFACT: &str = "
WITH bound (id) AS (SELECT DISTINCT object_id FROM bindings),
reach (artifact, id) AS (
  SELECT id, id FROM bound UNION SELECT bound.id, m.blob_id FROM bound JOIN members m ON m.tree_id = bound.id),
holders AS (SELECT id, count(*) AS number FROM reach GROUP BY id)
SELECT hex(a.hash), sum(o.own_bytes), sum(iif(number = 1, o.own_bytes, 0)), sum(o.own_bytes * 1.0 / number),
       (SELECT group_concat(w.key || ':' || b.name) FROM bindings b JOIN owners w ON w.id = b.owner_id
        WHERE b.object_id = a.id)
FROM reach r JOIN holders h ON h.id = r.id JOIN objects o ON o.id = r.id JOIN objects a ON a.id = r.artifact
GROUP BY a.id ORDER BY a.hash";

const DUP: &str = "
WITH stands (id, owner) AS (
  SELECT e.blob_id, b.owner_id FROM bindings b JOIN tree_entries e ON e.tree_id = b.object_id
  WHERE e.blob_id IS NOT NULL
  UNION ALL
  SELECT b.object_id, b.owner_id FROM bindings b JOIN objects o ON o.id = b.object_id WHERE o.kind <> 2)
SELECT hex(o.hash), o.size, count(*), o.size * (count(*) - 1) AS saved, count(DISTINCT s.owner)
FROM stands s JOIN objects o ON o.id = s.id GROUP BY o.id HAVING count(*) > 1 ORDER BY saved DESC LIMIT 20";

/// One owner's numbers alone; `oma` tells those of the store beside.
fn usage_of(subject: &Subject) -> String {
    let owner = subject.owner_id;
    format!(
        "WITH mine (id) AS (
           SELECT object_id FROM bindings WHERE owner_id = {owner}
           UNION
           SELECT m.blob_id FROM bindings b JOIN members m ON m.tree_id = b.object_id WHERE b.owner_id = {owner}),
         held (id, owner) AS (
           SELECT mine.id, b.owner_id FROM mine JOIN bindings b ON b.object_id = mine.id
           UNION
           SELECT mine.id, b.owner_id FROM mine JOIN members m ON m.blob_id = mine.id
                  JOIN bindings b ON b.object_id = m.tree_id),
         holders AS (SELECT id, count(*) AS number FROM held GROUP BY id)
         SELECT sum(o.kind <> 2), sum(o.own_bytes), sum(iif(number = 1, o.own_bytes, 0)),
                sum(iif(number > 1, o.own_bytes, 0)), sum(o.own_bytes * 1.0 / number)
         FROM holders h JOIN objects o ON o.id = h.id"
    )
}

fn why(object: i64) -> String {
    format!(
        "SELECT 'binding', w.key, w.version, b.name, b.bound_at FROM bindings b JOIN owners w ON w.id = b.owner_id
           WHERE b.object_id = {object}
         UNION ALL SELECT 'lease', session, reason, expires_at, created_at FROM leases WHERE object_id = {object}
         UNION ALL SELECT 'pin', NULL, reason, until, created_at FROM pins WHERE object_id = {object}
         UNION ALL SELECT 'tree', hex(t.hash), CAST(e.path AS TEXT), w.key || ':' || b.name, b.bound_at
           FROM members m JOIN objects t ON t.id = m.tree_id
                JOIN tree_entries e ON e.tree_id = t.id AND e.blob_id = m.blob_id
                LEFT JOIN bindings b ON b.object_id = t.id LEFT JOIN owners w ON w.id = b.owner_id
           WHERE m.blob_id = {object}
         UNION ALL SELECT what, e.owner, e.version, e.name, e.at
           FROM events e JOIN objects o ON o.hash = e.hash WHERE o.id = {object}"
    )
}

/// What goes with an owner's names beyond the orphans, which go anyway.
pub(crate) fn what_if(subject: &Subject) -> String {
    let owner = subject.owner_id;
    format!(
        "WITH mine (id) AS (SELECT DISTINCT object_id FROM bindings WHERE owner_id = {owner}),
         free (id) AS (
           SELECT id FROM mine
           WHERE NOT EXISTS (SELECT 1 FROM bindings b WHERE b.object_id = mine.id AND b.owner_id <> {owner})
             AND NOT EXISTS (SELECT 1 FROM leases l WHERE l.object_id = mine.id)
             AND NOT EXISTS (SELECT 1 FROM pins p WHERE p.object_id = mine.id)),
         candidates (id) AS (SELECT id FROM free UNION SELECT m.blob_id FROM free JOIN members m ON m.tree_id = free.id)
         SELECT ifnull(sum(o.own_bytes), 0) FROM candidates c JOIN objects o ON o.id = c.id
         WHERE o.kind <> 2
           AND NOT EXISTS (SELECT 1 FROM members m JOIN objects t ON t.id = m.tree_id
                           WHERE m.blob_id = o.id AND t.orphaned_at IS NULL AND t.id NOT IN free)
           AND NOT EXISTS (SELECT 1 FROM bindings b WHERE b.object_id = o.id AND b.object_id NOT IN free)"
    )
}

fn ls(condition: &str) -> String {
    format!(
        "SELECT w.key, w.version, b.name, hex(o.hash), o.kind, o.size, b.bound_at, b.last_used_at
         FROM bindings b JOIN owners w ON w.id = b.owner_id JOIN objects o ON o.id = b.object_id
         WHERE {condition} ORDER BY w.key, w.version, b.name"
    )
}

fn unused_since(time: i64) -> String {
    format!("ifnull(b.last_used_at, b.bound_at) < {time}")
}

fn find(file: &str) -> String {
    format!(
        "SELECT hex(t.hash), w.key, w.version, b.name, CAST(e.path AS TEXT), f.size, hex(f.hash)
         FROM tree_entries e JOIN objects t ON t.id = e.tree_id LEFT JOIN objects f ON f.id = e.blob_id
              LEFT JOIN bindings b ON b.object_id = t.id LEFT JOIN owners w ON w.id = b.owner_id
         WHERE e.path = CAST('{file}' AS BLOB) OR CAST(e.path AS TEXT) LIKE '%/{file}'"
    )
}
