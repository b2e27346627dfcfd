//! Makes plans: of a policy, or of what is left of an earlier plan.

use crate::cache::Cache;
use crate::cache::gc::select::{Planned, Seen, select};
use crate::cache::gc::{GcItem, GcPlan, GcSkipped};
use crate::cache::liveness::Sightings;
use crate::digest::Digest;
use crate::error::Result;
use crate::fs::{DiskRoom, room};
use crate::index::{Protection, ReadTx, State};
use crate::model::{GcPolicy, ObjectKind};

/// What a look at the world outside of the index found, before a transaction begins.
pub(super) struct Look {
    pub(super) dead_sessions: Vec<String>,
    pub(super) sightings: Sightings,
    claimed: Vec<Digest>,
    room: Option<DiskRoom>,
}

impl Look {
    /// Takes note of it in a transaction.
    pub(super) fn seen<'a>(&'a self, cache: &'a Cache, tx: &ReadTx<'_>) -> Result<Seen<'a>> {
        tx.set_claimed(&self.claimed)?;
        let store = Some(&cache.store);
        Ok(Seen { dead_sessions: &self.dead_sessions, sightings: &self.sightings, store, room: self.room })
    }
}

impl Cache {
    /// Finds what may go, with exact sizes. Changes nothing.
    ///
    /// # Errors
    /// What the index says.
    pub fn gc_plan(&self, policy: &GcPolicy) -> Result<GcPlan> {
        let attached = self.attached_plans(policy)?;
        Ok(GcPlan { attached, ..self.plan_here(policy, None)? })
    }

    /// Finds what of an earlier plan may still go. What became live meanwhile is skipped, and said.
    ///
    /// # Errors
    /// What the index says.
    pub fn gc_replan(&self, earlier: &GcPlan) -> Result<GcPlan> {
        let planned = earlier.planned();
        let plan = self.plan_here(&earlier.policy, Some(&planned))?;
        let skipped = earlier.skipped.iter().chain(&plan.skipped).cloned().collect();
        Ok(GcPlan { skipped, limits: earlier.limits.clone(), attached: earlier.attached.clone(), ..plan })
    }

    /// Finds what may go if these artifacts of a plan stay, and with them their names.
    ///
    /// # Errors
    /// What the index says.
    pub fn gc_keep(&self, plan: &GcPlan, keep: impl Fn(&GcItem) -> bool) -> Result<GcPlan> {
        let mut smaller = plan.clone();
        let kept: Vec<(Digest, ObjectKind)> =
            plan.artifacts.iter().filter(|item| keep(item)).map(|item| (item.hash, item.form)).collect();
        smaller.artifacts.retain(|item| !kept.contains(&(item.hash, item.form)));
        smaller.unbound.retain(|name| !kept.contains(&(name.hash, name.form)));
        self.gc_replan(&smaller)
    }

    pub(super) fn plan_here(&self, policy: &GcPolicy, planned: Option<&Planned>) -> Result<GcPlan> {
        let look = self.look_around(policy)?;
        self.read(|tx| {
            let now = tx.store_time(self.now())?;
            let plan = select(tx, policy, now, look.seen(self, tx)?, planned)?;
            let skipped = match planned {
                Some(planned) => skipped_of(tx, planned, &plan.artifacts, now)?,
                None => Vec::new(),
            };
            Ok(GcPlan { skipped, ..plan })
        })
    }

    /// Looks at what the index does not know; not inside a transaction, for it takes its time.
    pub(super) fn look_around(&self, policy: &GcPolicy) -> Result<Look> {
        let asks_for_room = policy.rules.iter().any(|rule| rule.min_free.is_some());
        Ok(Look {
            dead_sessions: self.dead_sessions()?,
            sightings: self.look_for_owners()?,
            claimed: self.claimed()?,
            room: if asks_for_room { Some(self.disk_room()?) } else { None },
        })
    }

    pub(crate) fn disk_room(&self) -> Result<DiskRoom> {
        match self.given_room {
            Some((free, total)) => Ok(DiskRoom { free, total }),
            None if self.root().exists() => room(self.root()),
            None => Ok(DiskRoom { free: u64::MAX, total: u64::MAX }),
        }
    }
}

/// Returns what a plan named and was not chosen, with the reason.
pub(super) fn skipped_of(
    tx: &ReadTx<'_>,
    planned: &Planned,
    chosen: &[GcItem],
    now: crate::time::Timestamp,
) -> Result<Vec<GcSkipped>> {
    let mut skipped = Vec::new();
    let taken: std::collections::HashSet<(Digest, ObjectKind)> =
        chosen.iter().map(|item| (item.hash, item.form)).collect();
    for (hash, kind) in planned.artifacts.iter().filter(|name| !taken.contains(name)) {
        let live = tx.find_form(*hash, *kind)?.filter(|row| row.state == State::Live);
        let reason = match live {
            None => "gone",
            Some(row) => match tx.protection(row.id, now)? {
                Some(Protection::Pin) => "pin",
                Some(Protection::Lease) => "lease",
                Some(Protection::Claim | Protection::Trash) | None => "in use",
            },
        };
        skipped.push(GcSkipped { hash: *hash, kind: *kind, reason });
    }
    Ok(skipped)
}
