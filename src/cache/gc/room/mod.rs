//! Makes room: takes bound artifacts, one after the other, until rules about size hold.
//!
//! The order is part of the interface. First go orphans that wait for their time, the oldest first; then
//! what owners above their soft budget have bound, while they are above it; then the rest. Within each,
//! what can be fetched again goes before what can be built again, and of these what nobody has used for
//! longest goes first. What nobody knows how to get back never goes, nor what is pinned, leased or too
//! young. Totals are exact though files are shared: each is counted as long as anything that stays has it.

mod gauge;
mod take;

use crate::cache::gc::room::gauge::{Gauge, Reach};
use crate::cache::gc::room::take::enforce;
use crate::cache::gc::select::{MAX_SIZE, MIN_FREE, Selecting};
use crate::error::Result;
use crate::model::{GcPolicy, GcRule};

/// Tells whether a policy has rules about size.
pub(super) fn needs_room(policy: &GcPolicy) -> bool {
    policy.rules.iter().any(|rule| rule.max_size.is_some() || rule.min_free.is_some())
}

/// Makes rules about size hold: first those about some owners or a class, then those about all, then what
/// is to be free on the disk.
pub(super) fn make_room(selecting: &mut Selecting<'_>) -> Result<()> {
    let rules = &selecting.ages.policy.rules;
    let (all, some): (Vec<&GcRule>, Vec<&GcRule>) =
        rules.iter().filter(|rule| rule.max_size.is_some()).partition(|rule| rule.is_about_all());
    for rule in some.into_iter().chain(all) {
        let most = rule.max_size.unwrap_or(u64::MAX);
        let gauge = if rule.is_about_all() {
            Gauge::Stored { most, now: selecting.tx.staying_bytes()? }
        } else {
            Gauge::Held { most, reach: Reach::default() }
        };
        enforce(selecting, rule, MAX_SIZE, gauge)?;
    }
    for rule in rules.iter().filter(|rule| rule.min_free.is_some()) {
        if let Some(gauge) = free_gauge(selecting, rule)? {
            enforce(selecting, rule, MIN_FREE, gauge)?;
        }
    }
    Ok(())
}

/// Nothing comes free by what is kept in the trash: where the disk is too full there is none, and what
/// lies there from earlier runs goes first.
fn free_gauge(selecting: &mut Selecting<'_>, rule: &GcRule) -> Result<Option<Gauge>> {
    let (Some(room), Some(wanted)) = (selecting.seen.room, rule.min_free) else { return Ok(None) };
    let least = wanted.of(room.total);
    let tx = selecting.tx;
    let free = |selecting: &Selecting<'_>| -> Result<u64> {
        let freed = if selecting.trash.is_some() { 0 } else { tx.doomed_totals()?.bytes };
        Ok(room.free.saturating_add(freed).saturating_add(tx.purged_bytes()?))
    };
    if free(selecting)? < least {
        selecting.trash = None;
    }
    for run in tx.trash_runs()? {
        if free(selecting)? >= least {
            break;
        }
        if !selecting.purges.contains(&run.id) {
            selecting.purges.push(run.id);
            tx.set_over(&[run.id])?;
            // All of them again: a file of an earlier run may have waited for a directory of this one.
            tx.purge(&selecting.purges)?;
            tx.doom_purged_blobs(selecting.ages.now)?;
        }
    }
    Ok(Some(Gauge::Free { least, now: free(selecting)? }))
}
