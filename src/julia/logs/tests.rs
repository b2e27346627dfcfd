use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::path::Path;

use chrono::FixedOffset;
use proptest::prelude::*;
use toml::{Table, Value};

use super::{FileKey, MOST_COMPLAINTS, OrphanLog, UsageLog, artifact_of};
use crate::digest::Digest;
use crate::error::Error;
use crate::fs::Disk;
use crate::julia::document::Document;
use crate::julia::print::print;
use crate::julia::space::ScratchSpace;
use crate::julia::wall::Zone;
use crate::time::Timestamp;

const UTC: Zone = Zone::Fixed(FixedOffset::east_opt(0).expect("no offset"));
const INDIA: Zone = Zone::Fixed(FixedOffset::east_opt(19_800).expect("half past five"));
/// Where the depot of the test data lay.
const ROOT: &str = "/home/user/.julia/scratchspaces/cf8be1f4-309d-442e-839d-29d2a0af6cb7/0.3";
const UUID: &str = "aaaaaaaa-1111-4111-8111-111111111111";

/// A file of the test data as text.
fn data(end: &str) -> String {
    let packed = std::fs::File::open(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/julia-depot.tar.gz"));
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(packed.expect("the test data are there")));
    let entries = archive.entries().expect("a tar archive").map(|entry| entry.expect("an entry"));
    let mut found = entries.filter(|entry| entry.path().expect("a path").ends_with(end));
    let mut text = String::new();
    found.next().expect("is there").read_to_string(&mut text).expect("UTF-8");
    text
}

fn usage_text() -> String {
    data("my_artifact_usage.toml")
}

fn orphan_text() -> String {
    data("my_artifact_orphanages.toml")
}

/// What the real program says is in one of its logs, spelt for `root`.
fn state_of_julia(log: &str, root: &str) -> serde_json::Value {
    let text = data("fixture/state.json").replace("<space>", root);
    let mut state: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    state["before_gc"][log].take()
}

/// The log as `state.json` spells it: times as Julia shows them, without `Z` and closing zeros.
fn as_state(table: &Table) -> serde_json::Value {
    let entries = table.iter().map(|(key, value)| {
        let value = match value {
            Value::Table(table) => as_state(table),
            Value::Datetime(_) => {
                let text = print(&Table::from_iter([("t".to_owned(), value.clone())])).expect("writable");
                let time = text.trim_start_matches("t = ").trim_end_matches("Z\n");
                time.trim_end_matches('0').trim_end_matches('.').into()
            }
            other => panic!("{other}"),
        };
        (key.clone(), value)
    });
    serde_json::Value::Object(entries.collect())
}

fn document(text: &str) -> Document {
    Document::parse(Path::new("log.toml"), text).expect("TOML")
}

fn usage(text: &str, root: &str) -> (UsageLog, Vec<String>) {
    let (log, errors) = UsageLog::parse(&document(text), &ScratchSpace::new(Path::new(root)), UTC);
    (log, errors.iter().map(ToString::to_string).collect())
}

fn id(digit: char) -> Digest {
    digit.to_string().repeat(64).parse().expect("hex")
}

fn key(root: &str, digit: char) -> String {
    format!("{root}/artifacts/{digit}{digit}/{}", id(digit))
}

