//! What an artifact was, who had it, why and when it went, and where to get it again.
//!
//! Guarantees: answers for artifacts and names that are long gone; changes nothing, not even the time of
//! last use. Must not know: how it is shown.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::cache::{Cache, Reference};
use crate::digest::{Digest, DigestPrefix};
use crate::error::{Error, Result};
use crate::index::{Collected, ObjectRow, PastEvent, ReadTx, State};
use crate::model::{Artifact, BindingName, ObjectKind, OwnerId};
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

impl Cache {
    /// Tells what happened.
    ///
    /// # Errors
    /// [`Error::UnknownReference`], [`Error::NoSuchBinding`] or [`Error::NoSuchObject`] if nothing was ever
    /// known by the reference, [`Error::AmbiguousPrefix`] if several artifacts start so.
    pub fn history(&self, query: &HistoryQuery<'_>) -> Result<History> {
        self.read(|tx| {
            let now = tx.store_time(self.now())?;
            match query.reference {
                None => latest(tx, query.limit.unwrap_or(usize::MAX)),
                Some(reference) => about(tx, reference, query.limit, now),
            }
        })
    }
}

fn latest(tx: &ReadTx<'_>, limit: usize) -> Result<History> {
    let newest = tx.latest_events(limit)?;
    Ok(History { events: newest.into_iter().rev().map(told).collect(), left_out: None, artifact: None })
}

fn about(tx: &ReadTx<'_>, reference: Reference<'_>, limit: Option<usize>, now: Timestamp) -> Result<History> {
    let mut events = match settle(tx, reference)? {
        Subject::Hash(hash) => of_hash(tx, hash, now)?,
        Subject::Name(events) => of_name(tx, events, now)?,
    };
    let hashes: BTreeSet<Digest> = events.iter().map(|event| event.hash).collect();
    let artifact = match hashes.first() {
        Some(hash) if hashes.len() == 1 => what_it_was(tx, *hash, now)?,
        _ => None,
    };
    let left_out = events.len().saturating_sub(limit.unwrap_or(usize::MAX));
    events.drain(..left_out);
    Ok(History { events, left_out: Some(left_out), artifact })
}

/// What a reference means in the past.
enum Subject {
    Hash(Digest),
    /// All that happened to a name.
    Name(Vec<PastEvent>),
}

/// The order is that of a reference to what is here, see [`Cache::find`].
fn settle(tx: &ReadTx<'_>, reference: Reference<'_>) -> Result<Subject> {
    let Reference { text, owner } = reference;
    if let Ok(hash) = text.parse::<Digest>() {
        return Ok(Subject::Hash(hash));
    }
    if let Some(events) = owner.map(|owner| by_name(tx, owner, text)).transpose()?.flatten() {
        return Ok(Subject::Name(events));
    }
    if let Some(hash) = by_prefix(tx, text)? {
        return Ok(Subject::Hash(hash));
    }
    for (colon, _) in text.match_indices(':') {
        let Ok(owner) = text[..colon].parse::<OwnerId>() else { continue };
        if let Some(events) = by_name(tx, &owner, &text[colon + 1..])? {
            return Ok(Subject::Name(events));
        }
    }
    Err(match owner {
        Some(owner) => Error::NoSuchBinding { owner: owner.to_string(), name: text.to_owned() },
        None => Error::UnknownReference { reference: text.to_owned() },
    })
}

fn by_name(tx: &ReadTx<'_>, owner: &OwnerId, name: &str) -> Result<Option<Vec<PastEvent>>> {
    let Ok(name) = BindingName::new(name) else { return Ok(None) };
    let events = tx.events_of_name(owner, &name)?;
    Ok(Some(events).filter(|events| !events.is_empty()))
}

fn by_prefix(tx: &ReadTx<'_>, text: &str) -> Result<Option<Digest>> {
    let Ok(prefix) = text.parse::<DigestPrefix>() else { return Ok(None) };
    let candidates = tx.past_hashes(&prefix)?;
    match candidates.as_slice() {
        [] => Ok(None),
        [hash] => Ok(Some(*hash)),
        _ => Err(Error::AmbiguousPrefix { prefix: prefix.as_str().to_owned(), candidates }),
    }
}

fn of_hash(tx: &ReadTx<'_>, hash: Digest, now: Timestamp) -> Result<Vec<HistoryEvent>> {
    let mut events: Vec<HistoryEvent> = tx.events_of_hash(hash)?.into_iter().map(told).collect();
    events.extend(arrivals(tx, hash, now)?);
    if events.is_empty() {
        return Err(Error::NoSuchObject { hash });
    }
    in_order(&mut events);
    Ok(events)
}

/// All that happened to a name, and what became of everything it stood for.
fn of_name(tx: &ReadTx<'_>, named: Vec<PastEvent>, now: Timestamp) -> Result<Vec<HistoryEvent>> {
    let hashes: BTreeSet<Digest> = named.iter().map(|event| event.hash).collect();
    let mut events: Vec<HistoryEvent> = named.into_iter().map(told).collect();
    for hash in hashes {
        let nameless = tx.events_of_hash(hash)?.into_iter().filter(|event| event.name.is_none());
        events.extend(nameless.map(told));
        events.extend(arrivals(tx, hash, now)?);
    }
    in_order(&mut events);
    Ok(events)
}

