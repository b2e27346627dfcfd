//! What gc would do and what it did, as data.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cache::attached::AttachedPlan;
use crate::cache::gc::select::Planned;
use crate::digest::Digest;
use crate::index::Provenance;
use crate::model::{GcPolicy, ObjectKind};
use crate::time::Timestamp;

/// An artifact in a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GcItem {
    /// Its name.
    pub hash: Digest,
    /// File or directory.
    pub kind: ObjectKind,
    /// Bytes of its files, each entry counted.
    pub size: u64,
    /// Bytes that leave the disk with it; where there is a trash, when that is emptied. What other
    /// artifacts share stays; what several artifacts of this plan share is counted at one of them.
    pub freed_bytes: u64,
    /// Since when nothing keeps it; none if something does until it goes.
    pub orphaned_at: Option<Timestamp>,
    /// Why it goes: `unused`, `owner gone`, `idle`, `max size`, `min free`, `unfinished` or `interrupted gc`.
    pub reason: &'static str,
    /// The rule that takes it, as it is written; none for what is left of work that died.
    pub rule: Option<String>,
    /// The names it has or had, as `OWNER:NAME`, latest first.
    pub names: Vec<String>,
    /// Where it came from: how it can be had again.
    pub sources: Vec<Provenance>,
    #[serde(skip)]
    pub(crate) form: ObjectKind,
}

/// A name that a plan lets go: of an owner that is gone, or by a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GcUnbound {
    /// Who has it.
    pub owner: String,
    /// The owner's version.
    pub version: Option<String>,
    /// The name.
    pub name: String,
    /// What it stands for.
    pub hash: Digest,
    /// File or directory.
    pub kind: ObjectKind,
    /// When the artifact was last looked up, bound or brought in.
    pub used_at: Timestamp,
    /// Why: `owner gone`, `idle`, `max size` or `min free`.
    pub reason: &'static str,
    /// The rule, as it is written.
    pub rule: String,
    #[serde(skip)]
    pub(crate) binding: i64,
    #[serde(skip)]
    pub(crate) form: ObjectKind,
    /// Whether it goes only together with all other names of its artifact.
    #[serde(skip)]
    pub(crate) whole: bool,
}

/// An artifact that could be taken but for what protects it, and why it stays for now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GcSpared {
    /// Its name.
    pub hash: Digest,
    /// File or directory.
    pub kind: ObjectKind,
    /// Bytes of its files, each entry counted.
    pub size: u64,
    /// `pin`, `lease`, `delay`, `in use` by another program's space, `trash` if something in the trash needs
    /// it, or `owner gone` if only owners that are gone have it bound.
    pub reason: &'static str,
    /// When it may go, if that is known.
    pub until: Option<Timestamp>,
}

/// An artifact that a plan named and that stays, because it is needed again, or gone already.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GcSkipped {
    /// Its name.
    pub hash: Digest,
    /// File or directory.
    pub kind: ObjectKind,
    /// `gone`, `pin`, `lease`, or `in use`.
    pub reason: &'static str,
}

/// What a rule about size came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GcLimit {
    /// The rule, as it is written.
    pub rule: String,
    /// The most that may be stored, or the least that is to be free. Bytes.
    pub limit_bytes: u64,
    /// What is stored, or free, before. Bytes.
    pub before_bytes: u64,
    /// What is stored, or free, after. Bytes.
    pub after_bytes: u64,
    /// Whether the limit holds then.
    pub reached: bool,
    /// What the rule had to leave, by reason. All that is not here was taken, if the limit is not reached.
    pub held_back: GcHeldBack,
}

