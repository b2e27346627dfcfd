//! The public views against the program's other answers, against counts by hand, and through the `sqlite3`
//! program, whose SQLite is older and trusts no schema.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::oma::{Oma, index_rows};
use crate::support::{DAY, make_executable};

const VIEWS: [&str; 7] = ["v1_artifact", "v1_binding", "v1_event", "v1_garbage", "v1_owner", "v1_sharing", "v1_usage"];

/// Everything a view has to tell apart. Five bytes are shared by four owners, so a byte remains; an
/// executable twin; empty files; an orphan that shares a file; what only a lease, only a pin holds.
fn story() -> Oma {
    let oma = Oma::new();
    oma.tree("a", &[("x", "12345"), ("odd", "abc"), ("empty", "")]);
    oma.tree("b", &[("x", "12345"), ("sub/z", "1234567"), ("empty", "")]);
    oma.tree("gone", &[("x", "12345"), ("only", "orphan-only"), ("late", "late")]);
    oma.tree("gone-too", &[("only", "orphan-only"), ("more", "more!")]);
    make_executable(&oma.tree("run", &[("run", "12345")]).join("run"));
    oma.file("leased", "leased");
    oma.file("pinned", "pinned!!");
    oma.file("late", "late");
    oma.ok(&["-o", "alpha", "add", "a", "--bind", "data", "--meta", "k=v \"q\""]);
    oma.ok(&["-o", "beta@1", "add", "b", "--bind", "data"]);
    oma.ok(&["-o", "beta@2", "add", "b", "--bind", "data"]);
    oma.ok(&["-o", "gamma", "add", "a/x", "--bind", "file"]);
    oma.ok(&["-o", "gamma", "add", "run/run", "--bind", "program"]);
    oma.ok(&["-o", "gamma", "add", "run", "--bind", "programs"]);
    oma.ok(&["-o", "beta@1", "create", "--bind", "made", "--", "sh", "-c", "printf made > made"]);
    oma.ok(&["owner", "add", "watched", "--title", "W", "--root", &oma.at("a"), "--soft-budget", "1MB"]);
    oma.pass(DAY);
    for (source, name) in [("gone", "g\"one\n"), ("gone-too", "too"), ("late", "late")] {
        oma.ok(&["-o", "delta", "add", source, "--bind", name]);
        oma.ok(&["-o", "delta", "unbind", name]);
    }
    oma.pass(DAY);
    oma.ok(&["add", "leased"]);
    let pinned = oma.line(&["add", "pinned"]);
    oma.ok(&["pin", &pinned, "--reason", "for good"]);
    oma
}

fn sql(oma: &Oma, query: &str) -> Value {
    oma.json(&["sql", query])
}

fn sum(rows: &Value, key: &str) -> u64 {
    rows.as_array().unwrap().iter().map(|row| row[key].as_u64().unwrap()).sum()
}

#[test]
fn usage_is_what_the_usage_command_says() {
    let oma = story();
    let usage = oma.json(&["usage"]);
    let rows = sql(&oma, "SELECT * FROM v1_usage");
    assert_eq!(rows, usage["owners"]);
    assert_eq!(rows.as_array().unwrap().len(), 6, "one that has let go of everything, and one that never had any");
    // x is 5 bytes of alpha, both betas and gamma: a byte each, and one more for the first by key.
    assert_eq!(
        (&rows[0]["owner"], &rows[0]["exclusive_bytes"], &rows[0]["fair_bytes"]),
        (&json!("alpha"), &json!(3), &json!(3 + 2))
    );
    assert_eq!((&rows[2]["version"], &rows[2]["fair_bytes"]), (&json!("2"), &json!(1 + 3)));
    let stored = usage["stored_bytes"].as_u64().unwrap();
    assert_eq!(sum(&rows, "fair_bytes") + usage["orphan_bytes"].as_u64().unwrap(), stored);
}

#[test]
fn bindings_are_those_that_ls_lists() {
    let oma = story();
    oma.ok(&["path", "gamma:file"]);
    let listed = oma.json(&["ls"]);
    let rows = sql(&oma, "SELECT * FROM v1_binding");
    let (listed, rows) = (listed.as_array().unwrap(), rows.as_array().unwrap());
    assert_eq!(rows.len(), listed.len());
    for row in rows {
        let same = |other: &&Value| ["owner", "version", "name"].iter().all(|key| other[key] == row[key]);
        let other = listed.iter().find(same).unwrap_or_else(|| panic!("{row}"));
        for key in ["hash", "kind", "size", "bound_at", "last_used_at"] {
            assert_eq!(row[key], other[key], "{key} of {row}");
        }
        let meta = row["meta"].as_str().map_or(Value::Null, |meta| serde_json::from_str(meta).unwrap());
        assert_eq!(meta, other["meta"]);
    }
    assert_eq!(sql(&oma, "SELECT name FROM v1_binding WHERE executable")[0], json!({"name": "program"}));
}

