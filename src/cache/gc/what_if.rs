//! What would come free if names were let go, found by the selection of gc itself.
//!
//! Guarantees: `freed_bytes` is what `gc` would free more than now, without any delay, once these names
//! are gone; nothing changes. Orphans keep nothing: they go anyway, and are counted beside.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use serde::Serialize;

use crate::cache::Cache;
use crate::cache::find::bindings_where;
use crate::cache::gc::grounds::Ages;
use crate::cache::gc::plan::Look;
use crate::cache::gc::select::shared;
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::index::{BindingRow, Loosened, ReadTx, Start};
use crate::model::{Artifact, Filter, GcPolicy, GcRule, NamePattern, ObjectKind, OwnerId};
use crate::time::Timestamp;

/// Names that are thought away. Owners, names and idleness add up; conditions narrow what they come to,
/// or all names if nothing else is said.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct WhatIf {
    owners: Vec<OwnerId>,
    names: Vec<NamePattern>,
    unused_for: Option<Duration>,
    filters: Vec<Filter>,
    only: Option<OwnerId>,
}

impl WhatIf {
    /// Nothing is thought away yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// All names of an owner; of all its versions, if it has nothing without a version.
    pub fn remove_owner(mut self, owner: OwnerId) -> Self {
        self.owners.push(owner);
        self
    }

    /// Names by a pattern.
    pub fn unbind(mut self, names: NamePattern) -> Self {
        self.names.push(names);
        self
    }

    /// Names that gc would take for idle by `unused_for`.
    pub fn unused_for(mut self, span: Duration) -> Self {
        self.unused_for = Some(span);
        self
    }

    /// Only names that meet a condition; see [`Binding::filter_keys`](crate::Binding::filter_keys).
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filters.push(filter);
        self
    }

    /// Idle names, and names that meet conditions, of one owner only.
    pub fn only(mut self, owner: OwnerId) -> Self {
        self.only = Some(owner);
        self
    }

    fn names_nothing(&self) -> bool {
        self.owners.is_empty() && self.names.is_empty() && self.unused_for.is_none()
    }
}

/// What would come free.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WhatIfReport {
    /// Bytes that would leave the disk.
    pub freed_bytes: u64,
    /// The artifacts that would go, by hash.
    pub artifacts: Vec<WhatIfItem>,
    /// How many names would be let go.
    pub unbound: u64,
    /// The artifacts that would lose names and stay, because something else keeps them.
    pub kept: Vec<WhatIfKept>,
    /// Bytes of what nothing keeps already, which gc takes without any of this.
    pub anyway_bytes: u64,
    /// Patterns that no name matched, as they were written.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unmatched: Vec<String>,
}

/// An artifact that would go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WhatIfItem {
    /// Its name.
    pub hash: Digest,
    /// File or directory.
    pub kind: ObjectKind,
    /// Bytes of its files, each entry counted.
    pub size: u64,
    /// Bytes that would leave the disk with it; what several of them share is counted at one of them.
    pub freed_bytes: u64,
    /// The names it would lose, as `OWNER:NAME`.
    pub names: Vec<String>,
}

/// An artifact that would stay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WhatIfKept {
    /// Its name.
    pub hash: Digest,
    /// File or directory.
    pub kind: ObjectKind,
    /// Bytes of its files, each entry counted.
    pub size: u64,
    /// The names it would lose, as `OWNER:NAME`.
    pub names: Vec<String>,
}

impl Cache {
    /// Finds what would come free if names were let go. Changes nothing.
    ///
    /// # Errors
    /// [`Error::NoSuchOwner`] if an owner is not known; what the index says.
    pub fn what_if(&self, question: &WhatIf) -> Result<WhatIfReport> {
        let policy = GcPolicy::default().collect_delay(Duration::ZERO);
        let look = self.look_around(&policy)?;
        self.read(|tx| {
            let now = tx.store_time(self.now())?;
            self.select_anyway(tx, &look, &policy, now)?;
            // Idle is what gc would take for idle, which knows by now who is gone.
            let (chosen, unmatched) = choose(tx, question, now)?;
            tx.note_anyway()?;
            let ids: Vec<i64> = chosen.iter().map(|binding| binding.id).collect();
            tx.doom_let_go(&ids, now)?;
            tx.set_shared(&shared(tx, &self.store)?)?;
            let (artifacts, kept) = named(tx.loosened()?, &chosen);
            Ok(WhatIfReport {
                freed_bytes: tx.beyond_totals()?.bytes,
                artifacts,
                unbound: chosen.len() as u64,
                kept,
                anyway_bytes: tx.anyway_bytes()?,
                unmatched,
            })
        })
    }

