//! Says of what could go, but for what protects it, why it stays and until when.

use crate::cache::gc::GcSpared;
use crate::cache::gc::select::OWNER_GONE;
use crate::error::Result;
use crate::index::{ReadTx, Spared};
use crate::model::GcPolicy;
use crate::time::Timestamp;

/// Returns what no binding reaches, unless of owners that are gone, and was not selected; and what is
/// idle and protected.
pub(super) fn kept(
    tx: &ReadTx<'_>,
    policy: &GcPolicy,
    now: Timestamp,
    mut idle: Vec<GcSpared>,
) -> Result<Vec<GcSpared>> {
    let mut kept = Vec::new();
    for spared in tx.spared(now)? {
        kept.push(keep(tx, spared, policy)?);
    }
    idle.sort_by_key(|idle| (idle.hash, idle.kind));
    idle.dedup_by_key(|idle| (idle.hash, idle.kind));
    idle.retain(|idle| !kept.iter().any(|known| (known.hash, known.kind) == (idle.hash, idle.kind)));
    kept.extend(idle);
    Ok(kept)
}

fn keep(tx: &ReadTx<'_>, spared: Spared, policy: &GcPolicy) -> Result<GcSpared> {
    let unused_since = spared.orphaned_at.max(spared.lapses_at);
    let (reason, until) = match (spared.pinned, spared.leased, unused_since) {
        (true, _, _) => ("pin", None),
        (_, true, _) => ("lease", spared.lease_until),
        _ if spared.trash_needs => ("trash", None),
        (_, _, Some(since)) => {
            let reason = if spared.lapses_at.is_some() { OWNER_GONE } else { "delay" };
            (reason, Some(collect_after(tx, &spared, policy, since)?))
        }
        // A lease or pin has just run out: the next run notes that, and the delay begins.
        (_, _, None) => ("delay", None),
    };
    Ok(GcSpared { hash: spared.hash, kind: spared.kind, size: spared.size, reason, until })
}

fn collect_after(tx: &ReadTx<'_>, spared: &Spared, policy: &GcPolicy, since: Timestamp) -> Result<Timestamp> {
    if let Some(delay) = policy.common_delay() {
        return Ok(since.plus(delay));
    }
    let owner = tx.orphan(spared.id)?.and_then(|orphan| orphan.owner);
    Ok(since.plus(policy.dead_for(owner.as_ref(), spared.class).0))
}
