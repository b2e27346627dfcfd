//! What a selection came to: the artifacts that go, what they free, and what stays for now.

use std::collections::HashMap;

use rusqlite::{Row, named_params};

use crate::digest::Digest;
use crate::error::Result;
use crate::index::objects::State;
use crate::index::select::scratch::{class, lease_lives, promised};
use crate::index::{Attempt as _, ReadTx, queries};
use crate::model::{Class, ObjectKind};
use crate::time::Timestamp;

/// An artifact that gc takes, with what leaves the disk on its account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Doomed {
    pub(crate) id: i64,
    pub(crate) hash: Digest,
    pub(crate) kind: ObjectKind,
    pub(crate) size: u64,
    pub(crate) files: u64,
    /// Its own bytes and those of the blobs that go with it; a blob of several is counted once.
    pub(crate) freed_bytes: u64,
    pub(crate) orphaned_at: Option<Timestamp>,
    pub(crate) state: State,
    /// When the last of its bindings stopped counting, because its owner is gone; none if it has none.
    pub(crate) lapsed_at: Option<Timestamp>,
    pub(crate) created_at: Timestamp,
}

/// An artifact that no binding of an owner that may be there reaches, and that gc leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Spared {
    pub(crate) id: i64,
    pub(crate) hash: Digest,
    pub(crate) kind: ObjectKind,
    pub(crate) size: u64,
    pub(crate) orphaned_at: Option<Timestamp>,
    pub(crate) pinned: bool,
    pub(crate) leased: bool,
    pub(crate) lease_until: Option<Timestamp>,
    /// When the last of its bindings stops counting, because its owner is gone; none if it has none.
    pub(crate) lapses_at: Option<Timestamp>,
    pub(crate) class: Class,
    /// Whether something in the trash needs it.
    pub(crate) trash_needs: bool,
}

/// What goes altogether.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Totals {
    pub(crate) objects: u64,
    pub(crate) files: u64,
    pub(crate) bytes: u64,
}