/// When the objects of a hash came in: that which is here, and those that gc took.
fn arrivals(tx: &ReadTx<'_>, hash: Digest, now: Timestamp) -> Result<Vec<HistoryEvent>> {
    let mut arrivals = Vec::new();
    for gone in tx.collections_of(hash, now)? {
        let came = gone.created_at.map(|at| arrival(at, hash, gone.kind, sources(gone.sources.as_deref())));
        // What came back from the trash came in once, and may go again.
        arrivals.extend(came.filter(|came: &HistoryEvent| !is_known(&arrivals, came)));
    }
    for object in objects(tx, hash)? {
        let came = arrival(object.created_at, hash, object.kind, Some(sources_of(tx, object.id)?));
        if !is_known(&arrivals, &came) {
            arrivals.push(came);
        }
    }
    Ok(arrivals)
}

fn is_known(arrivals: &[HistoryEvent], came: &HistoryEvent) -> bool {
    arrivals.iter().any(|known| (known.at, known.kind) == (came.at, came.kind))
}

fn objects(tx: &ReadTx<'_>, hash: Digest) -> Result<Vec<ObjectRow>> {
    let mut found = Vec::new();
    for kind in [ObjectKind::Blob, ObjectKind::Executable, ObjectKind::Tree] {
        found.extend(tx.find_form(hash, kind)?.filter(|row| row.state == State::Live));
    }
    Ok(found)
}

fn arrival(at: Timestamp, hash: Digest, kind: ObjectKind, sources: Option<Vec<HistorySource>>) -> HistoryEvent {
    HistoryEvent {
        at,
        event: "add".to_owned(),
        hash,
        kind,
        owner: None,
        version: None,
        name: None,
        run: None,
        reason: None,
        rule: None,
        detail: None,
        freed_bytes: None,
        sources: sources.filter(|sources| !sources.is_empty()),
    }
}

/// Events are in the order in which they were written down; what comes in does so before anything else
/// can happen to it.
fn in_order(events: &mut [HistoryEvent]) {
    events.sort_by_key(|event| (event.at, event.event != "add"));
}

fn told(event: PastEvent) -> HistoryEvent {
    HistoryEvent {
        at: event.at,
        event: event.what,
        hash: event.hash,
        kind: event.kind,
        owner: event.owner,
        version: event.version,
        name: event.name,
        run: event.run,
        reason: event.reason,
        rule: event.rule,
        detail: event.detail,
        freed_bytes: event.freed_bytes,
        sources: sources(event.sources.as_deref()),
    }
}

/// Reads sources as gc writes them down. What is not understood is as good as not known.
fn sources(json: Option<&str>) -> Option<Vec<HistorySource>> {
    json.and_then(|json| serde_json::from_str(json).ok())
}

fn sources_of(tx: &ReadTx<'_>, object: i64) -> Result<Vec<HistorySource>> {
    let known = tx.sources_of(object)?;
    Ok(known.into_iter().map(|source| HistorySource { kind: source.kind, location: source.location }).collect())
}

/// Tells what the artifact of a hash is or was. Of several forms the one that is here is meant, else the
/// one that went last.
fn what_it_was(tx: &ReadTx<'_>, hash: Digest, now: Timestamp) -> Result<Option<HistoryArtifact>> {
    if let Some(object) = tx.find_object(hash)? {
        return here(tx, &object).map(Some);
    }
    if let Some(last) = tx.collections_of(hash, now)?.pop() {
        return Ok(Some(gone(hash, last)));
    }
    let last = tx.events_of_hash(hash)?.pop();
    let absent = |kind| HistoryArtifact {
        hash,
        kind,
        size: None,
        files: None,
        state: HistoryState::Absent,
        sources: Vec::new(),
    };
    Ok(last.map(|event| absent(event.kind)))
}

fn here(tx: &ReadTx<'_>, object: &ObjectRow) -> Result<HistoryArtifact> {
    let Artifact { hash, kind, size, files } = object.artifact();
    // What is bound may be noted as let go by all but an owner that is gone.
    let held = !tx.bindings_of_object(object.id)?.is_empty() || tx.is_in_live_tree(object.id)?;
    let state = match object.orphaned_at.filter(|_| !held) {
        None => HistoryState::Live,
        Some(since) => HistoryState::Unused(since),
    };
    Ok(HistoryArtifact { hash, kind, size: Some(size), files: Some(files), state, sources: sources_of(tx, object.id)? })
}

fn gone(hash: Digest, last: Collected) -> HistoryArtifact {
    HistoryArtifact {
        hash,
        kind: last.kind,
        size: Some(last.size),
        files: last.files,
        sources: sources(last.sources.as_deref()).unwrap_or_default(),
        state: HistoryState::Collected {
            run: last.run,
            at: last.at,
            reason: last.reason,
            rule: last.rule,
            kept_until: last.kept_until,
        },
    }
}
