//! The verbs that ask: filters, formats, `usage` by everything and since a date, `what-if`, `find`, `diff`,
//! `dup`; with names that could disturb a terminal or a program that reads the answer.

use serde_json::{Value, json};

use crate::support::DAY;
use crate::support::make_executable;
use crate::support::oma::{Oma, fields, index_rows};

const NASTY: [&str; 6] =
    ["a\u{1b}[31mred", "two\nlines", "it's \"quoted\", or not", "\u{202e}gpj.exe", "<b>&amp;<i>", "=1+1"];

/// Two versions of a package that share a large file, and another owner with an alias.
fn zoo() -> Oma {
    let oma = Oma::new();
    oma.tree("one", &[("big", &"x".repeat(5_001)), ("sub/names", "n\n"), ("only", "o"), ("empty", "")]);
    oma.tree("two", &[("big", &"x".repeat(5_001)), ("names", "n\n"), ("empty", "")]);
    oma.ok(&["-o", "zoo@1.0", "add", &oma.at("one"), "--bind", "data", "--meta", "split=test", "--meta", "epoch=3"]);
    oma.pass(DAY * 40);
    oma.ok(&["-o", "zoo@1.1", "add", &oma.at("two"), "--bind", "data", "--meta", "split=train"]);
    oma.ok(&["-o", "farm", "bind", "alias", "zoo@1.1:data"]);
    oma.ok(&["-o", "farm", "add", &oma.file("single", "single!"), "--bind", "single.txt"]);
    oma
}

fn names(rows: &Value) -> Vec<String> {
    let name = |row: &Value| format!("{}:{}", row["owner"].as_str().unwrap(), row["name"].as_str().unwrap());
    rows.as_array().unwrap().iter().map(name).collect()
}

#[test]
fn ls_is_filtered() {
    let oma = zoo();
    let cases: [(&[&str], &[&str]); 12] = [
        (&["size>1KB"], &["farm:alias", "zoo:data", "zoo:data"]),
        (&["size>1KB", "used>30d"], &["zoo:data"]),
        (&["used<30d", "kind=tree"], &["farm:alias", "zoo:data"]),
        (&["kind=file"], &["farm:single.txt"]),
        (&["owner=zoo"], &["zoo:data", "zoo:data"]),
        (&["owner=zoo@1.0"], &["zoo:data"]),
        (&["owner!=zoo"], &["farm:alias", "farm:single.txt"]),
        (&["name=*.txt"], &["farm:single.txt"]),
        (&["meta.split=te*"], &["zoo:data"]),
        (&["meta.epoch>2"], &["zoo:data"]),
        (&["meta.split!=test", "version="], &["farm:alias", "farm:single.txt"]),
        (&["bound<2026-02-01"], &["zoo:data"]),
    ];
    for (filters, expected) in cases {
        let words: Vec<&str> = filters.iter().flat_map(|filter| ["-f", filter]).collect();
        assert_eq!(names(&oma.json(&[&["ls"], &words[..]].concat())), expected, "{filters:?}");
    }
    assert_eq!(names(&oma.json(&["-o", "farm", "ls", "-f", "size>1KB"])), ["farm:alias"]);
    assert_eq!(oma.ok(&["ls", "-q", "-f", "name=alias"]).stdout.lines().count(), 1);
}

#[test]
fn a_wrong_filter_is_a_usage_error_that_lists_what_is_known() {
    let oma = zoo();
    for verb in [&["ls"][..], &["usage"], &["owner", "list"], &["what-if"], &["find", "*"], &["dup"], &["history"]] {
        let failed = oma.fails(2, &[&["--json"], verb, &["-f", "hight>3"]].concat());
        assert_eq!(failed.error_kind(), "usage");
        let message = failed.json()["error"]["message"].as_str().unwrap().to_owned();
        let known = message.split("unknown key `hight`; known: ").nth(1).unwrap_or_else(|| panic!("{message}"));
        assert!(known.split(", ").count() >= 6, "{message}");
    }
    for bad in ["size", "size>big", "kind=folder", "used>soon", "name>a", "\u{1b}[31m=1"] {
        let failed = oma.fails(2, &["ls", "-f", bad]);
        failed.assert_printable();
        assert!(failed.stdout.is_empty());
    }
}

