//! Puts a history together: from the events, from what gc wrote down, and from what is here.

use std::collections::BTreeSet;

use crate::cache::history::{History, HistoryArtifact, HistoryEvent, HistoryQuery, HistorySource, HistoryState};
use crate::cache::{Cache, Reference};
use crate::digest::{Digest, DigestPrefix};
use crate::error::{Error, Result};
use crate::index::{Collected, ObjectRow, PastEvent, ReadTx, State};
use crate::model::{Artifact, BindingName, ObjectKind, OwnerId};
use crate::time::Timestamp;

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
