//! Packages of Julia that are gone stop counting, and only those.

use std::fs;

use serde_json::{Value, json};

use crate::support::depot::{ALPHA, BETA, World, manifest};
use crate::support::oma::{fields, index_rows};

/// What is Alpha's alone: `data` and the file `only`. A directory of links takes nothing itself.
const ALPHAS: u64 = 11 + 7;

fn reasons(rows: &Value) -> Vec<&str> {
    rows.as_array().unwrap().iter().map(|row| row["reason"].as_str().unwrap()).collect()
}

#[test]
fn a_package_that_is_there_keeps_what_it_has_for_ever() {
    let world = World::new();
    for _ in 0..10 {
        world.pass_days(100);
        let report = world.gc("0");
        assert_eq!((&report["freed_bytes"], &report["kept"]), (&json!(0), &json!([])));
    }
    let alpha = world.alpha();
    assert_eq!((&alpha["kind"], &alpha["alive"], &alpha["title"]), (&json!("julia"), &json!(true), &json!("Alpha")));
    assert_eq!(alpha["root"], world.at("depot"));
    let mut row = world.ask(&["owner", "list"])[0].clone();
    assert_eq!(row["owner"], ALPHA);
    let known = ["evidence", "probes", "expires_at", "gone_since", "bindings_stop_at"];
    let holds = ["soft_budget", "hard_budget", "used_bytes", "bound_by", "bound_for"];
    for more in [&known[..], &holds[..]].concat() {
        row[more] = alpha[more].clone();
    }
    assert_eq!(row, alpha, "the row of the list, and how it is known");
    assert_eq!(fields(&alpha).len(), 19);
    let evidence = format!("`{}` has Alpha 1.2.3", world.at("env/Manifest.toml"));
    assert_eq!(alpha["evidence"], evidence);
    assert_eq!((&alpha["gone_since"], &alpha["bindings_stop_at"]), (&Value::Null, &Value::Null));
}

#[test]
fn a_package_that_is_gone_keeps_what_it_has_for_a_grace_period_and_the_delay() {
    let world = World::new();
    world.pass_days(100);
    world.uninstall_alpha();
    let alpha = world.alpha();
    assert_eq!((&alpha["alive"], &alpha["gone_since"]), (&json!(false), &Value::Null), "looking notes nothing");

    // Day 0: gc notes it.
    assert_eq!(world.freed(), 0);
    let alpha = world.alpha();
    assert_eq!(alpha["gone_since"], world.now().to_string());
    assert_eq!(alpha["bindings_stop_at"], world.in_days(7));

    for day in 1..14 {
        world.pass_days(1);
        let report = world.gc("7d");
        assert_eq!(report["freed_bytes"], 0, "day {day}");
        assert_eq!(reasons(&report["kept"]), ["owner gone"; 2], "day {day}");
        assert_eq!(report["kept"][0]["until"], world.in_days(14 - day), "day {day}");
    }
    world.pass(crate::support::DAY - std::time::Duration::from_millis(1));
    assert_eq!(world.freed(), 0, "a millisecond before day 14");
    world.pass(std::time::Duration::from_millis(1));
    let report = world.gc("7d");
    assert_eq!(report["freed_bytes"], ALPHAS);
    assert_eq!((&report["deleted_artifacts"], &report["deleted_files"]), (&json!(3), &json!(2)));
    assert_eq!(reasons(&report["artifacts"]), ["owner gone"; 2]);
    assert_eq!(report["artifacts"][0]["names"], json!([format!("{ALPHA}:tree")]));
    assert_eq!(report["artifacts"][1]["names"], json!([format!("{ALPHA}:data")]));
    assert_eq!(report["artifacts"][0]["orphaned_at"], world.now().minus(crate::support::DAY * 7).to_string());
    assert_eq!(report["owners_removed"], json!([ALPHA]));
    world.fails(3, &["owner", "show", ALPHA]);
    assert_eq!(world.json(&["ls"]).as_array().unwrap().len(), 2, "what is Beta's stays");
    assert_eq!(world.json(&["verify"])["problems"], json!([]));
    assert_eq!(world.freed(), 0, "once is enough");
}

