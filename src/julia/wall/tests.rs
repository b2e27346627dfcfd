use std::process::Command;

use chrono::{FixedOffset, NaiveDateTime, Timelike as _};
use proptest::prelude::*;
use toml::value::Datetime;

use super::{Zone, from_julia, resolve, to_julia};
use crate::julia::print::print;
use crate::time::Timestamp;

fn east(minutes: i32) -> Zone {
    Zone::Fixed(FixedOffset::east_opt(minutes * 60).expect("less than a day"))
}

fn read(text: &str, zone: Zone) -> Result<String, String> {
    let value: Datetime = text.parse().expect("a TOML time");
    from_julia(&value, zone).map(|time| time.to_string())
}

fn written(time: Timestamp, zone: Zone) -> Result<String, String> {
    let value = toml::Value::Datetime(to_julia(time, zone)?);
    Ok(print(&toml::Table::from_iter([("t".to_owned(), value)])).expect("writable"))
}

fn time(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

#[test]
fn a_z_is_taken_for_the_clock_on_the_wall() {
    let cases = [
        (0, "2022-03-04T05:06:07.089Z", "2022-03-04T05:06:07.089Z"),
        (330, "2022-03-04T05:06:07.089Z", "2022-03-03T23:36:07.089Z"),
        (765, "2022-03-04T05:06:07Z", "2022-03-03T16:21:07.000Z"),
        (-210, "2022-12-31T23:00:00.1Z", "2023-01-01T02:30:00.100Z"),
        (60, "1000-01-01T00:00:00.000Z", "0999-12-31T23:00:00.000Z"),
        // Without the `Z` it is local time even by TOML's word.
        (60, "2022-03-04T05:06:07", "2022-03-04T04:06:07.000Z"),
    ];
    for (minutes, wall, utc) in cases {
        assert_eq!(read(wall, east(minutes)), Ok(utc.to_owned()));
    }
}

#[test]
fn a_fraction_is_one_and_is_cut_to_milliseconds() {
    for (fraction, millis) in
        [(".5", ".500"), (".05", ".050"), (".005", ".005"), (".0009", ".000"), (".123456789", ".123")]
    {
        let read = read(&format!("2022-03-04T05:06:07{fraction}Z"), east(0));
        assert_eq!(read, Ok(format!("2022-03-04T05:06:07{millis}Z")));
    }
}

#[test]
fn what_julia_does_not_write_is_no_time() {
    let bad = [
        "2022-03-04",
        "05:06:07.089",
        "2022-03-04T05:06:07+01:00",
        "2022-03-04T05:06:07+00:00",
        "0999-12-31T23:59:59Z",
        "0000-01-01T00:00:00Z",
        "2016-12-31T23:59:60Z",
    ];
    for text in bad {
        assert!(read(text, east(0)).is_err(), "{text}");
        assert!(read(text, Zone::Local).is_err(), "{text}");
    }
}

#[test]
fn three_digits_of_fraction_are_written_always() {
    assert_eq!(written(time("2022-03-03T23:36:07Z"), east(330)).as_deref(), Ok("t = 2022-03-04T05:06:07.000Z\n"));
    assert_eq!(written(time("2022-03-03T23:36:07.5Z"), east(-210)).as_deref(), Ok("t = 2022-03-03T20:06:07.500Z\n"));
}

#[test]
fn years_are_judged_by_the_clock_on_the_wall() {
    let (first, last) = (time("1000-01-01T00:00:00Z"), time("9999-12-31T23:59:59.999Z"));
    assert!(written(first, east(0)).is_ok() && written(last, east(0)).is_ok());
    assert!(written(first, east(-1)).is_err() && written(last, east(1)).is_err());
    let before = Timestamp::from_millis(first.as_millis() - 1);
    assert!(written(before, east(0)).is_err() && written(before, east(1)).is_ok());
    for millis in [i64::MIN, i64::MAX, -62_167_219_200_001, 253_402_400_000_000] {
        for zone in [Zone::Local, east(0), east(14 * 60), east(-12 * 60)] {
            assert!(to_julia(Timestamp::from_millis(millis), zone).is_err(), "{millis}");
        }
    }
    for zone in [Zone::Local, east(14 * 60)] {
        assert!(read("1000-01-01T00:00:00Z", zone).is_ok() && read("9999-12-31T23:59:59.999Z", zone).is_ok());
    }
}

fn naive(text: &str) -> NaiveDateTime {
    text.parse().expect("a time")
}

/// Clocks that are put forward and back at two times in UTC, to and from `summer` seconds ahead.
fn clock(forward: &str, back: &str, winter: i32, summer: i32) -> impl Fn(NaiveDateTime) -> i32 + Copy {
    let (forward, back) = (naive(forward), naive(back));
    move |utc| if forward <= utc && utc < back { summer } else { winter }
}

#[test]
fn hours_shown_twice_or_never_are_the_earlier_ones() {
    let berlin = clock("2024-03-31T01:00:00", "2024-10-27T01:00:00", 3600, 7200);
    let cases = [
        ("2024-03-31T01:59:59.999", "2024-03-31T00:59:59.999"),
        ("2024-03-31T02:00:00", "2024-03-31T00:00:00"),
        ("2024-03-31T02:30:00", "2024-03-31T00:30:00"),
        ("2024-03-31T03:00:00", "2024-03-31T01:00:00"),
        ("2024-07-01T12:00:00", "2024-07-01T10:00:00"),
        ("2024-10-27T01:59:59", "2024-10-26T23:59:59"),
        ("2024-10-27T02:00:00", "2024-10-27T00:00:00"),
        ("2024-10-27T02:59:59.999", "2024-10-27T00:59:59.999"),
        ("2024-10-27T03:00:00", "2024-10-27T02:00:00"),
    ];
    for (wall, utc) in cases {
        assert_eq!(resolve(naive(wall), berlin), Some(naive(utc)), "{wall}");
    }
    let chatham = clock("2024-09-28T14:00:00", "2025-04-05T14:00:00", 45_900, 49_500);
    assert_eq!(resolve(naive("2025-04-06T03:15:00"), chatham), Some(naive("2025-04-05T13:30:00")));
    assert_eq!(resolve(naive("2024-09-29T03:00:00"), chatham), Some(naive("2024-09-28T13:15:00")));
    // Samoa left out a whole day.
    let samoa = clock("2011-12-30T10:00:00", "2099-01-01T00:00:00", -36_000, 50_400);
    assert_eq!(resolve(naive("2011-12-30T12:00:00"), samoa), Some(naive("2011-12-29T22:00:00")));
    assert_eq!(resolve(naive("2011-12-31T00:00:00"), samoa), Some(naive("2011-12-30T10:00:00")));
    assert_eq!(resolve(naive("2011-12-29T23:59:59"), samoa), Some(naive("2011-12-30T09:59:59")));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_reads_as_it_was(millis in -30_000_000_000_000i64..253_000_000_000_000, minutes in -1439..1440) {
        let (time, zone) = (Timestamp::from_millis(millis), east(minutes));
        let value = to_julia(time, zone).expect("in range");
        prop_assert_eq!(from_julia(&value, zone), Ok(time));
    }

    #[test]
    fn a_time_read_is_never_later_than_it_was(hours in 0i64..9_000, second in 0u32..3600) {
        let berlin = clock("2024-03-31T01:00:00", "2024-10-27T01:00:00", 3600, 7200);
        let start = naive("2024-01-01T00:00:00").with_second(second % 60).expect("a second");
        let utc = start + chrono::TimeDelta::hours(hours) + chrono::TimeDelta::minutes((second / 60).into());
        let wall = utc + chrono::TimeDelta::seconds(berlin(utc).into());
        let read = resolve(wall, berlin).expect("in range");
        let late = (utc - read).num_seconds();
        let twice = wall >= naive("2024-10-27T02:00:00") && wall < naive("2024-10-27T03:00:00");
        prop_assert!(late == 0 || (twice && late == 3600), "{} {}", utc, read);
    }
}

/// Names the time in UTC that the process below must read from one time on the wall.
const EXPECTED: &str = "OMA_TEST_EXPECTED_UTC";

#[test]
fn the_machines_zone_counts() {
    let wall = "2024-07-01T12:00:00.250Z";
    if let Ok(expected) = std::env::var(EXPECTED) {
        assert_eq!(read(wall, Zone::Local), Ok(expected.clone()));
        assert_eq!(written(time(&expected), Zone::Local), Ok(format!("t = {wall}\n")));
        return;
    }
    // A zone is the process's own, so each needs one.
    let zones = [
        ("UTC0", "2024-07-01T12:00:00.250Z"),
        ("CET-1CEST,M3.5.0,M10.5.0/3", "2024-07-01T10:00:00.250Z"),
        ("IST-5:30", "2024-07-01T06:30:00.250Z"),
        ("<+1245>-12:45<+1345>,M9.5.0/2:45,M4.1.0/3:45", "2024-06-30T23:15:00.250Z"),
        ("NST3:30NDT,M3.2.0,M11.1.0", "2024-07-01T14:30:00.250Z"),
    ];
    for (zone, expected) in zones {
        let own = std::env::current_exe().expect("this test");
        let name = "julia::wall::tests::the_machines_zone_counts";
        let status = Command::new(own).args(["--exact", name]).env("TZ", zone).env(EXPECTED, expected).output();
        let output = status.expect("it runs");
        assert!(output.status.success(), "{zone}: {}", String::from_utf8_lossy(&output.stdout));
        assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"), "{zone}: the test was not found");
    }
}