queries! {
    DOOMED_HASHES = "SELECT o.hash FROM temp.doomed d CROSS JOIN objects o ON o.id = d.id";
    /// Only what came in by a hard link may have a name outside of the store.
    DOOMED_LINKED = "SELECT o.id, o.hash, o.kind FROM temp.doomed d CROSS JOIN objects o ON o.id = d.id
                     WHERE o.linked = 1";
    /// How often directories that go have each file.
    DOOMED_LINKS = "SELECT e.blob_id, count(*) FROM temp.doomed d CROSS JOIN tree_entries e ON e.tree_id = d.id
                    WHERE e.blob_id IS NOT NULL GROUP BY e.blob_id";
    ADD_SHARED = "INSERT OR IGNORE INTO temp.shared (id) VALUES (:id)";
    /// Joined crosswise, because the planner takes the table of all objects for the smaller one.
    /// A blob that is no artifact of its own goes on the account of the first tree that had it.
    ITEMS = "SELECT o.id, o.hash, o.kind, o.size, o.files, o.orphaned_at, o.state,
                iif(o.id IN (SELECT id FROM temp.shared), 0, o.own_bytes) + ifnull((
                    SELECT sum(b.own_bytes) FROM members m
                    JOIN temp.doomed d ON d.id = m.blob_id JOIN objects b ON b.id = m.blob_id
                    WHERE m.tree_id = o.id AND b.orphaned_at IS NULL AND b.id NOT IN (SELECT id FROM temp.shared)
                      AND NOT EXISTS (SELECT 1 FROM bindings n WHERE n.object_id = b.id)
                      AND NOT EXISTS (SELECT 1 FROM members n JOIN temp.doomed e ON e.id = n.tree_id
                                      JOIN objects t ON t.id = n.tree_id
                                      WHERE n.blob_id = b.id AND t.hash < o.hash)), 0),
                (SELECT max(l.since) FROM bindings b JOIN temp.lapsed l ON l.owner_id = b.owner_id
                 WHERE b.object_id = o.id),
                o.created_at
             FROM temp.doomed d CROSS JOIN objects o ON o.id = d.id
             WHERE o.kind = 2 OR o.orphaned_at IS NOT NULL
                OR EXISTS (SELECT 1 FROM bindings b WHERE b.object_id = o.id)
                OR NOT EXISTS (SELECT 1 FROM members m JOIN temp.doomed t ON t.id = m.tree_id WHERE m.blob_id = o.id)
             ORDER BY o.kind = 2 DESC, o.hash, o.kind";
    TOTALS = "SELECT count(*), ifnull(sum(o.kind <> 2), 0),
                     ifnull(sum(iif(o.id IN (SELECT id FROM temp.shared), 0, o.own_bytes)), 0)
              FROM temp.doomed d CROSS JOIN objects o ON o.id = d.id";
    SPARED = concat!(
        "SELECT o.id, o.hash, o.kind, o.size, o.orphaned_at,
                 EXISTS (SELECT 1 FROM pins p WHERE p.object_id = o.id AND (p.until IS NULL OR p.until > :now)),
                 EXISTS (SELECT 1 FROM leases l WHERE l.object_id = o.id
                         AND ", lease_lives!(), "),
                 (SELECT max(l.expires_at) FROM leases l WHERE l.object_id = o.id),
                 (SELECT max(l.since) FROM bindings b JOIN temp.lapsed l ON l.owner_id = b.owner_id
                  WHERE b.object_id = o.id), ", class!(), ",
                 EXISTS (SELECT 1 FROM members m JOIN objects t ON t.id = m.tree_id
                         WHERE m.blob_id = o.id AND t.state = 2 AND t.trash_run IS NOT NULL) OR ", promised!(), "
              FROM objects o
              WHERE o.id IN (SELECT id FROM objects INDEXED BY objects_orphaned WHERE orphaned_at IS NOT NULL
                             UNION SELECT object_id FROM leases UNION SELECT object_id FROM pins
                             UNION SELECT b.object_id
                                   FROM temp.lapsed l CROSS JOIN bindings b ON b.owner_id = l.owner_id)
                AND o.state <> 2 AND o.id NOT IN (SELECT id FROM temp.doomed)
                AND NOT EXISTS (SELECT 1 FROM bindings b WHERE b.object_id = o.id
                                AND b.owner_id NOT IN (SELECT owner_id FROM temp.lapsed))
                AND NOT EXISTS (SELECT 1 FROM members m JOIN objects t ON t.id = m.tree_id
                                WHERE m.blob_id = o.id AND t.state = 0 AND t.orphaned_at IS NULL)
              ORDER BY o.hash, o.kind");
}

fn doomed(row: &Row<'_>) -> rusqlite::Result<Doomed> {
    let (orphaned_at, lapsed_at): (Option<Timestamp>, _) = (row.get(5)?, row.get(8)?);
    Ok(Doomed {
        id: row.get(0)?,
        hash: row.get(1)?,
        kind: row.get(2)?,
        size: row.get(3)?,
        files: row.get(4)?,
        orphaned_at: orphaned_at.max(lapsed_at),
        state: State::from_number(row.get(6)?),
        freed_bytes: row.get(7)?,
        lapsed_at,
        created_at: row.get(9)?,
    })
}

fn spared(row: &Row<'_>) -> rusqlite::Result<Spared> {
    Ok(Spared {
        id: row.get(0)?,
        hash: row.get(1)?,
        kind: row.get(2)?,
        size: row.get(3)?,
        orphaned_at: row.get(4)?,
        pinned: row.get(5)?,
        leased: row.get(6)?,
        lease_until: row.get(7)?,
        lapses_at: row.get(8)?,
        class: row.get(9)?,
        trash_needs: row.get(10)?,
    })
}

impl ReadTx<'_> {
    /// Returns the hashes of everything selected, files of directories too.
    pub(crate) fn doomed_hashes(&self) -> Result<Vec<Digest>> {
        let mut statement = self.connection.prepare_cached(DOOMED_HASHES).to("read")?;
        let rows = statement.query_map([], |row| row.get(0)).to("read")?;
        rows.collect::<rusqlite::Result<_>>().to("read")
    }

    /// Returns the files selected that came in by a hard link.
    pub(crate) fn doomed_linked(&self) -> Result<Vec<(i64, Digest, ObjectKind)>> {
        let mut statement = self.connection.prepare_cached(DOOMED_LINKED).to("read")?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).to("read")?;
        rows.collect::<rusqlite::Result<_>>().to("read")
    }

    /// Returns how often the directories selected have each file.
    pub(crate) fn doomed_links(&self) -> Result<HashMap<i64, u64>> {
        let mut statement = self.connection.prepare_cached(DOOMED_LINKS).to("read")?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).to("read")?;
        rows.collect::<rusqlite::Result<_>>().to("read")
    }

    /// Notes which of the files selected stay on the disk under another name, so that nothing comes free.
    pub(crate) fn set_shared(&self, shared: &[i64]) -> Result<()> {
        shared.iter().try_for_each(|id| self.run(ADD_SHARED, named_params! {":id": id}))
    }

    /// Returns the artifacts selected, trees first.
    pub(crate) fn doomed(&self) -> Result<Vec<Doomed>> {
        let mut statement = self.connection.prepare_cached(ITEMS).to("read")?;
        let rows = statement.query_map([], doomed).to("read")?;
        rows.collect::<rusqlite::Result<_>>().to("read")
    }

    /// Returns what was selected altogether.
    pub(crate) fn doomed_totals(&self) -> Result<Totals> {
        let mut statement = self.connection.prepare_cached(TOTALS).to("read")?;
        statement
            .query_row([], |row| Ok(Totals { objects: row.get(0)?, files: row.get(1)?, bytes: row.get(2)? }))
            .to("read")
    }

    /// Returns what no binding reaches, but perhaps of owners that are gone, and was not selected.
    pub(crate) fn spared(&self, now: Timestamp) -> Result<Vec<Spared>> {
        let mut statement = self.connection.prepare_cached(SPARED).to("read")?;
        let rows = statement.query_map(named_params! {":now": now}, spared).to("read")?;
        rows.collect::<rusqlite::Result<_>>().to("read")
    }
}
