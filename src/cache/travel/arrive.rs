//! Enters what arrives: files, then trees, then all names in one transaction.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::Serialize;

use crate::cache::Cache;
use crate::cache::claim::{Claim, LEASE};
use crate::cache::enter::Held;
use crate::cache::ingest::Origin;
use crate::cache::travel::{ArrivedName, Naming, Parcel, TravelSource};
use crate::error::Result;
use crate::index::WriteTx;
use crate::model::{Artifact, Blob};
use crate::store::{Origin as Bytes, Staged, StagedBlob, Stager};
use crate::time::Timestamp;

/// So many leases are released in one transaction.
const BATCH: usize = 1_000;

/// An artifact that arrived, or would arrive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Arrived {
    /// What it is.
    #[serde(flatten)]
    pub artifact: Artifact,
    /// How many files the store did not have before; what two artifacts need counts with the first.
    pub new_files: u64,
    /// How many bytes the store grew by.
    pub new_bytes: u64,
    /// Where it lies. A path to read from, never to write to.
    #[serde(serialize_with = "crate::text::serialize_path")]
    pub path: PathBuf,
    /// What became of its names.
    pub bindings: Vec<ArrivedName>,
    /// When the lease ends that protects it; none if it is bound.
    pub lease_expires_at: Option<Timestamp>,
}

/// Artifacts at the door, every one of them checked: the bytes of each file have its name, and the entries
/// of each tree add up to its name by its rule.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrival<'a> {
    pub(crate) parcels: &'a [Parcel],
    pub(crate) naming: &'a Naming,
    /// The path they came from, which is noted for each.
    pub(crate) from: &'a str,
    /// Whether what the sources say of their transfers is believed.
    pub(crate) trusted: bool,
}

/// What a parcel brings that the store has not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct NewContent {
    pub(crate) files: u64,
    pub(crate) bytes: u64,
}

impl Cache {
    /// Says what would arrive; refuses names that are taken. Changes nothing.
    ///
    /// # Errors
    /// [`Error::BindingExists`], and what the system says.
    pub(crate) fn expect(&self, arrival: &Arrival<'_>) -> Result<Vec<Arrived>> {
        let names = self.read(|tx| Self::judge_names(tx, arrival.parcels, arrival.naming))?;
        let new = self.new_content(arrival.parcels)?;
        let expires_at = self.read(|tx| tx.store_time(self.now()))?.plus(LEASE);
        let parcels = arrival.parcels.iter().zip(names).zip(new);
        Ok(parcels.map(|((parcel, names), new)| self.arrived(parcel, &names, new, expires_at)).collect())
    }

    /// Enters what is at the door, and binds its names: all of them, or none. `blobs` are the files that the
    /// parcels need, each once; what is not bound is protected for a day.
    ///
    /// # Errors
    /// [`Error::BindingExists`] if a name is taken, [`Error::OverBudget`], and what the system says. Nothing is
    /// bound then, and what was entered is garbage for the next gc.
    pub(crate) fn arrive(
        &self,
        arrival: &Arrival<'_>,
        blobs: Vec<StagedBlob>,
        stager: &Stager<'_>,
    ) -> Result<Vec<Arrived>> {
        self.read(|tx| Self::judge_names(tx, arrival.parcels, arrival.naming))?;
        let new = self.new_content(arrival.parcels)?;
        let mut leases = Vec::new();
        let outcome = self.enter_all(arrival, blobs, stager, &mut leases).and_then(|()| self.settle(arrival, &new));
        // Bound or not: what was held on the way in is held no longer.
        let released = self.release_all(&leases);
        let arrived = outcome?;
        released?;
        Ok(arrived)
    }

    /// Counts what the store has not. What two parcels need is new with the first.
    fn new_content(&self, parcels: &[Parcel]) -> Result<Vec<NewContent>> {
        let mut seen: BTreeSet<Blob> = BTreeSet::new();
        let count = |parcel: &Parcel| {
            let mut new = NewContent::default();
            for (blob, size) in parcel.blobs() {
                if seen.insert(blob) && !self.has(blob, size)? {
                    new.files += 1;
                    new.bytes += size;
                }
            }
            Ok(new)
        };
        parcels.iter().map(count).collect()
    }

