//! The store in one document: who has what, what is shared, how old it is, what gc would free.
//!
//! Why: a page, or a program, that shows a store wants all of it of one moment.
//! Guarantees: one state of the index; the artifacts' `fair_bytes`, those of what no owner has and
//! `unowned_other_bytes` add up to `stored_bytes`, to the byte. Changes nothing.
//! Must not know: how it is shown.

use std::collections::HashSet;
use std::path::PathBuf;

use serde::Serialize;

use crate::cache::gc::{GcForecast, GcYield};
use crate::cache::usage::picture::{Cell, Picture};
use crate::cache::{Cache, OwnerUsage};
use crate::digest::Digest;
use crate::error::Result;
use crate::index::{LooseArtifact, ReadTx};
use crate::model::{AgeBand, Artifact, ObjectKind};
use crate::time::Timestamp;

/// How much a report is to tell.
#[derive(Debug, Clone)]
#[must_use]
pub struct ReportOptions {
    days: Vec<u32>,
    largest: usize,
}

impl Default for ReportOptions {
    fn default() -> Self {
        Self { days: vec![7, 30, 90], largest: 12 }
    }
}

impl ReportOptions {
    /// Asks for the forecasts of 7, 30 and 90 days, and for what the twelve largest owners share.
    pub fn new() -> Self {
        Self::default()
    }

    /// For how many days ahead to say what gc would free.
    pub fn days(mut self, days: impl Into<Vec<u32>>) -> Self {
        self.days = days.into();
        self
    }

    /// Of how many of the largest owners to say what they share.
    pub fn largest(mut self, owners: usize) -> Self {
        self.largest = owners;
        self
    }
}

/// One artifact, as one owner has it or as nobody has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReportArtifact {
    /// Its name.
    pub hash: Digest,
    /// File or directory.
    pub kind: ObjectKind,
    /// Bytes of its files, each entry counted.
    pub size: u64,
    /// How many files it has.
    pub files: u64,
    /// What the owner calls it; of one nobody has, what it was called, as `OWNER:NAME`, latest first.
    pub names: Vec<String>,
    /// Its part of what is stored, on the owner's account.
    pub fair_bytes: u64,
    /// When the owner last looked it up or bound it; of one nobody has, since when it is so.
    pub last_used_at: Timestamp,
    /// Whether gc would take it now.
    pub collectable: bool,
}

/// One owner with everything it has in this store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReportOwner {
    /// Who it is, and what its bindings take.
    #[serde(flatten)]
    pub usage: OwnerUsage,
    /// When it last looked up or bound something that it still has.
    pub last_used_at: Option<Timestamp>,
    /// What it has bound, by hash. Their `fair_bytes` add up to the owner's.
    pub holds: Vec<ReportArtifact>,
}

/// What owners share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReportSharing {
    /// The largest ones, as `KEY@VERSION`.
    pub owners: Vec<String>,
    /// Bytes that two of them both reach; on the diagonal all that one reaches.
    pub bytes: Vec<Vec<u64>>,
}

/// What was last used in a stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ReportAge {
    /// The stretch.
    pub age: AgeBand,
    /// How many bound artifacts.
    pub artifacts: u64,
    /// What they take; what artifacts of several ages share is divided evenly.
    pub fair_bytes: u64,
}

/// The whole store at one moment. What other programs' spaces hold is not in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Where the store lies.
    #[serde(serialize_with = "crate::text::serialize_path")]
    pub store: PathBuf,
    /// The moment.
    pub at: Timestamp,
    /// Bytes of all stored files, each once.
    pub stored_bytes: u64,
    /// Bytes the bindings would take without sharing.
    pub logical_bytes: u64,
    /// Bytes that no owner's binding reaches.
    pub orphan_bytes: u64,
    /// Bytes that sharing saves.
    pub saved_bytes: u64,
    /// Files stored, each content once.
    pub files: u64,
    /// Directories stored.
    pub trees: u64,
    /// Names bound.
    pub bindings: u64,
    /// The owners, by key and version.
    pub owners: Vec<ReportOwner>,
    /// What no owner has bound, by hash.
    pub unowned: Vec<ReportArtifact>,
    /// Bytes that neither an owner nor one of those reaches: what only the trash needs.
    pub unowned_other_bytes: u64,
    /// What the largest owners share.
    pub sharing: ReportSharing,
    /// All stretches of time, youngest first.
    pub ages: Vec<ReportAge>,
    /// What gc would take now.
    pub gc: GcYield,
    /// What gc would take later, and of what is not used.
    pub forecasts: Vec<GcForecast>,
}

