//! Rows of attached scratch spaces: where they are, what both sides agreed on, what was last read.

use std::collections::BTreeMap;
use std::path::PathBuf;

use rusqlite::{Row, named_params};

use crate::digest::Digest;
use crate::error::Result;
use crate::index::bindings::metadata;
use crate::index::owners::{owner_id, version_text};
use crate::index::{Attempt as _, ReadTx, WriteTx, queries};
use crate::model::{Metadata, OwnerId};
use crate::time::Timestamp;

/// A scratch space this store follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SpaceRow {
    pub(crate) id: i64,
    /// Spelt as Julia spells it.
    pub(crate) root: PathBuf,
    pub(crate) depot: Option<PathBuf>,
    /// Whether changes here go there too.
    pub(crate) writes: bool,
    pub(crate) attached_at: Timestamp,
    pub(crate) synced_at: Option<Timestamp>,
}

/// What a space binds, or what both sides agreed that it binds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SpaceBindingRow {
    pub(crate) owner: OwnerId,
    pub(crate) name: String,
    pub(crate) hash: Digest,
    pub(crate) meta: Option<Metadata>,
    pub(crate) bound_at: Timestamp,
}

queries! {
    LIST = "SELECT id, root, depot, writes, attached_at, synced_at FROM spaces ORDER BY root";
    ATTACH = "INSERT INTO spaces (root, depot, writes, attached_at) VALUES (:root, :depot, :writes, :now)
              ON CONFLICT (root) DO UPDATE SET depot = :depot, writes = :writes
              RETURNING id, root, depot, writes, attached_at, synced_at";
    DETACH = "DELETE FROM spaces WHERE id = :id";
    SYNCED = "UPDATE spaces SET synced_at = :now WHERE id = :id";
    BINDINGS = "SELECT uuid, version, name, hash, meta, bound_at FROM space_bindings
                WHERE space_id = :space ORDER BY uuid, version, name";
    PUT_BINDING = "INSERT INTO space_bindings (space_id, uuid, version, name, hash, meta, bound_at)
                   VALUES (:space, :key, :version, :name, :hash, :meta, :at)
                   ON CONFLICT (space_id, uuid, version, name) DO UPDATE
                   SET hash = :hash, meta = :meta, bound_at = :at";
    DROP_BINDING = "DELETE FROM space_bindings
                    WHERE space_id = :space AND uuid = :key AND version = :version AND name = :name";
    DROP_OWNER = "DELETE FROM space_bindings WHERE space_id = :space AND uuid = :key AND version = :version";
    STAMPS = "SELECT path, stamp FROM space_files WHERE space_id = :space";
    DROP_STAMPS = "DELETE FROM space_files WHERE space_id = :space";
    PUT_STAMP = "INSERT INTO space_files (space_id, path, stamp) VALUES (:space, :path, :stamp)";
}

fn space_row(row: &Row<'_>) -> rusqlite::Result<SpaceRow> {
    Ok(SpaceRow {
        id: row.get(0)?,
        root: row.get::<_, String>(1)?.into(),
        depot: row.get::<_, Option<String>>(2)?.map(PathBuf::from),
        writes: row.get(3)?,
        attached_at: row.get(4)?,
        synced_at: row.get(5)?,
    })
}

fn space_binding_row(row: &Row<'_>) -> rusqlite::Result<SpaceBindingRow> {
    Ok(SpaceBindingRow {
        owner: owner_id(row, 0)?,
        name: row.get(2)?,
        hash: row.get(3)?,
        meta: metadata(row, 4)?,
        bound_at: row.get(5)?,
    })
}

impl ReadTx<'_> {
    /// Returns all attached spaces, by path.
    pub(crate) fn spaces(&self) -> Result<Vec<SpaceRow>> {
        let mut statement = self.connection.prepare_cached(LIST).to("read")?;
        let rows = statement.query_map([], space_row).to("read")?;
        rows.collect::<rusqlite::Result<_>>().to("read")
    }

    /// Returns what a space binds, or what both sides agreed on.
    pub(crate) fn space_bindings(&self, space: i64) -> Result<Vec<SpaceBindingRow>> {
        let mut statement = self.connection.prepare_cached(BINDINGS).to("read")?;
        let rows = statement.query_map(named_params! {":space": space}, space_binding_row).to("read")?;
        rows.collect::<rusqlite::Result<_>>().to("read")
    }

    /// Returns what the files of a space were like when they were last read.
    pub(crate) fn space_stamps(&self, space: i64) -> Result<BTreeMap<String, String>> {
        let mut statement = self.connection.prepare_cached(STAMPS).to("read")?;
        let rows = statement.query_map(named_params! {":space": space}, |row| Ok((row.get(0)?, row.get(1)?)));
        rows.to("read")?.collect::<rusqlite::Result<_>>().to("read")
    }
}

impl WriteTx<'_> {
    /// Attaches a space, or changes how it is attached. The paths are text, because Julia's logs are.
    pub(crate) fn attach(&self, root: &str, depot: Option<&str>, writes: bool) -> Result<SpaceRow> {
        let parameters = named_params! {":root": root, ":depot": depot, ":writes": writes, ":now": self.now()};
        self.connection.query_row(ATTACH, parameters, space_row).to("write")
    }

    pub(crate) fn detach(&self, space: i64) -> Result<()> {
        self.connection.execute(DETACH, named_params! {":id": space}).map(drop).to("write")
    }

    pub(crate) fn set_synced(&self, space: i64) -> Result<()> {
        self.connection.execute(SYNCED, named_params! {":id": space, ":now": self.now()}).map(drop).to("write")
    }

    pub(crate) fn put_space_binding(&self, space: i64, binding: &SpaceBindingRow) -> Result<()> {
        let SpaceBindingRow { owner, name, hash, meta, bound_at } = binding;
        let meta = meta.as_ref().map(Metadata::to_stored);
        let mut statement = self.connection.prepare_cached(PUT_BINDING).to("write")?;
        statement
            .execute(named_params! {
                ":space": space, ":key": owner.key(), ":version": version_text(owner), ":name": name,
                ":hash": hash, ":meta": meta, ":at": bound_at,
            })
            .map(drop)
            .to("write")
    }

    pub(crate) fn drop_space_binding(&self, space: i64, owner: &OwnerId, name: &str) -> Result<()> {
        let parameters = named_params! {
            ":space": space, ":key": owner.key(), ":version": version_text(owner), ":name": name,
        };
        self.connection.execute(DROP_BINDING, parameters).map(drop).to("write")
    }

    /// Drops all bindings of one file of a space.
    pub(crate) fn drop_space_owner(&self, space: i64, owner: &OwnerId) -> Result<()> {
        let parameters = named_params! {":space": space, ":key": owner.key(), ":version": version_text(owner)};
        self.connection.execute(DROP_OWNER, parameters).map(drop).to("write")
    }

    pub(crate) fn set_space_stamps(&self, space: i64, stamps: &BTreeMap<String, String>) -> Result<()> {
        self.connection.execute(DROP_STAMPS, named_params! {":space": space}).to("write")?;
        let mut statement = self.connection.prepare_cached(PUT_STAMP).to("write")?;
        stamps.iter().try_for_each(|(path, stamp)| {
            statement.execute(named_params! {":space": space, ":path": path, ":stamp": stamp}).map(drop).to("write")
        })
    }
}
