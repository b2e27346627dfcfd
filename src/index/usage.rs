//! Who holds how much.

use rusqlite::{Row, Rows, named_params};

use crate::error::Result;
use crate::index::owners::owner_id;
use crate::index::select::class;
use crate::index::{Attempt as _, ReadTx, queries};
use crate::model::{Artifact, Class, ObjectKind, OwnerId};
use crate::time::Timestamp;

/// A stored object, as far as counting needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StoredObject {
    pub(crate) id: i64,
    pub(crate) kind: ObjectKind,
    /// Logical: each entry of a tree counted.
    pub(crate) size: u64,
    /// What it takes on disk itself.
    pub(crate) own_bytes: u64,
}

/// An owner as listings name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NamedOwner {
    pub(crate) id: i64,
    pub(crate) owner: OwnerId,
    pub(crate) last_seen_at: Timestamp,
}

/// Who has bound which object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BoundObject {
    pub(crate) owner: i64,
    pub(crate) object: i64,
    /// When somebody last looked this name up, or bound it.
    pub(crate) used_at: Timestamp,
}

/// What tells artifacts apart when they are grouped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ArtifactFacts {
    pub(crate) id: i64,
    pub(crate) artifact: Artifact,
    pub(crate) class: Class,
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
    OWNERS_BY_KEY = "SELECT id, key, version, last_seen_at FROM owners ORDER BY key, version";
    BOUND = "SELECT owner_id, object_id, ifnull(last_used_at, bound_at) FROM bindings";
    /// In the order of the next query: the two are merged, which is many times faster than a join.
    STORED_OBJECTS = "SELECT id, kind, size, own_bytes FROM objects WHERE trashed = 0 ORDER BY id";
    EDGES = "SELECT blob_id, tree_id FROM members ORDER BY blob_id";
    BOUND_ARTIFACTS = concat!("SELECT o.id, o.hash, o.kind, o.size, o.files, ", class!(), " FROM objects o
                       WHERE o.id IN (SELECT object_id FROM bindings) ORDER BY o.hash, o.kind");
    /// Read as it lies in the table, and sorted: by the index of names each row would be a page of its own.
    NAMES_OF_BOUND = "SELECT b.object_id, w.key, w.version, b.name
                      FROM bindings b NOT INDEXED CROSS JOIN owners w ON w.id = b.owner_id
                      ORDER BY w.key, w.version, b.name";
    /// What one owner reaches, with every tree that needs it; the loops leave the rows of an object together.
    /// Who has bound those trees is not asked here: a common file is in thousands, and a row each is slow to find.
    HELD_BY_OWNER = "WITH mine (id) AS MATERIALIZED (
                         SELECT object_id FROM bindings WHERE owner_id = :owner
                         UNION
                         SELECT m.blob_id FROM bindings b CROSS JOIN members m ON m.tree_id = b.object_id
                         WHERE b.owner_id = :owner)
                     SELECT o.id, o.kind, o.size, o.own_bytes, m.tree_id
                     FROM mine CROSS JOIN objects o ON o.id = mine.id LEFT JOIN members m ON m.blob_id = mine.id";
    /// What no binding reaches is garbage, or held by a lease or pin alone, or part of such a tree: the
    /// work grows with these, not with the store. What is bound is reached with all that is in it.
    UNOWNED = "WITH loose (id) AS (
                   SELECT id FROM objects INDEXED BY objects_orphaned WHERE orphaned_at IS NOT NULL
                   UNION SELECT id FROM objects INDEXED BY objects_unsettled WHERE state <> 0 AND trashed = 0
                   UNION SELECT object_id FROM leases
                   UNION SELECT object_id FROM pins),
               all_loose (id) AS (
                   SELECT id FROM loose
                   UNION SELECT m.blob_id FROM loose l CROSS JOIN members m ON m.tree_id = l.id
                         WHERE NOT EXISTS (SELECT 1 FROM bindings b WHERE b.object_id = l.id))
               SELECT ifnull(sum(o.own_bytes), 0) FROM all_loose l CROSS JOIN objects o ON o.id = l.id
               WHERE o.trashed = 0
                 AND NOT EXISTS (SELECT 1 FROM bindings b WHERE b.object_id = o.id)
                 AND NOT EXISTS (SELECT 1 FROM members m CROSS JOIN bindings b ON b.object_id = m.tree_id
                                 WHERE m.blob_id = o.id)";
    /// Each object is looked up once, and in the order in which they lie.
    LOGICAL = "SELECT ifnull(sum(o.size * b.names), 0)
               FROM (SELECT object_id, count(*) AS names FROM bindings GROUP BY object_id) b
                    CROSS JOIN objects o ON o.id = b.object_id";
    /// What lies in the trash is on no shelf. Its index knows it, so that no other row is read to its end, where
    /// it says so.
    STORED = "SELECT (SELECT ifnull(sum(own_bytes), 0) FROM objects)
                   - (SELECT ifnull(sum(own_bytes), 0) FROM objects INDEXED BY objects_trashed
                      WHERE trash_run IS NOT NULL AND trashed = 1)";
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

