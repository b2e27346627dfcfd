//! The page of the whole store: its numbers are those of `usage` and `gc`, nothing on it runs or is loaded.

mod browser;

use std::path::Path;
use std::time::Duration;

use ohmyartifacts::{Digest, GcPolicy, GcRule, ReportOptions, UsageBy};
use rusqlite::{Connection, params};
use serde_json::Value;

use crate::support::DAY;
use crate::support::oma::{Oma, fields};
use crate::support::shape::Is::{self, Bool, Hash, List, Number, Object, Text, Time};
use crate::support::shape::assert_shape;

/// Owners that share and do not, things of several ages, orphans due and not due.
pub(crate) fn story() -> Oma {
    let oma = Oma::new();
    oma.tree("common", &[("a", &"a".repeat(4_001)), ("b", &"b".repeat(2_003))]);
    oma.tree("more", &[("a", &"a".repeat(4_001)), ("c", &"c".repeat(7_001))]);
    oma.file("alone", "alone".repeat(501));
    oma.file("old", "old".repeat(3_001));
    oma.file("gone", "gone".repeat(1_001));
    oma.file("lately", "lately".repeat(777));
    oma.ok(&["init"]);
    oma.ok(&["config", "set", "gc.auto", "never"]);
    let add = |owner: &str, path: &str, name: &str| oma.ok(&["-o", owner, "add", &oma.at(path), "--bind", name]);
    add("zoo@1.2", "old", "old");
    add("iris", "gone", "gone");
    oma.pass(DAY * 60);
    oma.ok(&["-o", "iris", "unbind", "gone"]);
    add("iris", "common", "data");
    add("plots", "lately", "lately");
    oma.pass(DAY * 20);
    oma.ok(&["-o", "plots", "unbind", "lately"]);
    add("zoo@1.2", "common", "training");
    add("zoo@1.2", "more", "more");
    add("zoo@1.2", "more", "the same");
    add("plots", "alone", "alone");
    add("plots", "more", "more");
    oma.pass(DAY);
    oma
}

fn sum(rows: &Value, field: &str) -> u64 {
    rows.as_array().expect("a list").iter().map(|row| row[field].as_u64().expect("a number")).sum()
}

#[test]
fn areas_add_up_to_what_is_stored() {
    let oma = story();
    let report = oma.json(&["report"]);
    let usage = oma.json(&["usage"]);
    for total in ["stored_bytes", "logical_bytes", "orphan_bytes"] {
        assert_eq!(report[total], usage[total], "{total}");
    }
    let owners = report["owners"].as_array().expect("a list");
    let mut areas = 0;
    for (mine, theirs) in owners.iter().zip(usage["owners"].as_array().expect("a list")) {
        for field in fields(theirs) {
            assert_eq!(mine[&field], theirs[&field], "{field} of {}", theirs["owner"]);
        }
        assert_eq!(mine["fair_bytes"], sum(&mine["holds"], "fair_bytes"), "{mine:#}");
        areas += sum(&mine["holds"], "fair_bytes");
    }
    assert_eq!(
        sum(&report["unowned"], "fair_bytes") + report["unowned_other_bytes"].as_u64().unwrap(),
        report["orphan_bytes"]
    );
    assert_eq!(areas + report["orphan_bytes"].as_u64().unwrap(), report["stored_bytes"]);
    assert_eq!(report["unowned"].as_array().unwrap().len(), 2);
    assert!(report["stored_bytes"].as_u64() > Some(20_000), "{report:#}");
}

