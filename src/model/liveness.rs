//! Whether an owner still exists, and how that is known.

use serde::{Serialize, Serializer};

/// Whether an owner still exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Liveness {
    /// Something that proves it was found.
    Alive,
    /// Everything that could prove it was looked at, and nothing did.
    Gone,
    /// Not everything could be looked at. What an owner of unknown state holds is never collected.
    Unknown,
}

impl Liveness {
    /// Returns `alive`, `gone` or `unknown`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Alive => "alive",
            Self::Gone => "gone",
            Self::Unknown => "unknown",
        }
    }
}

impl Serialize for Liveness {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// What a look at an owner found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Whether it exists.
    pub liveness: Liveness,
    /// Why that is thought, as a clause for people; it names the file or folder that decided.
    pub evidence: String,
}

impl Verdict {
    /// Makes a verdict.
    pub fn new(liveness: Liveness, evidence: impl Into<String>) -> Self {
        Self { liveness, evidence: evidence.into() }
    }
}
