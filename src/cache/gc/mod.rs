//! Finds what nobody needs and removes it: policy, plan, report.
//!
//! Preview and execution are one path: [`Cache::gc_plan`] selects, [`Cache::gc_apply`] takes of the
//! plan what still may go. A plan changes nothing and works on a read-only store.

mod apply;
mod plan;
mod recover;

pub(super) use plan::{Seen, select};

use std::path::PathBuf;

use serde::Serialize;

use crate::cache::attached::AttachedPlan;
use crate::digest::Digest;
use crate::model::{GcPolicy, ObjectKind};
use crate::time::Timestamp;

#[cfg(doc)]
use crate::Cache;

/// An artifact in a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GcItem {
    /// Its name.
    pub hash: Digest,
    /// File or directory.
    pub kind: ObjectKind,
    /// Bytes of its files, each entry counted.
    pub size: u64,
    /// Bytes that leave the disk with it. What other artifacts share stays; what several artifacts of
    /// this plan share is counted at one of them.
    pub freed_bytes: u64,
    /// Since when nothing keeps it.
    pub orphaned_at: Option<Timestamp>,
    /// Why it goes.
    pub reason: &'static str,
    /// The names it had, as `OWNER:NAME`, latest first.
    pub names: Vec<String>,
    #[serde(skip)]
    pub(crate) form: ObjectKind,
}

/// An artifact that no binding reaches, unless of an owner that is gone, and why it stays for now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GcSpared {
    /// Its name.
    pub hash: Digest,
    /// File or directory.
    pub kind: ObjectKind,
    /// Bytes of its files, each entry counted.
    pub size: u64,
    /// `pin`, `lease`, `delay`, or `owner gone` if only owners that are gone have it bound.
    pub reason: &'static str,
    /// When it may go, if that is known.
    pub until: Option<Timestamp>,
}

/// Something that could not be removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GcFailure {
    /// The object, if its file never left its place.
    pub hash: Option<Digest>,
    /// Where it lies.
    #[serde(serialize_with = "crate::text::serialize_path")]
    pub path: PathBuf,
    /// What the system said.
    pub error: String,
}

/// What gc would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GcPlan {
    /// The artifacts that would go, directories first.
    pub artifacts: Vec<GcItem>,
    /// How many objects would go: those artifacts and the files that only they had.
    pub deleted_artifacts: u64,
    /// The files among them.
    pub deleted_files: u64,
    /// Bytes that would leave the disk.
    pub freed_bytes: u64,
    /// Owners that hold nothing and would be forgotten.
    pub owners_removed: Vec<String>,
    /// What no binding reaches, but stays.
    pub kept: Vec<GcSpared>,
    /// What would go in attached spaces, beside this store.
    pub attached: Vec<AttachedPlan>,
    pub(crate) policy: GcPolicy,
}

/// What gc did, or would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GcReport {
    /// Whether nothing was changed.
    pub dry_run: bool,
    /// The artifacts that went.
    pub artifacts: Vec<GcItem>,
    /// How many objects went: those artifacts and the files that only they had.
    pub deleted_artifacts: u64,
    /// The files among them.
    pub deleted_files: u64,
    /// Bytes that left the disk.
    pub freed_bytes: u64,
    /// Owners that held nothing and were forgotten.
    pub owners_removed: Vec<String>,
    /// What no binding reaches, but stays.
    pub kept: Vec<GcSpared>,
    /// What could not be removed; a later run tries again.
    pub failed: Vec<GcFailure>,
    /// What goes, or could go, in attached spaces, beside this store. Not counted above.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attached: Vec<AttachedPlan>,
}

impl GcPlan {
    /// Returns the report of a run that changes nothing.
    #[must_use]
    pub fn preview(&self) -> GcReport {
        GcReport {
            dry_run: true,
            artifacts: self.artifacts.clone(),
            deleted_artifacts: self.deleted_artifacts,
            deleted_files: self.deleted_files,
            freed_bytes: self.freed_bytes,
            owners_removed: self.owners_removed.clone(),
            kept: self.kept.clone(),
            failed: Vec::new(),
            attached: self.attached.clone(),
        }
    }
}