/// How many artifacts a rule about size had to leave.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GcHeldBack {
    /// They are pinned.
    pub pinned: u64,
    /// They are under a lease, or in use in another program's space.
    pub leased: u64,
    /// They were bound, used or let go too recently.
    pub young: u64,
    /// Nobody knows how to get them back.
    pub irreplaceable: u64,
    /// Something else that stays needs them.
    pub shared: u64,
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
    /// The names that would be let go, with those artifacts or from what others keep.
    pub unbound: Vec<GcUnbound>,
    /// How many objects would go: those artifacts and the files that only they had.
    pub deleted_artifacts: u64,
    /// The files among them.
    pub deleted_files: u64,
    /// Bytes that would leave the disk.
    pub freed_bytes: u64,
    /// Bytes that would go into the trash.
    pub trashed_bytes: u64,
    /// Of the bytes that would leave the disk, those that earlier runs had kept in the trash.
    pub purged_bytes: u64,
    /// Owners that hold nothing and would be forgotten.
    pub owners_removed: Vec<String>,
    /// What could go but for what protects it.
    pub kept: Vec<GcSpared>,
    /// What an earlier plan named and cannot go any more.
    pub skipped: Vec<GcSkipped>,
    /// What rules about size come to.
    pub limits: Vec<GcLimit>,
    /// What would go in attached spaces, beside this store.
    pub attached: Vec<AttachedPlan>,
    pub(crate) policy: GcPolicy,
    /// How long what goes is kept in the trash.
    pub(crate) trash: Option<Duration>,
    /// The runs whose trash goes.
    pub(crate) purges: Vec<i64>,
}

/// What gc did, or would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GcReport {
    /// Whether nothing was changed.
    pub dry_run: bool,
    /// The number of the run, if its trash is kept: what `undo` takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<i64>,
    /// The artifacts that went.
    pub artifacts: Vec<GcItem>,
    /// The names that were let go, with those artifacts or from what others keep.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unbound: Vec<GcUnbound>,
    /// How many objects went: those artifacts and the files that only they had.
    pub deleted_artifacts: u64,
    /// The files among them.
    pub deleted_files: u64,
    /// Bytes that left the disk.
    pub freed_bytes: u64,
    /// Bytes that went into the trash.
    #[serde(skip_serializing_if = "is_zero")]
    pub trashed_bytes: u64,
    /// Of the bytes that left the disk, those that earlier runs had kept in the trash.
    #[serde(skip_serializing_if = "is_zero")]
    pub purged_bytes: u64,
    /// Until when the trash of this run is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trash_until: Option<Timestamp>,
    /// Owners that held nothing and were forgotten.
    pub owners_removed: Vec<String>,
    /// What could go but for what protects it.
    pub kept: Vec<GcSpared>,
    /// What the plan named and could not go any more.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<GcSkipped>,
    /// What rules about size came to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<GcLimit>,
    /// What could not be removed; a later run tries again.
    pub failed: Vec<GcFailure>,
    /// Whether the time was over before all was gone; a later run goes on.
    #[serde(skip)]
    pub unfinished: bool,
    /// What goes, or could go, in attached spaces, beside this store. Not counted above.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attached: Vec<AttachedPlan>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl GcPlan {
    /// Tells whether it would change nothing that anybody could miss.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.artifacts.is_empty()
            && self.unbound.is_empty()
            && self.attached.iter().all(|plan| plan.artifacts.is_empty() || !plan.writes)
    }

    /// How long what goes would be kept in the trash.
    #[must_use]
    pub fn trash(&self) -> Option<Duration> {
        self.trash
    }

    /// Returns the report of a run that changes nothing.
    #[must_use]
    pub fn preview(&self) -> GcReport {
        GcReport {
            dry_run: true,
            run: None,
            artifacts: self.artifacts.clone(),
            unbound: self.unbound.clone(),
            deleted_artifacts: self.deleted_artifacts,
            deleted_files: self.deleted_files,
            freed_bytes: self.freed_bytes,
            trashed_bytes: self.trashed_bytes,
            purged_bytes: self.purged_bytes,
            trash_until: None,
            owners_removed: self.owners_removed.clone(),
            kept: self.kept.clone(),
            skipped: self.skipped.clone(),
            limits: self.limits.clone(),
            failed: Vec::new(),
            unfinished: false,
            attached: self.attached.clone(),
        }
    }

    /// What it names: nothing else may go when it is carried out.
    pub(in crate::cache) fn planned(&self) -> Planned {
        Planned::of_plan(self)
    }
}
