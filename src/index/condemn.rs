//! Condemns what gc chose, forgets it when its files are gone, and notes what time has let go.

use rusqlite::{Row, named_params};

use crate::digest::Digest;
use crate::error::Result;
use crate::index::{Attempt as _, WriteTx, queries};
use crate::model::ObjectKind;
use crate::time::Timestamp;

/// An object whose files are about to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Condemned {
    pub(crate) id: i64,
    pub(crate) hash: Digest,
    pub(crate) kind: ObjectKind,
    pub(crate) own_bytes: u64,
    /// The run in whose trash it lies, or comes to lie.
    pub(crate) trash_run: Option<i64>,
}

queries! {
    CONDEMN = "UPDATE objects SET state = 2, trash_run = :trash WHERE id IN (SELECT id FROM temp.doomed)";
    CONDEMNED_TREES = "SELECT id, hash, kind, own_bytes, trash_run FROM objects
                       WHERE state = 2 AND state <> 0 AND trashed = 0 AND kind = 2
                         AND id NOT IN (SELECT id FROM temp.failed) LIMIT :limit";
    /// After the trees: a blob that a tree still needs was taken back and stays. What lies in the trash
    /// needs its files there too.
    CONDEMNED_BLOBS = "SELECT o.id, o.hash, o.kind, iif(o.id IN (SELECT id FROM temp.shared), 0, o.own_bytes),
                              o.trash_run
                       FROM objects o
                       WHERE o.state = 2 AND o.state <> 0 AND o.trashed = 0 AND o.kind <> 2
                         AND o.id NOT IN (SELECT id FROM temp.failed)
                         AND NOT EXISTS (SELECT 1 FROM members m JOIN objects t ON t.id = m.tree_id
                                         WHERE m.blob_id = o.id AND (o.trash_run IS NULL OR t.state <> 2))
                       LIMIT :limit";
    PURGED_TREES = "SELECT o.id, o.hash, o.kind, o.own_bytes, o.trash_run
                    FROM temp.purge p CROSS JOIN objects o ON o.id = p.id
                    WHERE o.state = 2 AND o.trashed = 1 AND o.kind = 2
                      AND o.id NOT IN (SELECT id FROM temp.failed) LIMIT :limit";
    PURGED_BLOBS = "SELECT o.id, o.hash, o.kind, o.own_bytes, o.trash_run
                    FROM temp.purge p CROSS JOIN objects o ON o.id = p.id
                    WHERE o.state = 2 AND o.trashed = 1 AND o.kind <> 2
                      AND o.id NOT IN (SELECT id FROM temp.failed)
                      AND NOT EXISTS (SELECT 1 FROM members m WHERE m.blob_id = o.id) LIMIT :limit";
    /// Its file lies in the trash from now on; its row stays, so that it can be brought back.
    SET_TRASHED = "UPDATE objects SET trashed = 1 WHERE id = :id AND state = 2 AND trash_run IS NOT NULL";
    ADD_FAILED = "INSERT OR IGNORE INTO temp.failed (id) VALUES (:id)";
    FORGET = "DELETE FROM objects WHERE id = :id AND state = 2";
    /// An owner known to be gone keeps nothing longer than until its own time is over.
    MARK_ORPHAN = "UPDATE objects SET orphaned_at = :now
                   WHERE id = :id AND orphaned_at IS NULL AND state = 0
                     AND NOT EXISTS (SELECT 1 FROM bindings b JOIN owners w ON w.id = b.owner_id
                                     WHERE b.object_id = :id AND w.gone_since IS NULL)
                     AND NOT EXISTS (SELECT 1 FROM leases WHERE object_id = :id)
                     AND NOT EXISTS (SELECT 1 FROM pins WHERE object_id = :id)
                     AND NOT EXISTS (SELECT 1 FROM members m JOIN objects t ON t.id = m.tree_id
                                     WHERE m.blob_id = :id AND t.state = 0 AND t.orphaned_at IS NULL)";
    CLEAR_ORPHAN = "UPDATE objects SET orphaned_at = NULL WHERE id = :id AND orphaned_at IS NOT NULL";
    /// A tree that somebody binds again keeps its files again; binding does not look at each.
    NOTE_HELD = "UPDATE objects SET orphaned_at = NULL
                 WHERE orphaned_at IS NOT NULL AND kind <> 2 AND state = 0
                   AND EXISTS (SELECT 1 FROM members m JOIN objects t ON t.id = m.tree_id
                               WHERE m.blob_id = objects.id AND t.state = 0 AND t.orphaned_at IS NULL)";
}