#[test]
fn the_data_have_these_fields() {
    const YIELD: &[(&str, Is)] =
        &[("deleted_artifacts", Number), ("deleted_files", Number), ("freed_bytes", Number), ("trashed_bytes", Number)];
    const ARTIFACT: &[(&str, Is)] = &[
        ("hash", Hash),
        ("kind", Text),
        ("size", Number),
        ("files", Number),
        ("names", List),
        ("fair_bytes", Number),
        ("last_used_at", Time),
        ("collectable", Bool),
    ];
    let report = story().open().report(&ReportOptions::new()).unwrap();
    let report = serde_json::to_value(report).unwrap();
    let totals = ["stored_bytes", "logical_bytes", "orphan_bytes", "saved_bytes", "files", "trees", "bindings"];
    let mut shape: Vec<(&str, Is)> = totals.map(|total| (total, Number)).to_vec();
    shape.extend([("store", Text), ("at", Time), ("unowned_other_bytes", Number), ("gc", Object), ("sharing", Object)]);
    shape.extend([("owners", List), ("unowned", List), ("ages", List), ("forecasts", List)]);
    assert_shape("report", &report, &shape);
    assert_shape("its gc", &report["gc"], YIELD);
    assert_shape("by then", &report["forecasts"][0]["by_then"], YIELD);
    assert_shape("if unused", &report["forecasts"][0]["if_unused"], YIELD);
    assert_shape("an artifact", &report["owners"][0]["holds"][0], ARTIFACT);
    assert_shape("an orphan", &report["unowned"][0], ARTIFACT);
    assert_shape("an age", &report["ages"][0], &[("age", Text), ("artifacts", Number), ("fair_bytes", Number)]);
    assert_shape("sharing", &report["sharing"], &[("owners", List), ("bytes", List)]);
}

#[test]
fn ages_are_those_of_usage() {
    let cache = story().open();
    let report = cache.report(&ReportOptions::new()).unwrap();
    let usage = cache.usage_by(UsageBy::Age, None).unwrap();
    let told: Vec<(u64, u64)> =
        report.ages.iter().map(|age| (age.artifacts, age.fair_bytes)).filter(|(artifacts, _)| *artifacts > 0).collect();
    let counted: Vec<(u64, u64)> = usage.groups.iter().map(|group| (group.artifacts, group.fair_bytes)).collect();
    assert_eq!(told, counted);
    assert_eq!(report.ages.len(), 6);
}

#[test]
fn what_is_shared_is_what_both_reach() {
    let oma = story();
    let sharing = oma.json(&["report"])["sharing"].clone();
    assert_eq!(sharing["owners"], serde_json::json!(["zoo@1.2", "plots", "iris"]));
    // iris and zoo share the whole of `common`, plots and zoo the whole of `more`, and all the file `a`.
    let (common, more, a) = (6_004, 11_002, 4_001);
    let zoo = 9_003 + common + 7_001;
    let expected = serde_json::json!([[zoo, more, common], [more, more + 2_505, a], [common, a, common]]);
    assert_eq!(sharing["bytes"], expected);
    let two = oma.open().report(&ReportOptions::new().largest(2)).unwrap();
    assert_eq!(two.sharing.bytes, [[zoo, more], [more, more + 2_505]]);
}

#[test]
fn the_forecast_is_what_gc_says() {
    let oma = story();
    let report = oma.json(&["report"]);
    let freed = |words: &[&str]| oma.json(&[&["gc", "-n"], words].concat())["freed_bytes"].clone();
    assert_eq!(report["gc"]["freed_bytes"], freed(&[]));
    assert_eq!(report["gc"]["freed_bytes"], 4_004, "the orphan of 21 days");
    let forecasts = report["forecasts"].as_array().unwrap();
    assert_eq!(forecasts.iter().map(|row| row["days"].as_u64().unwrap()).collect::<Vec<_>>(), [7, 30, 90]);
    for row in forecasts {
        let days = row["days"].as_u64().unwrap();
        assert_eq!(row["if_unused"]["freed_bytes"], freed(&["--unused-for", &format!("{days}d")]), "{days} days");
        let then = oma.clock.now().plus(DAY * u32::try_from(days).unwrap()).to_string();
        let mut later = oma.command(&["--json", "gc", "-n"]);
        later.env("OMA_TEST_NOW", then);
        let later: Value = serde_json::from_slice(&later.output().unwrap().stdout).unwrap();
        assert_eq!(row["by_then"]["freed_bytes"], later["freed_bytes"], "in {days} days");
    }
    assert!(forecasts[0]["by_then"]["freed_bytes"].as_u64() > Some(4_004), "the other orphan goes too");
    assert!(forecasts[1]["if_unused"]["freed_bytes"].as_u64() > Some(9_000), "what is old and bound goes too");
}

