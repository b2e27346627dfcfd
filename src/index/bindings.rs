//! Rows of bindings: which owner calls which object what.

use rusqlite::{OptionalExtension as _, Row, named_params};

use crate::digest::Digest;
use crate::error::Result;
use crate::index::owners::owner_id;
use crate::index::{Attempt as _, ReadTx, WriteTx, queries};
use crate::model::{Artifact, BindingName, Metadata, ObjectKind, OwnerId};
use crate::time::Timestamp;

/// A binding with the artifact it names.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct BindingRow {
    pub(crate) id: i64,
    pub(crate) object_id: i64,
    pub(crate) owner: OwnerId,
    pub(crate) name: String,
    pub(crate) artifact: Artifact,
    pub(crate) meta: Option<Metadata>,
    pub(crate) bound_at: Timestamp,
    pub(crate) last_used_at: Option<Timestamp>,
    /// Keys another program keeps beside a binding.
    pub(crate) extra: Option<Metadata>,
    /// Who bound it on behalf of the owner, as `KEY` or `KEY@VERSION`.
    pub(crate) bound_by: Option<String>,
}

/// What a binding says beside its name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BindingNote<'a> {
    pub(crate) object: i64,
    pub(crate) meta: Option<&'a str>,
    pub(crate) extra: Option<&'a str>,
    pub(crate) bound_at: Timestamp,
    pub(crate) last_used_at: Option<Timestamp>,
    pub(crate) bound_by: Option<&'a str>,
}

/// The columns every query below returns, in the order [`binding_row`] reads them.
macro_rules! columns {
    ($from:expr) => {
        concat!(
            "SELECT b.id, b.object_id, w.key, w.version, b.name, o.hash, o.kind, o.size, o.files,
                    b.meta, b.bound_at, b.last_used_at, b.extra, b.bound_by FROM ",
            $from
        )
    };
}

macro_rules! select {
    ($rest:literal) => {
        columns!(concat!("bindings b JOIN owners w ON w.id = b.owner_id JOIN objects o ON o.id = b.object_id ", $rest))
    };
}

/// All of them as they lie in the table, where those bound one after the other stand together, and mostly their
/// objects too. By an index of owners and names each row would be a page of its own, and its object another.
macro_rules! every {
    ($rest:literal) => {
        columns!(concat!(
            "bindings b NOT INDEXED CROSS JOIN owners w ON w.id = b.owner_id
             CROSS JOIN objects o ON o.id = b.object_id ",
            $rest
        ))
    };
}

queries! {
    FIND = select!("WHERE b.owner_id = :owner AND b.name = :name");
    BY_ID = select!("WHERE b.id = :id");
    OF_OWNER = select!("WHERE b.owner_id = :owner ORDER BY b.name");
    ALL_BINDINGS = every!("ORDER BY w.key, w.version, b.name");
    /// For what is judged row by row: few are left to be put in order.
    IN_ANY_ORDER = every!("");
    OF_OBJECT = select!("WHERE b.object_id = :object ORDER BY w.key, w.version, b.name");
    /// What owners that are gone call objects that go.
    OF_DOOMED = select!("WHERE b.owner_id IN (SELECT owner_id FROM temp.lapsed)
                           AND b.object_id IN (SELECT id FROM temp.doomed) ORDER BY w.key, w.version, b.name");
    INSERT = "INSERT INTO bindings (owner_id, name, object_id, meta, extra, bound_at, last_used_at, bound_by)
              VALUES (:owner, :name, :object, :meta, :extra, :at, :used, :by)
              ON CONFLICT (owner_id, name) DO UPDATE
              SET object_id = :object, meta = :meta, extra = :extra, bound_at = :at, last_used_at = :used,
                  bound_by = :by";
    DELETE = "DELETE FROM bindings WHERE id = :id";
    /// Who bound it on behalf of the owner it had stays noted.
    HAND_OVER = "UPDATE bindings SET owner_id = :to, bound_by = ifnull(bound_by, :by) WHERE id = :id";
    RENAME_BINDER = "UPDATE bindings SET bound_by = :to WHERE bound_by = :from";
    /// Who bound on behalf of an owner, and how much.
    BOUND_BY = "SELECT bound_by, count(*) FROM bindings WHERE owner_id = :owner AND bound_by IS NOT NULL
                GROUP BY bound_by ORDER BY bound_by";
    /// On whose behalf somebody bound, and how much.
    BOUND_FOR = "SELECT w.key, w.version, count(*) FROM bindings b JOIN owners w ON w.id = b.owner_id
                 WHERE b.bound_by = :by GROUP BY w.id ORDER BY w.key, w.version";
    TOUCH = "UPDATE bindings SET last_used_at = :now WHERE id = :id AND ifnull(last_used_at, 0) < :now";
}

pub(super) fn metadata(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Metadata>> {
    let text: Option<String> = row.get(column)?;
    text.map(|text| Metadata::from_stored(&text)).transpose().map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(error))
    })
}

