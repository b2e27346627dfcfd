//! Looks at one artifact, at the store as a whole. Changes nothing.

use std::path::PathBuf;

use serde::Serialize;

use crate::cache::find::live_form;
use crate::cache::{Binding, Cache};
use crate::error::Result;
use crate::index::{Index, Lease, Pin, Provenance};
use crate::model::{Artifact, Durability, IdRule, LinkStyle};
use crate::time::Timestamp;

/// Everything the index knows of one artifact.
#[derive(Debug, Clone, Serialize)]
pub struct ArtifactDetails {
    /// The artifact.
    #[serde(flatten)]
    pub artifact: Artifact,
    /// Where it lies.
    #[serde(serialize_with = "crate::text::serialize_path")]
    pub path: PathBuf,
    /// Whether its file or directory is there.
    pub present: bool,
    /// `live` if something keeps it, else `orphan`.
    pub state: &'static str,
    /// When it was put in first.
    pub created_at: Timestamp,
    /// Since when nothing keeps it.
    pub orphaned_at: Option<Timestamp>,
    /// When it was last found whole.
    pub verified_at: Option<Timestamp>,
    /// Why its hash cannot be computed from what is stored; none if it can.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub doubt: Option<String>,
    /// Who has it, under which names.
    pub bindings: Vec<Binding>,
    /// What protects it for now.
    pub leases: Vec<Lease>,
    /// What protects it for good.
    pub pin: Option<Pin>,
    /// Where it came from.
    pub sources: Vec<Provenance>,
    /// The names it has or had, latest first.
    pub past_names: Vec<String>,
}

/// The store in numbers.
#[derive(Debug, Clone, Serialize)]
pub struct Stats {
    /// Where it lies.
    #[serde(serialize_with = "crate::text::serialize_path")]
    pub store: PathBuf,
    /// How trees refer to their files.
    pub link_style: LinkStyle,
    /// What survives a power cut.
    pub durability: Durability,
    /// When it was made.
    pub created_at: Timestamp,
    /// When gc last ran.
    pub last_gc_at: Option<Timestamp>,
    /// Files stored, each content once (twice if it is also stored as an executable).
    pub files: u64,
    /// Directories stored.
    pub trees: u64,
    /// Names bound.
    pub bindings: u64,
    /// Owners known.
    pub owners: u64,
    /// Artifacts that nothing keeps, waiting for gc.
    pub orphans: u64,
    /// Bytes stored, each once.
    pub stored_bytes: u64,
    /// Bytes that the bindings would take without sharing.
    pub logical_bytes: u64,
    /// Bytes that gc keeps in its trash, beside what is stored.
    #[serde(skip_serializing_if = "nothing")]
    pub trashed_bytes: u64,
    /// Bytes of the index itself.
    pub index_bytes: u64,
    /// The SQLite inside.
    pub sqlite_version: &'static str,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn nothing(bytes: &u64) -> bool {
    *bytes == 0
}

impl Cache {
    /// Returns all that is known of an artifact.
    ///
    /// # Errors
    /// [`Error::NoSuchObject`](crate::Error::NoSuchObject) if the store does not hold it.
    pub fn details(&self, artifact: &Artifact) -> Result<ArtifactDetails> {
        let present = self.is_present(artifact)?;
        let path = self.path_of(artifact);
        self.read(|tx| {
            let row = live_form(tx, artifact)?;
            let bindings = tx.bindings_of_object(row.id)?;
            // What is bound may be noted as let go by all but an owner that is gone.
            let held = !bindings.is_empty() || tx.is_in_live_tree(row.id)?;
            let orphaned_at = row.orphaned_at.filter(|_| !held);
            Ok(ArtifactDetails {
                artifact: row.artifact(),
                path,
                present,
                state: if orphaned_at.is_some() { "orphan" } else { "live" },
                created_at: row.created_at,
                orphaned_at,
                doubt: doubt_of(&row.rule),
                verified_at: row.verified_at,
                bindings: bindings.into_iter().map(Binding::from).collect(),
                leases: tx.leases_of(row.id)?,
                pin: tx.pin_of(row.id)?,
                sources: tx.sources_of(row.id)?,
                past_names: tx.past_names(row.hash, row.kind)?,
            })
        })
    }

    /// Returns the store in numbers.
    ///
    /// # Errors
    /// What the index says.
    pub fn stats(&self) -> Result<Stats> {
        self.read(|tx| {
            let counts = tx.counts()?;
            Ok(Stats {
                store: self.root().to_owned(),
                link_style: self.store.style,
                durability: self.store.durability,
                created_at: tx.created_at()?,
                last_gc_at: tx.last_gc()?,
                files: counts.files,
                trees: counts.trees,
                bindings: counts.bindings,
                owners: counts.owners,
                orphans: counts.orphans,
                stored_bytes: counts.stored_bytes,
                logical_bytes: counts.logical_bytes,
                trashed_bytes: counts.trashed_bytes,
                index_bytes: Index::bytes(&self.store.layout.index()),
                sqlite_version: rusqlite::version(),
            })
        })
    }
}

fn doubt_of(rule: &IdRule) -> Option<String> {
    match rule {
        IdRule::Recorded { doubt, .. } => Some(doubt.clone()),
        IdRule::Git | IdRule::Julia => None,
    }
}
