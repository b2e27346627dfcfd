//! What is told of the whole store is what `usage` and `gc` say, and nothing changes for it.

mod browser;
mod page;

use std::time::Duration;

use ohmyartifacts::{Digest, GcPolicy, GcRule, ReportArtifact, ReportOptions, UsageBy};
use rusqlite::{Connection, params};
use serde_json::Value;

use crate::support::oma::{Oma, fields};
use crate::support::shape::Is::{self, Bool, Hash, List, Number, Object, Text, Time};
use crate::support::shape::assert_shape;
use crate::support::{DAY, Env};

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

/// Numbers that look like chance and are the same each time.
fn chances() -> impl FnMut(u64) -> u64 {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    move |most| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % most
    }
}

#[test]
fn areas_add_up_whoever_shares_what() {
    let env = Env::new();
    drop(env.open());
    let index = Connection::open(env.root().join("index.sqlite")).unwrap();
    let mut chance = chances();
    let insert = "INSERT INTO objects (hash, kind, state, size, own_bytes, files, created_at, orphaned_at)
                  VALUES (?1, ?2, 0, ?3, ?3, 1, 0, ?4)";
    for blob in 0..400_u64 {
        let orphaned_at = (blob % 9 == 0).then_some(0);
        let hash = Digest::of_blob(&blob.to_le_bytes());
        index.execute(insert, params![hash.as_bytes(), 0, chance(1_000), orphaned_at]).unwrap();
    }
    for tree in 0..60_u64 {
        let hash = Digest::of_blob(&(tree + 1_000).to_le_bytes());
        index.execute(insert, params![hash.as_bytes(), 2, 0, (tree % 7 == 0).then_some(0)]).unwrap();
        let id = index.last_insert_rowid();
        for _ in 0..chance(20) {
            let member = "INSERT OR IGNORE INTO members (tree_id, blob_id) VALUES (?1, ?2)";
            index.execute(member, params![id, 1 + chance(400)]).unwrap();
        }
    }
    for owner in 1..=11_u64 {
        let insert = "INSERT INTO owners (id, key, created_at, last_seen_at) VALUES (?1, ?2, 0, 0)";
        index.execute(insert, params![owner, format!("owner-{}", chance(1_000_000))]).unwrap();
        for name in 0..chance(40) {
            let insert = "INSERT INTO bindings (owner_id, name, object_id, bound_at) VALUES (?1, ?2, ?3, 0)";
            let object = if chance(2) == 0 { 1 + chance(400) } else { 401 + chance(60) };
            index.execute(insert, params![owner, format!("{name}"), object]).unwrap();
        }
    }
    // What nobody has bound is an orphan.
    let settle = "UPDATE objects SET orphaned_at = iif(id IN (SELECT object_id FROM bindings), NULL, 0)";
    index.execute(settle, []).unwrap();
    let cache = env.open();
    let (report, usage) = (cache.report(&ReportOptions::new()).unwrap(), cache.usage().unwrap());
    assert_eq!(report.owners.iter().map(|owner| owner.usage.clone()).collect::<Vec<_>>(), usage.owners);
    let area = |held: &[ReportArtifact]| held.iter().map(|artifact| artifact.fair_bytes).sum::<u64>();
    for owner in &report.owners {
        assert_eq!(area(&owner.holds), owner.usage.fair_bytes, "{}", owner.usage.owner);
        assert_eq!(owner.holds.len() as u64, owner.usage.artifacts);
    }
    let owned: u64 = report.owners.iter().map(|owner| area(&owner.holds)).sum();
    assert_eq!(owned + area(&report.unowned) + report.unowned_other_bytes, report.stored_bytes);
    assert_eq!((report.stored_bytes, report.unowned_other_bytes), (usage.stored_bytes, 0));
    assert!(report.orphan_bytes == usage.orphan_bytes && report.orphan_bytes > 0);
    assert_eq!(report.ages.iter().map(|age| age.fair_bytes).sum::<u64>(), owned);
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
