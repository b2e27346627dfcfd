//! The index of somebody else's store, kept as a mirror: its objects come and go as files do.

use rusqlite::{OptionalExtension as _, named_params};

use crate::digest::Digest;
use crate::error::Result;
use crate::index::{Attempt as _, ReadTx, WriteTx, queries};
use crate::model::ObjectKind;
use crate::time::Timestamp;

/// An object of the other store.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MirroredObject {
    pub(crate) hash: Digest,
    pub(crate) kind: ObjectKind,
    pub(crate) size: u64,
    pub(crate) own_bytes: u64,
    pub(crate) files: u64,
    /// When its file was last changed.
    pub(crate) changed_at: Timestamp,
}

queries! {
    INSERT = "INSERT INTO objects (hash, kind, state, size, own_bytes, files, created_at)
              VALUES (:hash, :kind, 0, :size, :own_bytes, :files, :at) RETURNING id";
    IDS = "SELECT hash, id, kind FROM objects";
    DROP_EDGES = "DELETE FROM members WHERE tree_id = :id OR blob_id = :id";
    DROP = "DELETE FROM objects WHERE id = :id";
    BY_HASH = "SELECT id FROM objects WHERE hash = :hash";
    SET_OWN = "UPDATE objects SET own_bytes = :own_bytes WHERE id = :id AND own_bytes <> :own_bytes";
    CLEAR_BINDINGS = "DELETE FROM bindings";
    ADD_OWNERS = "INSERT INTO owners (key, version, created_at, last_seen_at)
                  SELECT uuid, version, min(bound_at), max(bound_at) FROM space_bindings WHERE true
                  GROUP BY uuid, version
                  ON CONFLICT (key, version) DO UPDATE SET last_seen_at = excluded.last_seen_at";
    DROP_OWNERS = "DELETE FROM owners WHERE NOT EXISTS (
                       SELECT 1 FROM space_bindings s WHERE s.uuid = owners.key AND s.version = owners.version)";
    /// A name whose artifact was deleted by hand holds nothing.
    ADD_BINDINGS = "INSERT INTO bindings (owner_id, name, object_id, meta, bound_at)
                    SELECT w.id, s.name, o.id, s.meta, s.bound_at
                    FROM space_bindings s
                    JOIN owners w ON w.key = s.uuid AND w.version = s.version
                    JOIN objects o ON o.hash = s.hash";
    /// What the other program's gc would look at: neither bound nor part of a directory.
    MARK_ORPHANS = "UPDATE objects SET orphaned_at =
                        iif(EXISTS (SELECT 1 FROM bindings b WHERE b.object_id = objects.id)
                            OR EXISTS (SELECT 1 FROM members m WHERE m.blob_id = objects.id), NULL, created_at)";
    SET_ORPHANED = "UPDATE objects SET orphaned_at = :at WHERE hash = :hash AND orphaned_at IS NOT NULL";
    CHANGES = "SELECT ifnull((SELECT max(id) FROM objects), 0), ifnull(last_gc_at, 0) FROM store";
}

impl ReadTx<'_> {
    /// Returns the id and kind of every object.
    pub(crate) fn mirrored(&self) -> Result<Vec<(Digest, i64, ObjectKind)>> {
        let mut statement = self.connection.prepare_cached(IDS).to("read")?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).to("read")?;
        rows.collect::<rusqlite::Result<_>>().to("read")
    }

    /// Returns something that changes whenever an object may have come or gone.
    pub(crate) fn object_changes(&self) -> Result<(i64, i64)> {
        self.connection.query_row(CHANGES, [], |row| Ok((row.get(0)?, row.get(1)?))).to("read")
    }
}

impl WriteTx<'_> {
    pub(crate) fn add_mirrored(&self, object: &MirroredObject) -> Result<i64> {
        let MirroredObject { hash, kind, size, own_bytes, files, changed_at } = *object;
        let mut statement = self.connection.prepare_cached(INSERT).to("write")?;
        let parameters = named_params! {
            ":hash": hash, ":kind": kind, ":size": size, ":own_bytes": own_bytes, ":files": files, ":at": changed_at,
        };
        statement.query_row(parameters, |row| row.get(0)).to("write")
    }

    /// Forgets an object that is not there any more. The bindings must have been cleared.
    pub(crate) fn drop_mirrored(&self, id: i64) -> Result<()> {
        [DROP_EDGES, DROP].into_iter().try_for_each(|sql| {
            let mut statement = self.connection.prepare_cached(sql).to("write")?;
            statement.execute(named_params! {":id": id}).map(drop).to("write")
        })
    }

    /// Returns the object of this hash, whatever its kind.
    pub(crate) fn mirrored_id(&self, hash: Digest) -> Result<Option<i64>> {
        let mut statement = self.connection.prepare_cached(BY_HASH).to("read")?;
        statement.query_row(named_params! {":hash": hash}, |row| row.get(0)).optional().to("read")
    }

    pub(crate) fn set_own_bytes(&self, id: i64, own_bytes: u64) -> Result<()> {
        let mut statement = self.connection.prepare_cached(SET_OWN).to("write")?;
        statement.execute(named_params! {":id": id, ":own_bytes": own_bytes}).map(drop).to("write")
    }

    pub(crate) fn clear_bindings(&self) -> Result<()> {
        self.connection.execute(CLEAR_BINDINGS, []).map(drop).to("write")
    }

    /// Derives bindings and orphans from what the space's files say; `since` tells what has been noted
    /// as unused, and since when.
    pub(crate) fn derive_bindings(&self, since: impl IntoIterator<Item = (Digest, Timestamp)>) -> Result<()> {
        for sql in [CLEAR_BINDINGS, ADD_OWNERS, DROP_OWNERS, ADD_BINDINGS, MARK_ORPHANS] {
            self.connection.execute(sql, []).to("write")?;
        }
        let mut statement = self.connection.prepare_cached(SET_ORPHANED).to("write")?;
        since.into_iter().try_for_each(|(hash, at)| {
            statement.execute(named_params! {":hash": hash, ":at": at}).map(drop).to("write")
        })
    }
}
