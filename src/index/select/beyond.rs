//! What goes only because more is let go: a selection, and what it has beyond an earlier one.

use rusqlite::{Row, named_params};

use crate::error::Result;
use crate::index::{Attempt as _, ReadTx, queries};
use crate::model::Artifact;
use crate::time::Timestamp;

/// An artifact that goes with its names, and what leaves the disk with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Loosened {
    pub(crate) id: i64,
    pub(crate) artifact: Artifact,
    /// Its own bytes and those of the files that go with it; a file of several is counted once.
    pub(crate) freed_bytes: u64,
}

queries! {
    NOTE_ANYWAY = "INSERT OR IGNORE INTO temp.anyway SELECT id FROM temp.doomed";
    ANYWAY_BYTES = "SELECT ifnull(sum(iif(o.id IN (SELECT id FROM temp.shared), 0, o.own_bytes)), 0)
                    FROM temp.anyway a CROSS JOIN objects o ON o.id = a.id";
    /// Every file of it is an artifact that was let go, or part of a directory that was. The plus keeps the
    /// planner from looking for each file in each directory that goes: a file that goes is in few of all.
    LOOSENED = "SELECT o.id, o.hash, o.kind, o.size, o.files,
                   iif(o.id IN (SELECT id FROM temp.shared), 0, o.own_bytes) + ifnull((
                       SELECT sum(b.own_bytes) FROM members m CROSS JOIN objects b ON b.id = m.blob_id
                       WHERE m.tree_id = o.id AND b.id IN (SELECT id FROM temp.doomed)
                         AND b.id NOT IN (SELECT id FROM temp.anyway) AND b.id NOT IN (SELECT id FROM temp.shared)
                         AND NOT EXISTS (SELECT 1 FROM bindings n WHERE n.object_id = b.id)
                         AND NOT EXISTS (SELECT 1 FROM members n CROSS JOIN objects t ON t.id = n.tree_id
                                         WHERE n.blob_id = b.id AND +n.tree_id IN (SELECT id FROM temp.doomed)
                                           AND n.tree_id NOT IN (SELECT id FROM temp.anyway)
                                           AND t.hash < o.hash)), 0)
                FROM temp.doomed d CROSS JOIN objects o ON o.id = d.id
                WHERE d.id NOT IN (SELECT id FROM temp.anyway)
                  AND EXISTS (SELECT 1 FROM bindings b WHERE b.object_id = o.id)
                ORDER BY o.hash, o.kind";
    BYTES_BEYOND = "SELECT count(*), ifnull(sum(o.kind <> 2), 0),
                           ifnull(sum(iif(o.id IN (SELECT id FROM temp.shared), 0, o.own_bytes)), 0)
                    FROM temp.doomed d CROSS JOIN objects o ON o.id = d.id
                    WHERE d.id NOT IN (SELECT id FROM temp.anyway)";
}

fn loosened(row: &Row<'_>) -> rusqlite::Result<Loosened> {
    Ok(Loosened {
        id: row.get(0)?,
        artifact: Artifact { hash: row.get(1)?, kind: row.get(2)?, size: row.get(3)?, files: row.get(4)? },
        freed_bytes: row.get(5)?,
    })
}

impl ReadTx<'_> {
    /// Takes what is selected so far for what goes whatever else is let go.
    pub(crate) fn note_anyway(&self) -> Result<()> {
        self.run(NOTE_ANYWAY, &[])
    }

    /// Selects what goes when these bindings are let go too.
    pub(crate) fn doom_let_go(&self, bindings: &[i64], now: Timestamp) -> Result<()> {
        bindings.iter().try_for_each(|binding| self.set_let_go(*binding))?;
        self.doom_trees(now, false)?;
        self.doom_blobs(now, false)
    }

    /// Returns the bytes of what goes anyway.
    pub(crate) fn anyway_bytes(&self) -> Result<u64> {
        self.connection.query_row(ANYWAY_BYTES, [], |row| row.get(0)).to("read")
    }

    /// Returns the artifacts that go beyond what goes anyway, by hash.
    pub(crate) fn loosened(&self) -> Result<Vec<Loosened>> {
        self.list(LOOSENED, named_params! {}, loosened)
    }

    /// Returns what goes beyond what goes anyway altogether.
    pub(crate) fn beyond_totals(&self) -> Result<super::Totals> {
        self.connection
            .query_row(BYTES_BEYOND, [], |row| {
                Ok(super::Totals { objects: row.get(0)?, files: row.get(1)?, bytes: row.get(2)? })
            })
            .to("read")
    }
}
