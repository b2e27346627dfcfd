//! Where artifacts came from.

use rusqlite::named_params;

use crate::error::Result;
use crate::index::{Attempt as _, ReadTx, WriteTx, downloads, queries};
use crate::model::DownloadRecord;
use crate::time::Timestamp;

queries! {
    ADD = "INSERT INTO sources (object_id, kind, location, created_at) VALUES (:object, :kind, :location, :now)
           ON CONFLICT (object_id, kind, location) DO UPDATE SET created_at = :now RETURNING id";
    OF_OBJECT = concat!(
        "SELECT s.kind, s.location, s.created_at, ",
        downloads::record_columns!(),
        " FROM sources s LEFT JOIN downloads d ON d.source_id = s.id
         WHERE s.object_id = :object ORDER BY s.created_at, s.id"
    );
}

/// Where an artifact came from, for people.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Provenance {
    /// `path`, `command`, `url` or `archive`.
    pub kind: String,
    /// The path, the command line or the address, escaped for one line and without anything secret.
    pub location: String,
    /// When it came from there last.
    pub created_at: Timestamp,
    /// What is remembered of the transfer, if it was downloaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub download: Option<DownloadRecord>,
}

impl ReadTx<'_> {
    pub(crate) fn sources_of(&self, object: i64) -> Result<Vec<Provenance>> {
        let mut statement = self.connection.prepare_cached(OF_OBJECT).to("read")?;
        let rows = statement
            .query_map(named_params! {":object": object}, |row| {
                Ok(Provenance {
                    kind: row.get(0)?,
                    location: row.get(1)?,
                    created_at: row.get(2)?,
                    download: downloads::record(row, 3)?,
                })
            })
            .to("read")?;
        rows.collect::<rusqlite::Result<_>>().to("read")
    }
}

impl WriteTx<'_> {
    /// Notes where an object came from; returns the row.
    pub(crate) fn add_source(&self, object: i64, kind: &str, location: &str) -> Result<i64> {
        let parameters = named_params! {":object": object, ":kind": kind, ":location": location, ":now": self.now()};
        let mut statement = self.connection.prepare_cached(ADD).to("write")?;
        statement.query_row(parameters, |row| row.get(0)).to("write")
    }
}
