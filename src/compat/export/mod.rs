//! Exports bindings in the files of Julia's programs: snapshot, tables, space, artifacts.
//!
//! Guarantees: all of it is one state of the rows; everything is checked before a byte is written; every
//! file appears whole; nothing that differs is written over unless forced. The store itself is left as it
//! is, but for the link count of files it shares with the export.

mod artifacts;
mod snapshot;
mod space;
mod table;

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::cache::Cache;
use crate::error::Result;
use crate::julia::print;
use crate::model::{Metadata, OwnerId};

use snapshot::{Scope, Snapshot};
use table::tables;

/// What to export as a scratch space, and how.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct ExportOptions {
    owner: Option<OwnerId>,
    artifacts: bool,
    force: bool,
}

impl ExportOptions {
    /// The bindings of all owners, without what they stand for.
    pub fn new() -> Self {
        Self::default()
    }

    /// Only what this owner binds.
    pub fn owner(mut self, owner: Option<OwnerId>) -> Self {
        self.owner = owner;
        self
    }

    /// What the bindings stand for too, so that the folder is a whole scratch space.
    pub fn artifacts(mut self, artifacts: bool) -> Self {
        self.artifacts = artifacts;
        self
    }

    /// Writes over bindings and logs of a scratch space that say something else.
    pub fn force(mut self, force: bool) -> Self {
        self.force = force;
        self
    }
}

/// One owner's `Artifacts.toml`.
#[derive(Debug, Clone, PartialEq)]
pub struct ExportedText {
    /// The file, as Julia's own printer writes it.
    pub text: String,
    /// What it holds.
    pub content: Metadata,
}

/// A file of an exported scratch space.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExportedFile {
    /// Where it lies.
    #[serde(serialize_with = "crate::text::serialize_path")]
    pub path: PathBuf,
    /// Whose bindings it holds; none for a log.
    pub owner: Option<String>,
    /// The owner's version.
    pub version: Option<String>,
    /// How many names or artifacts it holds.
    pub entries: u64,
    /// Whether it was written; else it was there, byte for byte.
    pub written: bool,
}

/// What an export left in its folder.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ExportReport {
    /// The bindings of each owner, then the logs.
    pub files: Vec<ExportedFile>,
    /// How many files and directories were put there.
    pub new_artifacts: u64,
    /// How many were there.
    pub kept_artifacts: u64,
    /// How many bytes were copied, because they could not be shared with the store.
    pub copied_bytes: u64,
}

impl Cache {
    /// Returns an owner's bindings as the `Artifacts.toml` that Julia's programs read: its own bindings as
    /// OhMyArtifacts.jl writes them, what a built-in file declared as it stood there. None if it has neither.
    ///
    /// # Errors
    /// [`Error::Unwritable`](crate::Error::Unwritable) for the first value that Julia cannot read.
    pub fn export(&self, owner: &OwnerId) -> Result<Option<ExportedText>> {
        let snapshot = Snapshot::take(self, Some(owner), Scope::Names)?;
        let table = tables(&snapshot)?.into_values().next();
        let exported = table.map(|table| {
            let text = print(&table)?;
            Ok(ExportedText { text, content: Metadata::new(table.into()) })
        });
        exported.transpose()
    }

    /// Writes bindings as a scratch space of OhMyArtifacts.jl into a folder, which is made: each owner's
    /// file and the two logs, and with [`ExportOptions::artifacts`] also what they stand for. The folder may
    /// be a scratch space already, as long as nothing in it differs. None if there is nothing to export.
    ///
    /// A tree that a built-in file declares is not part of the space: OhMyArtifacts.jl knows nothing of it.
    ///
    /// # Errors
    /// [`Error::Invalid`](crate::Error::Invalid) for an owner that no folder can be named after, for a folder
    /// that holds something else and for a link at which Julia fails,
    /// [`Error::Unwritable`](crate::Error::Unwritable) for the first value that Julia cannot read. Nothing is
    /// written then.
    pub fn export_to(&self, dir: &Path, options: &ExportOptions) -> Result<Option<ExportReport>> {
        let scope = if options.artifacts { Scope::Artifacts } else { Scope::Space };
        let snapshot = Snapshot::take(self, options.owner.as_ref(), scope)?;
        let tables = tables(&snapshot)?;
        if tables.is_empty() && snapshot.orphans.is_empty() {
            return Ok(None);
        }
        space::write(self, dir, &snapshot, tables, options).map(Some)
    }
}
