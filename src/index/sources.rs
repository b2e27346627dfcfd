//! Where artifacts came from.

use rusqlite::named_params;

use crate::error::Result;
use crate::index::{Attempt as _, ReadTx, WriteTx, queries};
use crate::time::Timestamp;

queries! {
    ADD = "INSERT INTO sources (object_id, kind, location, created_at) VALUES (:object, :kind, :location, :now)
           ON CONFLICT (object_id, kind, location) DO UPDATE SET created_at = :now";
    OF_OBJECT = "SELECT kind, location, created_at FROM sources WHERE object_id = :object ORDER BY created_at, id";
}

/// Where an artifact came from, for people.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Provenance {
    /// `path` or `command`.
    pub kind: String,
    /// The path or the command line, escaped for one line.
    pub location: String,
    /// When it came from there last.
    pub created_at: Timestamp,
}

impl ReadTx<'_> {
    pub(crate) fn sources_of(&self, object: i64) -> Result<Vec<Provenance>> {
        let mut statement = self.connection.prepare_cached(OF_OBJECT).to("read")?;
        let rows = statement
            .query_map(named_params! {":object": object}, |row| {
                Ok(Provenance { kind: row.get(0)?, location: row.get(1)?, created_at: row.get(2)? })
            })
            .to("read")?;
        rows.collect::<rusqlite::Result<_>>().to("read")
    }
}

impl WriteTx<'_> {
    pub(crate) fn add_source(&self, object: i64, kind: &str, location: &str) -> Result<()> {
        let parameters = named_params! {":object": object, ":kind": kind, ":location": location, ":now": self.now()};
        self.connection.execute(ADD, parameters).map(drop).to("write")
    }
}
