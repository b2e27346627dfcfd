//! What lies in the trash, and the names it had: what an undo brings back.

use rusqlite::{OptionalExtension as _, Row, named_params};

use crate::digest::Digest;
use crate::error::Result;
use crate::index::owners::owner_id;
use crate::index::select::prepare_scratch;
use crate::index::{Attempt as _, ReadTx, WriteTx, queries};
use crate::model::{Artifact, ObjectKind, OwnerId};
use crate::time::Timestamp;

/// An object in the trash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trashed {
    pub(crate) id: i64,
    pub(crate) artifact: Artifact,
    /// The run in whose trash it lies, or is on its way into.
    pub(crate) run: i64,
    /// Whether its file is there yet.
    pub(crate) moved: bool,
}

/// A binding that was let go with an artifact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parted {
    pub(crate) owner: OwnerId,
    pub(crate) name: String,
    pub(crate) hash: Digest,
    pub(crate) kind: ObjectKind,
    /// As it was, in the JSON it was written down in.
    pub(crate) was: Option<String>,
}

queries! {
    /// The files of directories first, wherever they lie; then the directories; all of it in one order, so
    /// that an undo that was interrupted goes on.
    OF_RUN = "SELECT id, hash, kind, size, files, trash_run, trashed FROM objects o
              WHERE o.state = 2 AND o.trash_run IS NOT NULL AND o.id NOT IN (SELECT id FROM temp.failed)
                AND (o.trash_run = :run
                     OR o.id IN (SELECT m.blob_id FROM objects t CROSS JOIN members m ON m.tree_id = t.id
                                 WHERE t.trash_run = :run AND t.kind = 2))
              ORDER BY kind = 2, hash, kind LIMIT :limit";
    /// The run that can be undone longest of those that took an object, or a directory that needs it.
    WANTED_BY = "SELECT r.id, r.keep_until FROM gc_runs r
                 WHERE r.keep_until > :now AND r.undone_at IS NULL AND r.emptied_at IS NULL
                   AND (r.id IN (SELECT i.run_id FROM objects o CROSS JOIN gc_items i ON i.hash = o.hash
                                 WHERE o.id = :id AND i.kind = o.kind)
                        OR r.id IN (SELECT t.trash_run FROM members m CROSS JOIN objects t ON t.id = m.tree_id
                                    WHERE m.blob_id = :id AND t.state = 2))
                 ORDER BY r.keep_until DESC LIMIT 1";
    TRASH_OF = "SELECT trash_run FROM objects WHERE hash = :hash AND kind = :kind AND trashed = 1";
    IS_ITEM = "SELECT 1 FROM gc_items WHERE run_id = :run AND hash = :hash AND kind = :kind";
    COUNT = "SELECT count(*) FROM objects WHERE trash_run = :run";
    /// A directory is whole when all its files are there.
    LACKS_FILES = "SELECT 1 FROM members m CROSS JOIN objects b ON b.id = m.blob_id
                   WHERE m.tree_id = :id AND b.state <> 0";
    /// An artifact that is brought back is nobody's until a binding says otherwise, and its time begins
    /// anew. The files of a directory are kept by it.
    RESTORE = "UPDATE objects SET state = 0, trash_run = NULL, trashed = 0,
                      orphaned_at = iif(EXISTS (SELECT 1 FROM gc_items i WHERE i.run_id = objects.trash_run
                                                AND i.hash = objects.hash AND i.kind = objects.kind), :now, NULL)
               WHERE id = :id AND state = 2";
    /// The names a run let go, and those whose going had made orphans of what it took.
    PARTED = "SELECT owner, version, name, hash, kind, was, max(id) FROM (
                  SELECT * FROM events WHERE run_id = :run AND what IN ('lapse', 'evict')
                  UNION ALL
                  SELECT e.* FROM gc_items i CROSS JOIN events e ON e.hash = i.hash AND e.kind = i.kind
                  WHERE i.run_id = :run AND e.what IN ('unbind', 'rebind', 'remove', 'lapse', 'evict')
                    AND e.at >= i.orphaned_at AND e.id < (SELECT min(id) FROM events WHERE run_id = :run))
              GROUP BY owner, version, name ORDER BY max(id)";
    /// Whoever has something again is looked for anew: its time to come back begins again.
    NOT_GONE = "UPDATE owners SET gone_since = NULL WHERE id = :id";
}

