//! Imports bindings of Julia's programs: locate what was named, survey what is stored, plan each row,
//! apply.
//!
//! Preview and execution are one path: a plan says of every name what will become of it, applying it
//! carries that out, and what has changed in between is said in the row.

mod apply;
mod builtin;
mod judge;
mod known;
mod locate;
mod orphans;
mod plan;
mod read;
mod survey;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use crate::cache::Cache;
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::julia::Platform;
use crate::model::OwnerId;

use known::Known;
use locate::locate;
use plan::{Plan, Planner};

/// What to import, and how.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct ImportOptions {
    pub(crate) owner: Option<OwnerId>,
    pub(crate) force: bool,
    pub(crate) platform: PlatformChoice,
    pub(crate) depots: Vec<PathBuf>,
    /// Of what is bound, only these names; whether each takes its name from what it stands for here.
    pub(super) only: Option<BTreeMap<(OwnerId, String), bool>>,
}

impl FromStr for PlatformChoice {
    type Err = Error;

    /// Reads `all` or a triplet.
    fn from_str(text: &str) -> Result<Self> {
        if text == "all" {
            return Ok(Self::All);
        }
        text.parse::<Platform>().map(|_| Self::Triplet(text.to_owned()))
    }
}

/// For which platform built-in artifacts are chosen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum PlatformChoice {
    /// This machine's.
    #[default]
    Host,
    /// That of a triplet such as `x86_64-linux-musl` or `aarch64-apple-darwin-libgfortran5`.
    Triplet(String),
    /// Each of them: what there is for several platforms is named `NAME@TRIPLET`.
    All,
}

impl ImportOptions {
    /// Names that are taken stay; the platform is this machine's.
    pub fn new() -> Self {
        Self::default()
    }

    /// Who owns what a file binds that says nothing of its package.
    pub fn owner(mut self, owner: Option<OwnerId>) -> Self {
        self.owner = owner;
        self
    }

    /// For which platform built-in artifacts are chosen.
    pub fn platform(mut self, platform: PlatformChoice) -> Self {
        self.platform = platform;
        self
    }

    /// Where to look for built-in artifacts that are installed, beside the depot a file lies in.
    pub fn depots(mut self, depots: Vec<PathBuf>) -> Self {
        self.depots = depots;
        self
    }

    pub(crate) fn only(mut self, names: BTreeMap<(OwnerId, String), bool>) -> Self {
        self.only = Some(names);
        self
    }

    /// Returns whether a name is imported at all, and whether it takes its name from what has it here.
    fn takes(&self, owner: &OwnerId, name: &str) -> Option<bool> {
        match &self.only {
            Some(only) => only.get(&(owner.clone(), name.to_owned())).copied(),
            None => Some(self.force),
        }
    }

    /// Takes names from what they stand for here.
    pub fn force(mut self, force: bool) -> Self {
        self.force = force;
        self
    }
}

/// What became of a name, or would.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ImportStatus {
    /// It is bound here now.
    Imported,
    /// It is known here now, and where it can be had; its bytes are still to come.
    Declared,
    /// It was bound here, to the same artifact.
    Unchanged,
    /// It is bound to something else here.
    Conflict,
    /// Its artifact is not there.
    Missing,
    /// Its artifact is not what its name says, or the entry makes no sense.
    Corrupt,
    /// It is bound here now, under an id that cannot be computed from what is stored.
    Unverifiable,
}

impl ImportStatus {
    /// Returns the word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Imported => "imported",
            Self::Declared => "declared",
            Self::Unchanged => "unchanged",
            Self::Conflict => "conflict",
            Self::Missing => "missing",
            Self::Corrupt => "corrupt",
            Self::Unverifiable => "unverifiable",
        }
    }

    /// Tells whether the name did not come over.
    #[must_use]
    pub const fn is_failure(self) -> bool {
        matches!(self, Self::Conflict | Self::Missing | Self::Corrupt)
    }
}

impl Serialize for ImportStatus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// What became of one name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ImportRow {
    /// Whose name it is; none for an artifact that nobody uses, and for a file that cannot be read.
    pub owner: Option<String>,
    /// The name; none for an artifact that nobody uses, and for a file that cannot be read.
    pub name: Option<String>,
    /// What it stands for; none if its bytes are still to come.
    pub hash: Option<Digest>,
    /// The owner's version.
    pub version: Option<String>,
    /// What became of it.
    pub status: ImportStatus,
    /// Why, with the file and line if the entry itself is bad.
    pub detail: Option<String>,
}

/// What an import did, or would do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ImportReport {
    /// Every name found, file by file.
    pub rows: Vec<ImportRow>,
    /// How many bytes the store grew by. Files shared with the source by hard links count, though they
    /// take no room of their own.
    pub new_bytes: u64,
}

impl ImportReport {
    /// Counts the rows of a status.
    #[must_use]
    pub fn count(&self, status: ImportStatus) -> usize {
        self.rows.iter().filter(|row| row.status == status).count()
    }
}

impl Cache {
    /// Imports bindings of Julia's programs with what they stand for: an `Artifacts.toml` of either
    /// dialect, a package's folder, a scratch space of OhMyArtifacts.jl, or a depot with all of these.
    ///
    /// Every file is checked by its content, never believed by its name. Files are shared with the source
    /// by hard links where that can be, so that an import costs no second copy; the source is never
    /// written to. The same again changes nothing.
    ///
    /// # Errors
    /// [`Error::NoSuchPath`](crate::Error::NoSuchPath) if a path does not exist, and what the index says.
    /// Bad files and entries are rows, not errors.
    pub fn import(&self, paths: &[PathBuf], options: &ImportOptions) -> Result<ImportReport> {
        let plan = self.planner(options).plan(locate(paths, options)?)?;
        let report = apply::apply(self, plan)?;
        // So that the grace of a package that is gone already begins now.
        self.note_liveness()?;
        Ok(report)
    }

    /// Says what [`Cache::import`] would do. Changes nothing.
    ///
    /// # Errors
    /// As [`Cache::import`].
    pub fn import_preview(&self, paths: &[PathBuf], options: &ImportOptions) -> Result<ImportReport> {
        self.planner(options).plan(locate(paths, options)?).map(Plan::preview)
    }

    fn planner<'a>(&'a self, options: &'a ImportOptions) -> Planner<'a> {
        Planner { known: Known(self), options, observer: &*self.waiting.observer, interrupt: &self.waiting.interrupt }
    }
}