impl Cache {
    /// Puts together what there is to say of the store as a whole.
    ///
    /// # Errors
    /// What the index says.
    pub fn report(&self, options: &ReportOptions) -> Result<Report> {
        let prospect = self.prospect()?;
        let wall = self.now();
        self.read(|tx| {
            let now = tx.store_time(wall)?;
            let picture = Picture::of(tx, now)?;
            let outlook = self.outlook(tx, &prospect, now, &options.days)?;
            let goes = outlook.now.artifacts.iter().map(|item| (item.hash, item.form)).collect();
            let counts = tx.counts()?;
            let unowned: Vec<ReportArtifact> =
                picture.loose.iter().map(|(loose, fair)| unowned(tx, loose, *fair, &goes)).collect::<Result<_>>()?;
            let named: u64 = unowned.iter().map(|artifact| artifact.fair_bytes).sum();
            let kept = picture.stored_bytes - picture.unreached_bytes;
            Ok(Report {
                store: self.root().to_owned(),
                at: now,
                stored_bytes: picture.stored_bytes,
                logical_bytes: counts.logical_bytes,
                orphan_bytes: picture.unreached_bytes,
                saved_bytes: counts.logical_bytes.saturating_sub(kept),
                files: counts.files,
                trees: counts.trees,
                bindings: counts.bindings,
                unowned_other_bytes: picture.unreached_bytes - named,
                sharing: sharing(&picture, options.largest),
                ages: ages(&picture),
                owners: owners(picture, &goes),
                unowned,
                gc: GcYield::of(&outlook.now),
                forecasts: outlook.forecasts,
            })
        })
    }
}

/// What a plan takes.
type Goes = HashSet<(Digest, ObjectKind)>;

fn artifact(artifact: &Artifact, names: Vec<String>, fair_bytes: u64, at: Timestamp, goes: &Goes) -> ReportArtifact {
    let Artifact { hash, kind, size, files } = *artifact;
    let collectable = goes.contains(&(hash, kind));
    ReportArtifact { hash, kind, size, files, names, fair_bytes, last_used_at: at, collectable }
}

fn unowned(tx: &ReadTx<'_>, loose: &LooseArtifact, fair: u64, goes: &Goes) -> Result<ReportArtifact> {
    let names = tx.past_names(loose.artifact.hash, loose.artifact.kind)?;
    // What a lease or pin keeps is no orphan: whoever had it let it go at some time, or nobody ever had it.
    let since = if let Some(since) = loose.orphaned_at {
        since
    } else {
        let parting = tx.let_go_by(loose.artifact.hash, loose.artifact.kind)?;
        parting.map_or(loose.created_at, |parting| parting.at)
    };
    Ok(artifact(&loose.artifact, names, fair, since, goes))
}

fn owners(picture: Picture, goes: &Goes) -> Vec<ReportOwner> {
    let mut cells = picture.cells.into_iter().peekable();
    let rows = picture.owners.iter().zip(picture.shares).enumerate();
    let owner = |(place, (named, share)): (usize, (&crate::index::NamedOwner, _))| {
        let mine: Vec<Cell> = std::iter::from_fn(|| cells.next_if(|cell| cell.owner == place)).collect();
        let bindings = mine.iter().map(|cell| cell.names.len() as u64).sum();
        ReportOwner {
            usage: OwnerUsage::of(named, bindings, mine.len() as u64, share),
            last_used_at: mine.iter().map(|cell| cell.used_at).max(),
            holds: mine
                .into_iter()
                .map(|cell| artifact(&cell.artifact, cell.names, cell.fair, cell.used_at, goes))
                .collect(),
        }
    };
    rows.map(owner).collect()
}

fn sharing(picture: &Picture, most: usize) -> ReportSharing {
    let mut places: Vec<usize> = (0..picture.owners.len()).collect();
    places.sort_by_key(|place| std::cmp::Reverse(picture.shares[*place].total()));
    places.retain(|place| picture.shares[*place].total() > 0);
    places.truncate(most);
    let owners = places.iter().map(|place| picture.owners[*place].owner.to_string()).collect();
    ReportSharing { owners, bytes: picture.both_reach(&places) }
}

fn ages(picture: &Picture) -> Vec<ReportAge> {
    let age = |age: AgeBand| {
        let share = picture.ages.get(&age).copied().unwrap_or_default();
        ReportAge { age, artifacts: share.artifacts, fair_bytes: share.fair }
    };
    AgeBand::ALL.into_iter().map(age).collect()
}