fn time(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn own(version: Option<&str>) -> FileKey {
    FileKey { uuid: UUID.to_owned(), version: version.map(str::to_owned) }
}

fn space(root: &str) -> ScratchSpace {
    ScratchSpace::new(Path::new(root))
}

#[test]
fn the_real_usage_log_is_read_and_written_byte_for_byte() {
    let text = usage_text();
    for (zone, root) in [(UTC, ROOT), (INDIA, ROOT), (Zone::Local, ROOT), (UTC, "/srv/moved é/0.3")] {
        let (log, errors) = UsageLog::parse(&document(&text), &space(root), zone);
        assert!(errors.is_empty(), "{errors:?}");
        assert_eq!((log.ids().count(), log.elsewhere().count()), (451, 0));
        let again = print(&log.to_toml(&space(root), zone).expect("writable")).expect("writable");
        assert!(again == text.replace(ROOT, root));
    }
}

#[test]
fn the_real_usage_log_says_what_the_program_saw() {
    let (log, _) = usage(&usage_text(), "/new/0.3");
    let table = log.to_toml(&space("/new/0.3"), UTC).expect("writable");
    assert!(as_state(&table) == state_of_julia("usage", "/new/0.3"));
    let uses: usize = table
        .values()
        .flat_map(|files| files.as_table().expect("a table").values())
        .map(|names| names.as_table().expect("a table").len())
        .sum();
    assert_eq!(log.entries().count(), uses);
    let forced: Vec<_> = log.entries().filter(|(.., name, _)| *name == "forced-file").collect();
    let file = FileKey {
        uuid: "cccccccc-3333-4333-8333-333333333333".to_owned(),
        version: Some("2.0.0-rc.1+build.5".to_owned()),
    };
    assert!(!forced.is_empty() && forced.iter().all(|(_, found, ..)| **found == file), "{forced:?}");
}

#[test]
fn the_real_orphan_log_is_read_and_written_byte_for_byte() {
    let text = orphan_text();
    for (zone, root) in [(UTC, ROOT), (INDIA, ROOT), (Zone::Local, ROOT), (UTC, "/srv/moved/0.3")] {
        let (log, errors) = OrphanLog::parse(&document(&text), zone);
        assert!(errors.is_empty() && log.entries().count() == 5, "{errors:?}");
        let again = print(&log.to_toml(&space(root), zone).expect("writable")).expect("writable");
        assert_eq!(again, text.replace(ROOT, root));
    }
    let (log, _) = OrphanLog::parse(&document(&text), INDIA);
    let first = "006944b15413b6e66e11f0961a309ec9250a5365c58148f3434ea1148ead1ff1".parse().expect("a hash");
    assert_eq!(log.since(first), Some(time("2026-11-22T05:25:35.848Z")));
}

#[test]
fn the_real_orphan_log_says_what_the_program_saw() {
    let (log, _) = OrphanLog::parse(&document(&orphan_text()), UTC);
    let table = log.to_toml(&space("/new/0.3"), UTC).expect("writable");
    assert_eq!(as_state(&table), state_of_julia("orphanages", "/new/0.3"));
}

#[test]
fn logs_are_read_where_a_space_has_them_and_are_empty_where_not() {
    let dir = tempfile::tempdir().expect("a directory");
    let space = space(dir.path().to_str().expect("UTF-8"));
    assert_eq!(UsageLog::read(&space, UTC).expect("readable").0, UsageLog::default());
    assert_eq!(OrphanLog::read(&space, UTC).expect("readable").0, OrphanLog::default());
    let disk = Disk::default();
    disk.create_dir(&space.logs()).expect("made");
    for (path, text) in [(space.usage_log(), usage_text()), (space.orphan_log(), "torn = ".to_owned())] {
        let mut file = disk.create_file(&path, 0o644).expect("made");
        file.write_all(text.as_bytes()).expect("written");
    }
    assert_eq!(UsageLog::read(&space, UTC).expect("readable").0.ids().count(), 451);
    assert!(matches!(OrphanLog::read(&space, UTC), Err(Error::Toml { line: 1, .. })));
}

#[test]
fn only_the_paths_the_program_spells_name_an_artifact() {
    let (hex, root) = ("ab".repeat(32), "/x/0.3");
    assert_eq!(artifact_of(&format!("{root}/artifacts/ab/{hex}")), Some((root, hex.parse().expect("hex"))));
    assert!(artifact_of(&format!("/artifacts/ab/{hex}")).is_some_and(|(root, _)| root.is_empty()));
    let upper = hex.to_uppercase();
    let bad = [
        format!("{root}/artifacts/ab/{hex}/"),
        format!("{root}/artifacts/ab/{}", &hex[2..]),
        format!("{root}/artifacts/ab/{hex}00"),
        format!("{root}/artifacts/ac/{hex}"),
        format!("{root}/artifacts/a/{hex}"),
        format!("{root}/artifacts//{hex}"),
        format!("{root}/artifacts/AB/{upper}"),
        format!("{root}/artifacts/ab/../{hex}"),
        format!("{root}/artefacts/ab/{hex}"),
        format!("artifacts/ab/{hex}"),
        format!("x/artifacts/ab/{hex}"),
        format!("{root}artifacts/ab/{hex}.lock"),
        "/home/user".to_owned(),
        "/".to_owned(),
        String::new(),
    ];
    for path in bad {
        assert_eq!(artifact_of(&path), None, "{path}");
    }
}

fn hostile_usage() -> String {
    let (a, b, c) = (key("/s/0.3", 'a'), key("/s/0.3", 'b'), key("/s/0.3", 'c'));
    let file = format!("/s/0.3/{UUID}/Artifacts.toml");
    format!(
        "'/home/user' = 2022-01-01T00:00:00Z
'{b}' = 5
['/etc'.'{file}']
passwd = 2022-01-01T00:00:00Z
['{a}'.'{file}']
good = 2022-01-01T00:00:00.000Z
text = 'soon'
offset = 2022-01-01T00:00:00.123456+01:00
['{a}'.'/p/Artifacts.toml']
elsewhere = 2022-01-01T00:00:00.5Z
['{a}']
'/q/Artifacts.toml' = true
['{c}']
"
    )
}

#[test]
fn a_hostile_usage_log_yields_what_is_good_and_loses_nothing() {
    let text = hostile_usage();
    let (log, complaints) = usage(&text, "/s/0.3");
    let good: Vec<_> = log.entries().collect();
    assert_eq!(good, [(id('a'), &own(None), "good", time("2022-01-01T00:00:00Z"))]);
    assert_eq!(log.elsewhere().collect::<Vec<_>>(), [(id('a'), "/p/Artifacts.toml"), (id('a'), "/q/Artifacts.toml")]);
    assert_eq!(log.ids().collect::<Vec<_>>(), [id('a'), id('c')]);
    let lines = ["line 3: skipped: `/etc` is not the path", "line 1: skipped: `/home/user` is not the path"];
    let nested = [
        "skipped: `/q/Artifacts.toml` is not a table",
        "skipped: `offset` has an offset",
        "skipped: `text` is no time",
    ];
    let all: Vec<String> = lines.iter().chain(&nested).map(|text| (*text).to_owned()).collect();
    assert_eq!(complaints.len(), 6, "{complaints:#?}");
    for expected in all {
        assert!(complaints.iter().any(|complaint| complaint.contains(&expected)), "{expected}: {complaints:#?}");
    }
    assert!(complaints.iter().any(|complaint| complaint.contains("line 2:") && complaint.contains("is not a table")));
    assert_eq!(log.to_toml(&space("/s/0.3"), UTC).expect("writable"), *document(&text).table());
}

#[test]
fn a_hostile_orphan_log_yields_what_is_good_and_loses_nothing() {
    let (a, b, c) = (key("/s/0.3", 'a'), key("/s/0.3", 'b'), key("/s/0.3", 'c'));
    let text = format!(
        "'{a}' = 2022-01-01T00:00:00.000Z\n'{b}' = '2022'\n'/home/user' = 2022-01-01T00:00:00Z\n['{c}']\nx = 0999-01-01\n"
    );
    let (log, complaints) = OrphanLog::parse(&document(&text), UTC);
    assert_eq!(log.entries().collect::<Vec<_>>(), [(id('a'), time("2022-01-01T00:00:00Z"))]);
    let complaints: Vec<String> = complaints.iter().map(ToString::to_string).collect();
    assert_eq!(complaints.len(), 3);
    for line in ["line 2: ", "line 3: ", "line 4: "] {
        assert!(complaints.iter().any(|complaint| complaint.contains(line)), "{complaints:?}");
    }
    assert_eq!(log.to_toml(&space("/s/0.3"), UTC).expect("writable"), *document(&text).table());
}

#[test]
fn complaints_are_few_and_short_whatever_a_log_holds() {
    let names: String = (0..5_000).map(|at| at.to_string() + " = 1\n").collect();
    let long = "\\u001b".repeat(100_000);
    let file = format!("/s/0.3/{UUID}/Artifacts.toml");
    let text = format!("[\"{long}\"]\nx = 1\n['{}'.'{file}']\n{names}", key("/s/0.3", 'a'));
    let (log, complaints) = usage(&text, "/s/0.3");
    assert_eq!((complaints.len(), log.entries().count()), (MOST_COMPLAINTS + 1, 0));
    assert!(complaints.iter().all(|complaint| complaint.len() < 1_000));
    assert!(complaints[MOST_COMPLAINTS].contains("4901 more entries"), "{}", complaints[MOST_COMPLAINTS]);
    assert_eq!(log.to_toml(&space("/s/0.3"), UTC).expect("writable"), *document(&text).table());
}

#[test]
fn two_spellings_of_a_moved_space_come_together() {
    let file = format!("{UUID}/Artifacts_v1.0.toml");
    let text = format!(
        "['{}'.'/old/{file}']\nx = 2022-01-01T00:00:00Z\ny = 2022-01-01T00:00:00Z
['{}'.'/new/{file}']\nx = 2021-01-01T00:00:00Z\nz = 2022-01-01T00:00:00Z
['{}'.'/p.toml']\ne = 1\n['{}'.'/p.toml']\nf = 1\n['{}'.'/third/{file}']\ng = 1\n",
        key("/old", 'a'),
        key("/new", 'a'),
        key("/old", 'a'),
        key("/new", 'a'),
        key("/old", 'a'),
    );
    let (log, complaints) = usage(&text, "/new/");
    assert!(complaints.is_empty(), "{complaints:?}");
    let times: BTreeMap<_, _> = log.entries().map(|(.., name, at)| (name, at.to_string())).collect();
    let later = "2022-01-01T00:00:00.000Z".to_owned();
    assert_eq!(times, BTreeMap::from([("x", later.clone()), ("y", later.clone()), ("z", later)]));
    let table = log.to_toml(&space("/new"), UTC).expect("writable");
    assert_eq!(table.keys().collect::<Vec<_>>(), [&key("/new", 'a')]);
    let files = table[&key("/new", 'a')].as_table().expect("a table");
    assert_eq!(files["/p.toml"].as_table().map(Table::len), Some(2));
    assert_eq!(files.keys().collect::<Vec<_>>(), [&format!("/new/{file}"), "/p.toml", &format!("/third/{file}")]);
    let orphans =
        format!("'{}' = 2022-01-01T00:00:00Z\n'{}' = 2021-01-01T00:00:00Z\n", key("/old", 'a'), key("/new", 'a'));
    let (log, _) = OrphanLog::parse(&document(&orphans), UTC);
    assert_eq!(log.since(id('a')), Some(time("2022-01-01T00:00:00Z")));
}

#[test]
fn uses_are_noted_and_forgotten() {
    let (mut log, _) = usage(&hostile_usage(), "/s/0.3");
    let (early, late) = (time("2022-01-01T00:00:00Z"), time("2023-01-01T00:00:00Z"));
    log.note(id('a'), UUID, None, "text", early);
    log.note(id('a'), UUID, None, "text", late);
    log.note(id('b'), UUID, Some("1.2"), "", early);
    assert!(log.entries().any(|entry| entry == (id('a'), &own(None), "text", late)));
    let table = log.to_toml(&space("/s/0.3"), INDIA).expect("writable");
    let written = print(&table[&key("/s/0.3", 'b')].as_table().cloned().expect("a table, no number any more"));
    let expected = format!("\n[\"/s/0.3/{UUID}/Artifacts_v1.2.toml\"]\n\"\" = 2022-01-01T05:30:00.000Z\n");
    assert!(expected.ends_with(written.expect("writable").trim_start()));

    assert!(!log.forget(id('b'), &own(None), "") && !log.forget(id('b'), &own(Some("1.2")), "x"));
    assert!(log.forget(id('b'), &own(Some("1.2")), "") && !log.knows(id('b')));
    for name in ["good", "text", "offset"] {
        assert!(log.forget(id('a'), &own(None), name), "{name}");
    }
    assert!(log.knows(id('a')), "a file elsewhere still uses it");
    assert!(log.forget_id(id('a')) && !log.forget_id(id('a')) && !log.knows(id('a')));
}

#[test]
fn an_orphan_keeps_its_first_time_until_forgotten() {
    let (early, late) = (time("2022-01-01T00:00:00Z"), time("2023-01-01T00:00:00Z"));
    let mut log = OrphanLog::default();
    log.note(id('a'), early);
    log.note(id('a'), late);
    assert_eq!(log.since(id('a')), Some(early));
    assert!(log.forget(id('a')) && !log.forget(id('a')));
    log.note(id('a'), late);
    assert_eq!(log.since(id('a')), Some(late));
}

#[test]
fn what_julia_cannot_read_is_not_written() {
    let mut log = OrphanLog::default();
    log.note(id('a'), time("2022-01-01T00:00:00Z"));
    for root in ["relative/0.3", ""] {
        assert!(matches!(log.to_toml(&space(root), UTC), Err(Error::Unwritable { .. })), "{root}");
    }
    let not_text = <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"/\xff");
    assert!(matches!(log.to_toml(&ScratchSpace::new(Path::new(not_text)), UTC), Err(Error::Unwritable { .. })));
    log.note(id('b'), Timestamp::from_millis(i64::MAX));
    let error = log.to_toml(&space("/s"), UTC).expect_err("no year of four digits");
    assert!(error.to_string().contains(&key("/s", 'b')), "{error}");
    let mut log = UsageLog::default();
    log.note(id('b'), UUID, None, "n", Timestamp::from_millis(i64::MIN));
    assert!(log.to_toml(&space("/s"), UTC).is_err());
}

