//! The JSON of every command: exactly these fields, of these types. Scripts rely on it.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::support::make_executable;
use crate::support::oma::Oma;
use crate::support::shape::Is::{self, Bool, Hash, List, Maybe, Number, Object, Text, Time};
use crate::support::shape::assert_shape;

const BINDING: &[(&str, Is)] = &[
    ("owner", Text),
    ("version", Maybe(&Text)),
    ("name", Text),
    ("hash", Hash),
    ("kind", Text),
    ("size", Number),
    ("bound_at", Time),
    ("last_used_at", Maybe(&Time)),
    ("meta", Maybe(&Object)),
];

const PUT_IN: &[(&str, Is)] = &[
    ("hash", Hash),
    ("kind", Text),
    ("size", Number),
    ("files", Number),
    ("new_files", Number),
    ("new_bytes", Number),
    ("path", Text),
    ("lease_expires_at", Maybe(&Time)),
    ("binding", Maybe(&Object)),
];

const ARTIFACT: &[(&str, Is)] = &[("hash", Hash), ("kind", Text), ("size", Number), ("files", Number)];

/// Puts in a tree of three files, one of them a program, and a link.
fn tree(oma: &Oma) -> String {
    let tree = oma.tree("tree", &[("a", "12345"), ("deep/b", "12345"), ("run", "#!/bin/sh\n")]);
    make_executable(&tree.join("run"));
    std::os::unix::fs::symlink("deep/b", tree.join("link")).expect("a new link");
    oma.at("tree")
}

#[test]
fn init_tells_where_and_how() {
    let oma = Oma::new();
    let made = oma.json(&["init", "--link-style", "relative", "--durability", "none"]);
    assert_shape("init", &made, &[("store", Text), ("link_style", Text), ("durability", Text)]);
    assert_eq!(made, json!({"store": oma.root(), "link_style": "relative", "durability": "none"}));
    let elsewhere = oma.json(&["init", &oma.at("elsewhere")]);
    assert_eq!(elsewhere["store"], oma.at("elsewhere"));
    assert!(oma.path("elsewhere/index.sqlite").is_file());
}

#[test]
fn add_tells_what_the_store_gained() {
    let oma = Oma::new();
    let tree = tree(&oma);
    let added = oma.json(&["add", &tree]);
    assert_shape("add", &added, PUT_IN);
    assert_eq!((&added["kind"], &added["size"], &added["files"]), (&json!("tree"), &json!(20), &json!(3)));
    assert_eq!((&added["new_files"], &added["new_bytes"]), (&json!(2), &json!(15)));
    assert!(added["lease_expires_at"].is_string() && added["binding"].is_null(), "{added:#}");
    assert_eq!(fs::read_to_string(Path::new(added["path"].as_str().unwrap()).join("link")).unwrap(), "12345");

    let bound = oma.json(&["-o", "o@1.2", "add", &tree, "--bind", "n", "--meta", "k=v"]);
    assert_shape("add --bind", &bound, PUT_IN);
    assert_shape("the binding of add", &bound["binding"], BINDING);
    assert!(bound["lease_expires_at"].is_null(), "{bound:#}");
    assert_eq!((&bound["new_files"], &bound["new_bytes"]), (&json!(0), &json!(0)));
    assert_eq!(bound["hash"], added["hash"]);
    let binding = &bound["binding"];
    assert_eq!((&binding["owner"], &binding["version"], &binding["name"]), (&json!("o"), &json!("1.2"), &json!("n")));
    assert_eq!(binding["meta"], json!({"k": "v"}));

    let file = oma.json(&["add", &format!("{tree}/run")]);
    assert_eq!((&file["kind"], &file["files"]), (&json!("file"), &json!(1)), "an executable is a file too");
}

#[test]
fn create_and_get_keep_the_output_of_their_command_off_stdout() {
    let oma = Oma::new();
    let words = ["create", "--result", "out", "--", "sh", "-c", "echo noise; echo data > \"$OMA_WORKDIR/out\""];
    let created = oma.ok(&[&["--json"], &words[..]].concat());
    assert!(created.stderr.contains("noise"), "{created:?}");
    assert_shape("create", &created.json(), PUT_IN);
    assert_eq!((&created.json()["kind"], &created.json()["size"]), (&json!("file"), &json!(5)));

    let words = ["-o", "o", "get", "n", "--", "sh", "-c", "echo noise; echo data > out"];
    let got = oma.ok(&[&["--json"], &words[..]].concat());
    assert!(got.stderr.contains("noise"), "{got:?}");
    let got = got.json();
    let shape = [ARTIFACT, &[("path", Text), ("created", Bool), ("binding", Object)]].concat();
    assert_shape("get", &got, &shape);
    assert_shape("the binding of get", &got["binding"], BINDING);
    assert_eq!((&got["kind"], &got["created"]), (&json!("tree"), &json!(true)));
    let again = oma.json(&["-o", "o", "get", "n", "--", "false"]);
    assert_eq!((&again["created"], &again["path"]), (&json!(false), &got["path"]));
    assert_eq!(oma.line(&["-o", "o", "get", "n", "--", "false"]), got["path"].as_str().unwrap());
}

