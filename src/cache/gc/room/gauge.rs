//! What a rule about size measures, and how far it is from its limit.

use std::collections::HashMap;

/// What a rule measures, and how far it is.
pub(super) enum Gauge {
    /// Everything that is stored.
    Stored { most: u64, now: u64 },
    /// What the bindings that a rule is about reach.
    Held { most: u64, reach: Reach },
    /// What is free on the disk.
    Free { least: u64, now: u64 },
}

impl Gauge {
    pub(super) fn holds(&self) -> bool {
        match self {
            Self::Stored { most, now } => now <= most,
            Self::Held { most, reach } => reach.bytes <= *most,
            Self::Free { least, now } => now >= least,
        }
    }

    pub(super) fn level(&self) -> u64 {
        match self {
            Self::Stored { now, .. } | Self::Free { now, .. } => *now,
            Self::Held { reach, .. } => reach.bytes,
        }
    }

    pub(super) fn limit(&self) -> u64 {
        match self {
            Self::Stored { most, .. } | Self::Held { most, .. } => *most,
            Self::Free { least, .. } => *least,
        }
    }

    /// Tells whether it helps that names are let go while something else keeps what they stand for.
    pub(super) fn is_about_names(&self) -> bool {
        matches!(self, Self::Held { .. })
    }
}

/// What some bindings reach: each object once, however often.
#[derive(Default)]
pub(super) struct Reach {
    counts: HashMap<i64, u32>,
    pub(super) bytes: u64,
}

impl Reach {
    pub(super) fn add(&mut self, objects: &[(i64, u64)]) {
        for (id, bytes) in objects {
            let count = self.counts.entry(*id).or_default();
            *count += 1;
            self.bytes += if *count == 1 { *bytes } else { 0 };
        }
    }

    pub(super) fn remove(&mut self, objects: &[(i64, u64)]) {
        for (id, bytes) in objects {
            let Some(count) = self.counts.get_mut(id) else { continue };
            *count -= 1;
            if *count == 0 {
                self.counts.remove(id);
                self.bytes -= bytes;
            }
        }
    }
}