/// CSV as another program reads it.
fn csv_rows(text: &str) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
    reader.records().map(|record| record.unwrap().iter().map(str::to_owned).collect()).collect()
}

#[test]
fn every_format_says_the_same() {
    let oma = zoo();
    for words in [&["ls"][..], &["usage"], &["usage", "--by", "artifact"], &["owner", "list"], &["dup"], &["history"]] {
        let document = oma.json(words);
        let rows = match document.as_object() {
            Some(document) => document.values().find(|value| value.is_array()).unwrap(),
            None => &document,
        };
        let rows = rows.as_array().unwrap();
        let lines = oma.ok(&[words, &["--format", "jsonl"]].concat()).stdout;
        let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(&lines, rows, "{words:?}");
        assert_eq!(oma.ok(&[words, &["--format", "json"]].concat()).json(), document, "{words:?}");
        let table = csv_rows(&oma.ok(&[words, &["--format", "csv"]].concat()).stdout);
        assert_eq!(table.len(), rows.len() + 1, "{words:?}");
        for (cells, row) in table[1..].iter().zip(rows) {
            for (column, cell) in table[0].iter().zip(cells) {
                let expected = match &row[column] {
                    Value::Null => String::new(),
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                };
                assert_eq!(*cell, expected, "{words:?}: {column}");
            }
        }
    }
    assert_eq!(oma.fails(2, &["--json", "ls", "--format", "csv"]).error_kind(), "usage");
    assert_eq!(oma.ok(&["ls", "-f", "size>1TB", "--format", "csv"]).stdout, "");
    assert!(oma.ok(&["-o", "nobody", "usage"]).stderr.contains("no owner is known as nobody"));
}

#[test]
fn usage_by_everything() {
    let oma = zoo();
    let common =
        ["artifacts", "bindings", "exclusive_bytes", "fair_bytes", "files", "last_used_at", "owners", "shared_bytes"];
    let cases: [(&str, &str, &[&str]); 4] = [
        ("artifact", "artifacts", &["hash", "kind", "names"]),
        ("kind", "kinds", &["kind"]),
        ("age", "ages", &["age"]),
        ("class", "classes", &["class"]),
    ];
    for (by, field, own) in cases {
        let usage = oma.json(&["usage", "--by", by]);
        assert_eq!(fields(&usage), sorted(&["logical_bytes", "orphan_bytes", "stored_bytes", field]));
        let rows = usage[field].as_array().unwrap();
        let fair: u64 = rows.iter().map(|row| row["fair_bytes"].as_u64().unwrap()).sum();
        assert_eq!(fair + usage["orphan_bytes"].as_u64().unwrap(), usage["stored_bytes"].as_u64().unwrap(), "{by}");
        assert_eq!(fields(&rows[0]), sorted(&[&common[..], own, &["total_bytes"]].concat()), "{by}");
    }
    let keys = oma.json(&["usage", "--by", "owner"]);
    let row = |at: usize| (keys["owners"][at]["owner"].clone(), keys["owners"][at]["version"].clone());
    assert_eq!((row(0), row(1)), ((json!("farm"), Value::Null), (json!("zoo"), Value::Null)));
    let zoo = &keys["owners"][1];
    assert_eq!((&zoo["bindings"], &zoo["total_bytes"]), (&json!(2), &json!(5_004)), "what versions share counts once");
    assert_eq!(oma.json(&["usage", "--by", "version"]), oma.json(&["usage"]));
    let farm = oma.json(&["-o", "farm", "usage"]);
    assert_eq!(farm["owners"], json!([oma.json(&["usage"])["owners"][0]]));
    let large = oma.json(&["usage", "-f", "exclusive>0", "--sort", "fair", "--limit", "1"]);
    assert_eq!(large["owners"].as_array().unwrap().len(), 1);
    assert_eq!(large["stored_bytes"], keys["stored_bytes"], "a filter hides rows, not bytes");
    assert_eq!(oma.json(&["usage", "--by", "age"])["ages"][0]["age"], "under 1d");
}