#[test]
fn names_lead_to_hashes_and_paths() {
    let oma = Oma::new();
    let hash = oma.line(&["add", &tree(&oma)]);
    let bound = oma.json(&["-o", "o", "bind", "n", &hash, "--meta", "k=v"]);
    assert_shape("bind", &bound, BINDING);
    assert_eq!(bound["hash"], hash);

    for reference in [&hash, &hash[..6], &hash[..20], "o:n"] {
        for verb in ["hash", "exists"] {
            assert_eq!(oma.line(&[verb, reference]), hash, "`{verb} {reference}`");
            let found = oma.json(&[verb, reference]);
            assert_shape(verb, &found, ARTIFACT);
        }
        assert!(oma.line(&["path", reference]).ends_with(&format!("/{hash}")), "`path {reference}`");
    }
    assert_eq!(oma.line(&["-o", "o", "hash", "n"]), hash);
    let path = oma.json(&["-o", "o", "path", "n"]);
    assert_shape("path", &path, &[("hash", Hash), ("kind", Text), ("path", Text)]);

    let pinned = oma.json(&["pin", "o:n", "--reason", "why", "--until", "2030-01-01T00:00:00Z"]);
    assert_shape("pin", &pinned, &[("hash", Hash), ("reason", Text), ("until", Maybe(&Time))]);
    let unpinned = oma.json(&["unpin", "o:n"]);
    assert_eq!(unpinned, json!({"hash": hash, "was_pinned": true}));
    assert_eq!(oma.json(&["unpin", "o:n"])["was_pinned"], false);

    let unbound = oma.json(&["-o", "o", "unbind", "n", "never"]);
    assert_shape("unbind", &unbound, &[("unbound", List), ("undeclared", List), ("missing", List)]);
    assert_shape("what was unbound", &unbound["unbound"][0], BINDING);
    assert_eq!(unbound["missing"], json!(["never"]));
}

