//! How much owners may hold, and how much their bindings reach.
//!
//! What an owner reaches is every object that it binds and every file of the directories among them,
//! each once: what `usage` calls its total.

use rusqlite::{OptionalExtension as _, named_params};

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::index::{Attempt as _, ReadTx, WriteTx, queries};
use crate::model::{BindingName, Blob};
use crate::size::format_size;

/// What an owner may hold, in bytes; none: as much as it likes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Budgets {
    /// Above it the owner is warned, and goes first.
    pub(crate) soft: Option<u64>,
    /// Above it nothing more is bound.
    pub(crate) hard: Option<u64>,
}

impl Budgets {
    pub(crate) fn any(self) -> bool {
        self.soft.is_some() || self.hard.is_some()
    }
}

queries! {
    BUDGETS = "SELECT soft_budget, hard_budget FROM owners WHERE id = :id";
    SET_SOFT = "UPDATE owners SET soft_budget = :bytes WHERE id = :id";
    SET_HARD = "UPDATE owners SET hard_budget = :bytes WHERE id = :id";
    WITH_SOFT = "SELECT id, soft_budget FROM owners WHERE soft_budget IS NOT NULL ORDER BY id";
    REACHED = "SELECT ifnull(sum(o.own_bytes), 0) FROM (
                   SELECT object_id AS id FROM bindings WHERE owner_id = :owner
                   UNION
                   SELECT m.blob_id FROM bindings b CROSS JOIN members m ON m.tree_id = b.object_id
                   WHERE b.owner_id = :owner) r CROSS JOIN objects o ON o.id = r.id";
    /// As above, once a name stands for another object.
    WOULD_REACH = "SELECT ifnull(sum(o.own_bytes), 0) FROM (
                       SELECT object_id AS id FROM bindings WHERE owner_id = :owner AND name <> :name
                       UNION
                       SELECT m.blob_id FROM bindings b CROSS JOIN members m ON m.tree_id = b.object_id
                       WHERE b.owner_id = :owner AND b.name <> :name
                       UNION SELECT :object UNION SELECT blob_id FROM members WHERE tree_id = :object) r
                   CROSS JOIN objects o ON o.id = r.id";
    REACHES = "SELECT 1 FROM objects o WHERE o.hash = :hash AND o.kind = :kind
               AND (EXISTS (SELECT 1 FROM bindings b WHERE b.object_id = o.id AND b.owner_id = :owner)
                    OR EXISTS (SELECT 1 FROM members m CROSS JOIN bindings b ON b.object_id = m.tree_id
                               WHERE m.blob_id = o.id AND b.owner_id = :owner))";
}

impl ReadTx<'_> {
    /// Returns what an owner may hold.
    pub(crate) fn budgets_of(&self, owner: i64) -> Result<Budgets> {
        let mut statement = self.connection.prepare_cached(BUDGETS).to("read")?;
        let budgets = statement
            .query_row(named_params! {":id": owner}, |row| Ok(Budgets { soft: row.get(0)?, hard: row.get(1)? }))
            .optional();
        Ok(budgets.to("read")?.unwrap_or_default())
    }

    /// Returns the bytes that an owner's bindings reach, each object once.
    pub(crate) fn reached_bytes(&self, owner: i64) -> Result<u64> {
        let mut statement = self.connection.prepare_cached(REACHED).to("read")?;
        statement.query_row(named_params! {":owner": owner}, |row| row.get(0)).to("read")
    }

    /// Returns the bytes that an owner's bindings would reach if it bound `name` to this object.
    pub(crate) fn would_reach(&self, owner: i64, name: &BindingName, object: i64) -> Result<u64> {
        let mut statement = self.connection.prepare_cached(WOULD_REACH).to("read")?;
        let parameters = named_params! {":owner": owner, ":name": name.as_str(), ":object": object};
        statement.query_row(parameters, |row| row.get(0)).to("read")
    }

    /// Tells whether an owner's bindings reach a file already.
    pub(crate) fn reaches(&self, owner: i64, blob: Blob) -> Result<bool> {
        let hash: Digest = blob.digest;
        let mut statement = self.connection.prepare_cached(REACHES).to("read")?;
        statement.exists(named_params! {":owner": owner, ":hash": hash, ":kind": blob.kind()}).to("read")
    }

    /// Returns the owners that have a soft budget, by their rows, and what it is.
    pub(crate) fn soft_budgets(&self) -> Result<Vec<(i64, u64)>> {
        let mut statement = self.connection.prepare_cached(WITH_SOFT).to("read")?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).to("read")?;
        rows.collect::<rusqlite::Result<_>>().to("read")
    }
}

impl WriteTx<'_> {
    pub(crate) fn set_soft_budget(&self, owner: i64, bytes: Option<u64>) -> Result<()> {
        self.set_budget(SET_SOFT, owner, bytes)
    }

    pub(crate) fn set_hard_budget(&self, owner: i64, bytes: Option<u64>) -> Result<()> {
        self.set_budget(SET_HARD, owner, bytes)
    }

    fn set_budget(&self, sql: &str, owner: i64, bytes: Option<u64>) -> Result<()> {
        if let Some(bytes) = bytes.filter(|bytes| i64::try_from(*bytes).is_err()) {
            return Err(Error::invalid("budget", &format_size(bytes), "it is 8EiB or more"));
        }
        self.run(sql, named_params! {":id": owner, ":bytes": bytes})
    }
}
