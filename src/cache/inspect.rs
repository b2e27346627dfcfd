//! Looks at one artifact, at the owners, at the store as a whole. Changes nothing.

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use crate::cache::find::live_form;
use crate::cache::liveness::Sightings;
use crate::cache::{Binding, Cache};
use crate::error::{Error, Result};
use crate::index::{Index, Lease, OwnerRow, Pin, Probed, Provenance};
use crate::model::{Artifact, Durability, IdRule, LinkStyle, OwnerId};
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

/// An owner in a listing.
#[derive(Debug, Clone, Serialize)]
pub struct OwnerInfo {
    /// Its key.
    pub owner: String,
    /// Its version, if it has one.
    pub version: Option<String>,
    /// What it is called, for people.
    pub title: Option<String>,
    /// How it is known whether it still exists: `julia` for a package of Julia, `path`, or `manual` if
    /// only people know.
    pub kind: &'static str,
    /// The path that exists as long as the owner does; the depot of a package of Julia.
    pub root: Option<String>,
    /// Whether it exists; none if nobody can tell.
    pub alive: Option<bool>,
    /// How many names it has bound.
    pub bindings: u64,
    /// When it was first seen.
    pub created_at: Timestamp,
    /// When it last bound something.
    pub last_seen_at: Timestamp,
}

/// All that is known of one owner.
#[derive(Debug, Clone, Serialize)]
pub struct OwnerDetails {
    /// As in a listing.
    #[serde(flatten)]
    pub info: OwnerInfo,
    /// Why it is thought to exist or not; none if only people know.
    pub evidence: Option<String>,
    /// Since when it is known to be gone; none too if gc has not seen it yet.
    pub gone_since: Option<Timestamp>,
    /// When what it has bound stops counting, unless it comes back.
    pub bindings_stop_at: Option<Timestamp>,
}

impl OwnerDetails {
    fn new(row: OwnerRow, sightings: &Sightings, grace: Duration) -> Self {
        let seen = row.depot.clone().map(|depot| Probed {
            id: row.id,
            owner: row.owner.clone(),
            depot,
            gone_since: row.gone_since,
            last_seen_at: row.last_seen_at,
        });
        match seen {
            Some(package) => Self::of_package(row, &package, sightings, grace),
            None => Self::of_path(row),
        }
    }

    fn of_package(row: OwnerRow, package: &Probed, sightings: &Sightings, grace: Duration) -> Self {
        let sight = sightings.sight(package, grace);
        let name = sightings.name_of(&package.owner, &package.depot).map(str::to_owned);
        let row = OwnerRow { title: row.title.or(name), root: Some(package.depot.clone()), ..row };
        Self {
            info: OwnerInfo::new(row, "julia", sight.alive),
            evidence: Some(sight.evidence),
            gone_since: sight.gone_since,
            bindings_stop_at: sight.stops_counting_at,
        }
    }

    fn of_path(row: OwnerRow) -> Self {
        // Somebody who cannot look must not be told that the owner is gone.
        let alive = row.root.as_ref().and_then(|root| PathBuf::from(root).try_exists().ok());
        let evidence = row.root.as_ref().map(|root| {
            let found = match alive {
                Some(true) => "is there",
                Some(false) => "is not there",
                None => "cannot be looked at",
            };
            format!("`{}` {found}", crate::text::printable(root.as_bytes()))
        });
        let kind = if row.root.is_some() { "path" } else { "manual" };
        Self { info: OwnerInfo::new(row, kind, alive), evidence, gone_since: None, bindings_stop_at: None }
    }
}

impl OwnerInfo {
    fn new(row: OwnerRow, kind: &'static str, alive: Option<bool>) -> Self {
        Self {
            owner: row.owner.key().to_owned(),
            version: row.owner.version().map(str::to_owned),
            title: row.title,
            kind,
            root: row.root,
            alive,
            bindings: row.bindings,
            created_at: row.created_at,
            last_seen_at: row.last_seen_at,
        }
    }
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
    pub trashed_bytes: u64,
    /// Bytes of the index itself.
    pub index_bytes: u64,
    /// The SQLite inside.
    pub sqlite_version: &'static str,
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

    /// Returns all owners, by key and version.
    ///
    /// # Errors
    /// What the index says.
    pub fn owners(&self) -> Result<Vec<OwnerInfo>> {
        let sightings = self.look_for_owners()?;
        let rows = self.read(|tx| tx.owners())?;
        Ok(rows.into_iter().map(|row| OwnerDetails::new(row, &sightings, self.owner_grace()).info).collect())
    }

    /// Returns what is known of one owner.
    ///
    /// # Errors
    /// [`Error::NoSuchOwner`] if it is not known, and what the index says.
    pub fn owner_details(&self, owner: &OwnerId) -> Result<OwnerDetails> {
        let rows = self.read(|tx| tx.owners())?;
        let row = rows.into_iter().find(|row| row.owner == *owner);
        let row = row.ok_or_else(|| Error::NoSuchOwner { owner: owner.to_string() })?;
        Ok(OwnerDetails::new(row, &self.look_for_owners()?, self.owner_grace()))
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
