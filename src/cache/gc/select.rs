//! Selects what may go, in any transaction, and says what that comes to.

use std::collections::HashMap;
use std::time::Duration;

use crate::cache::gc::grounds::{Ages, Ground, Grounds, Idle};
use crate::cache::gc::kept::kept;
use crate::cache::gc::room::{make_room, needs_room};
use crate::cache::gc::{GcItem, GcLimit, GcPlan, GcSpared, GcUnbound, GcYield};
use crate::cache::liveness::Sightings;
use crate::digest::Digest;
use crate::error::Result;
use crate::fs::DiskRoom;
use crate::index::{BindingRow, Doomed, ReadTx, Start, State, TrashRun, Use};
use crate::model::{BindingName, GcPolicy, LinkStyle, ObjectKind, OwnerId};
use crate::store::Store;
use crate::time::Timestamp;

/// What the last of its owners was found to be.
pub(super) const OWNER_GONE: &str = "owner gone";

/// Why rules about size take something.
pub(super) const MAX_SIZE: &str = "max size";
pub(super) const MIN_FREE: &str = "min free";
const ROOM_REASONS: [&str; 2] = [MAX_SIZE, MIN_FREE];

/// What was found outside of the index.
#[derive(Clone, Copy)]
pub(in crate::cache) struct Seen<'a> {
    pub(in crate::cache) dead_sessions: &'a [String],
    pub(in crate::cache) sightings: &'a Sightings,
    /// Where the files lie; none: nobody asks what comes free.
    pub(in crate::cache) store: Option<&'a Store>,
    /// The room on the store's filesystem, if a rule asks for it.
    pub(in crate::cache) room: Option<DiskRoom>,
}

/// What an earlier plan names: nothing else may go.
#[derive(Debug, Clone, Default)]
pub(in crate::cache) struct Planned {
    pub(in crate::cache) artifacts: Vec<(Digest, ObjectKind)>,
    pub(super) unbound: Vec<GcUnbound>,
    /// Orphans that go before their time, because room is needed.
    pub(super) early: Vec<GcItem>,
    pub(super) trash: Option<Duration>,
    pub(super) purges: Vec<i64>,
}

impl Planned {
    pub(in crate::cache) fn of(artifacts: &[GcItem]) -> Self {
        let artifacts = artifacts.iter().map(|item| (item.hash, item.form)).collect();
        Self { artifacts, ..Self::default() }
    }

    pub(super) fn of_plan(plan: &GcPlan) -> Self {
        let makes_room = |item: &&GcItem| item.orphaned_at.is_some() && ROOM_REASONS.contains(&item.reason);
        Self {
            unbound: plan.unbound.clone(),
            early: plan.artifacts.iter().filter(makes_room).cloned().collect(),
            trash: plan.trash,
            purges: plan.purges.clone(),
            ..Self::of(&plan.artifacts)
        }
    }

    /// Notes as due what goes before its time, as far as it is still the orphan it was and unprotected.
    fn note_early(&self, tx: &ReadTx<'_>, now: Timestamp) -> Result<Vec<(i64, Ground)>> {
        let mut grounds = Vec::new();
        for item in &self.early {
            let row = tx.find_form(item.hash, item.form)?;
            let Some(row) = row.filter(|row| row.orphaned_at == item.orphaned_at) else { continue };
            if tx.protection(row.id, now)?.is_none() {
                tx.set_due(row.id)?;
                let rule = item.rule.clone().unwrap_or_default();
                grounds.push((row.id, Ground { reason: item.reason, rule, whole: true }));
            }
        }
        Ok(grounds)
    }

    /// Returns the binding that a plan lets go, if it is still what it was and nobody has used it since.
    pub(super) fn find(tx: &ReadTx<'_>, planned: &GcUnbound) -> Result<Option<Use>> {
        let owner = OwnerId::new(&planned.owner, planned.version.as_deref())?;
        let Some(owner) = tx.find_owner(&owner)? else { return Ok(None) };
        let found = tx.use_of(owner, &BindingName::new(&planned.name)?)?;
        Ok(found.filter(|found| {
            let artifact = &found.artifact;
            (artifact.hash, artifact.kind) == (planned.hash, planned.form) && found.used_at <= planned.used_at
        }))
    }
}

/// A selection in the making.
pub(super) struct Selecting<'a> {
    pub(super) tx: &'a ReadTx<'a>,
    pub(super) ages: &'a Ages<'a>,
    pub(super) seen: Seen<'a>,
    /// How long what goes is kept in the trash.
    pub(super) trash: Option<Duration>,
    /// The runs whose trash goes.
    pub(super) purges: Vec<i64>,
    /// What rules take, and what is let go for it.
    pub(super) grounds: Grounds,
    pub(super) unbound: Vec<GcUnbound>,
    pub(super) limits: Vec<GcLimit>,
}

