//! gc in attached spaces: what it would free there, and, where they are written to, freeing it.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::Serialize;

use crate::cache::Cache;
use crate::cache::attached::Mirror;
use crate::cache::gc::{GcItem, Planned, Seen, select};
use crate::cache::liveness::Sightings;
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::event::Event;
use crate::index::SpaceRow;
use crate::julia::PutBack;
use crate::model::{GcPolicy, OwnerId};
use crate::text::printable_path;
use crate::time::Timestamp;

/// What gc frees in an attached space, or would.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AttachedPlan {
    /// The space.
    #[serde(serialize_with = "crate::text::serialize_path")]
    pub space: PathBuf,
    /// Whether this store's gc frees it; else it is for the Julia program to do.
    pub writes: bool,
    /// The artifacts that nobody uses there any more: in a report, those that went.
    pub artifacts: Vec<GcItem>,
    /// Bytes that would leave the disk. In a space they lie in its trash for another hour.
    pub freed_bytes: u64,
    #[serde(skip)]
    pub(crate) all: Vec<Digest>,
}

impl Cache {
    /// Finds what may go in attached spaces.
    pub(crate) fn attached_plans(&self, policy: &GcPolicy) -> Result<Vec<AttachedPlan>> {
        // What one owner has here says nothing about other programs' spaces.
        let mirrors = if policy.only.is_some() { Vec::new() } else { self.mirrors()? };
        let policy = policy.plain();
        mirrors.iter().map(|mirror| self.attached_plan(mirror, &policy)).collect()
    }

    fn attached_plan(&self, mirror: &Mirror, policy: &GcPolicy) -> Result<AttachedPlan> {
        let live = self.live_space(&mirror.space)?;
        let now = self.now();
        // What was bound ages from when a gc notes that it is not any more; only without a delay it goes at once.
        let mut stays = if policy.collect_delay.is_zero() { BTreeSet::new() } else { live.not_noted() };
        let plan = mirror.plan(policy, now, &stays, None)?;
        if !mirror.space.writes {
            return Ok(plan);
        }
        let young = live.too_young(&plan.all, now)?;
        if young.is_empty() {
            return Ok(plan);
        }
        stays.extend(young);
        mirror.plan(policy, now, &stays, None)
    }

    /// Returns what packages bind in the spaces that are written to: to this store's gc it is in use,
    /// whether `sync` has taken the names over or not. Of a space that cannot be seen the last look counts.
    pub(crate) fn claimed(&self) -> Result<Vec<Digest>> {
        let mut spaces = self.read(|tx| tx.spaces())?;
        spaces.retain(|space| space.writes);
        // Nobody looks for packages where nothing hangs on it.
        if spaces.is_empty() {
            return Ok(Vec::new());
        }
        let mut claimed = BTreeSet::new();
        let lapsed = self.lapsed_packages()?;
        for space in &spaces {
            let mirror = match self.mirror(space) {
                Err(error @ (Error::Interrupted | Error::Busy { .. })) => return Err(error),
                Err(_) => self.last_mirror(space)?,
                Ok(mirror) => mirror,
            };
            claimed.extend(mirror.bound(&lapsed)?);
        }
        Ok(claimed.into_iter().collect())
    }

    /// Returns the packages that are gone and whose grace is over. `sync` then unbinds in a space what gc
    /// has let go here.
    fn lapsed_packages(&self) -> Result<BTreeSet<OwnerId>> {
        let sightings = self.look_for_owners()?;
        let (now, grace) = (self.now(), self.owner_grace()?);
        self.read(|tx| {
            let lapsing = sightings.lapsing(tx, now, grace)?;
            let over: BTreeSet<i64> =
                lapsing.into_iter().filter(|(_, since)| *since <= now).map(|(id, _)| id).collect();
            let owners = tx.owners()?.into_iter().filter(|row| over.contains(&row.id));
            Ok(owners.map(|row| row.owner).collect())
        })
    }

