//! One rule about size at work: lists what may go, in the order in which it goes, and takes one after the
//! other until the limit holds.

use std::collections::{BTreeMap, HashMap};

use crate::cache::gc::GcLimit;
use crate::cache::gc::grounds::Ground;
use crate::cache::gc::report::GcHeldBack;
use crate::cache::gc::room::gauge::{Gauge, Reach};
use crate::cache::gc::select::Selecting;
use crate::error::Result;
use crate::index::{Gone, Protection, ReadTx, Use};
use crate::model::{Class, GcRule, LinkStyle, ObjectKind};
use crate::time::Timestamp;

/// An owner with a soft budget, and what its bindings reach.
struct Budget {
    soft: u64,
    reach: Reach,
}

/// An artifact that may go.
struct Candidate {
    object: i64,
    kind: ObjectKind,
    class: Class,
    since: Timestamp,
    orphan: bool,
    /// The bindings the rule is about. None of an orphan.
    bindings: Vec<Use>,
    /// Whether bindings that the rule is not about keep it as well.
    others: bool,
}

/// One rule at work.
struct Enforcing<'s, 'a> {
    selecting: &'s mut Selecting<'a>,
    rule: &'s GcRule,
    reason: &'static str,
    gauge: Gauge,
    budgets: HashMap<i64, Budget>,
    young_since: Timestamp,
    held_back: GcHeldBack,
}

pub(super) fn enforce(selecting: &mut Selecting<'_>, rule: &GcRule, reason: &'static str, gauge: Gauge) -> Result<()> {
    let young_since = selecting.ages.young_since(rule);
    let held_back = GcHeldBack::default();
    let budgets = HashMap::new();
    let mut enforcing = Enforcing { selecting, rule, reason, gauge, budgets, young_since, held_back };
    let before;
    if enforcing.gauge.holds() && !enforcing.gauge.is_about_names() {
        before = enforcing.gauge.level();
    } else {
        let candidates = enforcing.candidates()?;
        before = enforcing.gauge.level();
        enforcing.take(candidates)?;
    }
    let limit = enforcing.limit(before);
    selecting.limits.push(limit);
    Ok(())
}

