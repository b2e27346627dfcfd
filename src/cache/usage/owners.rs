//! Usage by owner: of all of them in one pass, or of one by what it reaches.

use std::collections::{BTreeSet, HashMap};

use crate::cache::usage::divide::{Division, Group, Holders, Share, divide};
use crate::cache::{OwnerUsage, Usage};
use crate::error::Result;
use crate::index::{BoundObject, NamedOwner, ReadTx, StoredObject};
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
    let bound = tx.bound_objects(None)?;
    let pair = |bound: &BoundObject| group_of.get(&bound.owner).map(|group| (bound.object, *group));
    let pairs: Vec<(i64, Group)> = bound.iter().filter_map(pair).collect();
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

/// Counts what one owner holds, in work that grows with that; a row only if the owner is known.
pub(in crate::cache) fn usage_of_one(tx: &ReadTx<'_>, owner: &OwnerId) -> Result<Usage> {
    let owners = tx.owners_by_key()?;
    let mut rows = Vec::new();
    if let Some(mine) = owners.iter().find(|named| named.owner == *owner) {
        let order: HashMap<i64, usize> = owners.iter().enumerate().map(|(at, named)| (named.id, at)).collect();
        let bound: Vec<(i64, Group)> = tx.bound_objects(Some(mine.id))?.iter().map(|bound| (bound.object, 0)).collect();
        let share = share_of(tx.holders_beside(mine.id)?, order[&mine.id], &order);
        let counts = counts(&bound, 1)[0];
        rows.push(OwnerUsage::of(mine, counts.bindings, counts.artifacts, share));
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

/// Weighs objects of one owner, which come with all their holders, object by object.
fn share_of(held: Vec<(StoredObject, i64)>, mine: usize, order: &HashMap<i64, usize>) -> Share {
    let mut share = Share::default();
    for object in held.chunk_by(|(a, _), (b, _)| a.id == b.id) {
        let holders: BTreeSet<usize> = object.iter().filter_map(|(_, owner)| order.get(owner).copied()).collect();
        let place = holders.range(..mine).count() as u64;
        share.add(object[0].0, place, holders.len() as u64);
    }
    share
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
