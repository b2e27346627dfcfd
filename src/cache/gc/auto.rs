//! Clean-up that nobody has to think of: after a command that writes, when the last one is long ago.
//!
//! It gives way to everybody: it does nothing while another process is at work, waits for no lock, stops
//! when its time is over and leaves the rest to the next one, and keeps out of attached spaces.

use std::time::{Duration, Instant};

use crate::cache::Cache;
use crate::cache::gc::GcReport;
use crate::error::Result;
use crate::fs::LockFile;
use crate::model::GcPolicy;

impl Cache {
    /// Runs gc if the last run is older than `interval` and no other process is at work, for `at_most`
    /// about; none if it did not run. A run that does not end in time goes on in the next one.
    ///
    /// Open the store with [`CacheOptions::wait`](crate::CacheOptions::wait) of zero, so that it waits for
    /// nobody.
    ///
    /// # Errors
    /// What the index says. Whoever calls this after other work should not fail because of it.
    pub fn auto_gc(&self, policy: &GcPolicy, interval: Duration, at_most: Duration) -> Result<Option<GcReport>> {
        if self.is_read_only() || !self.is_gc_due(interval)? || self.others_are_at_work()? {
            return Ok(None);
        }
        let deadline = Instant::now() + at_most;
        let plan = self.plan_here(policy, None)?;
        let report = self.collect(&plan, Some(deadline))?;
        if !report.unfinished {
            self.write(|tx| tx.set_last_gc())?;
        }
        Ok(Some(report))
    }

    /// A store that was never cleaned up is as old as its last clean-up.
    fn is_gc_due(&self, interval: Duration) -> Result<bool> {
        self.read(|tx| {
            let last = tx.last_gc()?.map_or_else(|| tx.created_at(), Ok)?;
            Ok(last.plus(interval) <= tx.store_time(self.now())?)
        })
    }

    /// Every process at work shares a lock. Ours is given up for the question.
    fn others_are_at_work(&self) -> Result<bool> {
        self.session.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        if !self.store.layout.locks().is_dir() {
            return Ok(false);
        }
        Ok(LockFile::try_exclusive(&self.store.layout.lock("sessions"))?.is_none())
    }
}
