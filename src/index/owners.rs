//! Rows of owners.

use rusqlite::{OptionalExtension as _, Row, named_params};

use crate::error::{Error, Result};
use crate::index::budgets::Budgets;
use crate::index::{Attempt as _, ReadTx, WriteTx, queries};
use crate::model::OwnerId;
use crate::time::Timestamp;

/// An owner's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OwnerRow {
    pub(crate) id: i64,
    pub(crate) owner: OwnerId,
    pub(crate) title: Option<String>,
    pub(crate) bindings: u64,
    pub(crate) created_at: Timestamp,
    pub(crate) last_seen_at: Timestamp,
    pub(crate) budgets: Budgets,
}

queries! {
    FIND = "SELECT id FROM owners WHERE key = :key AND version = :version";
    ENSURE = "INSERT INTO owners (key, version, created_at, last_seen_at)
              VALUES (:key, :version, :now, :now)
              ON CONFLICT (key, version) DO UPDATE SET last_seen_at = max(last_seen_at, :now)
              RETURNING id";
    LIST = "SELECT id, key, version, title, created_at, last_seen_at,
                   (SELECT count(*) FROM bindings WHERE owner_id = owners.id), soft_budget, hard_budget
            FROM owners ORDER BY key, version";
    /// An owner that holds nothing, or nothing but what goes, is forgotten when it was not seen for the
    /// collect delay. One that somebody registered stays until it is gone and its time is over.
    EMPTY = "SELECT id, key, version FROM owners
             WHERE id IN (SELECT id FROM owners INDEXED BY owners_empty WHERE empty = 1
                          UNION SELECT owner_id FROM temp.lapsed
                          UNION SELECT n.owner_id FROM temp.doomed d CROSS JOIN bindings n ON n.object_id = d.id)
               AND last_seen_at <= :cutoff
               AND (id IN (SELECT owner_id FROM temp.lapsed WHERE since <= :cutoff)
                    OR (title IS NULL AND expires_at IS NULL AND soft_budget IS NULL AND hard_budget IS NULL
                        AND NOT EXISTS (SELECT 1 FROM probes WHERE owner_id = owners.id
                                        AND kind IN ('path', 'command'))))
               AND NOT EXISTS (SELECT 1 FROM bindings WHERE owner_id = owners.id
                               AND object_id NOT IN (SELECT id FROM temp.doomed))
               AND NOT EXISTS (SELECT 1 FROM declarations WHERE owner_id = owners.id)
               AND (NOT (title IS NOT NULL OR expires_at IS NOT NULL OR soft_budget IS NOT NULL
                         OR hard_budget IS NOT NULL OR EXISTS (SELECT 1 FROM probes WHERE owner_id = owners.id))
                    OR ((NOT :trash OR NOT EXISTS (SELECT 1 FROM bindings WHERE owner_id = owners.id))
                        AND NOT EXISTS (SELECT 1 FROM gc_runs r CROSS JOIN events e ON e.run_id = r.id
                                        WHERE r.keep_until > :now AND r.undone_at IS NULL AND r.emptied_at IS NULL
                                          AND e.owner = owners.key AND e.version = owners.version)))
             ORDER BY key, version";
    VERSIONS = "SELECT key, version FROM owners WHERE key = :key ORDER BY version";
    SET_TITLE = "UPDATE owners SET title = :title WHERE id = :id";
    RENAME = "UPDATE owners SET key = :key, version = :version WHERE id = :id";
    DROP = "DELETE FROM owners WHERE id = :id";
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
                    created_at: row.get(4)?,
                    last_seen_at: row.get(5)?,
                    bindings: row.get(6)?,
                    budgets: Budgets { soft: row.get(7)?, hard: row.get(8)? },
                })
            })
            .to("read")?;
        rows.collect::<rusqlite::Result<_>>().to("read")
    }

    /// Returns the versions of a key that are known, each an owner of its own.
    pub(crate) fn versions_of(&self, key: &str) -> Result<Vec<OwnerId>> {
        let mut statement = self.connection.prepare_cached(VERSIONS).to("read")?;
        let rows = statement.query_map(named_params! {":key": key}, |row| owner_id(row, 0)).to("read")?;
        rows.collect::<rusqlite::Result<_>>().to("read")
    }

    /// Returns the owners that hold nothing but what is selected and were not seen since `cutoff`. Of whom
    /// more is known than a name stays while an undo may bring back what it had: with `trash`, the one to come.
    pub(crate) fn empty_owners(&self, cutoff: Timestamp, now: Timestamp, trash: bool) -> Result<Vec<(i64, OwnerId)>> {
        let mut statement = self.connection.prepare_cached(EMPTY).to("read")?;
        let rows = statement
            .query_map(named_params! {":cutoff": cutoff, ":now": now, ":trash": trash}, |row| {
                Ok((row.get(0)?, owner_id(row, 1)?))
            })
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

    /// Says what an owner is called, for people.
    pub(crate) fn set_title(&self, id: i64, title: Option<&str>) -> Result<()> {
        self.run(SET_TITLE, named_params! {":id": id, ":title": title})
    }

    /// Gives an owner another key and version, which nobody may have.
    pub(crate) fn rename_owner(&self, id: i64, to: &OwnerId) -> Result<()> {
        self.run(RENAME, named_params! {":id": id, ":key": to.key(), ":version": version_text(to)})
    }

    /// Forgets an owner, and what it declares.
    pub(crate) fn drop_owner(&self, id: i64) -> Result<()> {
        self.run(DROP, named_params! {":id": id})
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
