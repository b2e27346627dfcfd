//! Points in time, spans of time, and the one place that reads the clock.
//!
//! Why: ages decide what gc may take, so time must be a value that tests can fix and that is read
//! once an operation.
//! Guarantees: integer UTC milliseconds; arithmetic saturates; text is RFC 3339.
//! Must not know: what the times are used for.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::{DateTime, NaiveDate, NaiveTime, SecondsFormat, Utc};
use serde::{Serialize, Serializer};

/// A point in time: milliseconds since 1970-01-01 00:00 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Wraps milliseconds since 1970-01-01 00:00 UTC.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Takes a time as the system gives it for a file: seconds since 1970-01-01 00:00 UTC, and nanoseconds.
    pub(crate) const fn from_system(seconds: i64, nanoseconds: i64) -> Self {
        Self(seconds.saturating_mul(1_000).saturating_add(nanoseconds / 1_000_000))
    }

    /// Returns the milliseconds since 1970-01-01 00:00 UTC.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Returns the time `span` later, or the last one there is.
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(millis(span)))
    }

    /// Returns the time `span` earlier, or the first one there is.
    #[must_use]
    pub fn minus(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(millis(span)))
    }

    /// Returns how long ago `earlier` was; nothing if it is yet to come.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match DateTime::<Utc>::from_timestamp_millis(self.0) {
            Some(time) => f.pad(&time.to_rfc3339_opts(SecondsFormat::Millis, true)),
            None => write!(f, "{} ms", self.0),
        }
    }
}

/// The text was not an RFC 3339 time such as `2026-01-31T12:00:00Z`, nor a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a time is written like `2026-01-31` or `2026-01-31T12:00:00Z`")]
pub struct ParseTimestampError;

impl FromStr for Timestamp {
    type Err = ParseTimestampError;

    /// Parses RFC 3339; a date alone is its first moment in UTC.
    fn from_str(text: &str) -> Result<Self, ParseTimestampError> {
        if let Ok(time) = DateTime::parse_from_rfc3339(text) {
            return Ok(Self(time.timestamp_millis()));
        }
        // chrono would take a year of any length, and signs.
        let is_date = text.len() == "2026-01-31".len() && text.bytes().next().is_some_and(|b| b.is_ascii_digit());
        let date = is_date.then(|| text.parse::<NaiveDate>().ok()).flatten().ok_or(ParseTimestampError)?;
        Ok(Self(date.and_time(NaiveTime::MIN).and_utc().timestamp_millis()))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Where an operation learns what time it is.
#[derive(Debug, Clone, Default)]
pub enum Clock {
    /// The machine's clock.
    #[default]
    System,
    /// A clock that stands still until it is set, for tests.
    Fixed(Arc<AtomicI64>),
}

impl Clock {
    /// Returns a clock that stands at `time`; clones of it move together.
    #[must_use]
    pub fn fixed(time: Timestamp) -> Self {
        Self::Fixed(Arc::new(AtomicI64::new(time.as_millis())))
    }

    /// Moves a fixed clock to `time`; the machine's clock is left alone.
    pub fn set(&self, time: Timestamp) {
        if let Self::Fixed(millis) = self {
            millis.store(time.as_millis(), Ordering::SeqCst);
        }
    }

    /// Returns the time it is.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match self {
            #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
            Self::System => Timestamp(Utc::now().timestamp_millis()),
            Self::Fixed(millis) => Timestamp(millis.load(Ordering::SeqCst)),
        }
    }
}

/// The text was not a span such as `90s`, `15m`, `12h`, `7d` or `2w`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a duration is written like `90s`, `15m`, `12h`, `7d` or `2w`")]
pub struct ParseDurationError;

/// Parses a span of time: a whole number and a unit (`s`, `m`, `h`, `d`, `w`), or a bare `0`.
///
/// ```
/// use std::time::Duration;
///
/// assert_eq!(ohmyartifacts::parse_duration("15m")?, Duration::from_secs(900));
/// assert!(ohmyartifacts::parse_duration("15").is_err());
/// # Ok::<(), ohmyartifacts::ParseDurationError>(())
/// ```
///
/// # Errors
/// [`ParseDurationError`] for every other text and for spans that do not fit.
pub fn parse_duration(text: &str) -> Result<Duration, ParseDurationError> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let unit = text.chars().next_back().ok_or(ParseDurationError)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        'w' => 604_800,
        _ => return Err(ParseDurationError),
    };
    let digits = &text[..text.len() - 1];
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(ParseDurationError);
    }
    let count: u64 = digits.parse().map_err(|_| ParseDurationError)?;
    let total = count.checked_mul(seconds).ok_or(ParseDurationError)?;
    Ok(Duration::from_secs(total))
}

/// Returns a span exactly, in the largest unit that divides it: `2w`, `36h`, `90s`. What is below a
/// second is dropped.
#[must_use]
pub fn format_duration(span: Duration) -> String {
    let seconds = span.as_secs();
    let units = [("w", 604_800), ("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];
    match units.iter().find(|(_, unit)| seconds.is_multiple_of(*unit)) {
        Some((name, unit)) if seconds > 0 => format!("{}{name}", seconds / unit),
        _ => "0".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_duration_reads_the_same() {
        for (text, seconds) in [("0", 0), ("2w", 1_209_600), ("30d", 2_592_000), ("36h", 129_600), ("90s", 90)] {
            assert_eq!(format_duration(Duration::from_secs(seconds)), text);
            assert_eq!(parse_duration(text), Ok(Duration::from_secs(seconds)));
        }
    }

    #[test]
    fn durations_take_a_number_and_a_unit() {
        assert_eq!(parse_duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_duration("2w"), Ok(Duration::from_secs(1_209_600)));
        assert_eq!(parse_duration("0"), Ok(Duration::ZERO));
        for bad in
            ["", "d", "7", "-1d", "+1d", "1.5h", "7 d", "1y", "99999999999999999999s", "9999999999999999999w", "7日"]
        {
            assert_eq!(parse_duration(bad), Err(ParseDurationError), "{bad:?}");
        }
    }

    #[test]
    fn times_print_as_they_parse() {
        let text = "2026-01-31T12:00:00.250Z";
        let time: Timestamp = text.parse().expect("valid");
        assert_eq!(time.to_string(), text);
        assert_eq!("2026-01-31T13:00:00.250+01:00".parse(), Ok(time));
        assert_eq!("2026-01-31".parse::<Timestamp>(), "2026-01-31T00:00:00Z".parse());
        for bad in ["yesterday", "2026-02-30", "2026-1-31", "+026-01-31", "2026-01-31 12:00", ""] {
            assert!(bad.parse::<Timestamp>().is_err(), "{bad}");
        }
    }

    #[test]
    fn ages_never_turn_negative() {
        let early = Timestamp::from_millis(1_000);
        let late = Timestamp::from_millis(5_000);
        assert_eq!(late.since(early), Duration::from_secs(4));
        assert_eq!(early.since(late), Duration::ZERO);
        assert_eq!(early.minus(Duration::MAX), Timestamp::from_millis(1_000 - i64::MAX));
    }
}
