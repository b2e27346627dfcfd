//! Stretches of time by which people sort what lies about.

use std::time::Duration;

use serde::{Serialize, Serializer};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How long ago something was last used, roughly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AgeBand {
    /// Less than a day.
    Today,
    /// A day to a week.
    Week,
    /// A week to 30 days.
    Month,
    /// 30 to 90 days.
    Quarter,
    /// 90 days to a year.
    Year,
    /// A year (365 days) or longer.
    Older,
}

impl AgeBand {
    /// All of them, youngest first.
    pub const ALL: [Self; 6] = [Self::Today, Self::Week, Self::Month, Self::Quarter, Self::Year, Self::Older];

    /// Returns the one an age belongs to.
    #[must_use]
    pub fn of(age: Duration) -> Self {
        let days = |days: u32| DAY * days;
        match age {
            age if age < days(1) => Self::Today,
            age if age < days(7) => Self::Week,
            age if age < days(30) => Self::Month,
            age if age < days(90) => Self::Quarter,
            age if age < days(365) => Self::Year,
            _ => Self::Older,
        }
    }

    /// Returns the words for it, such as `7d to 30d`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Today => "under 1d",
            Self::Week => "1d to 7d",
            Self::Month => "7d to 30d",
            Self::Quarter => "30d to 90d",
            Self::Year => "90d to 365d",
            Self::Older => "365d or more",
        }
    }
}

impl Serialize for AgeBand {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