/// Runs the selection; with `planned`, of that only.
pub(in crate::cache) fn select(
    tx: &ReadTx<'_>,
    policy: &GcPolicy,
    now: Timestamp,
    seen: Seen<'_>,
    planned: Option<&Planned>,
) -> Result<GcPlan> {
    let ages = Ages::new(tx, policy, now)?;
    let mut selecting = Selecting::new(tx, &ages, seen, planned);
    let kept = selecting.run(planned)?;
    selecting.plan(kept)
}

/// Runs the selection for what it comes to alone: who asks for many does not want all their names.
pub(super) fn weigh(tx: &ReadTx<'_>, policy: &GcPolicy, now: Timestamp, seen: Seen<'_>) -> Result<GcYield> {
    let ages = Ages::new(tx, policy, now)?;
    let mut selecting = Selecting::new(tx, &ages, seen, None);
    selecting.run(None)?;
    selecting.weight()
}

impl<'a> Selecting<'a> {
    fn new(tx: &'a ReadTx<'a>, ages: &'a Ages<'a>, seen: Seen<'a>, planned: Option<&Planned>) -> Self {
        Self {
            tx,
            ages,
            seen,
            trash: planned.map_or(ages.policy.trash, |planned| planned.trash),
            purges: planned.map_or_else(Vec::new, |planned| planned.purges.clone()),
            grounds: HashMap::new(),
            unbound: Vec::new(),
            limits: Vec::new(),
        }
    }
}

