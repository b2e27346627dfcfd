//! What travels with an artifact to another store: its paths, its names, where it can be had again.
//!
//! Why: a pack, and a copy from store to store, must carry the same things and enter them in the same way.
//! Guarantees: what leaves is one state of the rows, and stays until it has left; what arrives is bound all
//! at once or not at all. No times travel, and nothing that names a place on this machine, so that the same
//! artifacts make the same journey everywhere.
//! Must not know: on which way the bytes travel.

mod arrive;
mod depart;
mod names;

pub(crate) use arrive::Arrival;
pub use arrive::Arrived;
pub(crate) use depart::Wanted;
pub use names::ArrivedName;
pub(crate) use names::Naming;

use crate::index::Provenance;
use crate::model::{Artifact, BindingName, Blob, DownloadRecord, Entry, IdRule, Manifest, Metadata, OwnerId};

/// An artifact with everything that travels along.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Parcel {
    pub(crate) artifact: Artifact,
    /// How a tree's name follows from its entries.
    pub(crate) rule: IdRule,
    /// What a tree consists of, parents before children; nothing for a file.
    pub(crate) entries: Vec<Entry>,
    /// Where it can be had again, sorted.
    pub(crate) sources: Vec<TravelSource>,
    /// The names that travel, sorted by owner and name.
    pub(crate) names: Vec<TravelName>,
}

/// A name that an artifact has, without when it was given.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TravelName {
    pub(crate) owner: OwnerId,
    pub(crate) name: BindingName,
    pub(crate) meta: Option<Metadata>,
    /// Keys another program keeps beside the binding.
    pub(crate) extra: Option<Metadata>,
    /// Who bound it on behalf of the owner.
    pub(crate) bound_by: Option<OwnerId>,
}

/// Where an artifact can be had again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TravelSource {
    /// `url`, `command` or `archive`.
    pub(crate) kind: String,
    pub(crate) location: String,
    /// What is remembered of the transfer. Only another store of the same person may say this: a later
    /// download believes it.
    pub(crate) download: Option<DownloadRecord>,
}

/// The kinds of sources that mean something elsewhere; a path does not.
pub(crate) const SOURCE_KINDS: [&str; 3] = ["archive", "command", "url"];

impl TravelSource {
    /// Takes what is worth carrying.
    fn of(source: Provenance) -> Option<Self> {
        let Provenance { kind, location, download, .. } = source;
        SOURCE_KINDS.contains(&kind.as_str()).then_some(Self { kind, location, download })
    }
}

impl Parcel {
    /// Returns a tree as it is written down; none for a file.
    pub(crate) fn manifest(&self) -> Option<Manifest> {
        if self.artifact.kind.is_file() {
            return None;
        }
        let named = Manifest::new(self.entries.clone());
        Some(Manifest { hash: self.artifact.hash, rule: self.rule.clone(), ..named })
    }

    /// Returns the files it needs with their sizes, each once, sorted.
    pub(crate) fn blobs(&self) -> Vec<(Blob, u64)> {
        let Artifact { hash, kind, size, .. } = self.artifact;
        if kind.is_file() {
            return vec![(Blob { digest: hash, executable: kind == crate::model::ObjectKind::Executable }, size)];
        }
        let sized = |entry: &Entry| match entry.node {
            crate::model::Node::File { size, .. } => entry.node.blob().map(|blob| (blob, size)),
            _ => None,
        };
        let mut blobs: Vec<(Blob, u64)> = self.entries.iter().filter_map(sized).collect();
        blobs.sort_unstable();
        blobs.dedup();
        blobs
    }
}
