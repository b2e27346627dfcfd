//! Rows of owners.

use rusqlite::{OptionalExtension as _, Row, named_params};

use crate::error::{Error, Result};
use crate::index::{Attempt as _, ReadTx, WriteTx, queries};
use crate::model::OwnerId;
use crate::time::Timestamp;

/// An owner's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OwnerRow {
    pub(crate) id: i64,
    pub(crate) owner: OwnerId,
    pub(crate) title: Option<String>,
    pub(crate) root: Option<String>,
    pub(crate) bindings: u64,
    pub(crate) created_at: Timestamp,
    pub(crate) last_seen_at: Timestamp,
    /// The depot to look for it in, if it is a package of Julia.
    pub(crate) depot: Option<String>,
    /// Since when it is known to be gone.
    pub(crate) gone_since: Option<Timestamp>,
}

queries! {
    FIND = "SELECT id FROM owners WHERE key = :key AND version = :version";
    ENSURE = "INSERT INTO owners (key, version, created_at, last_seen_at)
              VALUES (:key, :version, :now, :now)
              ON CONFLICT (key, version) DO UPDATE SET last_seen_at = max(last_seen_at, :now)
              RETURNING id";
    LIST = "SELECT id, key, version, title,
                   (SELECT min(target) FROM probes WHERE owner_id = owners.id AND kind = 'path'),
                   created_at, last_seen_at,
                   (SELECT count(*) FROM bindings WHERE owner_id = owners.id),
                   (SELECT min(target) FROM probes WHERE owner_id = owners.id AND kind = 'julia'), gone_since
            FROM owners ORDER BY key, version";
    /// An owner that holds nothing, or nothing but what goes, is forgotten when it was not seen for the
    /// collect delay.
    EMPTY = "SELECT id, key, version FROM owners
             WHERE last_seen_at <= :cutoff
               AND NOT EXISTS (SELECT 1 FROM bindings WHERE owner_id = owners.id
                               AND object_id NOT IN (SELECT id FROM temp.doomed))
               AND NOT EXISTS (SELECT 1 FROM declarations WHERE owner_id = owners.id)
             ORDER BY key, version";
    DROP_DEPOTS = "DELETE FROM probes WHERE owner_id = :id AND kind = 'julia' AND target <> :depot";
    SET_DEPOT = "INSERT OR IGNORE INTO probes (owner_id, kind, target) VALUES (:id, 'julia', :depot)";
    FORGET = "DELETE FROM owners WHERE id = :id
              AND NOT EXISTS (SELECT 1 FROM bindings WHERE owner_id = owners.id)
              AND NOT EXISTS (SELECT 1 FROM declarations WHERE owner_id = owners.id)";
}

/// Turns two columns into an owner. What the index holds was valid when it was written.
pub(super) fn owner_id(row: &Row<'_>, column: usize) -> rusqlite::Result<OwnerId> {
    let key: String = row.get(column)?;
    let version: String = row.get(column + 1)?;
    OwnerId::new(&key, Some(version.as_str()).filter(|version| !version.is_empty())).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(error))
    })
}

/// An absent version is an empty text in a row, so that it can be part of a key.
pub(super) fn version_text(owner: &OwnerId) -> &str {
    owner.version().unwrap_or_default()
}

impl ReadTx<'_> {
    pub(crate) fn find_owner(&self, owner: &OwnerId) -> Result<Option<i64>> {
        let mut statement = self.connection.prepare_cached(FIND).to("read")?;
        let parameters = named_params! {":key": owner.key(), ":version": version_text(owner)};
        statement.query_row(parameters, |row| row.get(0)).optional().to("read")
    }

    pub(crate) fn owners(&self) -> Result<Vec<OwnerRow>> {
        let mut statement = self.connection.prepare_cached(LIST).to("read")?;
        let rows = statement
            .query_map([], |row| {
                Ok(OwnerRow {
                    id: row.get(0)?,
                    owner: owner_id(row, 1)?,
                    title: row.get(3)?,
                    root: row.get(4)?,
                    created_at: row.get(5)?,
                    last_seen_at: row.get(6)?,
                    bindings: row.get(7)?,
                    depot: row.get(8)?,
                    gone_since: row.get(9)?,
                })
            })
            .to("read")?;
        rows.collect::<rusqlite::Result<_>>().to("read")
    }

    /// Returns the owners that hold nothing but what is selected and were not seen since `cutoff`.
    pub(crate) fn empty_owners(&self, cutoff: Timestamp) -> Result<Vec<(i64, OwnerId)>> {
        let mut statement = self.connection.prepare_cached(EMPTY).to("read")?;
        let rows = statement
            .query_map(named_params! {":cutoff": cutoff}, |row| Ok((row.get(0)?, owner_id(row, 1)?)))
            .to("read")?;
        rows.collect::<rusqlite::Result<_>>().to("read")
    }
}

impl WriteTx<'_> {
    /// Returns the owner's row, making it if there is none, and notes that it was seen.
    pub(crate) fn ensure_owner(&self, owner: &OwnerId) -> Result<i64> {
        let mut statement = self.connection.prepare_cached(ENSURE).to("write")?;
        let version = version_text(owner);
        let parameters = named_params! {":key": owner.key(), ":version": version, ":now": self.now()};
        statement.query_row(parameters, |row| row.get(0)).to("write")
    }

    /// Notes that an owner is a package of Julia, and in which depot to look for it.
    pub(crate) fn set_depot(&self, id: i64, depot: &str) -> Result<()> {
        self.run(DROP_DEPOTS, named_params! {":id": id, ":depot": depot})?;
        self.run(SET_DEPOT, named_params! {":id": id, ":depot": depot})
    }

    /// Forgets an owner unless it has come to hold something.
    pub(crate) fn forget_owner(&self, id: i64) -> Result<bool> {
        let removed = self.connection.execute(FORGET, named_params! {":id": id}).to("write")?;
        match removed {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Error::Internal("one id stands for several owners".to_owned())),
        }
    }
}