impl Selecting<'_> {
    fn run(&mut self, planned: Option<&Planned>) -> Result<Vec<GcSpared>> {
        let (tx, ages, now) = (self.tx, self.ages, self.ages.now);
        let lapsing = self.seen.sightings.lapsing(tx, now, ages.policy.owner_grace)?;
        let named = planned.map(|planned| planned.artifacts.as_slice());
        tx.begin_selection(Start { dead_sessions: self.seen.dead_sessions, lapsed: &lapsing, planned: named })?;
        ages.note_orphans(tx)?;
        ages.note_lapsed(tx)?;
        let (mut idle, alone) = match planned {
            Some(planned) => {
                self.grounds.extend(planned.note_early(tx, now)?);
                Idle::by_plan(tx, planned, ages)?
            }
            None => (Idle::by_rules(tx, ages)?, Vec::new()),
        };
        self.note_over()?;
        tx.doom_trees(now, planned.is_some())?;
        tx.purge(&self.purges)?;
        tx.doom_blobs(now, planned.is_some())?;
        self.note_shared()?;
        let kept = std::mem::take(&mut idle.kept);
        for (found, ground) in idle.let_go(tx)? {
            self.let_go(found, ground, true);
        }
        for (found, ground) in alone {
            self.let_go(found, ground, false);
        }
        if planned.is_none() && needs_room(ages.policy) {
            make_room(self)?;
            self.note_shared()?;
        }
        Ok(kept)
    }

    /// What was kept in the trash for long enough goes for good.
    fn note_over(&mut self) -> Result<()> {
        let runs = self.tx.trash_runs()?;
        let over = |run: &&TrashRun| run.keep_until <= self.ages.now && !self.purges.contains(&run.id);
        let over: Vec<i64> = runs.iter().filter(over).map(|run| run.id).collect();
        self.purges.extend(over);
        self.tx.set_over(&self.purges)
    }

    fn note_shared(&self) -> Result<()> {
        match self.seen.store {
            Some(store) => self.tx.set_shared(&shared(self.tx, store)?),
            None => Ok(()),
        }
    }

    pub(super) fn let_go(&mut self, found: Use, ground: Ground, whole: bool) {
        self.unbound.push(GcUnbound {
            owner: found.owner.key().to_owned(),
            version: found.owner.version().map(str::to_owned),
            name: found.name,
            hash: found.artifact.hash,
            kind: found.artifact.kind,
            form: found.artifact.kind,
            used_at: found.used_at,
            reason: ground.reason,
            rule: ground.rule.clone(),
            binding: found.binding,
            whole,
        });
        // Of several rules the one that takes the artifact counts, not one that took a name of it; and of
        // those that take it, because each name has a rule of its own, the first.
        let ground = Ground { whole, ..ground };
        let known = self.grounds.entry(found.object).or_insert_with(|| ground.clone());
        if whole && !known.whole {
            *known = ground;
        }
    }

    fn plan(mut self, kept_idle: Vec<GcSpared>) -> Result<GcPlan> {
        let (tx, policy, now) = (self.tx, self.ages.policy, self.ages.now);
        let doomed = tx.doomed()?;
        let artifacts = doomed.into_iter().map(|doomed| self.item(doomed)).collect::<Result<_>>()?;
        let lapsed = tx.lapsed_bindings()?;
        self.unbound.extend(lapsed.into_iter().map(|row| lapsed_name(row, policy)));
        self.unbound.sort_by(|a, b| (&a.owner, &a.version, &a.name).cmp(&(&b.owner, &b.version, &b.name)));
        let weight = self.weight()?;
        let cutoff = now.minus(policy.dead_for(None, crate::model::Class::Irreplaceable).0);
        let owners = tx
            .empty_owners(cutoff, now, self.trash.is_some())?
            .into_iter()
            .filter(|(_, owner)| policy.is_open_to(Some(owner)));
        Ok(GcPlan {
            artifacts,
            unbound: self.unbound,
            deleted_artifacts: weight.deleted_artifacts,
            deleted_files: weight.deleted_files,
            freed_bytes: weight.freed_bytes,
            trashed_bytes: weight.trashed_bytes,
            purged_bytes: tx.purged_bytes()?,
            owners_removed: owners.map(|(_, owner)| owner.to_string()).collect(),
            kept: kept(tx, policy, now, kept_idle)?,
            skipped: Vec::new(),
            limits: self.limits,
            attached: Vec::new(),
            policy: policy.clone(),
            trash: self.trash,
            purges: self.purges,
        })
    }

    /// Returns what goes, in numbers.
    fn weight(&self) -> Result<GcYield> {
        let totals = self.tx.doomed_totals()?;
        let purged_bytes = self.tx.purged_bytes()?;
        let (freed, trashed_bytes) = if self.trash.is_some() { (0, totals.bytes) } else { (totals.bytes, 0) };
        Ok(GcYield {
            deleted_artifacts: totals.objects,
            deleted_files: totals.files,
            freed_bytes: freed + purged_bytes,
            trashed_bytes,
        })
    }

    fn item(&self, doomed: Doomed) -> Result<GcItem> {
        let tx = self.tx;
        let (reason, rule) = self.reason(&doomed)?;
        Ok(GcItem {
            hash: doomed.hash,
            kind: doomed.kind,
            size: doomed.size,
            freed_bytes: doomed.freed_bytes,
            orphaned_at: doomed.orphaned_at,
            reason,
            rule,
            names: tx.past_names(doomed.hash, doomed.kind)?,
            sources: tx.sources_of(doomed.id)?,
            form: doomed.kind,
        })
    }

    fn reason(&self, doomed: &Doomed) -> Result<(&'static str, Option<String>)> {
        if let Some(ground) = self.grounds.get(&doomed.id) {
            return Ok((ground.reason, Some(ground.rule.clone())));
        }
        let policy = self.ages.policy;
        let rule = || -> Result<Option<String>> {
            if policy.rules.is_empty() {
                return Ok(Some(policy.default_rule()));
            }
            let Some(orphan) = self.tx.orphan(doomed.id)? else { return Ok(None) };
            let (_, rule) = policy.dead_for(orphan.owner.as_ref(), orphan.class);
            Ok(Some(rule.map_or_else(|| policy.default_rule(), ToString::to_string)))
        };
        Ok(match doomed.state {
            State::Live if doomed.lapsed_at.is_some() => (OWNER_GONE, rule()?),
            State::Live => ("unused", rule()?),
            State::Partial => ("unfinished", None),
            State::Condemned => ("interrupted gc", None),
        })
    }
}

fn lapsed_name(row: BindingRow, policy: &GcPolicy) -> GcUnbound {
    GcUnbound {
        owner: row.owner.key().to_owned(),
        version: row.owner.version().map(str::to_owned),
        name: row.name,
        hash: row.artifact.hash,
        kind: row.artifact.kind,
        form: row.artifact.kind,
        used_at: row.last_used_at.unwrap_or(row.bound_at),
        reason: OWNER_GONE,
        rule: policy.default_rule(),
        binding: row.id,
        whole: true,
    }
}

/// Returns which of the files selected have a name outside of the store: those imported by a hard link
/// stay on the disk as long as the source has them.
pub(super) fn shared(tx: &ReadTx<'_>, store: &Store) -> Result<Vec<i64>> {
    let linked = tx.doomed_linked()?;
    if linked.is_empty() {
        return Ok(Vec::new());
    }
    // Where trees share inodes with their files, each of their entries is a name too.
    let links = if store.style == LinkStyle::Hardlink { tx.doomed_links()? } else { HashMap::new() };
    let mut shared = Vec::new();
    for (id, hash, kind) in linked {
        let own = 1 + links.get(&id).copied().unwrap_or(0);
        if store.names_of(kind, hash)? > own {
            shared.push(id);
        }
    }
    Ok(shared)
}
