//! What gc would free: now, days from now, and of what nobody has used for days.
//!
//! Guarantees: the plans are made by the same code as those that are carried out, all of one state of the
//! index; nothing changes.

use std::time::Duration;

use serde::Serialize;

use crate::cache::Cache;
use crate::cache::gc::GcPlan;
use crate::cache::gc::plan::Look;
use crate::cache::gc::select::{select, weigh};
use crate::error::Result;
use crate::index::ReadTx;
use crate::model::{GcPolicy, GcRule};
use crate::time::Timestamp;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// What a run of gc would come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct GcYield {
    /// How many objects would go.
    pub deleted_artifacts: u64,
    /// The files among them.
    pub deleted_files: u64,
    /// Bytes that would leave the disk.
    pub freed_bytes: u64,
    /// Bytes that would go into the trash.
    pub trashed_bytes: u64,
}

/// What gc would free after so many days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct GcForecast {
    /// How many.
    pub days: u32,
    /// What gc takes in so many days by the store's own policy, if nobody uses the store until then.
    pub by_then: GcYield,
    /// What `gc --unused-for` so many days takes now, beside what it takes anyway.
    pub if_unused: GcYield,
}

/// The plans of one state of the index.
pub(in crate::cache) struct Outlook {
    pub(in crate::cache) now: GcPlan,
    pub(in crate::cache) forecasts: Vec<GcForecast>,
}

/// What must be known before the transaction in which plans are made.
pub(in crate::cache) struct Prospect {
    policy: GcPolicy,
    look: Look,
}

impl Cache {
    /// Reads the store's policy and looks at the world outside of the index.
    pub(in crate::cache) fn prospect(&self) -> Result<Prospect> {
        let policy = self.config()?.gc_policy();
        let look = self.look_around(&policy)?;
        Ok(Prospect { policy, look })
    }

    /// Makes the plans.
    pub(in crate::cache) fn outlook(
        &self,
        tx: &ReadTx<'_>,
        prospect: &Prospect,
        now: Timestamp,
        days: &[u32],
    ) -> Result<Outlook> {
        let seen = prospect.look.seen(self, tx)?;
        let forecast = |days: &u32| {
            let span = DAY * *days;
            let rule = GcRule { unused_for: Some(span), ..GcRule::default() };
            let by_then = weigh(tx, &prospect.policy, now.plus(span), seen)?;
            let if_unused = weigh(tx, &prospect.policy.clone().first_rule(rule), now, seen)?;
            Ok(GcForecast { days: *days, by_then, if_unused })
        };
        let forecasts = days.iter().map(forecast).collect::<Result<_>>()?;
        Ok(Outlook { now: select(tx, &prospect.policy, now, seen, None)?, forecasts })
    }
}

impl GcYield {
    pub(in crate::cache) fn of(plan: &GcPlan) -> Self {
        let GcPlan { deleted_artifacts, deleted_files, freed_bytes, trashed_bytes, .. } = *plan;
        Self { deleted_artifacts, deleted_files, freed_bytes, trashed_bytes }
    }
}