fn trashed(row: &Row<'_>) -> rusqlite::Result<Trashed> {
    Ok(Trashed {
        id: row.get(0)?,
        artifact: Artifact { hash: row.get(1)?, kind: row.get(2)?, size: row.get(3)?, files: row.get(4)? },
        run: row.get(5)?,
        moved: row.get(6)?,
    })
}

fn parted(row: &Row<'_>) -> rusqlite::Result<Parted> {
    Ok(Parted { owner: owner_id(row, 0)?, name: row.get(2)?, hash: row.get(3)?, kind: row.get(4)?, was: row.get(5)? })
}

impl ReadTx<'_> {
    /// Returns what a run has in the trash, with the files its directories need, files first.
    pub(crate) fn trashed_of(&self, run: i64, limit: usize) -> Result<Vec<Trashed>> {
        let mut statement = self.connection.prepare_cached(OF_RUN).to("read")?;
        let rows = statement.query_map(named_params! {":run": run, ":limit": limit}, trashed).to("read")?;
        rows.collect::<rusqlite::Result<_>>().to("read")
    }

    /// Forgets what failed before.
    pub(crate) fn begin_undo(&self) -> Result<()> {
        prepare_scratch(self.connection)
    }

    /// Returns the run that can be undone longest of those that an object is kept for, and how long.
    pub(crate) fn wanted_by(&self, object: i64, now: Timestamp) -> Result<Option<(i64, Timestamp)>> {
        let mut statement = self.connection.prepare_cached(WANTED_BY).to("read")?;
        let parameters = named_params! {":id": object, ":now": now};
        statement.query_row(parameters, |row| Ok((row.get(0)?, row.get(1)?))).optional().to("read")
    }

    /// Returns the run in whose trash an object lies, if it does.
    pub(crate) fn trash_of(&self, hash: Digest, kind: ObjectKind) -> Result<Option<i64>> {
        let mut statement = self.connection.prepare_cached(TRASH_OF).to("read")?;
        statement.query_row(named_params! {":hash": hash, ":kind": kind}, |row| row.get(0)).optional().to("read")
    }

    /// Tells whether a run took an object as an artifact, not as a file of one.
    pub(crate) fn is_item(&self, run: i64, artifact: &Artifact) -> Result<bool> {
        let mut statement = self.connection.prepare_cached(IS_ITEM).to("read")?;
        statement.exists(named_params! {":run": run, ":hash": artifact.hash, ":kind": artifact.kind}).to("read")
    }

    /// Tells whether files of a directory are missing.
    pub(crate) fn lacks_files(&self, tree: i64) -> Result<bool> {
        let mut statement = self.connection.prepare_cached(LACKS_FILES).to("read")?;
        statement.exists(named_params! {":id": tree}).to("read")
    }

    /// Returns how many objects of a run lie in the trash, or are on their way into it.
    pub(crate) fn trashed_count(&self, run: i64) -> Result<u64> {
        self.connection.query_row(COUNT, named_params! {":run": run}, |row| row.get(0)).to("read")
    }

    /// Returns the names that what a run took had last, oldest first.
    pub(crate) fn parted_with(&self, run: i64) -> Result<Vec<Parted>> {
        let mut statement = self.connection.prepare_cached(PARTED).to("read")?;
        let rows = statement.query_map(named_params! {":run": run}, parted).to("read")?;
        rows.collect::<rusqlite::Result<_>>().to("read")
    }
}

impl WriteTx<'_> {
    /// An object is live again, and an orphan since now. Its file must be in its place.
    pub(crate) fn restore(&self, id: i64) -> Result<()> {
        self.run(RESTORE, named_params! {":id": id, ":now": self.now()})
    }

    /// Nobody knows any more that an owner is gone.
    pub(crate) fn forget_gone(&self, owner: i64) -> Result<()> {
        self.run(NOT_GONE, named_params! {":id": owner})
    }
}