    /// Takes out of the spaces that are written to what nobody uses there, and tells what went. It is a
    /// clean-up behind the one here: what fails is said and left for the next run.
    pub(crate) fn collect_attached(&self, plans: &[AttachedPlan], policy: &GcPolicy) -> Vec<AttachedPlan> {
        let policy = &policy.plain();
        plans.iter().map(|plan| if plan.writes { self.carry_out(plan, policy) } else { plan.clone() }).collect()
    }

    fn carry_out(&self, plan: &AttachedPlan, policy: &GcPolicy) -> AttachedPlan {
        let complaint = match self.collect_there(plan, policy) {
            Ok((done, None)) => return done,
            Ok((_, Some(unreadable))) => unreadable,
            Err(error) => error,
        };
        let message = format!("nothing was collected in `{}`: {complaint}", printable_path(&plan.space));
        self.waiting.observer.on(&Event::Warning { message: &message });
        AttachedPlan { artifacts: Vec::new(), freed_bytes: 0, all: Vec::new(), ..plan.clone() }
    }

    /// Returns what went, and what kept all from going.
    fn collect_there(&self, plan: &AttachedPlan, policy: &GcPolicy) -> Result<(AttachedPlan, Option<Error>)> {
        let spaces = self.read(|tx| tx.spaces())?;
        let space = spaces.iter().find(|space| space.root == plan.space && space.writes);
        let Some(space) = space else { return Err(Error::NoSuchPath { path: plan.space.clone() }) };
        let live = self.live_space(space)?;
        live.space().require()?;
        let now = self.now();
        let collected = live.collect(&plan.all, now)?;
        self.tell_put_back(space, &live.empty_trash(now)?.put_back);
        let taken: BTreeSet<Digest> = collected.taken.into_iter().collect();
        let stayed: BTreeSet<Digest> = plan.all.iter().filter(|id| !taken.contains(id)).copied().collect();
        let done = if stayed.is_empty() {
            plan.clone()
        } else {
            let planned = Planned::of(&plan.artifacts);
            self.last_mirror(space)?.plan(policy, now, &stayed, Some(&planned))?
        };
        Ok((done, collected.unreadable.into_iter().next()))
    }
}

impl Cache {
    /// Says what was bound while it lay in a space's trash.
    pub(crate) fn tell_put_back(&self, space: &SpaceRow, back: &PutBack) {
        if let Some(first) = back.ids.first() {
            let (number, place) = (back.ids.len(), printable_path(&space.root));
            let message = format!("{number} of the trash of `{place}` was bound again and is back: {}", first.short());
            self.waiting.observer.on(&Event::Warning { message: &message });
        }
    }
}

impl Mirror {
    /// Selects what may go there, but what stays for reasons the mirror does not know.
    fn plan(
        &self,
        policy: &GcPolicy,
        now: Timestamp,
        stays: &BTreeSet<Digest>,
        planned: Option<&Planned>,
    ) -> Result<AttachedPlan> {
        let stays: Vec<Digest> = stays.iter().copied().collect();
        self.read(|tx| {
            tx.set_claimed(&stays)?;
            let seen = Seen { dead_sessions: &[], sightings: &Sightings::default(), store: None, room: None };
            let plan = select(tx, policy, now, seen, planned)?;
            Ok(AttachedPlan {
                space: self.space.root.clone(),
                writes: self.space.writes,
                artifacts: plan.artifacts,
                freed_bytes: plan.freed_bytes,
                all: tx.doomed_hashes()?,
            })
        })
    }

    /// Returns what packages bind, but those whose bindings count no longer.
    fn bound(&self, lapsed: &BTreeSet<OwnerId>) -> Result<Vec<Digest>> {
        let rows = self.read(|tx| tx.space_bindings(1))?;
        Ok(rows.into_iter().filter(|row| !lapsed.contains(&row.owner)).map(|row| row.hash).collect())
    }
}