    /// Selects what gc takes already, whatever its delay.
    fn select_anyway(&self, tx: &ReadTx<'_>, look: &Look, policy: &GcPolicy, now: Timestamp) -> Result<()> {
        let seen = look.seen(self, tx)?;
        let lapsed = seen.sightings.lapsing(tx, now, policy.owner_grace)?;
        tx.begin_selection(Start { dead_sessions: seen.dead_sessions, lapsed: &lapsed, planned: None })?;
        let ages = Ages::new(tx, policy, now)?;
        ages.note_orphans(tx)?;
        ages.note_lapsed(tx)?;
        tx.doom_trees(now, false)?;
        tx.doom_blobs(now, false)
    }
}

/// Returns the bindings that are thought away, by owner and name, and the patterns that no name matched.
fn choose(tx: &ReadTx<'_>, question: &WhatIf, now: Timestamp) -> Result<(Vec<BindingRow>, Vec<String>)> {
    let (filters, only) = (&question.filters, question.only.as_ref());
    if question.names_nothing() {
        let met = if filters.is_empty() { Vec::new() } else { bindings_where(tx, only, filters, now)? };
        return Ok((met, Vec::new()));
    }
    let mut chosen = Vec::new();
    for owner in &question.owners {
        for owner in versions(tx, owner)? {
            chosen.extend(tx.bindings_where(Some(owner), filters, now)?);
        }
    }
    let mut unmatched = Vec::new();
    let owners = if question.names.is_empty() { Vec::new() } else { tx.owners_by_key()? };
    for pattern in &question.names {
        let before = chosen.len();
        for owner in owners.iter().filter(|named| pattern.is_about(&named.owner)) {
            let rows = tx.bindings_where(Some(owner.id), filters, now)?;
            chosen.extend(rows.into_iter().filter(|row| pattern.matches(&row.owner, &row.name)));
        }
        if chosen.len() == before {
            unmatched.push(pattern.to_string());
        }
    }
    if let Some(span) = question.unused_for {
        chosen.extend(idle(tx, span, only, filters, now)?);
    }
    let mut seen = HashSet::new();
    chosen.retain(|row| seen.insert(row.id));
    chosen.sort_by(|a, b| (&a.owner, &a.name).cmp(&(&b.owner, &b.name)));
    Ok((chosen, unmatched))
}

/// Returns the owner, or all versions of a key that has nothing without one.
fn versions(tx: &ReadTx<'_>, owner: &OwnerId) -> Result<Vec<i64>> {
    if let Some(id) = tx.find_owner(owner)? {
        return Ok(vec![id]);
    }
    let owners = tx.owners_by_key()?;
    let same = owners.iter().filter(|named| owner.version().is_none() && named.owner.key() == owner.key());
    let ids: Vec<i64> = same.map(|named| named.id).collect();
    if ids.is_empty() { Err(Error::NoSuchOwner { owner: owner.to_string() }) } else { Ok(ids) }
}

/// Returns what a rule of clean-up takes for idle, of one owner or of all.
fn idle(
    tx: &ReadTx<'_>,
    span: Duration,
    only: Option<&OwnerId>,
    filters: &[Filter],
    now: Timestamp,
) -> Result<Vec<BindingRow>> {
    let policy = GcPolicy::default().rule(GcRule { unused_for: Some(span), ..GcRule::default() });
    let ages = Ages::new(tx, &policy, now)?;
    let idle = ages.idle(tx)?;
    let ids: HashSet<i64> = idle.iter().map(|(unused, _)| unused.binding).collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let met = bindings_where(tx, only, filters, now)?;
    Ok(met.into_iter().filter(|row| ids.contains(&row.id)).collect())
}

/// Tells apart what goes and what stays, each with the names it loses.
fn named(loosened: Vec<Loosened>, chosen: &[BindingRow]) -> (Vec<WhatIfItem>, Vec<WhatIfKept>) {
    let mut losing: HashMap<i64, (&Artifact, Vec<String>)> = HashMap::new();
    for row in chosen {
        let (_, names) = losing.entry(row.object_id).or_insert((&row.artifact, Vec::new()));
        names.push(format!("{}:{}", row.owner, row.name));
    }
    let mut items = Vec::new();
    for Loosened { id, artifact, freed_bytes } in loosened {
        let names = losing.remove(&id).map(|(_, names)| names).unwrap_or_default();
        items.push(WhatIfItem { hash: artifact.hash, kind: artifact.kind, size: artifact.size, freed_bytes, names });
    }
    let stays = losing.into_values();
    let mut kept: Vec<WhatIfKept> = stays
        .map(|(artifact, names)| WhatIfKept { hash: artifact.hash, kind: artifact.kind, size: artifact.size, names })
        .collect();
    kept.sort_by_key(|kept| (kept.hash, kept.kind));
    (items, kept)
}
