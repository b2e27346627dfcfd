//! Rows of owners that can be looked for, and since when they are known to be gone.

use rusqlite::{Row, named_params};

use crate::error::Result;
use crate::index::owners::owner_id;
use crate::index::{Attempt as _, ReadTx, WriteTx, queries};
use crate::model::OwnerId;
use crate::time::Timestamp;

/// A package of Julia that has, or had, bindings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Probed {
    pub(crate) id: i64,
    pub(crate) owner: OwnerId,
    /// The depot to look for it in; empty if none was noted.
    pub(crate) depot: String,
    /// Since when it is known to be gone.
    pub(crate) gone_since: Option<Timestamp>,
    /// When it last bound something.
    pub(crate) last_seen_at: Timestamp,
}

queries! {
    PROBED = "SELECT w.id, w.key, w.version, p.target, w.gone_since, w.last_seen_at
              FROM probes p JOIN owners w ON w.id = p.owner_id WHERE p.kind = 'julia' ORDER BY w.key, w.version";
    SET_GONE = "UPDATE owners SET gone_since = :since WHERE id = :id";
    /// What was let go while it was gone.
    HOLD_AGAIN = "UPDATE objects SET orphaned_at = NULL WHERE orphaned_at IS NOT NULL
                  AND id IN (SELECT object_id FROM bindings WHERE owner_id = :id)";
}

fn probed(row: &Row<'_>) -> rusqlite::Result<Probed> {
    Ok(Probed {
        id: row.get(0)?,
        owner: owner_id(row, 1)?,
        depot: row.get(3)?,
        gone_since: row.get(4)?,
        last_seen_at: row.get(5)?,
    })
}

impl ReadTx<'_> {
    /// Returns the owners that can be looked for, by key and version.
    pub(crate) fn probed_owners(&self) -> Result<Vec<Probed>> {
        let mut statement = self.connection.prepare_cached(PROBED).to("read")?;
        let rows = statement.query_map([], probed).to("read")?;
        rows.collect::<rusqlite::Result<_>>().to("read")
    }
}

impl WriteTx<'_> {
    /// Notes that an owner is gone, as far as is known since now.
    pub(crate) fn set_gone(&self, id: i64) -> Result<()> {
        self.run(SET_GONE, named_params! {":id": id, ":since": self.now()})
    }

    /// Notes that an owner is there again, and holds again what it has bound.
    pub(crate) fn set_back(&self, id: i64) -> Result<()> {
        self.run(SET_GONE, named_params! {":id": id, ":since": None::<Timestamp>})?;
        self.run(HOLD_AGAIN, named_params! {":id": id})
    }
}
