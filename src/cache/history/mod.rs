//! What an artifact was, who had it, why and when it went, and where to get it again.
//!
//! Guarantees: answers for artifacts and names that are long gone; changes nothing, not even the time of
//! last use. Must not know: how it is shown.

mod tell;

use serde::{Deserialize, Serialize};

use crate::cache::Reference;
use crate::digest::Digest;
use crate::model::ObjectKind;
use crate::time::Timestamp;

/// What somebody wants to know of the past.
#[derive(Debug, Clone, Copy, Default)]
#[must_use]
pub struct HistoryQuery<'a> {
    reference: Option<Reference<'a>>,
    limit: Option<usize>,
}

impl<'a> HistoryQuery<'a> {
    /// All that ever happened.
    pub fn new() -> Self {
        Self::default()
    }

    /// Only what happened to one artifact, or to everything a name ever stood for. The artifact may be
    /// gone, and the name let go.
    pub fn about(mut self, reference: Reference<'a>) -> Self {
        self.reference = Some(reference);
        self
    }

    /// Only the newest so many events.
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = Some(limit);
        self
    }
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    /// The events, the newest last.
    pub events: Vec<HistoryEvent>,
    /// How many older ones a limit left out; none if nobody counted them.
    pub left_out: Option<usize>,
    /// The artifact it is all about; none if there are several.
    pub artifact: Option<HistoryArtifact>,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HistoryEvent {
    /// When.
    pub at: Timestamp,
    /// What: `add` (it came in), `bind`, `rebind` (its name was given to another artifact), `unbind`,
    /// `lapse` (the owner was gone), `evict` (a rule of clean-up let it go), `remove` (the owner was
    /// removed), `delegate`, `rename`, `collect`, `restore`.
    pub event: String,
    /// The artifact.
    pub hash: Digest,
    /// File or directory.
    pub kind: ObjectKind,
    /// Whose name it is about.
    pub owner: Option<String>,
    /// The owner's version.
    pub version: Option<String>,
    /// The name.
    pub name: Option<String>,
    /// The run of gc.
    pub run: Option<i64>,
    /// Why gc took it.
    pub reason: Option<String>,
    /// The rule by which gc took it, as it was written.
    pub rule: Option<String>,
    /// Who bound it on behalf of the owner, to whom it was handed, by which rule its name went.
    pub detail: Option<String>,
    /// Bytes that left the disk.
    pub freed_bytes: Option<u64>,
    /// Where it came from, as far as that was known then.
    pub sources: Option<Vec<HistorySource>>,
}

/// Where an artifact can be had again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistorySource {
    /// `path`, `command`, `url` or `archive`.
    pub kind: String,
    /// The path, command line or address, escaped for one line.
    pub location: String,
}

/// An artifact, here or gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryArtifact {
    /// Its name.
    pub hash: Digest,
    /// File or directory.
    pub kind: ObjectKind,
    /// Bytes of its files; none if nobody wrote that down.
    pub size: Option<u64>,
    /// How many files it had; none if nobody wrote that down.
    pub files: Option<u64>,
    /// Where it is now.
    pub state: HistoryState,
    /// Where it came from.
    pub sources: Vec<HistorySource>,
}

/// Where an artifact is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HistoryState {
    /// Something keeps it.
    Live,
    /// It is here, and nothing has kept it since.
    Unused(Timestamp),
    /// A run of gc took it.
    Collected {
        /// Which.
        run: i64,
        /// When.
        at: Timestamp,
        /// Why.
        reason: String,
        /// By which rule.
        rule: Option<String>,
        /// Until when `undo` of that run brings it back; none if its trash is gone, or it had none.
        kept_until: Option<Timestamp>,
    },
    /// It is not here, and nothing says what became of it.
    Absent,
}