    fn has(&self, blob: Blob, size: u64) -> Result<bool> {
        Ok(self.store.holds(blob.kind(), blob.digest, size)?
            && self.read(|tx| tx.known(blob.digest, blob.kind()))?.is_some())
    }

    fn enter_all(
        &self,
        arrival: &Arrival<'_>,
        blobs: Vec<StagedBlob>,
        stager: &Stager<'_>,
        leases: &mut Vec<(i64, i64)>,
    ) -> Result<()> {
        let (held, _) = self.enter_files(blobs, stager)?;
        leases.extend(held.iter().map(|Held { object, lease, .. }| (*object, *lease)));
        let session = self.session()?;
        let claim = Claim::Hold { session: session.name() };
        for parcel in arrival.parcels {
            let Some(manifest) = parcel.manifest() else { continue };
            let staged = Staged { blobs: entered(parcel), manifest: Some(manifest) };
            let entered = self.enter(staged, stager, &claim, Origin::new("path", arrival.from))?;
            let object = self.read(|tx| tx.find_form(entered.artifact.hash, entered.artifact.kind))?;
            leases.extend(object.map(|object| object.id).zip(entered.lease));
        }
        Ok(())
    }

    /// Binds every name and notes every source. Names are judged again where nobody can take them any more.
    fn settle(&self, arrival: &Arrival<'_>, new: &[NewContent]) -> Result<Vec<Arrived>> {
        self.write(|tx| {
            let names = Self::judge_names(tx, arrival.parcels, arrival.naming)?;
            let expires_at = tx.now().plus(LEASE);
            let mut arrived = Vec::with_capacity(names.len());
            for ((parcel, names), new) in arrival.parcels.iter().zip(names).zip(new) {
                let object = self.live_object(tx, (&parcel.artifact).into())?.id;
                tx.add_source(object, "path", arrival.from)?;
                note_sources(tx, object, &parcel.sources, arrival.trusted)?;
                self.lend_to_job(tx, object)?;
                for (name, status) in &names {
                    self.bind_arrived(tx, name, object, &parcel.artifact, status)?;
                }
                if names.is_empty() {
                    tx.clear_orphan(object)?;
                    tx.lease_until(object, expires_at, "put in, not bound yet")?;
                }
                arrived.push(self.arrived(parcel, &names, *new, expires_at));
            }
            Ok(arrived)
        })
    }

    fn arrived(
        &self,
        parcel: &Parcel,
        names: &[(super::TravelName, &'static str)],
        new: NewContent,
        expires_at: Timestamp,
    ) -> Arrived {
        Arrived {
            artifact: parcel.artifact.clone(),
            new_files: new.files,
            new_bytes: new.bytes,
            path: self.path_of(&parcel.artifact),
            bindings: names.iter().map(|(name, status)| ArrivedName::new(name, status)).collect(),
            lease_expires_at: names.is_empty().then_some(expires_at),
        }
    }

    fn release_all(&self, leases: &[(i64, i64)]) -> Result<()> {
        leases.chunks(BATCH).try_for_each(|batch| {
            self.write(|tx| {
                for (object, lease) in batch {
                    tx.release_lease(*lease)?;
                    tx.mark_if_orphan(*object)?;
                }
                Ok(())
            })
        })
    }
}

/// The files of a parcel, all of which are in the store by now.
fn entered(parcel: &Parcel) -> Vec<StagedBlob> {
    let stored = |(blob, size)| StagedBlob { blob, size, origin: Bytes::Stored, source: PathBuf::new() };
    parcel.blobs().into_iter().map(stored).collect()
}

/// Notes where it can be had again. What is known here of a transfer is never written over by what somebody
/// else remembers.
fn note_sources(tx: &WriteTx<'_>, object: i64, sources: &[TravelSource], trusted: bool) -> Result<()> {
    let known = tx.sources_of(object)?;
    for TravelSource { kind, location, download } in sources {
        if known.iter().any(|source| (&source.kind, &source.location) == (kind, location)) {
            continue;
        }
        let source = tx.add_source(object, kind, location)?;
        if let Some(record) = download.as_ref().filter(|_| trusted) {
            tx.set_download(source, record)?;
        }
    }
    Ok(())
}
