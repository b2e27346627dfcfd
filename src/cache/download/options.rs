//! How long and how often a transfer is tried.

use std::time::Duration;

use crate::fetch::Errand;

/// How long and how often a transfer is tried, and what is sent along.
///
/// ```
/// use std::time::Duration;
/// use ohmyartifacts::TransferOptions;
///
/// let hasty = TransferOptions::new().retries(1).timeout(Duration::from_secs(10)).max_size(Some(1 << 30));
/// ```
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct TransferOptions(Errand);

impl TransferOptions {
    /// What suits most: five retries, a minute's patience, no limit on the size.
    pub fn new() -> Self {
        Self::default()
    }

    /// A header to send along, such as `Authorization`: to the hosts that were named, and to no other. It is
    /// never written down.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.0.headers.push((name.into(), value.into()));
        self
    }

    /// How often a transfer that makes no progress is tried again (5 times by default).
    pub fn retries(mut self, retries: u32) -> Self {
        self.0.retries = retries;
        self
    }

    /// The pause before a transfer is tried again (half a second by default); each further one is twice as
    /// long, up to a minute. A server that names a time itself gets it.
    pub fn backoff(mut self, pause: Duration) -> Self {
        self.0.backoff = pause;
        self
    }

    /// How long nothing, or next to nothing, may come before a transfer has failed (a minute by default).
    pub fn timeout(mut self, stall: Duration) -> Self {
        self.0.stall = stall.max(Duration::from_millis(1));
        self
    }

    /// How many bytes are taken at most.
    pub fn max_size(mut self, bytes: Option<u64>) -> Self {
        self.0.most = bytes;
        self
    }

    pub(super) const fn errand(&self) -> &Errand {
        &self.0
    }
}
