//! Who uses how much, shared bytes told apart, adding up to the byte.

use std::collections::HashMap;
use std::path::PathBuf;

use serde::Serialize;

use crate::cache::Cache;
use crate::error::Result;
use crate::index::{Holding, ReadTx};
use crate::time::Timestamp;

/// What one owner's bindings take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OwnerUsage {
    /// The owner's key.
    pub owner: String,
    /// Its version, if it has one.
    pub version: Option<String>,
    /// How many names it has bound.
    pub bindings: u64,
    /// How many artifacts those names stand for.
    pub artifacts: u64,
    /// How many stored files they reach, each once.
    pub files: u64,
    /// Bytes of everything they reach, each once.
    pub total_bytes: u64,
    /// Of these, what no other owner reaches: what would come free without this owner.
    pub exclusive_bytes: u64,
    /// Of these, what other owners reach too.
    pub shared_bytes: u64,
    /// Shared bytes divided by the number of owners, plus the exclusive ones.
    pub fair_bytes: u64,
    /// When it last bound something.
    pub last_seen_at: Timestamp,
    /// The attached space it holds this in; none: this store.
    #[serde(serialize_with = "crate::text::serialize_optional_path", skip_serializing_if = "Option::is_none")]
    pub space: Option<PathBuf>,
}

/// What the store takes, and on whose account.
///
/// `stored_bytes` = the owners' `fair_bytes` + `orphan_bytes`, to the byte.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// Bytes of all stored files, each once.
    pub stored_bytes: u64,
    /// Bytes the bindings would take without sharing.
    pub logical_bytes: u64,
    /// Bytes that no owner's binding reaches.
    pub orphan_bytes: u64,
    /// The owners, by key and version.
    pub owners: Vec<OwnerUsage>,
}

impl Cache {
    /// Counts what each owner holds, in attached spaces too.
    ///
    /// # Errors
    /// What the index says.
    pub fn usage(&self) -> Result<Usage> {
        let mut usage = self.read(usage_of)?;
        self.add_attached(&mut usage)?;
        Ok(usage)
    }
}

/// Counts what each owner of one index holds.
pub(super) fn usage_of(tx: &ReadTx<'_>) -> Result<Usage> {
    let counts = tx.counts_by_owner()?;
    let mut split = Split::default();
    tx.holdings(|holding| split.add(holding))?;
    let shares = split.finish();
    let stored_bytes = tx.stored_bytes()?;
    let logical_bytes = counts.iter().map(|owner| owner.logical_bytes).sum();
    let owners: Vec<OwnerUsage> = counts
        .into_iter()
        .map(|counts| {
            let share = shares.get(&counts.id).copied().unwrap_or_default();
            OwnerUsage {
                owner: counts.owner.key().to_owned(),
                version: counts.owner.version().map(str::to_owned),
                bindings: counts.bindings,
                artifacts: counts.artifacts,
                files: share.files,
                total_bytes: share.exclusive + share.shared,
                exclusive_bytes: share.exclusive,
                shared_bytes: share.shared,
                fair_bytes: share.fair,
                last_seen_at: counts.last_seen_at,
                space: None,
            }
        })
        .collect();
    let kept: u64 = owners.iter().map(|owner| owner.fair_bytes).sum();
    Ok(Usage { stored_bytes, logical_bytes, orphan_bytes: stored_bytes - kept, owners })
}

/// One owner's part.
#[derive(Debug, Clone, Copy, Default)]
struct Share {
    files: u64,
    exclusive: u64,
    shared: u64,
    fair: u64,
}

/// Divides each object among those who hold it. Objects arrive one after the other, the holders of
/// each in the order of their keys.
#[derive(Debug, Default)]
struct Split {
    shares: HashMap<i64, Share>,
    current: Vec<Holding>,
}

impl Split {
    fn add(&mut self, holding: Holding) {
        if self.current.first().is_some_and(|first| first.object != holding.object) {
            self.divide();
        }
        self.current.push(holding);
    }

    fn divide(&mut self) {
        let holders = self.current.len() as u64;
        for (place, holding) in (0u64..).zip(self.current.drain(..)) {
            let share = self.shares.entry(holding.owner).or_default();
            share.files += u64::from(holding.is_file);
            if holders == 1 {
                share.exclusive += holding.bytes;
            } else {
                share.shared += holding.bytes;
            }
            // What does not divide evenly goes to the first ones, a byte each.
            share.fair += holding.bytes / holders + u64::from(place < holding.bytes % holders);
        }
    }

    fn finish(mut self) -> HashMap<i64, Share> {
        self.divide();
        self.shares
    }
}
