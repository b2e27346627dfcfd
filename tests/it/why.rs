//! `oma why`: every way in which something is kept, and what is said where nothing keeps it.

use serde_json::{Value, json};

use crate::support::depot::{ALPHA, BETA, World};
use crate::support::oma::{Oma, fields};

fn kinds(why: &Value) -> Vec<&str> {
    why["kept_by"].as_array().unwrap().iter().map(|keeper| keeper["kind"].as_str().unwrap()).collect()
}

fn sample() -> (Oma, String, String) {
    let oma = Oma::new();
    oma.tree("tree", &[("a", "same"), ("deep/b", "same"), ("c", "else")]);
    let tree = oma.line(&["-o", "o@1.0", "add", &oma.at("tree"), "--bind", "n"]);
    let entries = oma.json(&["ls", &tree]);
    let a = entries.as_array().unwrap().iter().find(|entry| entry["path"] == "a").unwrap();
    let a = a["hash"].as_str().unwrap().to_owned();
    (oma, tree, a)
}

#[test]
fn a_binding_keeps_it() {
    let (oma, tree, _) = sample();
    let expected = json!({
        "hash": tree,
        "state": "live",
        "kept_by": [{
            "kind": "binding", "owner": "o", "version": "1.0", "name": "n", "bound_at": oma.clock.now().to_string(),
        }],
        "orphaned_at": null,
        "collect_after": null,
        "last_names": ["o@1.0:n"],
    });
    for reference in [tree.as_str(), &tree[..8], "o@1.0:n"] {
        assert_eq!(oma.json(&["why", reference]), expected, "{reference}");
    }
    assert_eq!(oma.json(&["-o", "o@1.0", "why", "n"]), expected);
}

#[test]
fn a_tree_keeps_its_files_and_says_what_keeps_it() {
    let (oma, tree, a) = sample();
    let why = oma.json(&["why", &a]);
    assert_eq!((&why["state"], kinds(&why)), (&json!("live"), vec!["tree"]));
    let above = &why["kept_by"][0];
    assert_eq!((&above["hash"], &above["paths"]), (&json!(tree), &json!(["a", "deep/b"])));
    assert_eq!(above["kept_by"], oma.json(&["why", &tree])["kept_by"]);
    assert_eq!(fields(above), ["hash", "kept_by", "kind", "paths"]);
}

#[test]
fn leases_and_pins_keep_it() {
    let oma = Oma::new();
    let hash = oma.line(&["add", &oma.file("f", "f")]);
    let why = oma.json(&["why", &hash]);
    assert_eq!((&why["state"], kinds(&why)), (&json!("live"), vec!["lease"]));
    let lease = &why["kept_by"][0];
    assert_eq!(fields(lease), ["expires_at", "kind", "reason", "session"]);
    assert_eq!(lease["expires_at"], oma.clock.now().plus(crate::support::DAY).to_string());

    let until = oma.clock.now().plus(crate::support::DAY * 30).to_string();
    oma.ok(&["pin", &hash, "--reason", "the paper", "--until", &until]);
    let why = oma.json(&["why", &hash]);
    assert_eq!(kinds(&why), ["lease", "pin"]);
    assert_eq!((&why["kept_by"][1]["reason"], &why["kept_by"][1]["until"]), (&json!("the paper"), &json!(until)));
    oma.pass(crate::support::DAY * 2);
    oma.ok(&["gc", "-y"]);
    assert_eq!(kinds(&oma.json(&["why", &hash])), ["pin"], "the lease is over");
}

#[test]
fn an_orphan_goes_at_a_time() {
    let (oma, tree, a) = sample();
    oma.ok(&["-o", "o@1.0", "unbind", "n"]);
    let since = oma.clock.now();
    oma.pass(crate::support::DAY * 3);
    for hash in [&tree, &a] {
        let why = oma.json(&["why", hash]);
        assert_eq!(why["state"], "orphan", "{hash}");
        assert_eq!(why["orphaned_at"], since.to_string(), "{hash}");
        assert_eq!(why["collect_after"], since.plus(crate::support::DAY * 7).to_string(), "{hash}");
    }
    let why = oma.json(&["why", &a]);
    assert_eq!((kinds(&why), &why["kept_by"][0]["kept_by"]), (vec!["tree"], &json!([])));
    // It speaks the truth.
    oma.pass(crate::support::DAY * 4);
    assert_eq!(oma.json(&["gc", "-n"])["deleted_artifacts"], 3);
}