#[test]
fn what_lapses_is_written_down() {
    let world = World::new();
    world.uninstall_alpha();
    world.freed();
    world.pass_days(14);
    world.freed();
    let journal = fs::read_to_string(world.root().join("bindings.journal")).unwrap();
    let lines: Vec<Value> = journal.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let let_go: Vec<&Value> = lines.iter().filter(|line| line.get("hash").is_none()).collect();
    let names: Vec<_> = let_go.iter().map(|line| (line["owner"].as_str().unwrap(), &line["name"])).collect();
    assert_eq!(names, [(ALPHA, &json!("data")), (ALPHA, &json!("tree"))]);
    let query =
        "SELECT what || ' ' || ifnull(name, '-') FROM events WHERE what IN ('lapse', 'collect', 'unbind') ORDER BY id";
    if let Some(rows) = index_rows(&world.root(), query) {
        assert_eq!(rows, ["lapse data", "lapse tree", "collect -", "collect -"]);
    }
}

#[test]
fn without_a_delay_the_grace_period_is_left() {
    let world = World::new();
    world.uninstall_alpha();
    assert_eq!(world.gc("0")["freed_bytes"], 0);
    world.pass_days(6);
    assert_eq!(world.gc("0")["freed_bytes"], 0);
    world.pass_days(1);
    assert_eq!(world.gc("0")["freed_bytes"], ALPHAS);
}

#[test]
fn a_package_that_comes_back_in_time_has_lost_nothing() {
    let world = World::new();
    world.uninstall_alpha();
    world.freed();
    world.pass_days(10);
    world.install_both();
    assert_eq!(world.alpha()["gone_since"], Value::Null, "it is there, whatever is written down");
    assert_eq!(world.freed(), 0);
    for _ in 0..5 {
        world.pass_days(30);
        assert_eq!(world.freed(), 0);
    }
    assert_eq!(world.json(&["-o", ALPHA, "ls"]).as_array().unwrap().len(), 2);

    // Gone once more: all begins anew.
    world.uninstall_alpha();
    assert_eq!(world.freed(), 0);
    assert_eq!(world.alpha()["gone_since"], world.now().to_string());
    world.pass_days(13);
    assert_eq!(world.freed(), 0);
    world.pass_days(1);
    assert_eq!(world.freed(), ALPHAS);
}

