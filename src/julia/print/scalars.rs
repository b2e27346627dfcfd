//! Keys and single values, as TOML.jl writes them and can read them.

use std::fmt::Write as _;

use chrono::NaiveDate;
use toml::value::{Date, Datetime, Offset, Time};

/// TOML.jl takes a year with a leading zero for a time of day, and fails.
const YEARS: std::ops::RangeInclusive<u16> = 1000..=9999;

/// Writes a key bare where TOML allows it.
pub(super) fn push_key(text: &mut String, key: &str) {
    let bare = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if !key.is_empty() && key.bytes().all(bare) {
        text.push_str(key);
    } else {
        push_quoted(text, key);
    }
}

/// Writes a string on one line.
///
/// TOML.jl reads `\u` with four digits as TOML says, but `\U` with six; it is never needed.
pub(super) fn push_quoted(text: &mut String, content: &str) {
    text.push('"');
    for c in content.chars() {
        match c {
            '\u{8}' => text.push_str("\\b"),
            '\t' => text.push_str("\\t"),
            '\n' => text.push_str("\\n"),
            '\u{c}' => text.push_str("\\f"),
            '\r' => text.push_str("\\r"),
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            c if c.is_control() => push(text, format_args!("\\u{:04x}", u32::from(c))),
            c => text.push(c),
        }
    }
    text.push('"');
}

/// Writes the fewest digits that give the number back, as Julia does: `0.0001`, `1.0e-5`, `1.0e6`.
pub(super) fn push_float(text: &mut String, number: f64) {
    if number.is_nan() {
        return text.push_str("nan");
    }
    if number.is_infinite() {
        return text.push_str(if number > 0.0 { "+inf" } else { "-inf" });
    }
    let size = number.abs();
    if size == 0.0 || (1e-4..1e6).contains(&size) {
        return push(text, format_args!("{number:?}"));
    }
    let shortest = format!("{number:e}");
    let (digits, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    let point = if digits.contains('.') { "" } else { ".0" };
    push(text, format_args!("{digits}{point}e{exponent}"));
}

/// Writes a date, a time of day or both; says why TOML.jl could not read it.
pub(super) fn push_datetime(text: &mut String, value: &Datetime) -> Result<(), String> {
    match (value.date, value.time, value.offset) {
        (_, _, Some(Offset::Custom { .. })) => Err("Julia cannot read a time with an offset from UTC".to_owned()),
        (Some(date), Some(time), offset) => {
            push_date(text, date)?;
            text.push('T');
            push_time(text, time)?;
            text.push_str(if offset.is_some() { "Z" } else { "" });
            Ok(())
        }
        (Some(date), None, None) => push_date(text, date),
        (None, Some(time), None) => push_time(text, time),
        _ => Err("it is neither a date nor a time of day".to_owned()),
    }
}

fn push_date(text: &mut String, date: Date) -> Result<(), String> {
    let Date { year, month, day } = date;
    if !YEARS.contains(&year) {
        return Err(format!("Julia cannot read the year {year}, only 1000 to 9999"));
    }
    if NaiveDate::from_ymd_opt(year.into(), month.into(), day.into()).is_none() {
        return Err(format!("there is no day {year}-{month:02}-{day:02}"));
    }
    push(text, format_args!("{year}-{month:02}-{day:02}"));
    Ok(())
}

/// Julia takes the digits of a fraction for milliseconds, so `.5` would be 5 ms: three or none.
fn push_time(text: &mut String, time: Time) -> Result<(), String> {
    const NANOS: u32 = 1_000_000;
    let (hour, minute, second) = (time.hour, time.minute, time.second.unwrap_or(0));
    if hour > 23 || minute > 59 || second > 59 {
        return Err(format!("Julia cannot read the time {hour:02}:{minute:02}:{second:02}"));
    }
    push(text, format_args!("{hour:02}:{minute:02}:{second:02}"));
    match time.nanosecond {
        None => {}
        Some(nanos) if nanos % NANOS == 0 && nanos / NANOS < 1000 => push(text, format_args!(".{:03}", nanos / NANOS)),
        Some(_) => return Err("Julia keeps no more than whole milliseconds".to_owned()),
    }
    Ok(())
}

/// Writes formatted text.
pub(super) fn push(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    text.write_fmt(arguments).expect("writing to a string cannot fail");
}
