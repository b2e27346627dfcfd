//! Notes when bindings are used, seldom and cheaply.
//!
//! A look-up must neither fail nor wait because a time cannot be written: uses are gathered and
//! written without a flush, at once or not at all, and not more often than every five minutes.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::cache::Cache;
use crate::index::BindingRow;
use crate::time::Timestamp;

/// A last use newer than this is not written again.
const RESOLUTION: Duration = Duration::from_secs(5 * 60);

#[derive(Debug, Default)]
pub(super) struct LastUses {
    pending: Mutex<HashMap<i64, Timestamp>>,
}

impl Cache {
    /// Notes that a binding was used now.
    pub(super) fn note_use(&self, binding: &BindingRow) {
        let now = self.now();
        if binding.last_used_at.is_some_and(|last| now.since(last) < RESOLUTION) {
            return;
        }
        let mut pending = self.uses.pending.lock().unwrap_or_else(PoisonError::into_inner);
        pending.entry(binding.id).or_insert(now);
        let due = pending.values().any(|noted| now.since(*noted) >= RESOLUTION);
        drop(pending);
        if due {
            self.flush_uses();
        }
    }

    /// Writes what was noted, if that is possible right now.
    pub fn flush_uses(&self) {
        let pending = std::mem::take(&mut *self.uses.pending.lock().unwrap_or_else(PoisonError::into_inner));
        if pending.is_empty() || self.is_read_only() {
            return;
        }
        // What fails here is a time less in a listing.
        let _ = self.index.write_if_idle(self.now(), |tx| tx.touch_bindings(pending));
    }
}