/// One of these keys with a value, some times over.
fn keyed(keys: Vec<String>, value: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    let entries = prop::collection::vec((prop::sample::select(keys), value), 0..4);
    entries.prop_map(|entries| Value::Table(entries.into_iter().collect()))
}

/// Something like a usage log, of which any part may be something else.
fn likely_usage() -> impl Strategy<Value = Table> {
    let leaf = || {
        prop::sample::select(vec![
            "5",
            "'x'",
            "[]",
            "{}",
            "2022-01-01",
            "2022-01-01T10:00:00.250Z",
            "2021-01-01T10:00:00Z",
        ])
    };
    let leaf = move || leaf().prop_map(|text| document(&format!("v = {text}")).table()["v"].clone());
    let names = || keyed(vec!["n".to_owned(), "m".to_owned(), String::new()], leaf());
    let files = ["/s", "/t", "/third"].map(|root| format!("{root}/{UUID}/Artifacts.toml"));
    let files = files.into_iter().chain(["/p/Artifacts.toml".to_owned(), UUID.to_owned()]).collect();
    let artifacts = vec![key("/s", 'a'), key("/t", 'a'), key("/s", 'b'), "/s/artifacts".to_owned()];
    let uses = prop_oneof![4 => keyed(files, prop_oneof![4 => names(), 1 => leaf()]), 1 => leaf()];
    keyed(artifacts, uses).prop_map(|log| log.as_table().cloned().expect("a table"))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1_000) })]

    #[test]
    fn no_use_is_lost_or_made_by_reading_and_writing(table in likely_usage()) {
        let before = document(&print(&table).expect("writable"));
        let (log, _) = UsageLog::parse(&before, &space("/s"), INDIA);
        let after = document(&print(&log.to_toml(&space("/s"), INDIA).expect("writable")).expect("writable"));
        let (again, _) = UsageLog::parse(&after, &space("/s"), INDIA);
        prop_assert_eq!(again.entries().collect::<Vec<_>>(), log.entries().collect::<Vec<_>>());
        prop_assert_eq!(again.ids().collect::<Vec<_>>(), log.ids().collect::<Vec<_>>());
        let foreign = before.table().iter().filter(|(key, _)| artifact_of(key).is_none());
        for (key, value) in foreign {
            prop_assert_eq!(after.table().get(key), Some(value));
        }
        let (orphans, _) = OrphanLog::parse(&before, INDIA);
        let after = document(&print(&orphans.to_toml(&space("/s"), INDIA).expect("writable")).expect("writable"));
        let (again, _) = OrphanLog::parse(&after, INDIA);
        prop_assert_eq!(again.entries().collect::<Vec<_>>(), orphans.entries().collect::<Vec<_>>());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn a_torn_log_is_an_error_or_the_lines_before_the_tear(at in 0usize..160_000) {
        let text = usage_text();
        let mut at = at.min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        if let Ok(document) = Document::parse(Path::new("log.toml"), &text[..at]) {
            let (log, _) = UsageLog::parse(&document, &space(ROOT), UTC);
            prop_assert!(log.ids().count() <= 451);
        }
    }
}
