//! Usage by owner: of all of them in one pass, or of one by what it reaches.

use std::collections::{BTreeSet, HashMap};

use crate::cache::usage::divide::{Division, Group, Held, Holders, Share, divide};
use crate::cache::{OwnerUsage, Usage};
use crate::error::Result;
use crate::index::{BoundObject, NamedOwner, ReadTx};
use crate::model::OwnerId;

/// What can be counted without following edges.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    bindings: u64,
    artifacts: u64,
}

/// Counts what each owner of one index holds; with `merged`, the versions of a key as one.
pub(in crate::cache) fn usage_of(tx: &ReadTx<'_>, merged: bool) -> Result<Usage> {
    let (owners, group_of) = grouped(tx.owners_by_key()?, merged);
    let pairs = pairs(tx, &group_of)?;
    let counts = counts(&pairs, owners.len());
    let Division { shares, stored_bytes, unreached_bytes } = divide(tx, &Holders::new(pairs), owners.len())?;
    let rows = owners.iter().zip(counts).zip(shares);
    Ok(Usage {
        stored_bytes,
        logical_bytes: tx.logical_bytes()?,
        orphan_bytes: unreached_bytes,
        since: None,
        owners: rows
            .map(|((owner, counts), share)| OwnerUsage::of(owner, counts.bindings, counts.artifacts, share))
            .collect(),
    })
}

/// Counts what one owner holds; a row only if the owner is known. Objects and edges are looked at only as far
/// as it reaches them, but who has bound what is read altogether: that is little, and faster than asking for
/// each tree that has something in common.
pub(in crate::cache) fn usage_of_one(tx: &ReadTx<'_>, owner: &OwnerId) -> Result<Usage> {
    let owners = tx.owners_by_key()?;
    let mut rows = Vec::new();
    if let Some(at) = owners.iter().position(|named| named.owner == *owner) {
        let pairs = pairs(tx, &owners.iter().enumerate().map(|(at, named)| (named.id, at)).collect())?;
        let mine: Vec<(i64, Group)> =
            pairs.iter().filter(|(_, group)| *group == at).map(|(object, _)| (*object, 0)).collect();
        let share = share_of(tx, (owners[at].id, at), &Holders::new(pairs), owners.len())?;
        let counts = counts(&mine, 1)[0];
        rows.push(OwnerUsage::of(&owners[at], counts.bindings, counts.artifacts, share));
    }
    Ok(Usage {
        stored_bytes: tx.stored_bytes()?,
        logical_bytes: tx.logical_bytes()?,
        orphan_bytes: tx.unowned_bytes()?,
        since: None,
        owners: rows,
    })
}

/// Gives each owner its group, by key and version; the versions of a key have one if they are merged.
fn grouped(owners: Vec<NamedOwner>, merged: bool) -> (Vec<NamedOwner>, HashMap<i64, Group>) {
    let mut groups: Vec<NamedOwner> = Vec::new();
    let mut group_of = HashMap::new();
    for owner in owners {
        let id = owner.id;
        match groups.last_mut().filter(|last| merged && last.owner.key() == owner.owner.key()) {
            Some(last) => last.last_seen_at = last.last_seen_at.max(owner.last_seen_at),
            None if merged => groups.push(NamedOwner { owner: owner.owner.without_version(), ..owner }),
            None => groups.push(owner),
        }
        group_of.insert(id, groups.len() - 1);
    }
    (groups, group_of)
}

/// Returns what is bound, each with the group of who has bound it.
fn pairs(tx: &ReadTx<'_>, group_of: &HashMap<i64, Group>) -> Result<Vec<(i64, Group)>> {
    let pair = |bound: &BoundObject| group_of.get(&bound.owner).map(|group| (bound.object, *group));
    Ok(tx.bound_objects()?.iter().filter_map(pair).collect())
}

fn counts(pairs: &[(i64, Group)], groups: usize) -> Vec<Counts> {
    let mut counts = vec![Counts::default(); groups];
    for (_, group) in pairs {
        counts[*group].bindings += 1;
    }
    let artifacts: BTreeSet<&(i64, Group)> = pairs.iter().collect();
    for (_, group) in artifacts {
        counts[*group].artifacts += 1;
    }
    counts
}

/// Weighs what the owner of a row reaches, which is a group.
fn share_of(tx: &ReadTx<'_>, (row, mine): (i64, Group), holders: &Holders, groups: usize) -> Result<Share> {
    let mut share = Share::default();
    let mut held = Held::new(holders, groups);
    tx.each_held_by(row, |object, trees| {
        let holding = held.holding(object.id, trees);
        let place = holding.partition_point(|group| *group < mine) as u64;
        share.add(object, place, holding.len() as u64);
    })?;
    Ok(share)
}

impl OwnerUsage {
    /// Puts a row together from what was counted.
    pub(in crate::cache) fn of(owner: &NamedOwner, bindings: u64, artifacts: u64, share: Share) -> Self {
        Self {
            owner: owner.owner.key().to_owned(),
            version: owner.owner.version().map(str::to_owned),
            bindings,
            artifacts,
            files: share.files,
            total_bytes: share.total(),
            exclusive_bytes: share.exclusive,
            shared_bytes: share.shared,
            fair_bytes: share.fair,
            last_seen_at: owner.last_seen_at,
            was: None,
            grown_bytes: None,
            space: None,
        }
    }
}