fn condemned(row: &Row<'_>) -> rusqlite::Result<Condemned> {
    Ok(Condemned {
        id: row.get(0)?,
        hash: row.get(1)?,
        kind: row.get(2)?,
        own_bytes: row.get(3)?,
        trash_run: row.get(4)?,
    })
}

impl WriteTx<'_> {
    /// Marks everything selected. From now on it does not exist for anybody but gc, which keeps it in
    /// the trash of a run if told so.
    pub(crate) fn condemn(&self, trash: Option<i64>) -> Result<()> {
        self.run(CONDEMN, named_params! {":trash": trash})
    }

    /// Returns condemned trees or, when there are no more, condemned blobs.
    pub(crate) fn next_condemned(&self, limit: usize) -> Result<Vec<Condemned>> {
        let trees = self.list_condemned(CONDEMNED_TREES, limit)?;
        if trees.is_empty() { self.list_condemned(CONDEMNED_BLOBS, limit) } else { Ok(trees) }
    }

    /// Returns trees that leave the trash or, when there are no more, blobs.
    pub(crate) fn next_purged(&self, limit: usize) -> Result<Vec<Condemned>> {
        let trees = self.list_condemned(PURGED_TREES, limit)?;
        if trees.is_empty() { self.list_condemned(PURGED_BLOBS, limit) } else { Ok(trees) }
    }

    /// Notes that a condemned object lies in the trash.
    pub(crate) fn set_trashed(&self, id: i64) -> Result<()> {
        self.run(SET_TRASHED, named_params! {":id": id})
    }

    fn list_condemned(&self, sql: &str, limit: usize) -> Result<Vec<Condemned>> {
        let mut statement = self.connection.prepare_cached(sql).to("read")?;
        let rows = statement.query_map(named_params! {":limit": limit}, condemned).to("read")?;
        rows.collect::<rusqlite::Result<_>>().to("read")
    }

    /// Leaves a condemned object for a later run.
    pub(crate) fn set_failed(&self, id: i64) -> Result<()> {
        self.run(ADD_FAILED, named_params! {":id": id})
    }

    /// Drops a condemned object's row with its entries and edges.
    pub(crate) fn forget(&self, id: i64) -> Result<()> {
        self.run(FORGET, named_params! {":id": id})
    }

    /// Notes that nothing keeps an object any more, if that is so.
    pub(crate) fn mark_if_orphan(&self, id: i64) -> Result<()> {
        self.run(MARK_ORPHAN, named_params! {":id": id, ":now": self.now()})
    }

    /// As [`WriteTx::mark_if_orphan`], for what has been an orphan elsewhere since an earlier time.
    pub(crate) fn mark_if_orphan_since(&self, id: i64, since: Timestamp) -> Result<()> {
        self.run(MARK_ORPHAN, named_params! {":id": id, ":now": since.min(self.now())})
    }

    /// Something keeps an object again.
    pub(crate) fn clear_orphan(&self, id: i64) -> Result<()> {
        self.run(CLEAR_ORPHAN, named_params! {":id": id})
    }

    /// Notes which files a live tree keeps again, so that no later run looks at them.
    pub(crate) fn note_held(&self) -> Result<()> {
        self.run(NOTE_HELD, &[])
    }

    /// Notes what time has let go: leases and pins that ran out, sessions that died.
    pub(crate) fn note_released(&self, dead_sessions: &[String]) -> Result<()> {
        let mut released = self.end_expired_leases()?;
        released.extend(self.end_expired_pins()?);
        for session in dead_sessions {
            released.extend(self.end_session_leases(session)?);
        }
        released.into_iter().try_for_each(|id| self.mark_if_orphan(id))
    }
}
