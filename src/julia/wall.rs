//! Times as Julia's programs write them: the clock on the wall, with a `Z` that means nothing.
//!
//! Why: OhMyArtifacts.jl writes `now()`, local time, and TOML.jl puts a `Z` behind any time. Taken
//! at its word an orphan would be hours older or younger than it is.
//! Guarantees: no panic for any input; what a zone's clock showed twice is the earlier time, and
//! what it never showed is the earlier of the two times it can mean; times are written with exactly
//! three digits of fraction; read and written again in one zone a time stands as it stood, unless
//! the clock never showed it.
//! Must not know: which file a time stands in.

use chrono::{DateTime, Datelike as _, FixedOffset, Local, NaiveDate, NaiveDateTime, Offset as _, TimeZone as _};
use chrono::{TimeDelta, Timelike as _};
use toml::value::{Date, Datetime, Offset, Time};

use crate::time::Timestamp;

/// The years that TOML.jl reads.
const YEARS: std::ops::RangeInclusive<i32> = 1000..=9999;
/// Further from a change of the clock than any offset from UTC.
const A_DAY: TimeDelta = TimeDelta::hours(24);

/// Where the clock hangs whose time Julia wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Zone {
    /// On this machine.
    #[default]
    Local,
    /// At a fixed offset from UTC, east positive.
    #[cfg_attr(not(test), expect(dead_code, reason = "only tests hang the clock elsewhere"))]
    Fixed(FixedOffset),
}

impl Zone {
    /// Returns the seconds by which the clock is ahead of UTC, at a time in UTC.
    fn ahead(self, utc: NaiveDateTime) -> i32 {
        match self {
            Self::Local => Local.offset_from_utc_datetime(&utc).fix().local_minus_utc(),
            Self::Fixed(offset) => offset.local_minus_utc(),
        }
    }
}

/// Returns the time a log means: what the clock of `zone` showed, whether a `Z` follows or not.
///
/// A fraction is one: `.5` is half a second, though Julia itself reads it as 5 ms.
///
/// # Errors
/// Why this is no time Julia wrote, fits after "it".
pub(crate) fn from_julia(value: &Datetime, zone: Zone) -> Result<Timestamp, String> {
    let wall = wall_time(value)?;
    let utc = resolve(wall, |utc| zone.ahead(utc)).ok_or("lies out of the range of times")?;
    Ok(Timestamp::from_millis(utc.and_utc().timestamp_millis()))
}

/// Returns what the clock of `zone` shows, to the millisecond and with the `Z` that Julia expects.
///
/// # Errors
/// Why Julia could not read it, fits after "it".
pub(crate) fn to_julia(time: Timestamp, zone: Zone) -> Result<Datetime, String> {
    let unreadable = || format!("lies outside of the years 1000 to 9999 that Julia reads: {time}");
    let utc = DateTime::from_timestamp_millis(time.as_millis()).ok_or_else(unreadable)?.naive_utc();
    // A day more on each side: the year is judged after the offset.
    if !(YEARS.start() - 1..=YEARS.end() + 1).contains(&utc.year()) {
        return Err(unreadable());
    }
    let wall = utc.checked_add_signed(seconds(zone.ahead(utc))).ok_or_else(unreadable)?;
    let year = u16::try_from(wall.year()).ok().filter(|_| YEARS.contains(&wall.year())).ok_or_else(unreadable)?;
    Ok(Datetime {
        date: Some(Date { year, month: small(wall.month()), day: small(wall.day()) }),
        time: Some(Time {
            hour: small(wall.hour()),
            minute: small(wall.minute()),
            second: Some(small(wall.second())),
            nanosecond: Some(wall.nanosecond() / 1_000_000 * 1_000_000),
        }),
        offset: Some(Offset::Z),
    })
}

fn wall_time(value: &Datetime) -> Result<NaiveDateTime, String> {
    let (Some(date), Some(time)) = (value.date, value.time) else {
        return Err("is not a date with a time".to_owned());
    };
    if matches!(value.offset, Some(Offset::Custom { .. })) {
        return Err("has an offset from UTC, which Julia never writes".to_owned());
    }
    let year = i32::from(date.year);
    if !YEARS.contains(&year) {
        return Err(format!("lies in the year {year}, not in 1000 to 9999"));
    }
    let millis = time.nanosecond.unwrap_or(0) / 1_000_000;
    NaiveDate::from_ymd_opt(year, date.month.into(), date.day.into())
        .filter(|_| millis < 1000)
        .and_then(|day| {
            day.and_hms_milli_opt(time.hour.into(), time.minute.into(), time.second.unwrap_or(0).into(), millis)
        })
        .ok_or_else(|| "is no time that a clock shows".to_owned())
}

/// Finds the time in UTC at which a clock showed `wall`.
///
/// `ahead` says how far the clock was ahead at a time in UTC. Only the offsets a day before and a
/// day after count: clocks are not changed twice in two days.
fn resolve(wall: NaiveDateTime, ahead: impl Fn(NaiveDateTime) -> i32) -> Option<NaiveDateTime> {
    let before = ahead(wall.checked_sub_signed(A_DAY)?);
    let after = ahead(wall.checked_add_signed(A_DAY)?);
    // The greater offset gives the earlier time.
    let offsets = [before.max(after), before.min(after)];
    let times = offsets.map(|offset| (offset, wall.checked_sub_signed(seconds(offset))));
    let shown = times.iter().find_map(|(offset, utc)| utc.filter(|utc| ahead(*utc) == *offset));
    shown.or(times[0].1)
}

fn seconds(count: i32) -> TimeDelta {
    TimeDelta::seconds(count.into())
}

/// The parts of a time of day and of a day in a month fit in a byte.
fn small(part: u32) -> u8 {
    u8::try_from(part).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests;
