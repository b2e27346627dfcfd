//! Rows of declarations: what an owner's built-in artifacts are and where they can be had.

use rusqlite::{OptionalExtension as _, Row, named_params};

use crate::error::Result;
use crate::index::owners::owner_id;
use crate::index::{Attempt as _, ReadTx, WriteTx, queries};
use crate::model::{BindingName, Declaration, Metadata, OwnerId};
use crate::time::Timestamp;

/// A declaration and whose it is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DeclarationRow {
    pub(crate) owner: OwnerId,
    pub(crate) name: String,
    pub(crate) declaration: Declaration,
    pub(crate) created_at: Timestamp,
    /// Whether the name is bound, so that its bytes are here.
    pub(crate) bound: bool,
}

/// The columns [`declaration_row`] reads.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT w.key, w.version, d.name, d.artifact, d.platform, d.tree_sha1, d.lazy, d.downloads, d.whole,
                    d.created_at,
                    EXISTS (SELECT 1 FROM bindings b WHERE b.owner_id = d.owner_id AND b.name = d.name)
             FROM declarations d JOIN owners w ON w.id = d.owner_id ",
            $rest
        )
    };
}

queries! {
    FIND = select!("WHERE d.owner_id = :owner AND d.name = :name");
    LIST = select!("ORDER BY w.key, w.version, d.name");
    PUT = "INSERT INTO declarations (owner_id, name, artifact, platform, tree_sha1, lazy, downloads, whole, created_at)
           VALUES (:owner, :name, :artifact, :platform, :tree_sha1, :lazy, :downloads, :whole, :now)
           ON CONFLICT (owner_id, name) DO UPDATE
           SET artifact = :artifact, platform = :platform, tree_sha1 = :tree_sha1, lazy = :lazy,
               downloads = :downloads, whole = :whole";
    DROP = "DELETE FROM declarations WHERE owner_id = :owner AND name = :name";
}

fn declaration_row(row: &Row<'_>) -> rusqlite::Result<DeclarationRow> {
    let invalid = |column, error: Box<dyn std::error::Error + Send + Sync>| {
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, error)
    };
    let downloads: String = row.get(7)?;
    let whole: String = row.get(8)?;
    Ok(DeclarationRow {
        owner: owner_id(row, 0)?,
        name: row.get(2)?,
        declaration: Declaration {
            artifact: row.get(3)?,
            platform: row.get(4)?,
            tree_sha1: row.get(5)?,
            lazy: row.get(6)?,
            downloads: serde_json::from_str(&downloads).map_err(|error| invalid(7, error.into()))?,
            whole: Metadata::from_stored(&whole).map_err(|error| invalid(8, error.into()))?.as_toml().clone(),
        },
        created_at: row.get(9)?,
        bound: row.get(10)?,
    })
}

impl ReadTx<'_> {
    pub(crate) fn find_declaration(&self, owner: i64, name: &BindingName) -> Result<Option<DeclarationRow>> {
        let mut statement = self.connection.prepare_cached(FIND).to("read")?;
        let parameters = named_params! {":owner": owner, ":name": name.as_str()};
        statement.query_row(parameters, declaration_row).optional().to("read")
    }

    /// Returns all declarations, by owner and name.
    pub(crate) fn declarations(&self) -> Result<Vec<DeclarationRow>> {
        let mut statement = self.connection.prepare_cached(LIST).to("read")?;
        let rows = statement.query_map([], declaration_row).to("read")?;
        rows.collect::<rusqlite::Result<_>>().to("read")
    }
}

impl WriteTx<'_> {
    /// Notes what a name is, or will be, and where it can be had.
    pub(crate) fn put_declaration(&self, owner: i64, name: &BindingName, declaration: &Declaration) -> Result<()> {
        let Declaration { artifact, platform, tree_sha1, lazy, downloads, whole } = declaration;
        let downloads = serde_json::to_string(downloads)
            .map_err(|error| crate::error::Error::Internal(format!("a download cannot be written down: {error}")))?;
        let whole = Metadata::new(whole.clone()).to_stored();
        let mut statement = self.connection.prepare_cached(PUT).to("write")?;
        statement
            .execute(named_params! {
                ":owner": owner, ":name": name.as_str(), ":artifact": artifact, ":platform": platform,
                ":tree_sha1": tree_sha1, ":lazy": lazy, ":downloads": downloads, ":whole": whole, ":now": self.now(),
            })
            .map(drop)
            .to("write")
    }

    pub(crate) fn drop_declaration(&self, owner: i64, name: &BindingName) -> Result<bool> {
        let dropped = self.connection.execute(DROP, named_params! {":owner": owner, ":name": name.as_str()});
        Ok(dropped.to("write")? > 0)
    }
}