type Veil = (&'static str, fn(&World));

/// Each makes it impossible to tell whether a package is there.
const VEILS: [Veil; 5] = [
    ("torn manifest", |world| world.write("env/Manifest.toml", "[[deps.Al")),
    ("emptied manifest", |world| world.write("env/Manifest.toml", "")),
    ("depot not mounted", |world| world.rename("depot", "away")),
    ("no log", |world| world.rename("depot/logs", "away")),
    ("torn log", |world| world.write("depot/logs/manifest_usage.toml", "[[\"/x")),
];

#[test]
fn of_what_cannot_be_told_nothing_is_ever_taken() {
    for (veil, draw) in VEILS {
        let world = World::new();
        draw(&world);
        for _ in 0..4 {
            assert_eq!(world.gc("0")["freed_bytes"], 0, "{veil}");
            let alpha = world.alpha();
            assert_eq!((&alpha["alive"], &alpha["gone_since"]), (&Value::Null, &Value::Null), "{veil}: {alpha:#}");
            world.pass_days(200);
        }
    }
}

#[test]
fn what_was_gone_and_cannot_be_told_now_is_not_taken() {
    for (veil, draw) in VEILS {
        let world = World::new();
        world.uninstall_alpha();
        assert_eq!(world.freed(), 0);
        let since = world.now().to_string();
        world.pass_days(5);
        draw(&world);
        for _ in 0..4 {
            assert_eq!(world.gc("0")["freed_bytes"], 0, "{veil}");
            let alpha = world.alpha();
            assert_eq!((&alpha["alive"], &alpha["bindings_stop_at"]), (&Value::Null, &Value::Null), "{veil}");
            assert_eq!(alpha["gone_since"], since, "{veil}: what is known stays");
            world.pass_days(200);
        }
    }
}

#[test]
fn what_is_gone_again_after_a_doubt_has_been_gone_all_along() {
    let world = World::new();
    world.uninstall_alpha();
    world.freed();
    world.pass_days(5);
    world.rename("depot", "away");
    world.freed();
    world.pass_days(9);
    assert_eq!(world.freed(), 0);
    world.rename("away", "depot");
    assert_eq!(world.freed(), ALPHAS);
}

/// Where a package may stand; the depot's log always names `env/Manifest.toml`, without Alpha.
#[test]
fn wherever_a_package_stands_it_is_found() {
    let v1 = format!(
        "# This file is machine-generated - editing it directly is not advised\n\n[[Alpha]]\nuuid = \"{ALPHA}\"\n"
    );
    let moved = format!("manifest_format = \"2.0\"\n[[deps.Alpha]]\npath = \"/no/such/place\"\nuuid = \"{ALPHA}\"\n");
    let project = format!("name = \"Alpha\"\nuuid = \"{ALPHA}\"\n");
    let v2 = manifest(&[("Alpha", ALPHA)]);
    // What to write where, and whether that makes it alive, or nobody can tell.
    let places: [(&str, &str, &str, Value); 8] = [
        ("format 1", "env/Manifest.toml", &v1, json!(true)),
        ("format 2", "env/Manifest.toml", &v2, json!(true)),
        ("a version's manifest", "depot/environments/v1.11/Manifest-v1.11.toml", &v2, json!(true)),
        ("an environment that is not logged", "depot/environments/work/Manifest.toml", &v2, json!(true)),
        ("in development, and moved since", "env/Manifest.toml", &moved, json!(true)),
        ("a project that is itself the package", "env/Project.toml", &project, json!(true)),
        ("installed, in no manifest", "depot/packages/Alpha/AbCdE/Project.toml", &project, Value::Null),
        ("nowhere", "env/unrelated.toml", &v2, json!(false)),
    ];
    for (what, path, content, alive) in places {
        let world = World::new();
        world.uninstall_alpha();
        world.write("depot/environments/other/Manifest.toml", &manifest(&[("Beta", BETA)]));
        world.write(path, content);
        world.freed();
        world.pass_days(100);
        let alpha = world.alpha();
        assert_eq!(alpha["alive"], alive, "{what}: {alpha:#}");
        let freed = if alive == json!(false) { ALPHAS } else { 0 };
        let dry = world.ask(&["gc", "-n"]);
        assert!(reasons(&dry["artifacts"]).iter().all(|reason| *reason == "owner gone"), "{what}: {dry:#}");
        assert_eq!(dry["freed_bytes"], freed, "{what}");
        assert_eq!(world.freed(), freed, "{what}");
    }
}

#[test]
fn a_manifest_that_was_deleted_speaks_for_nobody() {
    let world = World::new();
    fs::remove_file(world.path("env/Manifest.toml")).unwrap();
    world.freed();
    assert_eq!(world.alpha()["evidence"], "there is no manifest in 1 depot");
    world.pass_days(14);
    let report = world.gc("7d");
    assert_eq!(report["owners_removed"], json!([ALPHA, BETA]));
    assert_eq!(report["freed_bytes"], ALPHAS + 3 + 5);
    assert_eq!(crate::support::shelves(&world.root()), Vec::<String>::new());
}

#[test]
fn a_package_may_stand_in_the_manifest_of_another_depot() {
    let world = World::new().with_depots(&["second", "depot"]);
    world.uninstall_alpha();
    world.write("second-env/Manifest.toml", &manifest(&[("Alpha", ALPHA)]));
    world.log("second", &["second-env/Manifest.toml"]);
    world.freed();
    world.pass_days(100);
    assert_eq!((world.freed(), &world.alpha()["alive"]), (0, &json!(true)));

    world.rename("second", "away");
    world.freed();
    world.pass_days(100);
    assert_eq!((world.freed(), &world.alpha()["alive"]), (0, &Value::Null), "one of its depots is not there");

    world.rename("away", "second");
    world.write("second-env/Manifest.toml", &manifest(&[]));
    assert_eq!(world.freed(), 0);
    world.pass_days(14);
    assert_eq!(world.freed(), ALPHAS);
}

#[test]
fn versions_of_a_package_go_with_it() {
    let world = World::new();
    let space = "depot/scratchspaces/cf8be1f4-309d-442e-839d-29d2a0af6cb7/0.3";
    let plain = fs::read_to_string(world.path(format!("{space}/{ALPHA}/Artifacts.toml"))).unwrap();
    world.write(&format!("{space}/{ALPHA}/Artifacts_v1.2.3.toml"), &plain);
    world.ok(&["import", &world.at("depot")]);
    world.uninstall_alpha();
    world.freed();
    let key = format!("{ALPHA}@1.2.3");
    assert_eq!(world.ask(&["owner", "show", &key])["gone_since"], world.now().to_string());
    world.pass_days(14);
    let report = world.gc("7d");
    assert_eq!((&report["freed_bytes"], &report["owners_removed"]), (&json!(ALPHAS), &json!([ALPHA, key])));
}

#[test]
fn what_a_living_owner_has_too_stays() {
    let world = World::new();
    let tree = world.json(&["-o", ALPHA, "hash", "tree"]);
    world.ok(&["-o", "alive", "bind", "mine", tree["hash"].as_str().unwrap()]);
    world.uninstall_alpha();
    world.freed();
    world.pass_days(100);
    assert_eq!(world.freed(), 11, "only `data` was Alpha's alone");
    let bindings = world.json(&["-o", ALPHA, "ls"]);
    assert_eq!(bindings.as_array().unwrap().len(), 1, "its name stays until the tree goes");

    // The living owner lets go: the delay begins then.
    world.ok(&["-o", "alive", "unbind", "mine"]);
    world.pass_days(6);
    assert_eq!(world.freed(), 0, "unbound 6 days ago");
    world.pass_days(1);
    assert_eq!(world.freed(), 7);
    world.fails(3, &["owner", "show", ALPHA]);
}

#[test]
fn of_several_that_are_gone_the_last_one_counts() {
    let world = World::new();
    let tree = world.json(&["-o", ALPHA, "hash", "tree"]);
    world.ok(&["-o", BETA, "bind", "alphas", tree["hash"].as_str().unwrap()]);
    world.uninstall_alpha();
    world.freed();
    world.pass_days(10);
    world.install(&[]);
    world.freed();
    world.pass_days(4);
    assert_eq!(world.gc("0")["freed_bytes"], 11, "day 14 of Alpha, day 4 of Beta: `data` was Alpha's alone");
    world.pass_days(2);
    assert_eq!(world.gc("0")["freed_bytes"], 0);
    world.pass_days(1);
    assert_eq!(world.gc("0")["freed_bytes"], 7 + 5 + 3);
}

#[test]
fn what_was_let_go_while_its_owner_was_gone_is_kept_again_when_it_is_back() {
    let world = World::new();
    let tree = world.json(&["-o", ALPHA, "hash", "tree"]);
    world.ok(&["-o", "alive", "bind", "mine", tree["hash"].as_str().unwrap()]);
    world.uninstall_alpha();
    world.freed();
    world.pass_days(1);
    world.ok(&["-o", "alive", "unbind", "mine"]);
    world.install_both();
    for _ in 0..3 {
        assert_eq!(world.gc("0")["freed_bytes"], 0);
        world.pass_days(100);
    }
    assert_eq!(world.json(&["show", &format!("{ALPHA}:tree")])["state"], "live");
    assert_eq!(world.json(&["stats"])["orphans"], 0);
}

#[test]
fn a_lease_or_pin_keeps_what_an_owner_that_is_gone_has() {
    let world = World::new();
    let data = format!("{ALPHA}:data");
    world.ok(&["pin", &data, "--reason", "mine", "--until", &world.in_days(50)]);
    world.uninstall_alpha();
    world.freed();
    world.pass_days(49);
    let report = world.gc("7d");
    assert_eq!(report["freed_bytes"], 7, "the tree goes");
    assert_eq!(reasons(&report["kept"]), ["pin"]);
    world.pass_days(1);
    assert_eq!(world.freed(), 0, "the delay begins when gc notes the pin's end");
    world.pass_days(6);
    assert_eq!(world.freed(), 0);
    world.pass_days(1);
    assert_eq!(world.freed(), 11);
}

#[test]
fn what_is_bound_for_an_owner_that_is_gone_has_a_grace_period_of_its_own() {
    let world = World::new();
    world.uninstall_alpha();
    world.freed();
    world.pass_days(100);
    let file = world.file("late", "late");
    world.ok(&["-o", ALPHA, "add", &file, "--bind", "late"]);
    assert_eq!(world.alpha()["bindings_stop_at"], world.in_days(7));
    world.pass_days(13);
    assert_eq!(world.freed(), 0);
    world.pass_days(1);
    assert_eq!(world.freed(), ALPHAS + 4);
}

#[test]
fn a_file_that_has_a_name_of_its_own_goes_on_its_own_account() {
    let world = World::new();
    let tree = world.line(&["path", &format!("{ALPHA}:tree")]);
    let only = fs::canonicalize(format!("{tree}/only")).unwrap();
    world.ok(&["-o", ALPHA, "bind", "only", only.file_name().unwrap().to_str().unwrap()]);
    world.uninstall_alpha();
    world.freed();
    world.pass_days(14);
    let report = world.gc("7d");
    let items = report["artifacts"].as_array().unwrap();
    let freed: Vec<(&Value, &Value)> = items.iter().map(|item| (&item["names"][0], &item["freed_bytes"])).collect();
    assert_eq!(freed.len(), 3);
    for (name, bytes) in [("tree", 0), ("data", 11), ("only", 7)] {
        assert!(freed.contains(&(&json!(format!("{ALPHA}:{name}")), &json!(bytes))), "{name}: {freed:#?}");
    }
    assert_eq!(report["freed_bytes"], ALPHAS);
}

#[test]
fn a_store_without_packages_looks_at_no_depot() {
    let world = World::new();
    world.ok(&["--store", &world.at("plain"), "-o", "o", "add", &world.file("f", "f"), "--bind", "n"]);
    let owner = world.json(&["--store", &world.at("plain"), "owner", "show", "o"]);
    for (field, value) in [("kind", json!("manual")), ("alive", Value::Null), ("evidence", Value::Null)] {
        assert_eq!(owner[field], value, "{field}");
    }
}

const FIX_GAMMA: &str = "cccccccc-3333-4333-8333-333333333333";

/// 455 artifacts of four packages, as the real program left them.
#[test]
fn of_a_whole_depot_one_package_goes() {
    let others = [("FixBeta", BETA), ("FixGamma", FIX_GAMMA)];
    let world = World::of_the_real_program(&[("FixAlpha", ALPHA), others[0], others[1]]);
    let depot = world.at("fixture/depot");
    // Two artifacts were deleted by hand, so not all of it can come.
    world.fails(8, &["import", &depot]);
    world.freed();
    world.pass_days(8);
    world.freed();
    let bound = |world: &World| {
        let rows = world.json(&["ls"]);
        let rows = rows.as_array().unwrap().iter().filter(|row| row["owner"] != ALPHA);
        rows.map(|row| (row["owner"].clone(), row["name"].clone(), row["hash"].clone())).collect::<Vec<_>>()
    };
    let (others_before, usage) = (bound(&world), world.json(&["usage"]));
    assert_eq!(usage["orphan_bytes"], 0, "nothing else is about to go");

    world.install(&others);
    assert_eq!(world.freed(), 0);
    world.pass_days(13);
    assert_eq!(world.freed(), 0);
    world.pass_days(1);
    let report = world.gc("7d");
    let items = report["artifacts"].as_array().unwrap();
    assert!(items.len() > 50, "{} artifacts of 76 cases", items.len());
    // What others have too keeps its name until it goes.
    for left in world.json(&["-o", ALPHA, "ls"]).as_array().unwrap() {
        let why = world.ask(&["why", left["hash"].as_str().unwrap()]);
        let owned = |keeper: &Value| keeper["owner"].is_string() && keeper["owner"] != ALPHA;
        let keepers = why["kept_by"].as_array().unwrap();
        let above = keepers.iter().filter_map(|keeper| keeper["kept_by"].as_array()).flatten();
        assert!(keepers.iter().chain(above).any(owned), "{} could have gone: {why:#}", left["name"]);
    }
    assert!(items.iter().all(|item| item["reason"] == "owner gone"));
    let freed: u64 = items.iter().map(|item| item["freed_bytes"].as_u64().unwrap()).sum();
    assert_eq!(report["freed_bytes"], freed, "the items add up");

    let after = world.json(&["usage"]);
    assert_eq!(after["orphan_bytes"], 0, "all of it went");
    assert_eq!(after["stored_bytes"].as_u64().unwrap(), usage["stored_bytes"].as_u64().unwrap() - freed);
    assert_eq!(bound(&world), others_before);
    assert_eq!(world.json(&["verify"])["problems"], json!([]));
}

/// At each change to the disk of the run that lets go, the machine stops.
#[cfg(feature = "failpoints")]
#[test]
fn a_run_that_is_cut_short_lets_go_of_all_or_of_nothing() {
    let world = World::new();
    world.uninstall_alpha();
    world.freed();
    world.pass_days(14);
    let (store, saved) = (world.path("store"), world.path("saved"));
    copy(&store, &saved);
    let mut seen = [0; 2];
    for at in 1..100 {
        let ran = world.command(&["gc", "-y"]).env("OMA_FAULT", format!("abort@{at}")).output().unwrap();
        let names = world.json(&["ls"]).as_array().unwrap().iter().filter(|row| row["owner"] == ALPHA).count();
        assert!([0, 2].contains(&names), "abort@{at}: {names} names of two are left");
        seen[usize::from(names == 0)] += 1;
        assert_eq!(world.json(&["verify"])["problems"], json!([]), "abort@{at}");
        world.ok(&["gc", "-y"]);
        assert_eq!(crate::support::bytes_on_disk(&store), 3 + 5, "abort@{at}: what is Beta's stays, no more");
        assert_eq!(crate::support::leftovers(&store), Vec::<String>::new(), "abort@{at}");
        assert_eq!(world.json(&["owner", "list"]).as_array().unwrap().len(), 1, "abort@{at}");
        if ran.status.success() {
            assert!(seen.iter().all(|times| *times > 3), "it was stopped before and behind: {seen:?}");
            return;
        }
        copy(&saved, &store);
    }
    panic!("it never ran through");
}

#[cfg(feature = "failpoints")]
fn copy(from: &std::path::Path, to: &std::path::Path) {
    let script = "rm -rf \"$1\" && cp -a \"$0\" \"$1\"";
    let status = std::process::Command::new("sh").args(["-c", script]).args([from, to]).status().unwrap();
    assert!(status.success());
}
