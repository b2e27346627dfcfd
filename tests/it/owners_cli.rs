//! `oma owner`: words, tables, JSON, exit codes.

use std::fs;
use std::time::{Duration, Instant};

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::support::DAY;
use crate::support::depot::{ALPHA, World};
use crate::support::oma::{Oma, index_rows};
use crate::support::shape::Is::{List, Maybe, Number, Text, Time};
use crate::support::shape::assert_shape;

fn text(oma: &Oma, words: &[&str]) -> String {
    let ran = oma.ok(words);
    ran.assert_printable();
    oma.redacted(&format!("{}{}", ran.stdout, ran.stderr))
}

fn failure(oma: &Oma, code: i32, words: &[&str]) -> String {
    let ran = oma.fails(code, words);
    ran.assert_printable();
    assert_eq!(ran.stdout, "", "{ran:?}");
    oma.redacted(&ran.stderr)
}

/// Two owners: `flowers`, which is registered, and `site@1.0`, for which it has bound a file.
fn sample() -> Oma {
    let oma = Oma::new();
    oma.tree("project", &[]);
    let root = oma.at("project");
    let words = ["owner", "add", "flowers", "--title", "Flower models", "--root", &root, "--probe", "false"];
    oma.ok(&[&words[..], &["--soft-budget", "1KiB", "--hard-budget", "2KiB"]].concat());
    oma.tree("data", &[("a", "12345"), ("b", "1234567")]);
    oma.ok(&["-o", "flowers", "add", &oma.at("data"), "--bind", "data"]);
    oma.ok(&["-o", "flowers", "add", &oma.at("data/a"), "--bind", "a", "--for", "site@1.0"]);
    oma
}

