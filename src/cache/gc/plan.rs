//! Selects what may go.

use std::collections::HashMap;

use crate::cache::Cache;
use crate::cache::gc::{GcItem, GcPlan, GcSpared};
use crate::cache::liveness::Sightings;
use crate::digest::Digest;
use crate::error::Result;
use crate::index::{Doomed, Horizon, ReadTx, Spared, State};
use crate::model::{GcPolicy, LinkStyle, ObjectKind};
use crate::store::Store;
use crate::time::Timestamp;

/// What the last of its owners was found to be.
const OWNER_GONE: &str = "owner gone";

impl Cache {
    /// Finds what may go, with exact sizes. Changes nothing.
    ///
    /// # Errors
    /// What the index says.
    pub fn gc_plan(&self, policy: &GcPolicy) -> Result<GcPlan> {
        let dead = self.dead_sessions()?;
        let sightings = self.look_for_owners()?;
        let claimed = self.claimed()?;
        let attached = self.attached_plans(policy)?;
        let plan = self.read(|tx| {
            let now = tx.store_time(self.now())?;
            tx.set_claimed(&claimed)?;
            let seen = Seen { dead_sessions: &dead, sightings: &sightings, store: Some(&self.store) };
            select(tx, policy, now, seen, None)
        })?;
        Ok(GcPlan { attached, ..plan })
    }
}

/// What was found outside of the index.
#[derive(Clone, Copy)]
pub(in crate::cache) struct Seen<'a> {
    pub(in crate::cache) dead_sessions: &'a [String],
    pub(in crate::cache) sightings: &'a Sightings,
    /// Where the files lie; none: nobody asks what comes free.
    pub(in crate::cache) store: Option<&'a Store>,
}

/// Runs the selection in any transaction; with `planned`, of these artifacts only.
pub(in crate::cache) fn select(
    tx: &ReadTx<'_>,
    policy: &GcPolicy,
    now: Timestamp,
    seen: Seen<'_>,
    planned: Option<&[(Digest, ObjectKind)]>,
) -> Result<GcPlan> {
    let cutoff = now.minus(policy.collect_delay);
    let lapsing = seen.sightings.lapsing(tx, now, policy.owner_grace)?;
    tx.doom(Horizon { now, cutoff }, seen.dead_sessions, &lapsing, planned)?;
    if let Some(store) = seen.store {
        tx.set_shared(&shared(tx, store)?)?;
    }
    let artifacts = tx.doomed()?.into_iter().map(|doomed| item(tx, doomed)).collect::<Result<_>>()?;
    let totals = tx.doomed_totals()?;
    let kept = tx.spared(now)?.into_iter().map(|spared| keep(spared, policy)).collect();
    let owners_removed = tx.empty_owners(cutoff)?.into_iter().map(|(_, owner)| owner.to_string()).collect();
    Ok(GcPlan {
        artifacts,
        deleted_artifacts: totals.objects,
        deleted_files: totals.files,
        freed_bytes: totals.bytes,
        owners_removed,
        kept,
        attached: Vec::new(),
        policy: policy.clone(),
    })
}

/// Returns which of the files selected have a name outside of the store: those imported by a hard link
/// stay on the disk as long as the source has them.
fn shared(tx: &ReadTx<'_>, store: &Store) -> Result<Vec<i64>> {
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

fn item(tx: &ReadTx<'_>, doomed: Doomed) -> Result<GcItem> {
    Ok(GcItem {
        hash: doomed.hash,
        kind: doomed.kind,
        size: doomed.size,
        freed_bytes: doomed.freed_bytes,
        orphaned_at: doomed.orphaned_at,
        reason: reason(&doomed),
        names: tx.past_names(doomed.hash, doomed.kind)?,
        form: doomed.kind,
    })
}

fn reason(doomed: &Doomed) -> &'static str {
    match doomed.state {
        State::Live if doomed.lapsed_at.is_some() => OWNER_GONE,
        State::Live => "unused",
        State::Partial => "unfinished",
        State::Condemned => "interrupted gc",
    }
}

fn keep(spared: Spared, policy: &GcPolicy) -> GcSpared {
    let unused_since = spared.orphaned_at.max(spared.lapses_at);
    let (reason, until) = match (spared.pinned, spared.leased, unused_since) {
        (true, _, _) => ("pin", None),
        (_, true, _) => ("lease", spared.lease_until),
        (_, _, Some(since)) if spared.lapses_at.is_some() => (OWNER_GONE, Some(since.plus(policy.collect_delay))),
        (_, _, Some(since)) => ("delay", Some(since.plus(policy.collect_delay))),
        // A lease or pin has just run out: the next run notes that, and the delay begins.
        (_, _, None) => ("delay", None),
    };
    GcSpared { hash: spared.hash, kind: spared.kind, size: spared.size, reason, until }
}
