//! What usage was at an earlier time, and by how much it has grown.
//!
//! Samples are taken by clean-up and, once a day, by commands that write. A sample that could not be
//! taken is one less to compare with, never an error of the command.

use std::collections::HashMap;
use std::time::Duration;

use serde::Serialize;

use crate::cache::usage::{usage_of, usage_of_one};
use crate::cache::{Cache, OwnerUsage, Usage};
use crate::error::{Error, Result};
use crate::index::{OwnerSample, ReadTx, StoreSample};
use crate::model::OwnerId;
use crate::time::Timestamp;

/// Above so many objects it takes longer than the user of another command should wait.
const QUICK: u64 = 500_000;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// What an owner held at an earlier time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct UsageSample {
    /// Bytes of everything it reached.
    pub total_bytes: u64,
    /// Of these, what no other owner reached.
    pub exclusive_bytes: u64,
    /// Its fair share.
    pub fair_bytes: u64,
}

/// What the store held at an earlier time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UsageSince {
    /// When that was noted.
    pub at: Timestamp,
    /// Bytes stored then.
    pub stored_bytes: u64,
    /// By how many bytes the store has grown since.
    pub grown_bytes: i64,
    /// The owners that held something then and are not known any more.
    pub gone: Vec<GoneOwner>,
}

/// An owner that is not known any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GoneOwner {
    /// Its key.
    pub owner: String,
    /// Its version.
    pub version: Option<String>,
    /// What it held.
    pub was: UsageSample,
}

impl Cache {
    /// Counts what owners hold in this store, or one of them, and what they held when usage was last noted
    /// before `since`; if it never was before, when it was noted first.
    ///
    /// # Errors
    /// [`Error::NoSample`] if usage was never noted.
    pub fn usage_since(&self, since: Timestamp, owner: Option<&OwnerId>) -> Result<Usage> {
        self.read(|tx| {
            let sample = tx.sample_near(since)?.ok_or(Error::NoSample)?;
            let mut usage = match owner {
                Some(owner) => usage_of_one(tx, owner)?,
                None => usage_of(tx, false)?,
            };
            let owners = tx.owners_at(sample.at)?;
            let meant = owners.into_iter().filter(|then| owner.is_none_or(|owner| then.owner == *owner));
            compare(&mut usage, sample, meant.collect());
            Ok(usage)
        })
    }

    /// Notes what every owner holds now, if the last note is not of the last 24 hours and the store is not
    /// so large that it would take long. Tells whether it did.
    ///
    /// # Errors
    /// What the index says; [`Error::Busy`] at once if another process writes.
    pub fn sample_usage_daily(&self) -> Result<bool> {
        if self.is_read_only() {
            return Ok(false);
        }
        let now = self.now();
        let is_due = self.read(|tx| {
            let is_due = tx.last_sample()?.is_none_or(|last| last.plus(DAY) <= now);
            Ok(is_due && tx.objects_at_most()? <= QUICK)
        })?;
        if is_due {
            self.sample_usage()?;
        }
        Ok(is_due)
    }

    /// Notes what every owner holds now, so that growth can be told later.
    ///
    /// # Errors
    /// What the index says; [`Error::Busy`] at once if another process writes.
    pub fn sample_usage(&self) -> Result<()> {
        let usage = self.read(|tx| usage_of(tx, false))?;
        let now = self.read(|tx: &ReadTx<'_>| tx.store_time(self.now()))?;
        let store = StoreSample {
            at: now,
            stored_bytes: usage.stored_bytes,
            logical_bytes: usage.logical_bytes,
            orphan_bytes: usage.orphan_bytes,
        };
        let owners = usage.owners.iter().map(sample_of).collect::<Result<Vec<_>>>()?;
        self.index.write_if_idle(now, |tx| tx.put_sample(store, &owners))
    }
}

fn sample_of(row: &OwnerUsage) -> Result<OwnerSample> {
    Ok(OwnerSample {
        owner: OwnerId::new(&row.owner, row.version.as_deref())?,
        total_bytes: row.total_bytes,
        exclusive_bytes: row.exclusive_bytes,
        fair_bytes: row.fair_bytes,
    })
}

fn compare(usage: &mut Usage, store: StoreSample, owners: Vec<OwnerSample>) {
    let mut then: HashMap<(String, Option<String>), UsageSample> = owners.into_iter().map(keyed).collect();
    for row in &mut usage.owners {
        row.was = then.remove(&(row.owner.clone(), row.version.clone()));
        row.grown_bytes = Some(growth(row.was.map_or(0, |was| was.total_bytes), row.total_bytes));
    }
    let mut gone: Vec<GoneOwner> = then
        .into_iter()
        .filter(|(_, was)| was.total_bytes > 0)
        .map(|((owner, version), was)| GoneOwner { owner, version, was })
        .collect();
    gone.sort_by(|a, b| (&a.owner, &a.version).cmp(&(&b.owner, &b.version)));
    usage.since = Some(UsageSince {
        at: store.at,
        stored_bytes: store.stored_bytes,
        grown_bytes: growth(store.stored_bytes, usage.stored_bytes),
        gone,
    });
}

fn keyed(sample: OwnerSample) -> ((String, Option<String>), UsageSample) {
    let key = (sample.owner.key().to_owned(), sample.owner.version().map(str::to_owned));
    let OwnerSample { total_bytes, exclusive_bytes, fair_bytes, .. } = sample;
    (key, UsageSample { total_bytes, exclusive_bytes, fair_bytes })
}

fn growth(then: u64, now: u64) -> i64 {
    i64::try_from(i128::from(now) - i128::from(then)).unwrap_or(i64::MAX)
}