fn stored_object(row: &Row<'_>) -> rusqlite::Result<StoredObject> {
    Ok(StoredObject { id: row.get(0)?, kind: row.get(1)?, size: row.get(2)?, own_bytes: row.get(3)? })
}

fn next_edge(rows: &mut Rows<'_>) -> Result<Option<(i64, i64)>> {
    let row = rows.next().to("read")?;
    row.map(|row| Ok((row.get(0)?, row.get(1)?))).transpose().to("read")
}

impl ReadTx<'_> {
    /// Returns the owners in the order of their keys and versions.
    pub(crate) fn owners_by_key(&self) -> Result<Vec<NamedOwner>> {
        self.list(OWNERS_BY_KEY, &[], |row| {
            Ok(NamedOwner { id: row.get(0)?, owner: owner_id(row, 1)?, last_seen_at: row.get(3)? })
        })
    }

    /// Returns who has bound what: a row a binding.
    pub(crate) fn bound_objects(&self) -> Result<Vec<BoundObject>> {
        self.list(BOUND, &[], |row| Ok(BoundObject { owner: row.get(0)?, object: row.get(1)?, used_at: row.get(2)? }))
    }

    /// Returns what somebody has bound, by hash.
    pub(crate) fn bound_artifacts(&self) -> Result<Vec<ArtifactFacts>> {
        self.list(BOUND_ARTIFACTS, &[], |row| {
            let artifact = Artifact { hash: row.get(1)?, kind: row.get(2)?, size: row.get(3)?, files: row.get(4)? };
            Ok(ArtifactFacts { id: row.get(0)?, artifact, class: row.get(5)? })
        })
    }

    /// Returns what everything bound is called, by owner and name.
    pub(crate) fn names_of_bound(&self) -> Result<Vec<(i64, OwnerId, String)>> {
        self.list(NAMES_OF_BOUND, &[], |row| Ok((row.get(0)?, owner_id(row, 1)?, row.get(3)?)))
    }

    /// Tells `each` of every stored object, with the trees that need it.
    pub(crate) fn each_stored(&self, mut each: impl FnMut(StoredObject, &[i64])) -> Result<()> {
        let mut objects = self.connection.prepare_cached(STORED_OBJECTS).to("read")?;
        let mut edges = self.connection.prepare_cached(EDGES).to("read")?;
        let mut objects = objects.query([]).to("read")?;
        let mut edges = edges.query([]).to("read")?;
        let mut edge = next_edge(&mut edges)?;
        let mut trees = Vec::new();
        while let Some(row) = objects.next().to("read")? {
            let object = stored_object(row).to("read")?;
            trees.clear();
            while let Some((blob, tree)) = edge.filter(|(blob, _)| *blob <= object.id) {
                if blob == object.id {
                    trees.push(tree);
                }
                edge = next_edge(&mut edges)?;
            }
            each(object, &trees);
        }
        Ok(())
    }

    /// Tells `each` of everything one owner reaches, with the trees that need it.
    pub(crate) fn each_held_by(&self, owner: i64, mut each: impl FnMut(StoredObject, &[i64])) -> Result<()> {
        let mut statement = self.connection.prepare_cached(HELD_BY_OWNER).to("read")?;
        let mut rows = statement.query(named_params! {":owner": owner}).to("read")?;
        let mut object: Option<StoredObject> = None;
        let mut trees: Vec<i64> = Vec::new();
        while let Some(row) = rows.next().to("read")? {
            let id: i64 = row.get(0).to("read")?;
            if object.is_none_or(|object| object.id != id) {
                if let Some(done) = object.replace(stored_object(row).to("read")?) {
                    each(done, &trees);
                }
                trees.clear();
            }
            trees.extend(row.get::<_, Option<i64>>(4).to("read")?);
        }
        if let Some(done) = object {
            each(done, &trees);
        }
        Ok(())
    }

    /// Returns the bytes of what no binding reaches.
    pub(crate) fn unowned_bytes(&self) -> Result<u64> {
        self.connection.query_row(UNOWNED, [], |row| row.get(0)).to("read")
    }

    /// Returns the bytes that the bindings would take without sharing.
    pub(crate) fn logical_bytes(&self) -> Result<u64> {
        self.connection.query_row(LOGICAL, [], |row| row.get(0)).to("read")
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