#[test]
fn what_gc_takes_now_is_marked() {
    let oma = story();
    let marked = |report: &Value| {
        let owners = report["owners"].as_array().unwrap().iter().flat_map(|owner| owner["holds"].as_array().unwrap());
        let all = owners.chain(report["unowned"].as_array().unwrap());
        let mut taken: Vec<String> = all
            .filter(|artifact| artifact["collectable"] == true)
            .map(|artifact| artifact["hash"].as_str().unwrap().to_owned())
            .collect();
        taken.sort();
        taken.dedup();
        taken
    };
    let planned = || {
        let plan = oma.json(&["gc", "-n"]);
        let items = plan["artifacts"].as_array().unwrap().iter();
        let mut hashes: Vec<String> = items.map(|item| item["hash"].as_str().unwrap().to_owned()).collect();
        hashes.sort();
        hashes
    };
    assert_eq!(marked(&oma.json(&["report"])), planned());
    assert_eq!(planned().len(), 1);
    oma.ok(&["config", "set", "gc.rules", "unused_for=30d"]);
    assert_eq!(marked(&oma.json(&["report"])), planned());
    assert_eq!(planned().len(), 2, "the rules of the store count");
    let page = oma.ok(&["report"]).stdout;
    assert!(page.contains("class=\"goes\"") && page.contains("gc would take it now"));
}

#[test]
fn nothing_changes() {
    let oma = story();
    let before = std::fs::read(oma.root().join("index.sqlite")).unwrap();
    let gc = oma.json(&["gc", "-n"]);
    oma.ok(&["report", "-o", "r.html"]);
    assert!(before == std::fs::read(oma.root().join("index.sqlite")).unwrap(), "the index is as it was");
    assert_eq!(gc, oma.json(&["gc", "-n"]));
    let rule = GcRule { unused_for: Some(Duration::ZERO), min_age: Some(Duration::ZERO), ..GcRule::default() };
    assert!(oma.open().gc_plan(&GcPolicy::default().rule(rule)).unwrap().freed_bytes > 20_000, "all is still there");
}

#[test]
fn the_page_stands_alone_and_names_every_owner() {
    let oma = story();
    let page = oma.ok(&["report"]).stdout;
    assert!(page.starts_with("<!DOCTYPE html>"));
    assert_inert(&page);
    for name in ["zoo@1.2", "iris", "plots", "training", "no owner", "alone"] {
        assert!(page.contains(name), "{name} is not on the page");
    }
    for heading in ["Who has what", "Owners", "Sharing", "Ages", "What gc would free", "Largest artifacts"] {
        assert!(page.contains(&format!("<h2>{heading}</h2>")), "{heading}");
    }
    assert_eq!(page, oma.ok(&["report", "-o", "-"]).stdout, "the same data make the same page");
}

/// Fails the test if the page could run or load anything.
fn assert_inert(page: &str) {
    let lower = page.to_lowercase();
    for word in ["<script", "http:", "https:", "<link", "<img", "<iframe", "@import", "javascript:", " on", "src="] {
        let found = lower.match_indices(word).find(|(at, _)| word != " on" || is_handler(&lower[*at..]));
        assert!(found.is_none(), "{word} in {}", &lower[found.unwrap().0..][..60]);
    }
    assert!(page.contains("content=\"default-src &#39;none&#39;; style-src &#39;unsafe-inline&#39;\""));
    let raw = page
        .chars()
        .find(|c| (c.is_control() && *c != '\n') || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'));
    assert_eq!(raw, None);
}

fn is_handler(text: &str) -> bool {
    let name: String = text.trim_start().chars().take_while(char::is_ascii_alphabetic).collect();
    text[1 + name.len()..].starts_with("=\"")
}

/// Names that try to be something else.
const HOSTILE: [&str; 6] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "' onmouseover='alert(1)",
    "\u{202e}lmth.reversed\u{2066}",
    "two\nlines\tand\u{7}bell\u{1b}[31m",
    "</title></style></svg><b>bold</b>&amp;",
];

