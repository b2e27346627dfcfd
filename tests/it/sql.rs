//! `oma sql`: what it answers, in which form, and what it refuses.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::non_root::Unprivileged;
use crate::support::oma::{Oma, Ran, fields, finish, tell};

fn filled() -> Oma {
    let oma = Oma::new();
    oma.tree("t", &[("a", "12345"), ("b", "678")]);
    oma.ok(&["-o", "me@1", "add", "t", "--bind", "tree"]);
    oma
}

/// What the index is made of; reading may change what is shared in memory.
fn index_bytes(root: &Path) -> Vec<Vec<u8>> {
    let read = |name: &str| std::fs::read(root.join(name)).unwrap_or_default();
    ["index.sqlite", "index.sqlite-wal", "index.sqlite-journal"].map(read).to_vec()
}

const ENDLESS: &str = "WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c";

/// Every way out of the views that is known.
const REFUSED: [&str; 42] = [
    "",
    " ; -- nothing",
    "SELEC 1",
    "SELECT 1; SELECT 2",
    "SELECT 1; DROP TABLE objects",
    "SELECT ?1",
    "SELECT \"ownr\" FROM v1_usage",
    "SELECT abs(-9223372036854775808)",
    "SELECT json('{')",
    "INSERT INTO owners (key, created_at, last_seen_at) VALUES ('x', 1, 1)",
    "INSERT INTO v1_usage VALUES (1)",
    "UPDATE objects SET state = 2",
    "UPDATE v1_usage SET owner = 'x'",
    "DELETE FROM bindings",
    "DELETE FROM v1_binding RETURNING name",
    "WITH x AS (SELECT 1) DELETE FROM bindings",
    "REPLACE INTO settings VALUES (1)",
    "DROP TABLE objects",
    "DROP VIEW v1_usage",
    "CREATE TABLE x (a)",
    "CREATE TEMP TABLE x AS SELECT 1",
    "CREATE TEMP VIEW v1_mine AS SELECT * FROM objects",
    "ALTER TABLE objects RENAME TO x",
    "PRAGMA user_version",
    "PRAGMA writable_schema = 1",
    "SELECT * FROM pragma_table_info('objects')",
    "SELECT count(*) FROM pragma_table_info('objects')",
    "ATTACH 'other.sqlite' AS other",
    "VACUUM INTO 'copy.sqlite'",
    "ANALYZE",
    "REINDEX",
    "BEGIN IMMEDIATE",
    "SAVEPOINT x",
    "EXPLAIN SELECT * FROM v1_usage",
    "SELECT * FROM objects",
    "SELECT count(*) FROM main.objects",
    "WITH v1_usage AS (SELECT * FROM objects) SELECT * FROM v1_usage",
    "SELECT (SELECT hash FROM objects LIMIT 1) FROM v1_usage",
    "SELECT sql FROM sqlite_schema",
    "SELECT count(*) FROM sqlite_master",
    "SELECT count(*) FROM dbstat",
    "SELECT load_extension('x')",
];