#[test]
fn garbage_is_what_gc_would_take() {
    let oma = story();
    let plan = oma.json(&["gc", "-n", "--collect-delay", "0"]);
    let rows = sql(&oma, "SELECT * FROM v1_garbage");
    assert_eq!(sum(&rows, "freed_bytes"), plan["freed_bytes"].as_u64().unwrap());
    assert_eq!(sum(&rows, "freed_bytes"), 11 + 5 + 4, "orphan-only, more!, late");
    let (rows, taken) = (rows.as_array().unwrap(), plan["artifacts"].as_array().unwrap());
    assert_eq!(rows.len(), 3);
    assert_eq!(taken.len(), 3);
    for row in rows {
        let other = taken.iter().find(|other| other["hash"] == row["hash"]).unwrap();
        for key in ["kind", "size", "freed_bytes", "orphaned_at"] {
            assert_eq!(row[key], other[key], "{key} of {row}");
        }
        let names: Value = serde_json::from_str(row["names"].as_str().unwrap()).unwrap();
        assert_eq!(names, other["names"]);
    }
    let name = "SELECT j.value FROM v1_garbage g, json_each(g.names) j WHERE g.size = 20";
    assert_eq!(sql(&oma, name), json!([{"value": "delta:g\"one\n"}]));
}

#[test]
fn artifacts_tell_what_show_and_why_tell() {
    let oma = story();
    let rows = sql(&oma, "SELECT * FROM v1_artifact");
    let rows = rows.as_array().unwrap();
    let key = |row: &Value| (row["hash"].to_string(), row["executable"].to_string());
    assert_eq!(rows.iter().map(key).collect::<BTreeSet<_>>().len(), rows.len(), "each once");
    assert_eq!(rows.len(), 11, "{rows:#?}");
    for row in rows.iter().filter(|row| row["executable"] == 0) {
        let hash = row["hash"].as_str().unwrap();
        let (shown, why) = (oma.json(&["show", hash]), oma.json(&["why", hash]));
        for key in ["kind", "size", "files", "created_at"] {
            assert_eq!(row[key], shown[key], "{key} of {row}");
        }
        assert_eq!((&row["state"], &row["orphaned_at"]), (&why["state"], &why["orphaned_at"]), "{row}");
        let sources: Value = serde_json::from_str(row["sources"].as_str().unwrap()).unwrap();
        assert_eq!(sources, shown["sources"], "{row}");
    }
    let made =
        "SELECT a.class, a.stored_bytes, a.bindings FROM v1_artifact a JOIN v1_binding b USING (hash, executable)
                WHERE b.name = 'made'";
    assert_eq!(sql(&oma, made), json!([{"class": "rebuildable", "stored_bytes": 4, "bindings": 1}]));
}

#[test]
fn sharing_is_counted_pair_by_pair() {
    let oma = story();
    let row = |owner: &str, version: Option<&str>, other: &str, other_version: Option<&str>, files: u64, bytes: u64| {
        json!({"owner": owner, "version": version, "other_owner": other, "other_version": other_version,
               "files": files, "shared_bytes": bytes})
    };
    let expected = [
        row("alpha", None, "beta", Some("1"), 2, 5),
        row("alpha", None, "beta", Some("2"), 2, 5),
        row("alpha", None, "gamma", None, 1, 5),
        row("beta", Some("1"), "beta", Some("2"), 3, 12),
        row("beta", Some("1"), "gamma", None, 1, 5),
        row("beta", Some("2"), "gamma", None, 1, 5),
    ];
    assert_eq!(sql(&oma, "SELECT * FROM v1_sharing"), json!(expected));
}