/// A key may hold no control characters, and no `@` that is none.
pub(crate) fn hostile_owner(name: &str) -> String {
    name.replace(['\n', '\t', '\u{7}', '\u{1b}', '@'], "")
}

pub(crate) fn hostile_story() -> Oma {
    let oma = Oma::new();
    for (number, name) in HOSTILE.iter().enumerate() {
        let file = oma.file(&format!("f{number}"), format!("{number}").repeat(2_000 + number));
        oma.ok(&["--owner", &hostile_owner(name), "add", &file, "--bind", name]);
    }
    oma
}

#[test]
fn hostile_names_are_text() {
    let oma = hostile_story();
    let page = oma.ok(&["report"]).stdout;
    assert_inert_but_for_text(&page);
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "shown as it is");
    assert!(page.contains("\\u{202e}lmth.reversed"), "shown, not obeyed");
    assert!(page.contains("two\\nlines\\tand\\x07bell\\x1b[31m"));
}

/// What hostile names say is there as text; none of it is markup.
fn assert_inert_but_for_text(page: &str) {
    for piece in page.split('<').skip(1) {
        let tag: String = piece.chars().take_while(|c| c.is_ascii_alphanumeric() || "!/".contains(*c)).collect();
        let known = [
            "!DOCTYPE",
            "html",
            "head",
            "meta",
            "title",
            "style",
            "body",
            "main",
            "header",
            "h1",
            "p",
            "code",
            "time",
            "dl",
            "div",
            "dt",
            "dd",
            "section",
            "h2",
            "figure",
            "svg",
            "defs",
            "pattern",
            "rect",
            "g",
            "text",
            "figcaption",
            "span",
            "i",
            "b",
            "table",
            "thead",
            "tbody",
            "tr",
            "th",
            "td",
        ];
        assert!(known.contains(&tag.trim_start_matches('/')), "<{tag}> on the page");
        // Outside of quotes an attribute has no other quote, and its value no bracket.
        let inside = piece.split('>').next().unwrap_or_default();
        assert_eq!(inside.matches('"').count() % 2, 0, "<{inside}>");
        let attributes = inside.split('"').step_by(2);
        assert!(
            attributes.into_iter().all(|text| !text.contains(" onmouseover") && !text.contains("onerror")),
            "{inside}"
        );
    }
    assert!(
        !page
            .chars()
            .any(|c| (c.is_control() && c != '\n') || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'))
    );
}

/// Fills an index with owners and bindings of things that are nowhere.
fn crowd(root: &Path, owners: u64, each: u64, name: &str) {
    let mut index = Connection::open(root.join("index.sqlite")).unwrap();
    let tx = index.transaction().unwrap();
    for owner in 1..=owners {
        let insert = "INSERT INTO owners (id, key, created_at, last_seen_at) VALUES (?1, ?2, 0, 0)";
        tx.execute(insert, params![owner, format!("{name}{owner}")]).unwrap();
        for number in 0..each {
            let hash = Digest::of_blob(format!("{owner} {number}").as_bytes());
            let insert = "INSERT INTO objects (hash, kind, state, size, own_bytes, files, created_at)
                          VALUES (?1, 0, 0, ?2, ?2, 1, 0)";
            tx.prepare_cached(insert).unwrap().execute(params![hash.as_bytes(), 1_000 + owner * number]).unwrap();
            let insert = "INSERT INTO bindings (owner_id, name, object_id, bound_at) VALUES (?1, ?2, ?3, 0)";
            let binding = params![owner, format!("{name}{number}"), tx.last_insert_rowid()];
            tx.prepare_cached(insert).unwrap().execute(binding).unwrap();
        }
    }
    tx.commit().unwrap();
}

#[test]
fn the_page_stays_small() {
    for (owners, each, name) in [(300, 20, "owner-".to_owned()), (260, 12, "\"&<\u{202e}".repeat(90))] {
        let oma = Oma::new();
        oma.ok(&["init"]);
        crowd(&oma.root(), owners, each, &name);
        let page = oma.ok(&["report"]).stdout;
        assert!(page.len() < 1_000_000, "{} bytes", page.len());
        assert!(page.matches("<rect").count() < 4_000);
        assert!(page.contains(&format!("And {} owners more.", owners - 200)), "the rest is told of");
        assert!(page.contains(" more</text>") || page.contains("small artifacts"), "the rest is in the picture");
        let report = oma.json(&["report"]);
        assert_eq!(report["owners"].as_array().unwrap().len() as u64, owners, "the data are whole");
    }
}

#[test]
fn an_empty_store_and_none_have_a_page_too() {
    let oma = Oma::new();
    let none = oma.ok(&["report"]);
    assert!(none.stderr.contains("there is no store"), "{none:?}");
    assert!(none.stdout.contains("Nothing is stored."));
    assert_inert(&none.stdout);
    assert!(!oma.root().exists(), "a look makes no store");
    oma.ok(&["init"]);
    assert!(oma.ok(&["report"]).stdout.contains("Nothing is stored."));
    assert_eq!(oma.json(&["report"])["stored_bytes"], 0);
}

#[test]
fn the_file_is_replaced_whole() {
    let oma = story();
    let file = oma.file("report.html", "an older page");
    let ran = oma.ok(&["report", "-o", "report.html"]);
    assert_eq!(ran.stdout, "");
    assert!(ran.stderr.contains("the report is in `report.html`"), "{ran:?}");
    let page = std::fs::read_to_string(&file).unwrap();
    assert_eq!(page, oma.ok(&["report"]).stdout);
    // Through a link the file behind it is replaced, and the link stays.
    std::os::unix::fs::symlink("report.html", oma.path("link.html")).unwrap();
    std::fs::write(&file, "older again").unwrap();
    oma.ok(&["report", "--output", "link.html"]);
    assert!(oma.path("link.html").is_symlink());
    assert_eq!(std::fs::read_to_string(&file).unwrap(), page);
    // What is no file is written to, not replaced.
    oma.ok(&["report", "-o", "/dev/null"]);
    assert!(!Path::new("/dev/null").is_file());
    let left: Vec<_> = std::fs::read_dir(oma.path("")).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().ends_with(".tmp")), "{left:?}");
}

#[test]
fn words_and_exit_codes() {
    let oma = story();
    oma.fails(3, &["report", "-o", "no/such/folder/r.html"]);
    oma.fails(1, &["report", "-o", "common"]);
    oma.fails(2, &["report", "--owner", ""]);
    oma.fails(2, &["report", "extra"]);
    // The global word and this verb's stand beside each other.
    let words = ["--owner", "iris", "report", "-o", "a.html"];
    oma.ok(&words);
    oma.ok(&["-o", "iris", "report", "--owner", "zoo@1.2", "-o", "b.html"]);
    oma.ok(&["report", "--owner=iris", "-ob.html"]);
    assert!(oma.path("a.html").is_file() && oma.path("b.html").is_file());
    let both = oma.ok(&["--json", "report", "-o", "c.html"]);
    assert!(both.json()["owners"].is_array() && oma.path("c.html").is_file(), "the page and the data");
    let help = oma.ok(&["report", "--help"]).stdout;
    assert!(help.contains("-o, --output <FILE>") && help.contains("--owner <KEY[@VERSION]>"), "{help}");
}