fn sorted(words: &[&str]) -> Vec<String> {
    let mut words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    words.sort();
    words
}

#[test]
fn growth_is_told_since_a_sample() {
    let oma = Oma::new();
    assert_eq!(oma.fails(3, &["--json", "usage", "--since", "1d"]).error_kind(), "not_found");
    oma.ok(&["-o", "a", "add", &oma.file("f", "0123456789"), "--bind", "f"]);
    let first = oma.clock.now();
    oma.pass(DAY * 10);
    oma.ok(&["-o", "a", "add", &oma.file("g", "01234"), "--bind", "g"]);
    oma.ok(&["-o", "b", "add", &oma.file("h", "012"), "--bind", "h"]);
    let since = oma.json(&["usage", "--since", "5d"]);
    assert_eq!(since["since"]["at"], first.to_string(), "the last one before");
    assert_eq!((&since["since"]["stored_bytes"], &since["since"]["grown_bytes"]), (&json!(10), &json!(8)));
    let [a, b] = [0, 1].map(|at| &since["owners"][at]);
    assert_eq!((&a["was"]["total_bytes"], &a["grown_bytes"]), (&json!(10), &json!(5)));
    assert_eq!((&b["was"], &b["grown_bytes"]), (&Value::Null, &json!(3)));
    assert_eq!(
        oma.json(&["usage", "--since", "2025-01-01"])["since"]["at"],
        first.to_string(),
        "or the first there is"
    );
    let text = oma.ok(&["usage", "--since", "2026-01-01"]).stdout;
    assert!(text.contains("GROWN BY") && text.contains("the store has grown by 8 B"), "{text}");

    // What is gone is not forgotten; gc takes a sample too.
    oma.ok(&["owner", "remove", "a", "-y"]);
    oma.ok(&["gc", "-y", "--collect-delay", "0"]);
    oma.pass(DAY * 8);
    oma.ok(&["gc", "-y", "--collect-delay", "0"]);
    let since = oma.json(&["usage", "--since", &first.to_string()]);
    assert_eq!(since["since"]["gone"][0]["owner"], "a");
    assert_eq!(since["since"]["grown_bytes"], -7);
    let samples = index_rows(&oma.root(), "SELECT count(*) FROM store_samples");
    assert_eq!(samples.unwrap_or_else(|| vec!["3".to_owned()]), ["3"], "one a day");
    assert_eq!(oma.fails(2, &["--json", "usage", "--since", "soon"]).error_kind(), "usage");
    assert_eq!(oma.fails(2, &["--json", "usage", "--by", "kind", "--since", "1d"]).error_kind(), "usage");
}