#[test]
fn lists_have_the_published_columns() {
    let oma = Oma::new();
    let hash = oma.line(&["-o", "o@2", "add", &tree(&oma), "--bind", "n"]);
    let bindings = oma.json(&["ls"]);
    assert_eq!(bindings.as_array().unwrap().len(), 1);
    assert_shape("ls", &bindings[0], BINDING);

    let entries = oma.json(&["ls", &hash]);
    let common = [("path", Text), ("mode", Text), ("kind", Text), ("size", Maybe(&Number))];
    let kinds: Vec<&str> = entries.as_array().unwrap().iter().map(|row| row["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["file", "directory", "file", "link", "file"]);
    for entry in entries.as_array().unwrap() {
        let last: &[(&str, Is)] = match entry["kind"].as_str().unwrap() {
            "file" => &[("hash", Hash)],
            "link" => &[("target", Text)],
            _ => &[],
        };
        assert_shape("ls REF", entry, &[&common[..], last].concat());
    }

    let owners = oma.json(&["owner", "list"]);
    let shape = [
        ("owner", Text),
        ("version", Maybe(&Text)),
        ("title", Maybe(&Text)),
        ("kind", Text),
        ("root", Maybe(&Text)),
        ("alive", Maybe(&Bool)),
        ("bindings", Number),
        ("created_at", Time),
        ("last_seen_at", Time),
    ];
    assert_shape("owner list", &owners[0], &shape);
}

#[test]
fn show_usage_and_stats_tell_all() {
    let oma = Oma::new();
    let hash = oma.line(&["-o", "o", "add", &tree(&oma), "--bind", "n"]);
    oma.ok(&["add", &oma.at("tree")]);
    oma.ok(&["pin", &hash, "--reason", "why"]);
    let shown = oma.json(&["show", &hash]);
    let own = [
        ("path", Text),
        ("present", Bool),
        ("state", Text),
        ("created_at", Time),
        ("orphaned_at", Maybe(&Time)),
        ("verified_at", Maybe(&Time)),
        ("bindings", List),
        ("leases", List),
        ("pin", Object),
        ("sources", List),
        ("past_names", List),
        ("entries", List),
    ];
    assert_shape("show", &shown, &[ARTIFACT, &own[..]].concat());
    assert_shape("a binding of show", &shown["bindings"][0], BINDING);
    let lease = [("reason", Text), ("session", Maybe(&Text)), ("expires_at", Maybe(&Time))];
    assert_shape("a lease of show", &shown["leases"][0], &lease);
    assert_shape("the pin of show", &shown["pin"], &[("reason", Text), ("until", Maybe(&Time)), ("created_at", Time)]);
    let source = [("kind", Text), ("location", Text), ("created_at", Time)];
    assert_shape("a source of show", &shown["sources"][0], &source);

    let usage = oma.json(&["usage"]);
    let totals = [("stored_bytes", Number), ("logical_bytes", Number), ("orphan_bytes", Number), ("owners", List)];
    assert_shape("usage", &usage, &totals);
    let owner = [
        ("owner", Text),
        ("version", Maybe(&Text)),
        ("bindings", Number),
        ("artifacts", Number),
        ("files", Number),
        ("total_bytes", Number),
        ("exclusive_bytes", Number),
        ("shared_bytes", Number),
        ("fair_bytes", Number),
        ("last_seen_at", Time),
    ];
    assert_shape("an owner of usage", &usage["owners"][0], &owner);
    let fair: u64 = usage["owners"].as_array().unwrap().iter().map(|row| row["fair_bytes"].as_u64().unwrap()).sum();
    assert_eq!(fair + usage["orphan_bytes"].as_u64().unwrap(), usage["stored_bytes"].as_u64().unwrap());

    let stats = [
        ("store", Text),
        ("link_style", Text),
        ("durability", Text),
        ("created_at", Time),
        ("last_gc_at", Maybe(&Time)),
        ("files", Number),
        ("trees", Number),
        ("bindings", Number),
        ("owners", Number),
        ("orphans", Number),
        ("stored_bytes", Number),
        ("logical_bytes", Number),
        ("index_bytes", Number),
        ("sqlite_version", Text),
    ];
    assert_shape("stats", &oma.json(&["stats"]), &stats);
}

#[test]
fn gc_and_verify_report_what_they_did() {
    let oma = Oma::new();
    let hash = oma.line(&["-o", "o", "add", &tree(&oma), "--bind", "n"]);
    oma.ok(&["add", &oma.file("leased", "leased")]);
    oma.ok(&["-o", "o", "unbind", "n"]);
    let report = [
        ("dry_run", Bool),
        ("artifacts", List),
        ("deleted_artifacts", Number),
        ("deleted_files", Number),
        ("freed_bytes", Number),
        ("owners_removed", List),
        ("kept", List),
        ("failed", List),
    ];
    let item = [
        ("hash", Hash),
        ("kind", Text),
        ("size", Number),
        ("freed_bytes", Number),
        ("orphaned_at", Maybe(&Time)),
        ("reason", Text),
        ("rule", Maybe(&Text)),
        ("names", List),
        ("sources", List),
    ];
    let dry = oma.json(&["gc", "-n", "--collect-delay", "0"]);
    assert_shape("gc -n", &dry, &report);
    assert_shape("an artifact of gc", &dry["artifacts"][0], &item);
    let kept = [("hash", Hash), ("kind", Text), ("size", Number), ("reason", Text), ("until", Maybe(&Time))];
    assert_shape("what gc keeps", &dry["kept"][0], &kept);
    assert_eq!((&dry["dry_run"], &dry["deleted_artifacts"]), (&json!(true), &json!(3)));

    let verified = oma.json(&["verify"]);
    assert_eq!(verified["problems"], json!([]));
    for field in ["checked_objects", "checked_bytes"] {
        assert!(verified[field].is_u64(), "{verified:#}");
    }

    let real = oma.json(&["gc", "-y", "--collect-delay", "0"]);
    assert_shape("gc", &real, &report);
    assert_eq!(real["artifacts"][0]["hash"], hash);
    assert_eq!(real["artifacts"][0]["names"], json!(["o:n"]));
    let mut promised = dry.clone();
    promised["dry_run"] = json!(false);
    assert_eq!(real, promised, "the dry run promises what the run does");
}

#[test]
fn a_problem_of_verify_names_the_object_and_the_path() {
    let oma = Oma::new();
    let file = oma.line(&["-o", "o", "add", &oma.file("f", "content"), "--bind", "f"]);
    crate::cli_exit_codes::flip(Path::new(&oma.line(&["path", &file])));
    let report = oma.fails(4, &["--json", "verify"]).json();
    let problem = [("kind", Text), ("hash", Hash), ("path", Text), ("detail", Text), ("repaired", Bool)];
    assert_shape("a problem", &report["problems"][0], &problem);
    assert_eq!(report["problems"][0]["hash"], file);
}

#[test]
fn lists_sort_and_stop_as_told() {
    let oma = Oma::new();
    for (name, content) in [("b", "22"), ("a", "1"), ("c", "333")] {
        oma.ok(&["-o", "o", "add", &oma.file(name, content), "--bind", name]);
    }
    let names = |words: &[&str]| -> Vec<String> {
        let rows = oma.json(words);
        rows.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&["ls"]), ["a", "b", "c"]);
    assert_eq!(names(&["ls", "--sort", "size:desc"]), ["c", "b", "a"]);
    assert_eq!(names(&["ls", "--sort", "size:asc"]), ["a", "b", "c"]);
    assert_eq!(names(&["ls", "--sort", "name:desc", "--limit", "2"]), ["c", "b"]);
    let quiet = oma.ok(&["-q", "ls", "--sort", "size"]).stdout;
    let hashes: Vec<String> = ["c", "b", "a"].map(|name| oma.line(&["-o", "o", "hash", name])).into();
    assert_eq!(quiet.lines().collect::<Vec<_>>(), hashes, "ids only, one a line");
    assert_eq!(oma.fails(2, &["--json", "ls", "--sort", "colour"]).error_kind(), "usage");
    assert_eq!(oma.fails(2, &["--json", "ls", "--sort", "size:up"]).error_kind(), "usage");
}