#[test]
fn only_questions_about_the_views_are_answered() {
    let oma = filled();
    let before = index_bytes(&oma.root());
    for query in REFUSED {
        let ran = oma.fails(2, &["sql", query]);
        ran.assert_printable();
        assert!(ran.stdout.is_empty() && ran.stderr.contains("`oma schema`"), "{ran:#?}");
        assert_eq!(index_bytes(&oma.root()), before, "{query}");
    }
    let refused = oma.fails(2, &["--json", "sql", "SELECT * FROM objects"]);
    assert_eq!(refused.error_kind(), "usage");
    assert!(refused.stdout.contains("no such table: objects"), "{refused:#?}");
    let files: Vec<_> = std::fs::read_dir(oma.path("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(files.iter().all(|name| name == "home" || name == "store" || name == "t"), "{files:?}");
    oma.json(&["sql", "SELECT * FROM v1_artifact"]);
    assert_eq!(index_bytes(&oma.root()), before, "an answer changes nothing either");
}

#[test]
fn all_that_reads_the_views_is_answered() {
    let oma = filled();
    let cases = [
        ("SELECT owner AS who, total_bytes / 2.0 AS half FROM v1_usage;", json!([{"who": "me", "half": 4.0}])),
        ("WITH x AS (SELECT 1 AS a UNION ALL SELECT 2) SELECT count(*) AS n FROM x", json!([{"n": 2}])),
        ("WITH objects AS (SELECT 7 AS a) SELECT a FROM objects", json!([{"a": 7}])),
        (
            "SELECT count(*) AS n FROM (SELECT * FROM v1_binding) b JOIN main.V1_ARTIFACT USING (hash)",
            json!([{"n": 1}]),
        ),
        ("SELECT key, value FROM json_each('{\"a\": [1]}')", json!([{"key": "a", "value": "[1]"}])),
        ("VALUES (1, 'a'), (2, NULL)", json!([{"column1": 1, "column2": "a"}, {"column1": 2, "column2": null}])),
        (
            "SELECT 1 AS a, 2 AS a, 3 AS \"a:2\", x'00ff' AS b, 9e999 AS i",
            json!([{"a": 1, "a:2": 2, "a:2:2": 3, "b": "00ff", "i": "Infinity"}]),
        ),
        ("SELECT CAST(x'61ff0a' AS TEXT) AS t", json!([{"t": "a\\xff\\n"}])),
        ("SELECT rank() OVER (ORDER BY size) AS r FROM v1_artifact", json!([{"r": 1}])),
        ("SELECT * FROM v1_garbage", json!([])),
    ];
    for (query, expected) in cases {
        assert_eq!(oma.json(&["sql", query]), expected, "{query}");
    }
    let mut child = oma.command(&["sql", "-", "--format", "jsonl"]);
    let mut child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"-- a comment\nSELECT 1 AS b, 2 AS a").unwrap();
    assert_eq!(finish(child).expect(0).stdout, "{\"b\":1,\"a\":2}\n", "columns keep their order");
}

#[test]
fn a_table_lines_up() {
    let oma = filled();
    let query = "SELECT 'a' AS name, 1 AS \"num\nber\", NULL AS none, 'x\x1b[31m' AS word UNION ALL SELECT 'bbb', 1000, NULL, 2";
    let ran = oma.ok(&["sql", query]);
    ran.assert_printable();
    let expected = "NAME  NUM\\nBER  NONE  WORD\na            1  -     x\\x1b[31m\nbbb       1000  -     2\n\n2 rows\n";
    assert_eq!(ran.stdout, expected);
    assert_eq!(oma.ok(&["sql", "SELECT 1 WHERE 0"]).stdout, "0 rows\n");
    assert_eq!(oma.fails(2, &["--json", "sql", "SELECT 1", "--format", "csv"]).error_kind(), "usage");
}

#[test]
fn time_is_limited_and_people_can_stop_it() {
    let oma = filled();
    let begun = Instant::now();
    let ran = oma.fails(1, &["--json", "sql", ENDLESS, "--timeout", "1s"]);
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    assert_eq!(ran.error_kind(), "failed");
    assert!(ran.stdout.contains("longer than 1s"), "{ran:#?}");
    let child = oma.start(&["sql", ENDLESS, "--timeout", "1h"]);
    std::thread::sleep(Duration::from_millis(500));
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    finish(child).expect(130);
    oma.ok(&["sql", "SELECT 1"]);
}

#[test]
fn no_answer_exhausts_memory() {
    let oma = filled();
    for query in [
        "SELECT zeroblob(1000000000)",
        "SELECT hex(randomblob(30000000))",
        "SELECT printf('%.*c', 1000000000, 'x')",
        "SELECT zeroblob(30000000), zeroblob(30000000), zeroblob(30000000)",
    ] {
        oma.fails(2, &["sql", query]);
    }
    let many = "WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 20) SELECT printf('%.*c', 15000000, 'x') FROM c";
    for format in ["table", "json"] {
        let ran = oma.fails(1, &["sql", many, "--format", format]);
        assert!(ran.stdout.is_empty() && ran.stderr.contains("jsonl"), "{ran:#?}");
    }
    let columns: Vec<String> = (0..300).map(|column| column.to_string()).collect();
    oma.fails(2, &["sql", &format!("SELECT {}", columns.join(", "))]);
    let lengths = many.replace("SELECT printf('%.*c', 15000000, 'x')", "SELECT length(printf('%.*c', 15000000, 'x'))");
    assert_eq!(oma.ok(&["sql", &lengths, "--format", "csv"]).stdout.lines().count(), 21);
}

const NAMES: [&str; 6] = ["a\x1b[31mred", "\u{202e}gpj.exe", "two\nlines", "it's \"quoted\", or", " ", "=cmd|'/c'!A0"];

#[test]
fn names_of_every_kind_come_out_as_they_are() {
    let oma = Oma::new();
    for (number, name) in NAMES.iter().enumerate() {
        let file = oma.file("f", number.to_string());
        oma.ok(&["-o", "own\u{7}er@1\u{202e}0", "add", &file, "--bind", name]);
    }
    let query = "SELECT b.name, b.owner, b.version, s.location FROM v1_binding b
                 JOIN (SELECT hash, json_extract(sources, '$[0].location') AS location FROM v1_artifact) s USING (hash)
                 ORDER BY s.hash";
    let rows = oma.json(&["sql", query]);
    let mut names: Vec<&str> = rows.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
    names.sort_unstable();
    let mut expected = NAMES;
    expected.sort_unstable();
    assert_eq!(names, expected);
    let table = oma.ok(&["sql", query]);
    table.assert_printable();
    assert_eq!(table.stdout.lines().count(), NAMES.len() + 3, "{table:#?}");
    let lines = oma.ok(&["sql", query, "--format", "jsonl"]).stdout;
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(json!(lines), rows);
    assert_eq!(fields(&lines[0]), ["location", "name", "owner", "version"]);
    let Some(parsed) = parse_csv(&oma.ok(&["sql", query, "--format", "csv"])) else { return };
    let cells = |row: &Value| ["name", "owner", "version", "location"].map(|key| row[key].clone()).to_vec();
    let mut expected = vec![vec![json!("name"), json!("owner"), json!("version"), json!("location")]];
    expected.extend(rows.as_array().unwrap().iter().map(cells));
    assert_eq!(parsed, json!(expected));
}

/// Reads CSV with a program that shares no code with ours; none without it.
fn parse_csv(ran: &Ran) -> Option<Value> {
    const PROGRAM: &str = "import csv, io, json, sys; print(json.dumps(list(csv.reader(io.TextIOWrapper(sys.stdin.buffer, 'utf-8', newline='')))))";
    let child = Command::new("python3").args(["-c", PROGRAM]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let Ok(mut child) = child else {
        tell("there is no `python3`: CSV is not read by another program");
        return None;
    };
    child.stdin.take().unwrap().write_all(ran.stdout.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn a_store_that_does_not_exist_yet_has_empty_views() {
    let oma = Oma::new();
    for view in oma.ok(&["-q", "schema"]).stdout.lines() {
        assert_eq!(oma.json(&["sql", &format!("SELECT * FROM {view}")]), json!([]), "{view}");
    }
    oma.fails(2, &["sql", "SELECT * FROM objects"]);
    assert!(!oma.root().exists(), "asking makes no store");
}

#[test]
fn a_store_that_cannot_be_written_can_be_asked() {
    let other = Unprivileged::new(ohmyartifacts::LinkStyle::default());
    other.oma.tree("t", &[("a", "12345")]);
    other.oma.ok(&["-o", "me", "add", "t", "--bind", "tree"]);
    let rows = other.oma.json(&["sql", "SELECT * FROM v1_usage"]);
    let before = index_bytes(&other.oma.root());
    let ran = other.run(&["--json", "sql", "SELECT * FROM v1_usage"]).expect(0);
    assert_eq!(ran.json(), rows);
    assert_eq!(index_bytes(&other.oma.root()), before);
    other.run(&["sql", "DELETE FROM v1_usage"]).expect(2);
}