#[test]
fn add_and_show() {
    let oma = sample();
    assert_snapshot!(text(&oma, &["owner", "show", "flowers"]), @"
    owner      flowers
    title      Flower models
    kind       there as long as its path is
    root       [TMP]/project
    state      alive: `[TMP]/project` is there
    probe      path, alive: `[TMP]/project` is there
    probe      command, gone: `false` fails with exit code 1
    bindings   1
    holds      12 B; soft budget 1.0 KiB; hard budget 2.0 KiB
    bound for  site@1.0, 1 name on the other's behalf
    first seen now
    last seen  now
    ");
    fs::remove_dir(oma.path("project")).unwrap();
    oma.ok(&["gc", "-y"]);
    oma.pass(3 * DAY);
    assert_snapshot!(text(&oma, &["owner", "show", "flowers"]), @"
    owner      flowers
    title      Flower models
    kind       there as long as its path is
    root       [TMP]/project
    state      gone: `[TMP]/project` is not there; `false` fails with exit code 1
    probe      path, gone: `[TMP]/project` is not there
    probe      command, gone: `false` fails with exit code 1
    gone       first seen 3 days ago
    counts     its bindings stop counting in 4 days, unless it comes back
    bindings   1
    holds      12 B; soft budget 1.0 KiB; hard budget 2.0 KiB
    bound for  site@1.0, 1 name on the other's behalf
    first seen 3 days ago
    last seen  3 days ago
    ");
    assert_snapshot!(text(&oma, &["owner", "show", "site@1.0"]), @"
    owner      site@1.0
    kind       there until somebody removes it
    state      -
    bindings   1
    holds      5 B
    bound by   flowers, 1 name on its behalf
    first seen 3 days ago
    last seen  3 days ago
    ");
    assert_snapshot!(text(&oma, &["owner", "list"]), @"
    OWNER    VERSION  TITLE          STATE  BINDINGS  FIRST SEEN   LAST SEEN
    flowers  -        Flower models  gone          1  3 days ago  3 days ago
    site     1.0      -              -             1  3 days ago  3 days ago

    2 owners, 2 bindings
    ");
    assert_snapshot!(text(&oma, &["why", "site@1.0:a"]), @"
    hash     74242c6e4a0d89f454d89d3496a1f7cb3f1f39f032c4f75dfd48068c93adff29
    content  file, 5 B
    state    live
    kept by  binding site@1.0:a, bound 3 days ago by flowers
    kept by  tree c6831f289c1d as `a`
               binding flowers:data, bound 3 days ago
                 owner gone: `[TMP]/project` is not there; `false` fails with exit code 1; this stops counting in 4 days
    ");
    let end = oma.clock.now().plus(DAY).to_string();
    assert_snapshot!(text(&oma, &["owner", "add", "camp", "--until", &end]), @"
    owner      camp
    kind       there until its time is over
    state      alive: its time ends at 2026-01-05T00:00:00.000Z
    ends       2026-01-05T00:00:00.000Z, in 24 hours
    bindings   0
    holds      0 B
    first seen now
    last seen  now
    ");
}

#[test]
fn the_json_of_an_owner_has_every_field() {
    let oma = sample();
    let end = oma.clock.now().plus(DAY).to_string();
    let shown = oma.json(&["owner", "add", "flowers", "--expires", &end]);
    assert_eq!(shown, oma.json(&["owner", "show", "flowers"]));
    let shape = [
        ("owner", Text),
        ("version", Maybe(&Text)),
        ("title", Text),
        ("kind", Text),
        ("root", Text),
        ("alive", crate::support::shape::Is::Bool),
        ("bindings", Number),
        ("created_at", Time),
        ("last_seen_at", Time),
        ("evidence", Text),
        ("probes", List),
        ("expires_at", Time),
        ("gone_since", Maybe(&Time)),
        ("bindings_stop_at", Maybe(&Time)),
        ("soft_budget", Number),
        ("hard_budget", Number),
        ("used_bytes", Number),
        ("bound_by", List),
        ("bound_for", List),
    ];
    assert_shape("owner show", &shown, &shape);
    let (root, evidence) = (oma.at("project"), format!("`{}` is there", oma.at("project")));
    assert_eq!(shown["probes"][0], json!({"kind": "path", "target": root, "alive": true, "evidence": evidence}));
    assert_eq!(shown["probes"][1]["alive"], false);
    assert_eq!(shown["bound_for"], json!([{"owner": "site@1.0", "bindings": 1}]));
    assert_eq!(oma.line(&["-q", "owner", "show", "flowers"]), "flowers");

    let removed = oma.json(&["owner", "remove", "flowers", "-y"]);
    assert_shape("owner remove", &removed, &[("removed", List), ("orphaned", List)]);
    assert_eq!(removed["removed"], json!([{"owner": "flowers", "version": null, "bindings": 1}]));
    let orphan = &removed["orphaned"][0];
    assert_shape(
        "an orphan",
        orphan,
        &[("hash", crate::support::shape::Is::Hash), ("kind", Text), ("size", Number), ("names", List)],
    );
    assert_eq!(
        (&orphan["kind"], &orphan["size"], &orphan["names"]),
        (&json!("tree"), &json!(12), &json!(["flowers:data"]))
    );
}

#[test]
fn what_is_bound_for_somebody_is_that_ones_and_says_by_whom() {
    let oma = sample();
    let by = |rows: &Value| rows.as_array().unwrap().iter().map(|row| row["bound_by"].clone()).collect::<Vec<_>>();
    assert_eq!(by(&oma.json(&["ls"])), [Value::Null, json!("flowers")]);
    assert_eq!(by(&oma.json(&["show", "site@1.0:a"])["bindings"]), [json!("flowers")]);
    let kept = oma.json(&["why", "site@1.0:a"])["kept_by"].clone();
    assert_eq!(kept[0]["bound_by"], "flowers");
    // A get looks among the names of the one it is for.
    let got = oma.json(&["-o", "flowers", "get", "a", "--for", "site@1.0", "--", "false"]);
    assert_eq!((&got["created"], &got["binding"]["bound_by"]), (&json!(false), &json!("flowers")));
    let made = oma.json(&["-o", "flowers", "get", "b", "--for", "camp", "--", "sh", "-c", "echo made > f"]);
    assert_eq!((&made["binding"]["owner"], &made["binding"]["bound_by"]), (&json!("camp"), &json!("flowers")));
    oma.ok(&["-o", "flowers", "bind", "c", "site@1.0:a", "--for", "camp"]);
    oma.ok(&["-o", "flowers", "create", "--bind", "d", "--for", "camp", "--", "touch", "f"]);
    let camp = oma.json(&["ls", "-o", "camp"]);
    assert_eq!(by(&camp), [json!("flowers"), json!("flowers"), json!("flowers")]);
    // Who binds for itself binds as always.
    let own = oma.json(&["-o", "camp", "bind", "e", "site@1.0:a", "--for", "camp"]);
    assert_eq!(own["bound_by"], Value::Null);
    oma.fails(2, &["bind", "n", "site@1.0:a", "--for", "camp"]);
    oma.fails(2, &["-o", "flowers", "add", &oma.at("data"), "--for", "camp"]);
}

#[test]
fn remove_says_what_becomes_unused_and_asks() {
    let oma = sample();
    assert_snapshot!(failure(&oma, 2, &["owner", "remove", "flowers"]), @"
    error: removing an owner lets go of what it has bound, and there is no terminal to ask at
    hint: `oma ls --owner flowers` shows what it has bound, `oma owner remove flowers -y` does it
    ");
    assert_snapshot!(failure(&oma, 3, &["owner", "remove", "site", "-y"]), @"
    error: no owner is known as `site`
    hint: known: site@1.0; `oma owner remove site --all-versions` removes all versions
    ");
    assert_snapshot!(failure(&oma, 3, &["owner", "remove", "nobody", "-y"]), @"
    error: no owner is known as `nobody`
    hint: `oma owner list` lists them, each with its version
    ");
    assert_snapshot!(failure(&oma, 2, &["owner", "remove", "site@1.0", "--all-versions", "-y"]), @"
    error: one version was named, and all are to go
    hint: `oma owner remove site --all-versions` removes them all
    ");
    assert_eq!(oma.json(&["ls"]).as_array().unwrap().len(), 2, "nothing was removed");
    assert_snapshot!(text(&oma, &["owner", "remove", "flowers", "-y"]), @"
    HASH          KIND  SIZE  NAMES
    c6831f289c1d  tree  12 B  flowers:data

    1 owner removed with 1 binding: flowers
    1 artifact unused now (12 B if nothing were shared); gc takes what stays so
    ");
    oma.ok(&["-o", "site@2.0", "bind", "a", "site@1.0:a"]);
    assert_snapshot!(text(&oma, &["owner", "remove", "site@2.0", "-y"]), @"
    1 owner removed with 1 binding: site@2.0
    everything is in use by others
    ");
    oma.ok(&["-o", "site@2.0", "bind", "a", "site@1.0:a"]);
    assert_snapshot!(text(&oma, &["owner", "remove", "site", "--all-versions", "-y"]), @"
    HASH          KIND  SIZE  NAMES
    74242c6e4a0d  file   5 B  site@2.0:a, site@1.0:a

    2 owners removed with 2 bindings: site@1.0, site@2.0
    1 artifact unused now (5 B if nothing were shared); gc takes what stays so
    ");
    assert_eq!(oma.json(&["owner", "list"]), json!([]));
}

#[test]
fn rename_and_delegate_say_what_they_did() {
    let oma = sample();
    assert_snapshot!(failure(&oma, 5, &["owner", "rename", "flowers", "site@1.0"]), @"
    error: there is an owner `site@1.0` already
    hint: `oma owner show site@1.0` shows it; `oma owner delegate` hands bindings over to it
    ");
    assert_snapshot!(text(&oma, &["owner", "rename", "site@1.0", "site@1.1"]), @"
    site@1.0 is site@1.1 now, with 1 binding
    ");
    oma.ok(&["-o", "site@1.1", "bind", "data", "site@1.1:a"]);
    assert_snapshot!(failure(&oma, 5, &["owner", "delegate", "flowers", "site@1.1"]), @"
    error: site@1.1 already binds `data` to 74242c6e4a0d
    hint: `oma unbind --owner site@1.1 data` frees the name, `--force` takes it
    ");
    assert_snapshot!(failure(&oma, 3, &["owner", "delegate", "flowers", "site@1.1", "x"]), @"
    error: flowers binds no artifact to `x`
    hint: `oma ls --owner flowers` lists its names
    ");
    assert_snapshot!(text(&oma, &["owner", "delegate", "flowers", "site@1.1", "--force"]), @"
    site@1.1 no longer binds `data` to 74242c6e4a0d
    1 binding of flowers handed over to site@1.1
    ");
    let given = oma.json(&["owner", "delegate", "site@1.1", "flowers", "a"]);
    assert_eq!((&given["from"], &given["to"], &given["replaced"]), (&json!("site@1.1"), &json!("flowers"), &json!([])));
    assert_eq!(given["delegated"][0]["owner"], "flowers");
}

#[test]
fn over_budget_ends_with_seven_and_a_hint_that_works() {
    let oma = sample();
    oma.file("big", "x".repeat(3_000));
    let big = oma.at("big");
    let words = ["-o", "flowers", "add", &big, "--bind", "big"];
    assert_eq!(oma.fails(7, &[&["--json"], &words[..]].concat()).error_kind(), "out_of_space");
    let said = failure(&oma, 7, &words);
    let hint = said.lines().find_map(|line| line.strip_prefix("hint: ")).unwrap();
    let commands: Vec<&str> = hint.split('`').skip(1).step_by(2).collect();
    assert_eq!(commands.len(), 2, "{hint}");
    for command in commands {
        oma.ok(&command.split(' ').skip(1).collect::<Vec<_>>());
    }
    let done = oma.ok(&words);
    assert!(done.stderr.contains("more than its soft budget of 1KiB"), "{done:?}");
}

#[test]
fn a_command_that_hangs_is_killed_with_all_it_started() {
    let oma = Oma::new();
    let mark = oma.at("mark");
    let probe = format!("(sleep 13; touch '{mark}') & wait");
    let begun = Instant::now();
    let shown = oma.json(&["owner", "add", "o", "--probe", &probe]);
    let took = begun.elapsed();
    assert!((Duration::from_secs(9)..Duration::from_secs(60)).contains(&took), "{took:?}");
    assert_eq!(shown["alive"], Value::Null);
    assert!(shown["evidence"].as_str().unwrap().ends_with("took longer than 10 s"), "{shown}");
    std::thread::sleep(Duration::from_secs(5));
    assert!(!oma.path("mark").exists(), "a part of it lives on");
}

#[test]
fn a_command_is_run_for_the_user_who_registered_it_only() {
    let oma = Oma::new();
    let mark = oma.at("mark");
    oma.ok(&["-o", "o", "add", &oma.file("f", "f"), "--bind", "n"]);
    oma.ok(&["owner", "add", "o", "--probe", &format!("touch '{mark}'; false")]);
    fs::remove_file(oma.path("mark")).expect("it was run for us");
    // As if somebody else had registered it.
    let changed = std::process::Command::new("sqlite3")
        .args([oma.at("store/index.sqlite").as_str(), "UPDATE probes SET user_id = user_id + 1"])
        .status();
    if !changed.is_ok_and(|status| status.success()) {
        return;
    }
    for _ in 0..3 {
        assert_eq!(oma.json(&["gc", "-y"])["deleted_artifacts"], 0);
        oma.pass(30 * DAY);
    }
    let shown = oma.json(&["owner", "show", "o"]);
    assert_eq!((&shown["alive"], &shown["gone_since"]), (&Value::Null, &Value::Null));
    assert!(!oma.path("mark").exists(), "it was run for somebody else");
}

#[test]
fn hostile_words_reach_the_terminal_escaped() {
    let oma = Oma::new();
    let (owner, title) = ("o\u{1b}[31m\n", "t\u{202e}\u{7}");
    oma.tree("bad\u{1b}\n", &[]);
    let root = oma.at("bad\u{1b}\n");
    let probe = "exit 127 # \u{1b}[2J\n";
    oma.ok(&["owner", "add", owner, "--title", title, "--root", &root, "--probe", probe]).assert_printable();
    oma.ok(&["-o", owner, "add", &oma.file("f", "f"), "--bind", "n\u{7}"]);
    for words in [&["owner", "list"][..], &["owner", "show", owner], &["-q", "owner", "show", owner]] {
        oma.ok(words).assert_printable();
    }
    fs::remove_dir(oma.path("bad\u{1b}\n")).unwrap();
    oma.ok(&["owner", "show", owner]).assert_printable();
    oma.ok(&["why", &format!("{owner}:n\u{7}")]).assert_printable();
    oma.fails(2, &["owner", "remove", owner]).assert_printable();
    oma.fails(5, &["owner", "rename", owner, owner]).assert_printable();
    oma.ok(&["owner", "delegate", owner, "to\u{202e}"]).assert_printable();
    oma.ok(&["owner", "rename", "to\u{202e}", "to\u{1b}"]).assert_printable();
    oma.ok(&["owner", "remove", "to\u{1b}", "-y"]).assert_printable();
}

#[test]
fn a_package_of_julia_can_be_registered_and_is_looked_for() {
    let world = World::new();
    let depot = world.at("depot");
    let shown = world.ask(&["owner", "add", ALPHA, "--julia-depot", &depot, "--title", "Mine"]);
    assert_eq!((&shown["kind"], &shown["alive"], &shown["title"]), (&json!("julia"), &json!(true), &json!("Mine")));
    world.uninstall_alpha();
    assert_eq!(world.ask(&["owner", "show", ALPHA])["alive"], false);
    // A root beside it is one more reason to think that it is there.
    let shown = world.ask(&["owner", "add", ALPHA, "--root", &depot]);
    assert_eq!((&shown["alive"], shown["probes"].as_array().unwrap().len()), (&json!(true), 2));
    world.fails(2, &["owner", "rename", ALPHA, "alpha"]);
    world.fails(2, &["owner", "add", "alpha", "--julia-depot", &depot]);
}

#[test]
fn each_change_writes_down_what_happened_and_what_a_rebuild_needs() {
    let oma = sample();
    oma.ok(&["owner", "rename", "site@1.0", "site@1.1"]);
    oma.ok(&["owner", "delegate", "flowers", "site@1.1"]);
    oma.ok(&["owner", "remove", "site@1.1", "-y"]);
    let journal = fs::read_to_string(oma.path("store/bindings.journal")).unwrap();
    let mut bound = std::collections::BTreeSet::new();
    for line in journal.lines() {
        let record: Value = serde_json::from_str(line).unwrap();
        let name = format!("{}@{}:{}", record["owner"], record["version"], record["name"]);
        if record["hash"].is_null() {
            bound.remove(&name)
        } else {
            bound.insert(name)
        };
    }
    assert_eq!(bound.len(), 0, "{journal}");
    let query = "SELECT what, owner, version, name, detail FROM events ORDER BY id";
    if let Some(rows) = index_rows(&oma.root(), query) {
        let expected = [
            "bind|flowers||data|",
            "bind|site|1.0|a|flowers",
            "rename|site|1.0|a|site@1.1",
            "bind|site|1.1|a|flowers",
            "delegate|flowers||data|site@1.1",
            "bind|site|1.1|data|flowers",
            "remove|site|1.1|data|",
            "remove|site|1.1|a|",
        ];
        assert_eq!(rows, expected);
    }
}