impl Enforcing<'_, '_> {
    fn tx(&self) -> &ReadTx<'_> {
        self.selecting.tx
    }

    fn limit(&self, before_bytes: u64) -> GcLimit {
        GcLimit {
            rule: self.rule.to_string(),
            limit_bytes: self.gauge.limit(),
            before_bytes,
            after_bytes: self.gauge.level(),
            reached: self.gauge.holds(),
            held_back: self.held_back,
        }
    }

    /// Lists what may go, in the order in which it goes, and takes the measure of owners.
    fn candidates(&mut self) -> Result<Vec<Candidate>> {
        let mut by_object: BTreeMap<i64, Candidate> = BTreeMap::new();
        let uses = self.tx().all_uses()?;
        self.note_budgets(&uses)?;
        for found in uses {
            let ours = self.is_about(&found);
            if let (true, Gauge::Held { reach, .. }) = (ours, &mut self.gauge) {
                reach.add(&self.selecting.tx.reach_of(found.object)?);
            }
            let candidate = by_object.entry(found.object).or_insert_with(|| Candidate {
                object: found.object,
                kind: found.artifact.kind,
                class: found.class,
                since: Timestamp::from_millis(i64::MIN),
                orphan: false,
                bindings: Vec::new(),
                others: false,
            });
            candidate.others |= !ours;
            if ours {
                candidate.since = candidate.since.max(found.used_at);
                candidate.bindings.push(found);
            }
        }
        let mut candidates: Vec<Candidate> =
            by_object.into_values().filter(|candidate| !candidate.bindings.is_empty()).collect();
        if !self.gauge.is_about_names() {
            candidates.extend(self.orphans()?);
        }
        candidates.sort_by_key(|candidate| (!candidate.orphan, candidate.class, candidate.since, candidate.object));
        Ok(candidates)
    }

    fn is_about(&self, found: &Use) -> bool {
        let owner = Some(&found.owner);
        self.rule.is_about(owner, found.class) && self.selecting.ages.policy.is_open_to(owner)
    }

    /// Orphans that wait for their time. Of those somebody let go the owner counts.
    fn orphans(&self) -> Result<Vec<Candidate>> {
        let mut orphans = Vec::new();
        for waiting in self.tx().waiting_orphans()? {
            let owner = self.tx().orphan(waiting.id)?.and_then(|orphan| orphan.owner);
            let open = self.selecting.ages.policy.is_open_to(owner.as_ref());
            if open && self.rule.is_about(owner.as_ref(), waiting.class) {
                orphans.push(Candidate {
                    object: waiting.id,
                    kind: waiting.kind,
                    class: waiting.class,
                    since: waiting.orphaned_at,
                    orphan: true,
                    bindings: Vec::new(),
                    others: false,
                });
            }
        }
        Ok(orphans)
    }

    fn note_budgets(&mut self, uses: &[Use]) -> Result<()> {
        for (owner, soft) in self.tx().soft_budgets()? {
            let mut reach = Reach::default();
            for found in uses.iter().filter(|found| found.owner_row == owner) {
                reach.add(&self.tx().reach_of(found.object)?);
            }
            self.budgets.insert(owner, Budget { soft, reach });
        }
        Ok(())
    }

    fn is_over_budget(&self, candidate: &Candidate) -> bool {
        candidate
            .bindings
            .iter()
            .any(|binding| self.budgets.get(&binding.owner_row).is_some_and(|budget| budget.reach.bytes > budget.soft))
    }

    fn take(&mut self, candidates: Vec<Candidate>) -> Result<()> {
        let mut open = Vec::with_capacity(candidates.len());
        for candidate in candidates {
            if self.may_go(&candidate)? {
                open.push(candidate);
            }
        }
        let (orphans, bound): (Vec<Candidate>, Vec<Candidate>) =
            open.into_iter().partition(|candidate| candidate.orphan);
        let left = self.take_while(orphans, |_, _| true)?;
        let bound = self.take_while(bound, Self::is_over_budget)?;
        let mut left = left;
        left.extend(self.take_while(bound, |_, _| true)?);
        // A file goes only after the last directory that has it.
        loop {
            let before = left.len();
            left = self.take_while(left, |_, _| true)?;
            if left.len() == before || self.gauge.holds() {
                break;
            }
        }
        if !self.gauge.holds() {
            self.held_back.shared += left.len() as u64;
        }
        Ok(())
    }

    /// Takes candidates until the rule holds; returns those that stay.
    fn take_while(
        &mut self,
        candidates: Vec<Candidate>,
        wanted: impl Fn(&Self, &Candidate) -> bool,
    ) -> Result<Vec<Candidate>> {
        let mut left = Vec::new();
        for candidate in candidates {
            if self.gauge.holds() || !wanted(self, &candidate) {
                left.push(candidate);
            } else if let Some(candidate) = self.take_one(candidate)? {
                left.push(candidate);
            }
        }
        Ok(left)
    }

    fn may_go(&mut self, candidate: &Candidate) -> Result<bool> {
        let held = if candidate.class == Class::Irreplaceable {
            &mut self.held_back.irreplaceable
        } else if candidate.since > self.young_since {
            &mut self.held_back.young
        } else {
            match self.selecting.tx.protection(candidate.object, self.selecting.ages.now)? {
                Some(Protection::Pin) => &mut self.held_back.pinned,
                Some(Protection::Lease | Protection::Claim) => &mut self.held_back.leased,
                Some(Protection::Trash) => &mut self.held_back.shared,
                None => return Ok(true),
            }
        };
        *held += 1;
        Ok(false)
    }

    /// Takes an artifact, or lets go the names the rule is about. Returns it if that cannot be.
    fn take_one(&mut self, candidate: Candidate) -> Result<Option<Candidate>> {
        let (tx, now) = (self.selecting.tx, self.selecting.ages.now);
        if candidate.others && !self.gauge.is_about_names() {
            return Ok(Some(candidate));
        }
        candidate.bindings.iter().try_for_each(|binding| tx.set_let_go(binding.binding))?;
        let was_due = candidate.orphan && tx.is_due(candidate.object)?;
        if candidate.orphan {
            tx.set_due(candidate.object)?;
        }
        let gone = tx.doom_one(candidate.object, candidate.kind, now)?;
        if gone.is_empty() && !self.gauge.is_about_names() {
            candidate.bindings.iter().try_for_each(|binding| tx.set_kept(binding.binding))?;
            if candidate.orphan && !was_due {
                tx.set_not_due(candidate.object)?;
            }
            return Ok(Some(candidate));
        }
        self.account(&candidate, &gone)?;
        let whole = !self.gauge.is_about_names();
        let ground = Ground { reason: self.reason, rule: self.rule.to_string(), whole };
        if candidate.orphan {
            self.selecting.grounds.insert(candidate.object, ground.clone());
        }
        for binding in candidate.bindings {
            self.selecting.let_go(binding, ground.clone(), whole);
        }
        Ok(None)
    }

    fn account(&mut self, candidate: &Candidate, gone: &[Gone]) -> Result<()> {
        let counted = candidate.bindings.iter().any(|binding| self.budgets.contains_key(&binding.owner_row));
        let reached =
            if counted || self.gauge.is_about_names() { self.tx().reach_of(candidate.object)? } else { Vec::new() };
        for binding in &candidate.bindings {
            if let Some(budget) = self.budgets.get_mut(&binding.owner_row) {
                budget.reach.remove(&reached);
            }
        }
        let freed = gone.iter().map(|gone| self.leaves_the_disk(gone)).sum::<Result<u64>>()?;
        match &mut self.gauge {
            Gauge::Stored { now, .. } => *now -= gone.iter().map(|gone| gone.bytes).sum::<u64>(),
            Gauge::Free { now, .. } => *now = now.saturating_add(freed),
            Gauge::Held { reach, .. } => candidate.bindings.iter().for_each(|_| reach.remove(&reached)),
        }
        Ok(())
    }

    /// Returns the bytes that come free with an object: none if it has a name outside of the store.
    fn leaves_the_disk(&self, gone: &Gone) -> Result<u64> {
        let Some(store) = self.selecting.seen.store.filter(|_| gone.linked) else { return Ok(gone.bytes) };
        let entries = if store.style == LinkStyle::Hardlink { self.tx().doomed_links_of(gone.id)? } else { 0 };
        let shared = store.names_of(gone.kind, gone.hash)? > 1 + entries;
        Ok(if shared { 0 } else { gone.bytes })
    }
}
