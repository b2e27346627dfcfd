//! Takes single artifacts out, one after the other, until there is room enough.
//!
//! Only rules about size come here, and only when a limit is exceeded: they have to look at everything
//! that is bound, and at what all of it weighs.

use rusqlite::{Row, named_params};

use crate::digest::Digest;
use crate::error::Result;
use crate::index::select::aged::{Use, usage, uses};
use crate::index::select::scratch::{class, in_a_tree, not_held};
use crate::index::{Attempt as _, ReadTx, queries};
use crate::model::{Class, ObjectKind};
use crate::time::Timestamp;

/// An object that has just been doomed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gone {
    pub(crate) id: i64,
    pub(crate) hash: Digest,
    pub(crate) kind: ObjectKind,
    pub(crate) bytes: u64,
    /// Whether it came in by a hard link, so that it may stay on the disk under another name.
    pub(crate) linked: bool,
}

queries! {
    STAYING = "SELECT ifnull(sum(own_bytes), 0) FROM objects
               WHERE trashed = 0 AND id NOT IN (SELECT id FROM temp.doomed)";
    ALL_USES = uses!("bindings b", "WHERE o.state = 0 AND b.id NOT IN (SELECT id FROM temp.let_go)");
    DOOM_TREE = concat!(
        "INSERT OR IGNORE INTO temp.doomed SELECT o.id FROM objects o
         WHERE o.id = :id AND o.kind = 2 AND o.state = 0 AND ", not_held!(), " RETURNING id");
    DOOM_FILE = concat!(
        "INSERT OR IGNORE INTO temp.doomed SELECT o.id FROM objects o
         WHERE o.id = :id AND o.kind <> 2 AND o.state = 0 AND NOT ", in_a_tree!(), " AND ", not_held!(),
        " RETURNING id");
    DOOM_FILES_OF = concat!(
        "INSERT OR IGNORE INTO temp.doomed SELECT o.id FROM objects o
         WHERE o.id IN (SELECT blob_id FROM members WHERE tree_id = :id) AND o.kind <> 2 AND o.state = 0
           AND (o.orphaned_at IS NULL OR o.id IN (SELECT id FROM temp.due))
           AND NOT ", in_a_tree!(), " AND ", not_held!(), " RETURNING id");
    WEIGHT = "SELECT id, hash, kind, own_bytes, linked FROM objects WHERE id = :id";
    /// How often doomed directories have a file.
    LINKS_OF = "SELECT count(*) FROM members m CROSS JOIN tree_entries e ON e.tree_id = m.tree_id
                WHERE m.blob_id = :id AND e.blob_id = :id AND m.tree_id IN (SELECT id FROM temp.doomed)";
    /// An object and the files it needs, for counting what owners reach.
    REACH = "SELECT o.id, o.own_bytes FROM objects o WHERE o.id = :id
             UNION ALL
             SELECT b.id, b.own_bytes FROM members m JOIN objects b ON b.id = m.blob_id WHERE m.tree_id = :id";
    /// Orphans whose time is not over.
    NOT_DUE = concat!(
        "SELECT o.id, o.hash, o.kind, ", class!(), ", o.orphaned_at FROM objects o
         WHERE o.orphaned_at IS NOT NULL AND o.state = 0 AND o.id NOT IN (SELECT id FROM temp.doomed)");
}

/// An orphan that may go before its time, if room is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) id: i64,
    pub(crate) hash: Digest,
    pub(crate) kind: ObjectKind,
    pub(crate) class: Class,
    pub(crate) orphaned_at: Timestamp,
}

fn waiting(row: &Row<'_>) -> rusqlite::Result<Waiting> {
    Ok(Waiting { id: row.get(0)?, hash: row.get(1)?, kind: row.get(2)?, class: row.get(3)?, orphaned_at: row.get(4)? })
}

impl ReadTx<'_> {
    /// Returns how many bytes stay on the shelves of what is doomed so far.
    pub(crate) fn staying_bytes(&self) -> Result<u64> {
        self.connection.query_row(STAYING, [], |row| row.get(0)).to("read")
    }

    /// Returns all bindings that count.
    pub(crate) fn all_uses(&self) -> Result<Vec<Use>> {
        self.list(ALL_USES, &[], usage)
    }

    /// Returns the orphans that wait for their time to be over.
    pub(crate) fn waiting_orphans(&self) -> Result<Vec<Waiting>> {
        self.list(NOT_DUE, &[], waiting)
    }

    /// Dooms an object that nothing holds, with the files that only it had. Returns what that is: nothing
    /// if something holds it.
    pub(crate) fn doom_one(&self, id: i64, kind: ObjectKind, now: Timestamp) -> Result<Vec<Gone>> {
        if kind.is_file() {
            return self.doomed_by(DOOM_FILE, id, now);
        }
        let mut gone = self.doomed_by(DOOM_TREE, id, now)?;
        if !gone.is_empty() {
            gone.extend(self.doomed_by(DOOM_FILES_OF, id, now)?);
        }
        Ok(gone)
    }

    fn doomed_by(&self, sql: &str, id: i64, now: Timestamp) -> Result<Vec<Gone>> {
        let mut statement = self.connection.prepare_cached(sql).to("select")?;
        let rows = statement.query_map(named_params! {":id": id, ":now": now}, |row| row.get(0)).to("select")?;
        let ids = rows.collect::<rusqlite::Result<Vec<i64>>>().to("select")?;
        ids.into_iter().map(|id| self.weight(id)).collect()
    }

    fn weight(&self, id: i64) -> Result<Gone> {
        let mut statement = self.connection.prepare_cached(WEIGHT).to("read")?;
        let read = |row: &Row<'_>| {
            Ok(Gone { id: row.get(0)?, hash: row.get(1)?, kind: row.get(2)?, bytes: row.get(3)?, linked: row.get(4)? })
        };
        statement.query_row(named_params! {":id": id}, read).to("read")
    }

    /// Returns how often doomed directories have a file.
    pub(crate) fn doomed_links_of(&self, blob: i64) -> Result<u64> {
        let mut statement = self.connection.prepare_cached(LINKS_OF).to("read")?;
        statement.query_row(named_params! {":id": blob}, |row| row.get(0)).to("read")
    }

    /// Returns an object and the files it needs, with what each weighs.
    pub(crate) fn reach_of(&self, object: i64) -> Result<Vec<(i64, u64)>> {
        self.list(REACH, named_params! {":id": object}, |row| Ok((row.get(0)?, row.get(1)?)))
    }
}