#[test]
fn owners_and_events_are_those_of_the_lists() {
    let oma = story();
    let listed = oma.json(&["owner", "list"]);
    let rows = sql(&oma, "SELECT * FROM v1_owner");
    assert_eq!(rows.as_array().unwrap().len(), listed.as_array().unwrap().len());
    for (row, other) in rows.as_array().unwrap().iter().zip(listed.as_array().unwrap()) {
        for key in ["owner", "version", "title", "kind", "bindings", "created_at", "last_seen_at"] {
            assert_eq!(row[key], other[key], "{key} of {row}");
        }
        assert_eq!(row["state"], "present");
    }
    let watched = &sql(&oma, "SELECT evidence, soft_budget FROM v1_owner WHERE owner = 'watched'")[0];
    assert_eq!(watched, &json!({"evidence": format!("path {}", oma.at("a")), "soft_budget": 1_000_000}));
    oma.ok(&["owner", "add", "short", "--expires", &oma.clock.now().plus(DAY).to_string()]);
    oma.pass(2 * DAY);
    oma.ok(&["-o", "alpha", "bind", "again", "gamma:file"]);
    assert_eq!(
        sql(&oma, "SELECT state, kind FROM v1_owner WHERE owner = 'short'")[0],
        json!({"state": "ended", "kind": "expiry"})
    );
    std::fs::remove_dir_all(oma.path("a")).unwrap();
    oma.ok(&["gc", "-y"]);
    let gone = "SELECT gone_since > created_at AS late FROM v1_owner WHERE state = 'gone' AND owner = 'watched'";
    assert_eq!(sql(&oma, gone), json!([{"late": 1}]));
    let told = "SELECT what, name FROM v1_event WHERE owner = 'delta' AND name = 'too' ORDER BY event";
    assert_eq!(sql(&oma, told), json!([{"what": "bind", "name": "too"}, {"what": "unbind", "name": "too"}]));
}

#[test]
fn what_lies_in_the_trash_is_not_stored() {
    let oma = story();
    let before = sql(&oma, "SELECT count(*) AS n FROM v1_artifact")[0]["n"].as_u64().unwrap();
    let garbage = sql(&oma, "SELECT hash FROM v1_garbage ORDER BY hash");
    oma.ok(&["gc", "--collect-delay", "0", "--trash", "7d", "-y"]);
    assert_eq!(sql(&oma, "SELECT * FROM v1_garbage"), json!([]));
    assert_eq!(sql(&oma, "SELECT count(*) AS n FROM v1_artifact")[0]["n"].as_u64().unwrap(), before - 3);
    assert_eq!(
        sql(&oma, "SELECT DISTINCT hash FROM v1_event WHERE what = 'collect' AND run = 1 ORDER BY hash"),
        garbage
    );
    assert_eq!(sql(&oma, "SELECT * FROM v1_usage"), oma.json(&["usage"])["owners"]);
    oma.ok(&["gc", "undo"]);
    assert_eq!(sql(&oma, "SELECT count(*) AS n FROM v1_artifact")[0]["n"].as_u64().unwrap(), before);
}

#[test]
fn another_sqlite_reads_the_same() {
    let oma = story();
    let schema = oma.json(&["schema"]);
    for view in schema.as_array().unwrap() {
        let columns: Vec<&str> =
            view["columns"].as_array().unwrap().iter().map(|c| c["name"].as_str().unwrap()).collect();
        let whole = columns.iter().map(|column| format!("quote({column})")).collect::<Vec<_>>().join(" || ',' || ");
        let query = format!("SELECT hex({whole}) AS whole FROM {}", view["name"].as_str().unwrap());
        let ours = sql(&oma, &query);
        let ours: Vec<&str> = ours.as_array().unwrap().iter().map(|row| row["whole"].as_str().unwrap()).collect();
        assert!(!ours.is_empty(), "{view}");
        let Some(theirs) = index_rows(&oma.root(), &format!("PRAGMA trusted_schema = OFF; {query}")) else { return };
        assert_eq!(ours, theirs, "{query}");
    }
}

#[test]
fn every_view_and_every_column_says_what_it_is() {
    let oma = Oma::new();
    let schema = oma.json(&["schema"]);
    let names: Vec<&str> = schema.as_array().unwrap().iter().map(|view| view["name"].as_str().unwrap()).collect();
    assert_eq!(names, VIEWS);
    assert_eq!(oma.ok(&["-q", "schema"]).stdout.lines().collect::<Vec<_>>(), VIEWS);
    let text = oma.ok(&["schema"]).stdout;
    for view in schema.as_array().unwrap() {
        assert!(view["comment"].as_str().unwrap().ends_with('.'), "{view}");
        let name = view["name"].as_str().unwrap();
        let told: Vec<&str> = view["columns"].as_array().unwrap().iter().map(|c| c["name"].as_str().unwrap()).collect();
        let header = oma.ok(&["sql", &format!("SELECT * FROM {name}"), "--format", "csv"]).stdout;
        assert_eq!(header, format!("{}\r\n", told.join(",")), "the columns of {name}");
        for column in view["columns"].as_array().unwrap() {
            assert!(column["comment"].as_str().unwrap().len() > 3, "{name}: {column}");
        }
        assert!(text.lines().any(|line| line == name), "{text}");
    }
    assert!(text.lines().all(|line| line.len() <= 100), "{text}");
    let one = oma.ok(&["schema", "v1_usage"]).stdout;
    assert!(one.starts_with("v1_usage\n  An owner: ") && !one.contains("v1_owner"), "{one}");
    oma.fails(3, &["schema", "objects"]);
}
