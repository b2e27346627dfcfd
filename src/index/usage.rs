//! Who holds how much.

use rusqlite::named_params;

use crate::error::Result;
use crate::index::owners::owner_id;
use crate::index::{Attempt as _, ReadTx, queries};
use crate::model::OwnerId;
use crate::time::Timestamp;

/// One object that an owner's bindings reach, with what it takes on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Holding {
    pub(crate) object: i64,
    pub(crate) owner: i64,
    pub(crate) bytes: u64,
    pub(crate) is_file: bool,
}

/// An owner and what can be counted without following edges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OwnerCounts {
    pub(crate) id: i64,
    pub(crate) owner: OwnerId,
    pub(crate) bindings: u64,
    pub(crate) artifacts: u64,
    pub(crate) logical_bytes: u64,
    pub(crate) last_seen_at: Timestamp,
}

/// What the store holds, in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub(crate) struct Counts {
    pub(crate) files: u64,
    pub(crate) trees: u64,
    pub(crate) stored_bytes: u64,
    pub(crate) logical_bytes: u64,
    pub(crate) owners: u64,
    pub(crate) bindings: u64,
    pub(crate) orphans: u64,
    pub(crate) trashed_bytes: u64,
}

queries! {
    /// Every object each owner reaches, each pair once; all owners of an object in a row, by key.
    HOLDINGS = "WITH held (owner_id, object_id) AS (
                    SELECT owner_id, object_id FROM bindings
                    UNION
                    SELECT b.owner_id, m.blob_id FROM bindings b JOIN members m ON m.tree_id = b.object_id)
                SELECT h.object_id, h.owner_id, o.own_bytes, o.kind <> 2
                FROM held h JOIN objects o ON o.id = h.object_id JOIN owners w ON w.id = h.owner_id
                ORDER BY h.object_id, w.key, w.version";
    COUNTS_BY_OWNER = "SELECT w.id, w.key, w.version, count(b.id), count(DISTINCT b.object_id),
                              ifnull(sum(o.size), 0), w.last_seen_at
                       FROM owners w LEFT JOIN bindings b ON b.owner_id = w.id
                            LEFT JOIN objects o ON o.id = b.object_id
                       GROUP BY w.id ORDER BY w.key, w.version";
    /// What lies in the trash is on no shelf.
    STORED = "SELECT ifnull(sum(own_bytes), 0) FROM objects WHERE trashed = 0";
    COUNTS = "SELECT (SELECT count(*) FROM objects WHERE kind <> 2 AND trashed = 0),
                     (SELECT count(*) FROM objects WHERE kind = 2 AND state = 0),
                     (SELECT ifnull(sum(own_bytes), 0) FROM objects WHERE trashed = 0),
                     (SELECT ifnull(sum(o.size), 0) FROM bindings b JOIN objects o ON o.id = b.object_id),
                     (SELECT count(*) FROM owners),
                     (SELECT count(*) FROM bindings),
                     (SELECT count(*) FROM objects o WHERE o.orphaned_at IS NOT NULL AND o.state = 0
                        AND NOT EXISTS (SELECT 1 FROM members m JOIN objects t ON t.id = m.tree_id
                                        WHERE m.blob_id = o.id AND t.state = 0 AND t.orphaned_at IS NULL)),
                     (SELECT ifnull(sum(own_bytes), 0) FROM objects WHERE trashed = 1)";
}

impl ReadTx<'_> {
    /// Tells `each` of everything that owners hold, object by object, owners by key.
    pub(crate) fn holdings(&self, mut each: impl FnMut(Holding)) -> Result<()> {
        let mut statement = self.connection.prepare_cached(HOLDINGS).to("read")?;
        let mut rows = statement.query(named_params! {}).to("read")?;
        while let Some(row) = rows.next().to("read")? {
            let holding =
                (|| Ok(Holding { object: row.get(0)?, owner: row.get(1)?, bytes: row.get(2)?, is_file: row.get(3)? }))(
                );
            each(holding.to("read")?);
        }
        Ok(())
    }

    pub(crate) fn counts_by_owner(&self) -> Result<Vec<OwnerCounts>> {
        let mut statement = self.connection.prepare_cached(COUNTS_BY_OWNER).to("read")?;
        let rows = statement
            .query_map([], |row| {
                Ok(OwnerCounts {
                    id: row.get(0)?,
                    owner: owner_id(row, 1)?,
                    bindings: row.get(3)?,
                    artifacts: row.get(4)?,
                    logical_bytes: row.get(5)?,
                    last_seen_at: row.get(6)?,
                })
            })
            .to("read")?;
        rows.collect::<rusqlite::Result<_>>().to("read")
    }

    /// Returns the bytes of everything stored, each once.
    pub(crate) fn stored_bytes(&self) -> Result<u64> {
        self.connection.query_row(STORED, [], |row| row.get(0)).to("read")
    }

    pub(crate) fn counts(&self) -> Result<Counts> {
        self.connection
            .query_row(COUNTS, [], |row| {
                Ok(Counts {
                    files: row.get(0)?,
                    trees: row.get(1)?,
                    stored_bytes: row.get(2)?,
                    logical_bytes: row.get(3)?,
                    owners: row.get(4)?,
                    bindings: row.get(5)?,
                    orphans: row.get(6)?,
                    trashed_bytes: row.get(7)?,
                })
            })
            .to("read")
    }
}
