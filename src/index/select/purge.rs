//! What leaves the trash for good.

use rusqlite::named_params;

use crate::error::Result;
use crate::index::{Attempt as _, ReadTx, queries};
use crate::time::Timestamp;

queries! {
    RUNS = "SELECT r.id, r.keep_until,
                   (SELECT count(*) FROM objects WHERE trash_run = r.id),
                   (SELECT ifnull(sum(own_bytes), 0) FROM objects WHERE trash_run = r.id)
            FROM gc_runs r WHERE r.keep_until IS NOT NULL AND r.emptied_at IS NULL ORDER BY r.id";
    /// Directories first: they need their files.
    PURGE_TREES = "INSERT OR IGNORE INTO temp.purge SELECT id FROM objects
                   WHERE trash_run = :run AND trashed = 1 AND kind = 2";
    /// Files that no other directory in the trash needs. One that something took back lies there no more.
    PURGE_BLOBS = "INSERT OR IGNORE INTO temp.purge SELECT o.id FROM objects o
                   WHERE o.trash_run = :run AND o.trashed = 1 AND o.kind <> 2
                     AND NOT EXISTS (SELECT 1 FROM members m JOIN objects t ON t.id = m.tree_id
                                     WHERE m.blob_id = o.id AND t.id NOT IN (SELECT id FROM temp.purge)
                                       AND t.id NOT IN (SELECT id FROM temp.doomed))";
    ADD_OVER = "INSERT OR IGNORE INTO temp.over (run) VALUES (:run)";
    PURGED_BYTES = "SELECT ifnull(sum(o.own_bytes), 0) FROM temp.purge p CROSS JOIN objects o ON o.id = p.id";
}

/// A run of gc whose trash has not been emptied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TrashRun {
    pub(crate) id: i64,
    pub(crate) keep_until: Timestamp,
    /// What of it is there still, and was not taken back.
    pub(crate) objects: u64,
    pub(crate) bytes: u64,
}

impl ReadTx<'_> {
    /// Returns the runs whose trash has not been emptied, oldest first.
    pub(crate) fn trash_runs(&self) -> Result<Vec<TrashRun>> {
        self.list(RUNS, &[], |row| {
            Ok(TrashRun { id: row.get(0)?, keep_until: row.get(1)?, objects: row.get(2)?, bytes: row.get(3)? })
        })
    }

    /// Notes of which runs nothing is kept any more, not even what is still on its way into the trash.
    pub(crate) fn set_over(&self, runs: &[i64]) -> Result<()> {
        runs.iter().try_for_each(|run| self.run(ADD_OVER, named_params! {":run": run}))
    }

    /// Selects everything in the trash of these runs that nothing in the trash of others needs.
    pub(crate) fn purge(&self, runs: &[i64]) -> Result<()> {
        runs.iter().try_for_each(|run| self.run(PURGE_TREES, named_params! {":run": run}))?;
        runs.iter().try_for_each(|run| self.run(PURGE_BLOBS, named_params! {":run": run}))
    }

    /// Returns what the selected trash takes on the disk.
    pub(crate) fn purged_bytes(&self) -> Result<u64> {
        self.connection.query_row(PURGED_BYTES, [], |row| row.get(0)).to("read")
    }
}