#[test]
fn what_if_names_what_would_go() {
    let oma = zoo();
    let all = oma.json(&["what-if", "--remove-owner", "zoo", "--unbind", "farm:a*"]);
    assert_eq!(fields(&all), ["anyway_bytes", "artifacts", "freed_bytes", "kept", "unbound"]);
    assert_eq!((&all["freed_bytes"], &all["unbound"], &all["kept"]), (&json!(5_004), &json!(3), &json!([])));
    let items = all["artifacts"].as_array().unwrap();
    assert_eq!(fields(&items[0]), ["freed_bytes", "hash", "kind", "names", "size"]);
    let freed: u64 = items.iter().map(|item| item["freed_bytes"].as_u64().unwrap()).sum();
    assert_eq!(freed, 5_004);

    let one = oma.json(&["what-if", "--remove-owner", "zoo@1.1"]);
    assert_eq!((&one["freed_bytes"], &one["artifacts"]), (&json!(0), &json!([])));
    assert_eq!(one["kept"][0]["names"], json!(["zoo@1.1:data"]), "farm keeps it");
    assert_eq!(oma.json(&["what-if", "-f", "size<1KB"])["freed_bytes"], 7);
    assert_eq!(oma.json(&["-o", "farm", "what-if", "--unbind", "single*"])["freed_bytes"], 7);
    assert_eq!(oma.json(&["what-if", "--remove-owner", "zoo", "-f", "used>30d"])["freed_bytes"], 1, "only 1.0 is old");
    let idle = oma.json(&["what-if", "--unused-for", "30d"]);
    assert_eq!(idle["freed_bytes"], oma.json(&["gc", "-n", "--unused-for", "30d"])["freed_bytes"]);
    assert_eq!(idle["freed_bytes"], 1);

    assert_eq!(oma.json(&["-o", "farm", "what-if", "-f", "size>0"])["unbound"], 2, "an owner's names only");
    assert_eq!(oma.json(&["-o", "farm", "what-if", "--unused-for", "30d"])["unbound"], 0);

    let nothing = oma.run(&["--json", "what-if", "--unbind", "no*:thing"]).expect(0);
    assert_eq!(
        (&nothing.json()["unmatched"], nothing.stderr.contains("no name matches")),
        (&json!(["no*:thing"]), true)
    );
    assert_eq!(oma.fails(3, &["--json", "what-if", "--remove-owner", "nobody"]).error_kind(), "not_found");
    assert_eq!(oma.fails(2, &["--json", "what-if"]).error_kind(), "usage");
    assert_eq!(oma.fails(2, &["--json", "what-if", "--unbind", "single*"]).error_kind(), "usage");
    let text = oma.ok(&["what-if", "--remove-owner", "farm"]).stdout;
    assert!(text.contains("1 artifact would be deleted (7 B) if 2 names went"), "{text}");
    assert!(text.contains("1 artifact would stay"), "{text}");
}

/// What nothing keeps already is told beside, and a blob that only it shares comes free all the same.
#[test]
fn orphans_keep_nothing_in_what_if() {
    let oma = Oma::new();
    oma.tree("a", &[("shared", "0123456789"), ("mine", "m")]);
    oma.tree("b", &[("shared", "0123456789"), ("theirs", "tt")]);
    oma.ok(&["-o", "o", "add", &oma.at("a"), "--bind", "a"]);
    oma.ok(&["-o", "o", "add", &oma.at("b"), "--bind", "b"]);
    oma.ok(&["-o", "o", "unbind", "b"]);
    let answer = oma.json(&["what-if", "--remove-owner", "o"]);
    assert_eq!((&answer["freed_bytes"], &answer["anyway_bytes"]), (&json!(11), &json!(2)));
}

