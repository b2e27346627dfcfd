//! The keys that hold one span of time, and what they may hold.

use std::time::Duration;

use crate::error::{Error, Result};
use crate::time::parse_duration;

/// The key of the list of rules.
pub(super) const RULES: &str = "gc.rules";
const NEVER: &str = "never";

/// A key that holds one span of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key {
    /// After how long clean-up runs by itself.
    Auto,
    /// How long an orphan stays.
    CollectDelay,
    /// How long the bindings of an owner that is gone count.
    OwnerGrace,
    /// How young rules about idleness and size leave alone.
    MinAge,
    /// How long what is removed can be brought back.
    Trash,
    /// How long a lease lasts.
    LeaseDuration,
}

impl Key {
    pub(super) const ALL: [Self; 6] =
        [Self::Auto, Self::CollectDelay, Self::OwnerGrace, Self::MinAge, Self::Trash, Self::LeaseDuration];

    /// Returns the key as it is written.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Auto => "gc.auto",
            Self::CollectDelay => "gc.collect_delay",
            Self::OwnerGrace => "gc.owner_grace",
            Self::MinAge => "gc.min_age",
            Self::Trash => "gc.trash",
            Self::LeaseDuration => "lease.duration",
        }
    }

    pub(super) fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|key| key.name() == name)
    }

    /// Returns what counts where nobody says anything.
    pub(super) fn default_span(self) -> Span {
        const HOUR: u64 = 60 * 60;
        let (text, seconds) = match self {
            Self::Auto | Self::CollectDelay | Self::OwnerGrace => ("7d", 7 * 24 * HOUR),
            Self::MinAge => ("1h", HOUR),
            Self::Trash => ("0", 0),
            Self::LeaseDuration => ("1d", 24 * HOUR),
        };
        Span { text: text.to_owned(), duration: Some(Duration::from_secs(seconds)) }
    }

    /// Reads a value.
    pub(super) fn read(self, text: &str) -> Result<Span> {
        let bad = |reason: String| Error::invalid("duration", text, reason);
        let duration = match (self, text) {
            (Self::Auto, NEVER) => None,
            _ => Some(parse_duration(text).map_err(|error| bad(self.or_never(&error.to_string())))?),
        };
        if self == Self::LeaseDuration && duration.is_some_and(|duration| duration.is_zero()) {
            return Err(bad("a lease that lasts no time protects nothing".to_owned()));
        }
        Ok(Span { text: text.to_owned(), duration })
    }

    fn or_never(self, reason: &str) -> String {
        if self == Self::Auto { format!("{reason}, or it is `{NEVER}`") } else { reason.to_owned() }
    }
}

/// A span of time as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Span {
    pub(super) text: String,
    /// None: never.
    pub(super) duration: Option<Duration>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_read_as_what_they_are() {
        for key in Key::ALL {
            let span = key.default_span();
            assert_eq!(key.read(&span.text).unwrap(), span, "{}", key.name());
        }
    }

    #[test]
    fn only_clean_up_by_itself_can_be_never() {
        assert_eq!(Key::Auto.read("never").unwrap().duration, None);
        assert!(Key::ALL.into_iter().filter(|key| *key != Key::Auto).all(|key| key.read("never").is_err()));
        assert!(Key::LeaseDuration.read("0").is_err() && Key::Trash.read("0").is_ok());
    }
}
