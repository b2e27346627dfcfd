//! The record of binds and unbinds beside the index, so that the index can be made anew.
//!
//! One JSON document a line, appended inside the write transaction that it describes, before the
//! commit. Each carries a number; a transaction that was rolled back leaves a record whose number
//! is used again, so a reader drops every record that is followed by one of the same number.

use serde::Serialize;

use crate::digest::Digest;
use crate::error::{Error, Result};
#[cfg(doc)]
use crate::model::ObjectKind;
use crate::model::{Durability, WriteToken};
use crate::store::Store;
use crate::time::Timestamp;

/// One bind or unbind. An unbind has no hash.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Record<'a> {
    pub(crate) seq: i64,
    pub(crate) at: Timestamp,
    pub(crate) owner: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) version: Option<&'a str>,
    pub(crate) name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hash: Option<Digest>,
    /// The plain and the executable form of a file must be told apart, see [`ObjectKind::form`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) meta: Option<&'a str>,
}

impl Store {
    /// Adds records to the journal.
    pub(crate) fn append_journal(&self, _: WriteToken<'_>, records: &[Record<'_>]) -> Result<()> {
        let mut lines = Vec::new();
        for record in records {
            serde_json::to_writer(&mut lines, record)
                .map_err(|error| Error::Internal(format!("a journal record cannot be written: {error}")))?;
            lines.push(b'\n');
        }
        if lines.is_empty() {
            return Ok(());
        }
        self.disk.append(&self.layout.journal(), &lines, self.durability == Durability::Full)
    }
}