#[test]
fn find_tells_where_a_file_is() {
    let oma = zoo();
    let rows = oma.json(&["find", "names"]);
    let paths: Vec<&str> = rows.as_array().unwrap().iter().map(|row| row["path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["names", "sub/names"]);
    assert_eq!(fields(&rows[0]), ["artifact", "hash", "kind", "names", "path", "size"]);
    assert_eq!(rows[0]["names"], json!(["farm:alias", "zoo@1.1:data"]));
    assert_eq!(oma.json(&["find", "sub/*"]).as_array().unwrap().len(), 1);
    let single = oma.json(&["find", "*.txt"]);
    assert_eq!((&single[0]["path"], &single[0]["names"]), (&Value::Null, &json!(["farm:single.txt"])));
    assert_eq!(oma.json(&["-o", "zoo@1.0", "find", "big"]).as_array().unwrap().len(), 1);
    assert_eq!(oma.json(&["find", "*", "-f", "size>1KB"]).as_array().unwrap().len(), 2);
    assert_eq!(oma.fails(3, &["--json", "find", "nothing"]).json(), json!([]));
    assert_eq!(oma.fails(2, &["--json", "find", "["]).error_kind(), "usage");
}

#[test]
fn diff_tells_what_changed() {
    let oma = zoo();
    let diff = oma.json(&["diff", "zoo@1.0:data", "zoo@1.1:data"]);
    assert_eq!(fields(&diff), ["changes", "equal", "left", "lost_bytes", "new_bytes", "right", "same"]);
    let changes: Vec<(&str, &str)> = diff["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["change"].as_str().unwrap(), row["path"].as_str().unwrap()))
        .collect();
    assert_eq!(changes, [("moved", "names"), ("removed", "only"), ("removed", "sub")]);
    assert_eq!(diff["changes"][0]["from"], "sub/names");
    assert_eq!((&diff["same"], &diff["new_bytes"], &diff["lost_bytes"]), (&json!(2), &json!(0), &json!(1)));

    oma.tree("three", &[("big", "other"), ("names", "n\n"), ("more", "m")]);
    std::os::unix::fs::symlink("big", oma.path("three/empty")).unwrap();
    make_executable(&oma.path("three/names"));
    oma.ok(&["-o", "zoo@1.2", "add", &oma.at("three"), "--bind", "data"]);
    let changes = oma.json(&["diff", "zoo@1.1:data", "zoo@1.2:data"])["changes"].clone();
    let short: Vec<(&str, &str)> = changes
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["path"].as_str().unwrap(), row["change"].as_str().unwrap()))
        .collect();
    assert_eq!(short, [("big", "changed"), ("empty", "kind"), ("more", "added"), ("names", "mode")]);
    assert_eq!((&changes[3]["left"]["mode"], &changes[3]["right"]["mode"]), (&json!("100644"), &json!("100755")));
    let same = oma.json(&["diff", "zoo@1.1:data", "farm:alias"]);
    assert_eq!((&same["equal"], &same["changes"]), (&json!(true), &json!([])));
    let files = oma.json(&["diff", "farm:single.txt", "farm:alias", "-f", "change=removed"]);
    assert_eq!((files["changes"].as_array().unwrap().len(), &files["changes"][0]["path"]), (1, &Value::Null));
}

#[test]
fn dup_tells_what_sharing_saves() {
    let oma = zoo();
    let dup = oma.json(&["dup"]);
    assert_eq!(fields(&dup), ["files", "kept_bytes", "logical_bytes", "saved_bytes"]);
    let big = &dup["files"][0];
    assert_eq!(fields(big), ["copies", "hash", "owners", "place", "saved_bytes", "size"]);
    assert_eq!((&big["size"], &big["copies"], &big["saved_bytes"]), (&json!(5_001), &json!(3), &json!(10_002)));
    assert_eq!(big["owners"], json!(["farm", "zoo@1.0", "zoo@1.1"]));
    assert_eq!(dup["saved_bytes"], 10_002 + 4);
    let several = oma.json(&["dup", "-f", "owner=zoo*", "-f", "size>1KB"]);
    assert_eq!(several["files"].as_array().unwrap().len(), 1);
    let text = oma.ok(&["dup", "--limit", "1"]);
    assert!(text.stdout.contains("zoo@1.0:data/big") && text.stderr.contains("1 of 3 files shown"), "{text:#?}");
}

/// Names with control characters, bidi marks, quotes, newlines and invalid UTF-8.
fn nasty() -> Oma {
    use std::os::unix::ffi::OsStrExt as _;
    let oma = Oma::new();
    let tree = oma.tree("nasty", &[("plain", "p")]);
    for (number, name) in NASTY.iter().enumerate() {
        std::fs::write(tree.join(name), format!("content {number}")).unwrap();
    }
    std::fs::write(tree.join(std::ffi::OsStr::from_bytes(b"bad \xff\xfe utf-8")), "invalid").unwrap();
    for name in NASTY {
        oma.ok(&[
            "-o",
            &format!("own {name}"),
            "add",
            &oma.at("nasty"),
            "--bind",
            name,
            "--meta",
            &format!("k={name}"),
        ]);
    }
    oma
}

#[test]
fn nasty_names_disturb_nobody() {
    let oma = nasty();
    let spoilt = oma.tree("spoilt", &[("plain", "q")]);
    oma.ok(&["-o", "plain", "add", spoilt.to_str().unwrap(), "--bind", "spoilt"]);
    let first = format!("own {}:{}", NASTY[0], NASTY[0]);
    let questions: Vec<Vec<&str>> = vec![
        vec!["ls"],
        vec!["ls", &first],
        vec!["ls", "-f", "name=*lines"],
        vec!["show", &first],
        vec!["usage"],
        vec!["usage", "--by", "artifact"],
        vec!["why", &first],
        vec!["what-if", "--unbind", "*:*"],
        vec!["find", "*"],
        vec!["diff", &first, "plain:spoilt"],
        vec!["dup"],
        vec!["history"],
        vec!["owner", "list"],
    ];
    for words in &questions {
        let table = oma.ok(words);
        table.assert_printable();
        for name in NASTY.iter().filter(|name| name.chars().any(char::is_control)) {
            assert!(!table.stdout.contains(name), "{words:?}");
        }
        let document = oma.json(words).to_string();
        assert!(!document.chars().any(char::is_control), "JSON escapes what controls: {words:?}");
        oma.ok(&[&words[..], &["-q"]].concat()).assert_printable();
    }
    let bound = oma.json(&["ls"]);
    let names: Vec<&str> = bound.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
    for name in NASTY {
        assert!(names.contains(&name), "JSON holds names to the letter: {name:?}");
        assert_eq!(oma.json(&["ls", "-f", "kind=tree", "-o", &format!("own {name}")])[0]["meta"]["k"], name);
    }
    let csv = csv_rows(&oma.ok(&["ls", "--format", "csv"]).stdout);
    let column = csv[0].iter().position(|name| name == "name").unwrap();
    let mut listed: Vec<&str> = csv[1..].iter().map(|row| row[column].as_str()).collect();
    let mut expected = names.clone();
    listed.sort_unstable();
    expected.sort_unstable();
    assert_eq!(listed, expected, "and so does CSV");
    let hits = oma.json(&["find", "bad*"]);
    assert_eq!(hits[0]["path"], "bad \\xff\\xfe utf-8");
}

#[test]
fn questions_change_nothing_and_need_no_store() {
    let oma = Oma::new();
    for words in [&["ls"][..], &["usage"], &["usage", "--by", "artifact"], &["dup"], &["what-if", "-f", "size>0"]] {
        oma.ok(&[&["--json"], words].concat());
    }
    assert_eq!(oma.fails(3, &["--json", "find", "x"]).json(), json!([]));
    assert!(!oma.root().exists());

    let oma = zoo();
    let state = || index_rows(&oma.root(), "SELECT name, last_used_at FROM bindings ORDER BY id").unwrap_or_default();
    let before = state();
    for words in [
        &["ls", "-f", "size>1KB"][..],
        &["usage", "--by", "age"],
        &["what-if", "--remove-owner", "zoo"],
        &["find", "big"],
        &["dup"],
        &["why", "zoo@1.0:data/sub/names"],
        &["show", "zoo@1.0:data"],
        &["ls", "zoo@1.0:data"],
        &["diff", "zoo@1.0:data", "farm:alias"],
        &["verify", "zoo@1.0:data"],
    ] {
        oma.ok(words);
    }
    assert_eq!(state(), before, "not even when it was used last");
    oma.ok(&["path", "zoo@1.0:data"]);
    assert!(before.is_empty() || state() != before, "who asks for its path uses it");
}
