//! gc in attached spaces: what it would free there, and, where they are written to, freeing it.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::Serialize;

use crate::cache::Cache;
use crate::cache::attached::Mirror;
use crate::cache::gc::{GcItem, GcPolicy, Seen, select};
use crate::cache::liveness::Sightings;
use crate::digest::Digest;
use crate::error::Result;
use crate::event::Event;

/// What gc would free in an attached space.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AttachedPlan {
    /// The space.
    #[serde(serialize_with = "crate::text::serialize_path")]
    pub space: PathBuf,
    /// Whether this store's gc frees it; else it is for the Julia program to do.
    pub writes: bool,
    /// The artifacts that nobody uses there any more.
    pub artifacts: Vec<GcItem>,
    /// Bytes that would leave the disk. In a space they lie in its trash for another hour.
    pub freed_bytes: u64,
    #[serde(skip)]
    pub(crate) all: Vec<Digest>,
}

impl Cache {
    /// Finds what may go in attached spaces.
    pub(crate) fn attached_plans(&self, policy: &GcPolicy) -> Result<Vec<AttachedPlan>> {
        self.mirrors()?.iter().map(|mirror| self.attached_plan(mirror, policy)).collect()
    }

    fn attached_plan(&self, mirror: &Mirror, policy: &GcPolicy) -> Result<AttachedPlan> {
        mirror.read(|tx| {
            let seen = Seen { dead_sessions: &[], sightings: &Sightings::default(), store: None };
            let plan = select(tx, policy, self.now(), seen, None)?;
            Ok(AttachedPlan {
                space: mirror.space.root.clone(),
                writes: mirror.space.writes,
                artifacts: plan.artifacts,
                freed_bytes: plan.freed_bytes,
                all: tx.doomed_hashes()?,
            })
        })
    }

    /// Returns what packages bind in the spaces that are written to: to this store's gc it is in use,
    /// whether `sync` has taken the names over or not.
    pub(crate) fn claimed(&self) -> Result<Vec<Digest>> {
        let mut claimed = BTreeSet::new();
        for space in self.read(|tx| tx.spaces())?.iter().filter(|space| space.writes) {
            let mirror = self.mirror(space)?;
            claimed.extend(mirror.bound()?);
        }
        Ok(claimed.into_iter().collect())
    }

    /// Takes out of the spaces that are written to what is gone here and what nobody uses there.
    /// It is a clean-up behind the one here: what fails is said and left for the next run.
    pub(crate) fn collect_attached(&self, gone: &[Digest], plans: &[AttachedPlan]) {
        let spaces = self.read(|tx| tx.spaces()).unwrap_or_default();
        for space in spaces.iter().filter(|space| space.writes) {
            let unused = plans.iter().filter(|plan| plan.space == space.root).flat_map(|plan| &plan.all);
            let victims: BTreeSet<Digest> = gone.iter().chain(unused).copied().collect();
            let victims: Vec<Digest> = victims.into_iter().collect();
            let now = self.now();
            let outcome = self.live_space(space).and_then(|live| {
                let collected = live.collect(&victims, now)?;
                live.empty_trash(now)?;
                Ok(collected)
            });
            let complaint = match outcome {
                Ok(collected) => collected.unreadable.first().map(ToString::to_string),
                Err(error) => Some(error.to_string()),
            };
            if let Some(complaint) = complaint {
                let message = format!("nothing was collected in `{}`: {complaint}", space.root.display());
                self.waiting.observer.on(&Event::Warning { message: &message });
            }
        }
    }
}

impl Mirror {
    fn bound(&self) -> Result<Vec<Digest>> {
        let rows = self.read(|tx| tx.space_bindings(1))?;
        Ok(rows.into_iter().map(|row| row.hash).collect())
    }
}