#[test]
fn what_was_collected_or_never_here_is_absent() {
    let (oma, tree, _) = sample();
    oma.ok(&["-o", "o@1.0", "unbind", "n"]);
    let went_at = oma.clock.now().to_string();
    oma.ok(&["gc", "-y", "--collect-delay", "0"]);
    let collected = json!({
        "hash": tree, "state": "absent", "kept_by": [], "orphaned_at": null, "collect_after": null,
        "last_names": ["o@1.0:n"],
        "collected": {"run": 1, "at": went_at, "reason": "unused", "rule": "dead_for=0", "kept_until": null},
    });
    assert_eq!(oma.fails(3, &["--json", "why", &tree]).json(), collected);
    let never = "7".repeat(64);
    let unknown = json!({
        "hash": never, "state": "absent", "kept_by": [], "orphaned_at": null, "collect_after": null, "last_names": [],
    });
    assert_eq!(oma.fails(3, &["--json", "why", &never]).json(), unknown);
    assert_eq!(oma.fails(3, &["--json", "why", "o@1.0:n"]).error_kind(), "not_found");
    assert_eq!(oma.fails(3, &["--json", "why", &tree[..8]]).error_kind(), "not_found");
}

#[test]
fn of_what_lies_in_a_trash_it_says_how_to_get_it_back() {
    let (oma, tree, _) = sample();
    oma.ok(&["-o", "o@1.0", "unbind", "n"]);
    oma.ok(&["gc", "-y", "--collect-delay", "0", "--trash", "7d"]);
    let until = oma.clock.now().plus(crate::support::DAY * 7).to_string();
    let why = oma.fails(3, &["--json", "why", &tree]).json();
    assert_eq!((&why["state"], &why["collected"]["kept_until"]), (&json!("absent"), &json!(until)));
    assert!(oma.fails(3, &["why", &tree]).stdout.contains("`oma gc undo 1` brings it back"));
    let hint = oma.fails(3, &["--json", "why", "o@1.0:n"]).json()["error"]["hint"].as_str().unwrap().to_owned();
    assert!(hint.contains("`oma history o@1.0:n`"), "{hint}");
    oma.ok(&["history", "o@1.0:n"]);
}

#[test]
fn it_says_who_let_go() {
    let (oma, tree, a) = sample();
    oma.ok(&["-o", "p", "bind", "other", &tree]);
    oma.ok(&["-o", "p", "unbind", "other"]);
    assert_eq!(oma.json(&["why", &tree])["let_go"], Value::Null, "somebody else keeps it");
    oma.pass(crate::support::DAY);
    oma.ok(&["-o", "o@1.0", "unbind", "n"]);
    let parting = json!({
        "at": oma.clock.now().to_string(), "event": "unbind", "owner": "o", "version": "1.0", "name": "n",
    });
    assert_eq!(oma.json(&["why", &tree])["let_go"], parting);
    assert_eq!(oma.json(&["why", &a])["let_go"], parting, "a file of it went with it");
}

