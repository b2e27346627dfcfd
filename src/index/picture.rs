//! What a picture of the whole store is drawn from: every binding by name, and what nobody has bound.

use rusqlite::Row;

use crate::error::Result;
use crate::index::{BoundObject, ReadTx, queries};
use crate::model::Artifact;
use crate::time::Timestamp;

/// An artifact that no owner has bound and that is no part of another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LooseArtifact {
    pub(crate) id: i64,
    pub(crate) artifact: Artifact,
    /// Since when nothing keeps it; none if a lease or a pin does.
    pub(crate) orphaned_at: Option<Timestamp>,
    pub(crate) created_at: Timestamp,
}

queries! {
    BOUND_NAMES = "SELECT owner_id, object_id, ifnull(last_used_at, bound_at), name FROM bindings ORDER BY name";
    /// The work grows with what is loose, as where its bytes are counted.
    LOOSE = "WITH loose (id) AS (
                 SELECT id FROM objects INDEXED BY objects_orphaned WHERE orphaned_at IS NOT NULL
                 UNION SELECT id FROM objects INDEXED BY objects_unsettled WHERE state <> 0 AND trashed = 0
                 UNION SELECT object_id FROM leases
                 UNION SELECT object_id FROM pins)
             SELECT o.id, o.hash, o.kind, o.size, o.files, o.orphaned_at, o.created_at
             FROM loose l CROSS JOIN objects o ON o.id = l.id
             WHERE o.trashed = 0
               AND NOT EXISTS (SELECT 1 FROM bindings b WHERE b.object_id = o.id)
               AND NOT EXISTS (SELECT 1 FROM members m WHERE m.blob_id = o.id)
             ORDER BY o.hash, o.kind";
}

fn loose(row: &Row<'_>) -> rusqlite::Result<LooseArtifact> {
    let artifact = Artifact { hash: row.get(1)?, kind: row.get(2)?, size: row.get(3)?, files: row.get(4)? };
    Ok(LooseArtifact { id: row.get(0)?, artifact, orphaned_at: row.get(5)?, created_at: row.get(6)? })
}

impl ReadTx<'_> {
    /// Returns who has bound what under which name, by name.
    pub(crate) fn bound_names(&self) -> Result<Vec<(BoundObject, String)>> {
        self.list(BOUND_NAMES, &[], |row| {
            let bound = BoundObject { owner: row.get(0)?, object: row.get(1)?, used_at: row.get(2)? };
            Ok((bound, row.get(3)?))
        })
    }

    /// Returns the artifacts that nobody has bound, by hash.
    pub(crate) fn loose_artifacts(&self) -> Result<Vec<LooseArtifact>> {
        self.list(LOOSE, &[], loose)
    }
}
