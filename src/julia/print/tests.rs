use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::json;
use toml::value::{Date, Datetime, Offset, Time};
use toml::{Table, Value};

use super::{DEEPEST, print};
use crate::error::Error;

/// The TOML files of the depot that the real program wrote: path, text.
fn files_of_julia() -> Vec<(String, String)> {
    let depot = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/julia-depot.tar.gz");
    let packed = std::fs::File::open(depot).expect("the test data are there");
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(packed));
    let mut files = Vec::new();
    for entry in archive.entries().expect("a tar archive") {
        let mut entry = entry.expect("an entry");
        let path = entry.path().expect("a path").into_owned();
        let is_toml = path.extension().is_some_and(|extension| extension == "toml");
        let path = path.to_string_lossy().into_owned();
        if is_toml && path.contains("/0.3/") && entry.header().entry_type().is_file() {
            let mut text = String::new();
            entry.read_to_string(&mut text).expect("UTF-8");
            files.push((path, text));
        }
    }
    assert_eq!(files.len(), 7, "five bindings files and two logs");
    files
}

fn parsed(text: &str) -> Table {
    toml::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn refused(text: &str) -> (String, String) {
    match print(&parsed(text)) {
        Err(Error::Unwritable { key, reason }) => (key, reason),
        other => panic!("{text}: {other:?}"),
    }
}

/// A value as data that tells `1` from `1.0` and NaN from nothing.
fn tagged(value: &Value) -> serde_json::Value {
    match value {
        Value::String(text) => json!(["s", text]),
        Value::Integer(number) => json!(["i", number.to_string()]),
        Value::Float(number) if number.is_nan() => json!(["f", "nan"]),
        Value::Float(number) => json!(["f", format!("{:016x}", number.to_bits())]),
        Value::Boolean(truth) => json!(["b", truth]),
        Value::Datetime(time) => json!(["d", with_millis(time)]),
        Value::Array(items) => json!(["a", items.iter().map(tagged).collect::<Vec<_>>()]),
        Value::Table(table) => tagged_table(table),
    }
}

fn tagged_table(table: &Table) -> serde_json::Value {
    let entries: serde_json::Map<_, _> = table.iter().map(|(key, value)| (key.clone(), tagged(value))).collect();
    json!(["t", entries])
}

/// A time as Python's `isoformat(timespec="milliseconds")` spells it.
fn with_millis(value: &Datetime) -> String {
    let date = value.date.map(|date| date.to_string());
    let time = value.time.map(|time| {
        let (second, nanos) = (time.second.unwrap_or(0), time.nanosecond.unwrap_or(0));
        format!("{:02}:{:02}:{second:02}.{:03}", time.hour, time.minute, nanos / 1_000_000)
    });
    let zone = if value.offset.is_some() { "+00:00" } else { "" };
    let parts: Vec<String> = date.into_iter().chain(time).collect();
    format!("{}{zone}", parts.join("T"))
}

fn text() -> impl Strategy<Value = String> {
    let odd = prop_oneof![
        any::<char>(),
        proptest::char::range('\0', '\u{20}'),
        proptest::char::range('\u{7f}', '\u{a0}'),
        proptest::char::range('!', '~'),
        prop::sample::select(vec!['"', '\\', '\'', '#', '\u{feff}', '\u{2028}', '$', '{', ']'])
    ];
    prop_oneof![
        prop::collection::vec(proptest::char::range('a', 'd'), 1..3).prop_map(String::from_iter),
        prop::collection::vec(odd, 0..6).prop_map(String::from_iter),
        prop::sample::select(vec!["true", "nan", "1", "2022-01-01", "-", "_", "a.b", "a\u{301}", "inf"])
            .prop_map(str::to_owned),
    ]
}

prop_compose! {
    fn date()(year in 1000u16..=9999, month in 1u8..=12, day in 1u8..=28) -> Date {
        Date { year, month, day }
    }
}

prop_compose! {
    fn time()(hour in 0u8..24, minute in 0u8..60, second in 0u8..60, millis in prop::option::of(0u32..1000)) -> Time {
        Time { hour, minute, second: Some(second), nanosecond: millis.map(|millis| millis * 1_000_000) }
    }
}

fn datetime() -> impl Strategy<Value = Datetime> {
    let offset = prop_oneof![Just(None), Just(Some(Offset::Z))];
    prop_oneof![
        date().prop_map(Datetime::from),
        time().prop_map(Datetime::from),
        (date(), time(), offset).prop_map(|(date, time, offset)| Datetime {
            date: Some(date),
            time: Some(time),
            offset
        }),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        text().prop_map(Value::String),
        any::<i64>().prop_map(Value::Integer),
        any::<f64>().prop_map(Value::Float),
        prop::num::f64::ANY.prop_map(Value::Float),
        (-1e7f64..1e7).prop_map(Value::Float),
        any::<bool>().prop_map(Value::Boolean),
        datetime().prop_map(Value::Datetime),
    ];
    leaf.prop_recursive(6, 60, 5, |inner| {
        let entries = prop::collection::vec((text(), inner.clone()), 0..5);
        let tables = entries.prop_map(|entries| Value::Table(entries.into_iter().collect())).boxed();
        prop_oneof![
            tables.clone(),
            prop::collection::vec(tables, 0..4).prop_map(Value::Array),
            prop::collection::vec(inner, 0..5).prop_map(Value::Array),
        ]
    })
}

fn table(most: usize) -> impl Strategy<Value = Table> {
    prop::collection::vec((text(), value()), 0..most).prop_map(|entries| entries.into_iter().collect())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn what_is_printed_reads_as_it_was(table in table(8)) {
        let text = print(&table).expect("writable");
        prop_assert_eq!(tagged_table(&parsed(&text)), tagged_table(&table), "{}", text);
        prop_assert!(!text.contains("\\e") || text.contains("\\\\e"), "TOML 1.0 has no such escape: {}", text);
        prop_assert_eq!(print(&parsed(&text)).expect("writable"), text);
    }

    #[test]
    fn every_control_character_is_escaped(content in text()) {
        let text = print(&Table::from_iter([(content.clone(), Value::String(content))])).expect("writable");
        prop_assert_eq!(text.chars().filter(|c| c.is_control()).collect::<String>(), "\n");
    }
}

#[test]
fn the_files_of_the_real_program_come_out_byte_for_byte() {
    for (path, text) in files_of_julia() {
        let again = print(&parsed(&text)).unwrap_or_else(|error| panic!("{path}: {error}"));
        let differ = again.lines().zip(text.lines()).find(|(ours, theirs)| ours != theirs);
        // One of the files has an empty line at its end.
        let text = format!("{}\n", text.trim_end_matches('\n'));
        assert!(again == text, "{path}: {differ:?}");
    }
}

/// Reads TOML from its input, answers with the tagged data.
const PYTHON: &str = r#"
import datetime, json, math, struct, sys
try:
    import tomllib
except ImportError:
    sys.exit(77)
def tagged(v):
    if isinstance(v, bool): return ["b", v]
    if isinstance(v, str): return ["s", v]
    if isinstance(v, int): return ["i", str(v)]
    if isinstance(v, float): return ["f", "nan" if math.isnan(v) else struct.pack(">d", v).hex()]
    if isinstance(v, list): return ["a", [tagged(x) for x in v]]
    if isinstance(v, dict): return ["t", {k: tagged(x) for k, x in v.items()}]
    if isinstance(v, (datetime.datetime, datetime.time)): return ["d", v.isoformat(timespec="milliseconds")]
    return ["d", v.isoformat()]
json.dump(tagged(tomllib.loads(sys.stdin.buffer.read().decode())), sys.stdout)
"#;

/// What Python's own reader makes of a text; none if there is none on this machine.
fn read_by_python(text: &str) -> Option<serde_json::Value> {
    let python = Command::new("python3").args(["-c", PYTHON]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut python = python.ok()?;
    let written = python.stdin.take().expect("piped").write_all(text.as_bytes());
    let output = python.wait_with_output().expect("it ends");
    if output.status.code() == Some(77) {
        return None;
    }
    written.expect("it reads all");
    assert!(output.status.success(), "tomllib cannot read\n{text}");
    Some(serde_json::from_slice(&output.stdout).expect("JSON"))
}

#[test]
fn pythons_reader_agrees() {
    let mut runner = TestRunner::deterministic();
    let big = prop::collection::vec(table(12), 60).new_tree(&mut runner).expect("generated").current();
    let big = big.into_iter().enumerate().map(|(at, table)| (format!("t {at}"), Value::Table(table))).collect();
    let files = files_of_julia().into_iter().map(|(_, text)| parsed(&text));
    for table in files.chain([big]) {
        let text = print(&table).expect("writable");
        let Some(read) = read_by_python(&text) else {
            println!("SKIPPED: python3 with tomllib (3.11 or later) is not there");
            return;
        };
        assert!(read == tagged_table(&table), "{text}");
    }
}

#[test]
fn what_julia_cannot_read_is_refused_by_name() {
    let cases = [
        ("[a]\nb = 2022-01-01T00:00:00+01:00", "a.b", "offset"),
        ("[a]\nb = 2022-01-01T00:00:00+00:00", "a.b", "offset"),
        ("[a.meta]\nx = [1, {'y z' = 0999-12-31}]", r#"a.meta.x[1]."y z""#, "year 999"),
        ("[[a]]\n[[a]]\nx = 0000-01-01T00:00:00Z", "a[1].x", "year 0"),
        ("x = 2022-01-01T00:00:00.0001Z", "x", "milliseconds"),
        ("x = 00:00:00.123456789", "x", "milliseconds"),
        ("'' = 2016-12-31T23:59:60Z", r#""""#, "23:59:60"),
    ];
    for (text, key, reason) in cases {
        let refused = refused(text);
        assert!(refused.0 == key && refused.1.contains(reason), "{text}: {refused:?}");
    }
}

#[test]
fn times_put_together_by_hand_are_judged_too() {
    let date = Date { year: 2023, month: 2, day: 28 };
    let time = Time { hour: 1, minute: 2, second: Some(3), nanosecond: None };
    let both = Datetime { date: Some(date), time: Some(time), offset: None };
    let bad = [
        Datetime { date: Some(Date { day: 29, ..date }), ..both },
        Datetime { date: Some(Date { month: 13, ..date }), ..both },
        Datetime { date: Some(Date { year: 10_000, ..date }), ..both },
        Datetime { time: Some(Time { hour: 24, ..time }), ..both },
        Datetime { time: Some(Time { minute: 60, ..time }), ..both },
        Datetime { time: Some(Time { nanosecond: Some(1_000_000_000), ..time }), ..both },
        Datetime { date: None, time: None, offset: None },
        Datetime { time: None, offset: Some(Offset::Z), ..both },
        Datetime { date: None, offset: Some(Offset::Z), ..both },
    ];
    for value in bad {
        let table = Table::from_iter([("x".to_owned(), Value::Datetime(value))]);
        assert!(matches!(print(&table), Err(Error::Unwritable { .. })), "{value:?}");
    }
    let short = Datetime::from(Time { second: None, ..time });
    let table = Table::from_iter([("x".to_owned(), Value::Datetime(short))]);
    assert_eq!(print(&table).expect("writable"), "x = 01:02:00\n");
}

#[test]
fn numbers_read_as_julia_prints_them() {
    // Each as Julia's `print` gives it.
    let cases = [
        (100_000.0, "100000.0"),
        (999_999.5, "999999.5"),
        (1e6, "1.0e6"),
        (1_234_567.8, "1.2345678e6"),
        (1e-4, "0.0001"),
        (0.000_12, "0.00012"),
        (0.000_012, "1.2e-5"),
        (5e-324, "5.0e-324"),
        (-1e300, "-1.0e300"),
        (-0.0, "-0.0"),
        (f64::NEG_INFINITY, "-inf"),
        (f64::NAN.copysign(-1.0), "nan"),
    ];
    for (number, text) in cases {
        let table = Table::from_iter([("x".to_owned(), Value::Float(number))]);
        assert_eq!(print(&table).expect("writable"), format!("x = {text}\n"));
    }
}

/// A value so many tables or arrays deep, by turns.
fn nested(depth: usize) -> Value {
    (0..depth).fold(Value::Integer(1), |inner, at| match at % 3 {
        0 => Value::Array(vec![inner]),
        1 => Value::Table(Table::from_iter([("k".to_owned(), inner)])),
        _ => Value::Array(vec![Value::Integer(0), inner]),
    })
}

#[test]
fn what_lies_too_deep_is_refused_and_what_is_not_reads_again() {
    let deep = |depth| Table::from_iter([("x".to_owned(), nested(depth))]);
    let text = print(&deep(DEEPEST - 1)).expect("deep, not too deep");
    assert_eq!(parsed(&text), deep(DEEPEST - 1));
    for depth in [DEEPEST, 1_000] {
        let error = print(&deep(depth)).expect_err("too deep");
        assert!(error.to_string().contains("64 tables and arrays deep"), "{error}");
    }
}

#[test]
fn tables_without_values_have_no_header_and_lists_of_them_are_blocks() {
    let table = parsed("a = {b = {c = {d = 1}, e = [{}, {f = {g = {}}}]}}\nz = [[{h = 'i'}], []]\n");
    let text = "z = [[{h = \"i\"}], []]\n\n[a.b.c]\nd = 1\n\n[[a.b.e]]\n[[a.b.e]]\n\n    [a.b.e.f.g]\n";
    assert_eq!(print(&table).expect("writable"), text);
    assert_eq!(print(&Table::new()).expect("writable"), "");
}