#[test]
fn of_a_file_in_a_tree_it_tells_all_that_keeps_the_file() {
    let (oma, tree, a) = sample();
    oma.ok(&["-o", "q", "bind", "deep/n", &tree]);
    for reference in ["o@1.0:n/deep/b", "q:deep/n/a", &format!("{}/a", &tree[..9])] {
        let why = oma.json(&["why", reference]);
        assert_eq!((&why["hash"], kinds(&why)), (&json!(a), vec!["tree"]), "{reference}");
        assert_eq!((&why["within"]["hash"], &why["within"]["is_file"]), (&json!(tree), &json!(true)));
        let names: Vec<&Value> = why["kept_by"][0]["kept_by"].as_array().unwrap().iter().map(|b| &b["name"]).collect();
        assert_eq!(names, ["n", "deep/n"]);
    }
    assert_eq!(oma.json(&["-o", "o@1.0", "why", "n/deep/b"])["within"]["path"], "deep/b");
    let folder = oma.json(&["why", "o@1.0:n/deep"]);
    assert_eq!((&folder["hash"], &folder["within"]["is_file"]), (&json!(tree), &json!(false)));
    assert_eq!(oma.fails(3, &["--json", "why", "o@1.0:n/nothing"]).error_kind(), "not_found");
    assert_eq!(oma.fails(3, &["--json", "why", "o@1.0:m/a"]).error_kind(), "not_found");
    let single = oma.line(&["-o", "o@1.0", "add", &oma.file("single", "1"), "--bind", "single"]);
    assert_eq!(oma.fails(3, &["why", &format!("{single}/a")]).code, Some(3), "a file holds nothing");
}

#[test]
fn of_a_package_it_says_whether_it_is_there() {
    let world = World::new();
    let data = format!("{ALPHA}:data");
    let sight = |why: &Value| {
        let binding = &why["kept_by"][0];
        [&binding["alive"], &binding["gone_since"], &binding["stops_counting_at"]].map(Clone::clone)
    };
    let evidence = |why: &Value| why["kept_by"][0]["evidence"].as_str().unwrap().replace(&world.at(""), "@/");
    let why = world.ask(&["why", &data]);
    assert_eq!(sight(&why), [json!(true), Value::Null, Value::Null]);
    assert_eq!(evidence(&why), "`@/env/Manifest.toml` has Alpha 1.2.3");

    world.uninstall_alpha();
    assert_eq!(sight(&world.ask(&["why", &data])), [json!(false), Value::Null, Value::Null], "nobody noted it yet");
    world.freed();
    let (since, stop) = (world.now(), world.in_days(7));
    world.pass_days(3);
    let why = world.ask(&["why", &data]);
    assert_eq!(why["state"], "live");
    assert_eq!(sight(&why), [json!(false), json!(since.to_string()), json!(stop)]);
    assert_eq!(evidence(&why), "the one manifest in 1 depot does not have it");

    world.pass_days(4);
    let why = world.ask(&["why", &data]);
    assert_eq!((&why["state"], &why["orphaned_at"]), (&json!("orphan"), &json!(stop)));
    assert_eq!(why["collect_after"], world.in_days(7));
    assert_eq!(kinds(&why), ["binding"], "it stands there until it goes");

    // A file of two trees lives as long as one of them.
    let tree = world.line(&["path", &format!("{ALPHA}:tree")]);
    let id = |name: &str| std::fs::canonicalize(format!("{tree}/{name}")).unwrap().file_name().unwrap().to_owned();
    let [only, both] = ["only", "both"].map(|name| world.ask(&["why", id(name).to_str().unwrap()]));
    assert_eq!((&only["state"], &only["orphaned_at"]), (&json!("orphan"), &json!(stop)));
    assert_eq!((&both["state"], kinds(&both)), (&json!("live"), vec!["tree", "tree"]));
    let owners: Vec<&Value> =
        both["kept_by"].as_array().unwrap().iter().map(|tree| &tree["kept_by"][0]["owner"]).collect();
    assert!(owners.contains(&&json!(ALPHA)) && owners.contains(&&json!(BETA)), "{owners:?}");

    world.rename("depot", "away");
    let why = world.ask(&["why", &data]);
    assert_eq!((&why["state"], sight(&why)), (&json!("live"), [Value::Null, json!(since.to_string()), Value::Null]));
}

/// Not even the time of last use: somebody who asks why does not use it.
#[test]
fn asking_changes_nothing() {
    let world = World::new();
    world.uninstall_alpha();
    world.freed();
    world.pass_days(10);
    let before = world.json(&["ls"]);
    let owner = world.alpha();
    for words in [&["why", &format!("{ALPHA}:data")][..], &["owner", "list"], &["owner", "show", BETA], &["gc", "-n"]] {
        world.ok(words);
    }
    assert_eq!((world.json(&["ls"]), world.alpha()), (before, owner));
}