pub(super) fn binding_row(row: &Row<'_>) -> rusqlite::Result<BindingRow> {
    Ok(BindingRow {
        id: row.get(0)?,
        object_id: row.get(1)?,
        owner: owner_id(row, 2)?,
        name: row.get(4)?,
        artifact: Artifact {
            hash: row.get::<_, Digest>(5)?,
            kind: row.get::<_, ObjectKind>(6)?,
            size: row.get(7)?,
            files: row.get(8)?,
        },
        meta: metadata(row, 9)?,
        bound_at: row.get(10)?,
        last_used_at: row.get(11)?,
        extra: metadata(row, 12)?,
        bound_by: row.get(13)?,
    })
}

impl ReadTx<'_> {
    /// Returns the bindings of one owner, none if it is not known, or all of them.
    pub(crate) fn bindings_of(&self, owner: Option<&OwnerId>) -> Result<Vec<BindingRow>> {
        let Some(owner) = owner else { return self.bindings(None) };
        match self.find_owner(owner)? {
            Some(owner) => self.bindings(Some(owner)),
            None => Ok(Vec::new()),
        }
    }

    pub(crate) fn find_binding(&self, owner: i64, name: &BindingName) -> Result<Option<BindingRow>> {
        let mut statement = self.connection.prepare_cached(FIND).to("read")?;
        let parameters = named_params! {":owner": owner, ":name": name.as_str()};
        statement.query_row(parameters, binding_row).optional().to("read")
    }

    pub(crate) fn binding_by_id(&self, id: i64) -> Result<Option<BindingRow>> {
        Ok(self.list_bindings(BY_ID, named_params! {":id": id})?.pop())
    }

    /// Returns the bindings of one owner, or of all of them.
    pub(crate) fn bindings(&self, owner: Option<i64>) -> Result<Vec<BindingRow>> {
        match owner {
            Some(owner) => self.list_bindings(OF_OWNER, named_params! {":owner": owner}),
            None => self.list_bindings(ALL_BINDINGS, &[]),
        }
    }

    pub(crate) fn bindings_of_object(&self, object: i64) -> Result<Vec<BindingRow>> {
        self.list_bindings(OF_OBJECT, named_params! {":object": object})
    }

    /// Returns who bound on behalf of an owner, and how many names.
    pub(crate) fn bound_by(&self, owner: i64) -> Result<Vec<(String, u64)>> {
        let mut statement = self.connection.prepare_cached(BOUND_BY).to("read")?;
        let rows =
            statement.query_map(named_params! {":owner": owner}, |row| Ok((row.get(0)?, row.get(1)?))).to("read")?;
        rows.collect::<rusqlite::Result<_>>().to("read")
    }

    /// Returns on whose behalf an owner bound, and how many names.
    pub(crate) fn bound_for(&self, by: &OwnerId) -> Result<Vec<(OwnerId, u64)>> {
        let mut statement = self.connection.prepare_cached(BOUND_FOR).to("read")?;
        let rows = statement
            .query_map(named_params! {":by": by.to_string()}, |row| Ok((owner_id(row, 0)?, row.get(2)?)))
            .to("read")?;
        rows.collect::<rusqlite::Result<_>>().to("read")
    }

    /// Returns the bindings of owners that are gone to objects that are selected.
    pub(crate) fn lapsed_bindings(&self) -> Result<Vec<BindingRow>> {
        self.list_bindings(OF_DOOMED, &[])
    }

    fn list_bindings(&self, sql: &str, parameters: &[(&str, &dyn rusqlite::ToSql)]) -> Result<Vec<BindingRow>> {
        let mut statement = self.connection.prepare_cached(sql).to("read")?;
        let rows = statement.query_map(parameters, binding_row).to("read")?;
        rows.collect::<rusqlite::Result<_>>().to("read")
    }
}

impl WriteTx<'_> {
    /// Binds a name, replacing what it was bound to.
    pub(crate) fn put_binding(&self, owner: i64, name: &BindingName, note: BindingNote<'_>) -> Result<()> {
        let mut statement = self.connection.prepare_cached(INSERT).to("write")?;
        statement
            .execute(named_params! {
                ":owner": owner, ":name": name.as_str(), ":object": note.object, ":meta": note.meta,
                ":extra": note.extra, ":at": note.bound_at, ":used": note.last_used_at, ":by": note.bound_by,
            })
            .map(drop)
            .to("write")
    }

    pub(crate) fn delete_binding(&self, id: i64) -> Result<()> {
        self.connection.execute(DELETE, named_params! {":id": id}).map(drop).to("write")
    }

    /// Gives a binding to another owner. Unless somebody bound it on behalf of the one it had, that one
    /// did.
    pub(crate) fn hand_over(&self, id: i64, to: i64, by: &str) -> Result<()> {
        self.run(HAND_OVER, named_params! {":id": id, ":to": to, ":by": by})
    }

    /// Notes that who bound on behalf of others is called otherwise.
    pub(crate) fn rename_binder(&self, from: &OwnerId, to: &OwnerId) -> Result<()> {
        self.run(RENAME_BINDER, named_params! {":from": from.to_string(), ":to": to.to_string()})
    }

    /// Notes when bindings were used.
    pub(crate) fn touch_bindings(&self, uses: impl IntoIterator<Item = (i64, Timestamp)>) -> Result<()> {
        let mut statement = self.connection.prepare_cached(TOUCH).to("write")?;
        for (id, at) in uses {
            statement.execute(named_params! {":id": id, ":now": at}).to("write")?;
        }
        Ok(())
    }
}
