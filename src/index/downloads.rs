//! What is known of downloads beside their addresses.

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use rusqlite::{OptionalExtension as _, Row, named_params};

use crate::digest::Sha256Sum;
use crate::error::Result;
use crate::index::{Attempt as _, ObjectRow, ReadTx, WriteTx, queries};
use crate::model::{BindingName, DownloadRecord, Making, OwnerId, Unpacking};

/// The columns of a record, in the order [`record`] reads them.
macro_rules! record_columns {
    () => {
        "d.sha256, d.bytes, d.unpacked, d.executable, d.links, d.etag, d.last_modified, d.took_ms, d.places,
         d.checked_at"
    };
}
pub(super) use record_columns;

/// The latest of some downloads whose artifact was made in one way, and is here.
macro_rules! select {
    ($which:literal) => {
        concat!(
            "SELECT o.hash, o.kind, ",
            record_columns!(),
            " FROM sources s JOIN downloads d ON d.source_id = s.id JOIN objects o ON o.id = s.object_id
              WHERE ",
            $which,
            " AND o.state = 0 AND d.unpacked = :unpacked AND d.executable = :executable AND d.links = :links
              ORDER BY d.checked_at DESC, s.id DESC LIMIT 1"
        )
    };
}

queries! {
    SET = "INSERT INTO downloads (source_id, sha256, bytes, unpacked, executable, links, etag,
                                  last_modified, took_ms, places, checked_at)
           VALUES (:source, :sha256, :bytes, :unpacked, :executable, :links, :etag, :last_modified,
                   :took_ms, :places, :now)
           ON CONFLICT (source_id) DO UPDATE
           SET sha256 = :sha256, bytes = :bytes, unpacked = :unpacked,
               executable = :executable, links = :links, etag = :etag, last_modified = :last_modified, took_ms = :took_ms,
               places = :places, checked_at = :now";
    NOTE_NAME = "INSERT INTO downloaded_names (binding_id, source_id, demanded)
                 SELECT b.id, :source, :demanded FROM bindings b JOIN owners w ON w.id = b.owner_id
                 WHERE w.key = :key AND w.version = :version AND b.name = :name
                 ON CONFLICT (binding_id) DO UPDATE SET source_id = :source, demanded = :demanded";
    /// A name that was bound to something else since stands for that source no more.
    SOURCE_OF_NAME = "SELECT s.location, n.demanded FROM downloaded_names n JOIN bindings b ON b.id = n.binding_id
                      JOIN sources s ON s.id = n.source_id
                      WHERE n.binding_id = :binding AND s.object_id = b.object_id";
    /// What an address brought last, as long as it is here.
    BY_LOCATION = select!("s.kind = 'url' AND s.location = :location");
    /// What bytes of this hash became, from wherever they came.
    BY_SHA256 = select!("d.sha256 = :sha256");
}

/// An artifact that was downloaded, and what is known of that.
#[derive(Debug, Clone)]
pub(crate) struct Downloaded {
    pub(crate) object: ObjectRow,
    pub(crate) record: DownloadRecord,
}

impl ReadTx<'_> {
    /// Returns the address that a name was downloaded from, and whether its bytes had to have the hash they have.
    pub(crate) fn downloaded_name(&self, binding: i64) -> Result<Option<(String, bool)>> {
        let mut statement = self.connection.prepare_cached(SOURCE_OF_NAME).to("read")?;
        statement
            .query_row(named_params! {":binding": binding}, |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()
            .to("read")
    }

    /// Returns what an address brought last and is still here, made in the same way.
    pub(crate) fn downloaded_from(&self, location: &str, making: Making) -> Result<Option<Downloaded>> {
        self.find_downloaded(BY_LOCATION, ":location", &location, making)
    }

    /// Returns what bytes of this hash became and is still here, made in the same way.
    pub(crate) fn downloaded_as(&self, sha256: Sha256Sum, making: Making) -> Result<Option<Downloaded>> {
        self.find_downloaded(BY_SHA256, ":sha256", &sha256.as_bytes(), making)
    }

    fn find_downloaded(
        &self,
        sql: &'static str,
        key: &str,
        value: &dyn ToSql,
        making: Making,
    ) -> Result<Option<Downloaded>> {
        let mut statement = self.connection.prepare_cached(sql).to("read")?;
        let parameters: [(&str, &dyn ToSql); 4] = [
            (key, value),
            (":unpacked", &making.unpacking),
            (":executable", &making.executable),
            (":links", &making.links.as_str()),
        ];
        let found = statement
            .query_row(&parameters[..], |row| Ok((row.get(0)?, row.get(1)?, record(row, 2)?)))
            .optional()
            .to("read")?;
        let Some((hash, kind, Some(record))) = found else { return Ok(None) };
        Ok(self.find_form(hash, kind)?.map(|object| Downloaded { object, record }))
    }
}

impl WriteTx<'_> {
    /// Notes which source a name stands for.
    pub(crate) fn note_downloaded_name(
        &self,
        owner: &OwnerId,
        name: &BindingName,
        source: i64,
        demanded: bool,
    ) -> Result<()> {
        let version = owner.version().unwrap_or_default();
        self.run(
            NOTE_NAME,
            named_params! {
                ":key": owner.key(), ":version": version, ":name": name.as_str(), ":source": source,
                ":demanded": demanded,
            },
        )
    }

    /// Notes what is known of a download, as of now.
    pub(crate) fn set_download(&self, source: i64, record: &DownloadRecord) -> Result<()> {
        let places = serde_json::Value::from(record.places.clone()).to_string();
        let mut statement = self.connection.prepare_cached(SET).to("write")?;
        let parameters = named_params! {
            ":source": source, ":sha256": record.sha256.as_bytes(), ":bytes": record.bytes, ":unpacked": record.unpacked, ":executable": record.executable,
            ":links": record.links.as_str(), ":etag": record.etag, ":last_modified": record.last_modified, ":took_ms": record.took_ms,
            ":places": places, ":now": self.now(),
        };
        statement.execute(parameters).map(drop).to("write")
    }
}

/// Reads a record from the columns that begin at `first`; none if they are empty.
pub(super) fn record(row: &Row<'_>, first: usize) -> rusqlite::Result<Option<DownloadRecord>> {
    let Some(sha256) = row.get::<_, Option<[u8; 32]>>(first)? else { return Ok(None) };
    let links: String = row.get(first + 4)?;
    let places: String = row.get(first + 8)?;
    Ok(Some(DownloadRecord {
        sha256: Sha256Sum::from_bytes(sha256),
        bytes: row.get(first + 1)?,
        unpacked: row.get(first + 2)?,
        executable: row.get(first + 3)?,
        links: links.parse().unwrap_or_default(),
        etag: row.get(first + 5)?,
        last_modified: row.get(first + 6)?,
        took_ms: row.get(first + 7)?,
        places: serde_json::from_str(&places).unwrap_or_default(),
        checked_at: row.get(first + 9)?,
    }))
}

impl ToSql for Unpacking {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let word = match self {
            Self::No => "no",
            Self::Whole => "whole",
            Self::Stripped => "stripped",
        };
        Ok(word.into())
    }
}

impl FromSql for Unpacking {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value.as_str()? {
            "no" => Ok(Self::No),
            "whole" => Ok(Self::Whole),
            "stripped" => Ok(Self::Stripped),
            other => Err(FromSqlError::Other(format!("`{other}` is no way of unpacking").into())),
        }
    }
}
