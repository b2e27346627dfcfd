//! Exit codes, errors, and what reading must leave alone.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::Stdio;

use serde_json::json;
use walkdir::WalkDir;

use crate::support::oma::{Oma, finish, index_rows};

/// Flips one bit of a stored file, its length unchanged.
pub(crate) fn flip(path: &Path) {
    let mode = fs::metadata(path).expect("a stored file").permissions();
    let mut bytes = fs::read(path).expect("a stored file");
    bytes[0] ^= 1;
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).expect("a file of ours");
    fs::write(path, bytes).expect("a file of ours");
    fs::set_permissions(path, mode).expect("a file of ours");
}

/// Runs what must end with this code, in words and as JSON.
fn fails(oma: &Oma, code: i32, kind: &str, words: &[&str]) {
    let plain = oma.fails(code, words);
    assert_eq!(plain.stdout, "", "stdout is for data: {plain:#?}");
    assert!(plain.stderr.lines().any(|line| line.starts_with("error: ")), "{plain:#?}");
    let document = oma.fails(code, &[&["--json"], words].concat());
    assert_eq!(document.error_kind(), kind, "{document:#?}");
    assert!(document.stderr.contains("error: "), "people are told too: {document:#?}");
}

#[test]
fn a_wrong_request_is_2() {
    let oma = Oma::new();
    let file = oma.file("f", "f");
    let hash = oma.line(&["add", &file]);
    for words in [
        &["bind", "n", &hash][..],
        &["unbind", "n"],
        &["get", "n", "--", "true"],
        &["add", &file, "--bind", "n"],
        &["-o", "o", "add", &file, "--meta", "k=v"],
        &["gc"],
        &["gc", "--collect-delay", "0"],
        &["gc", "-n", "--collect-delay", "soon"],
        &["ls", "--no-such-flag"],
        &["no-such-verb"],
        &["bind", "n"],
        &["-o", "", "ls"],
        &["--wait", "abc", "ls"],
        &["init", "--link-style", "soft"],
        &["pin", &hash],
        &["-o", "o", "get", "n"],
    ] {
        fails(&oma, 2, "usage", words);
    }
    assert_eq!(oma.json(&["ls"]), json!([]), "nothing was changed");
}

#[test]
fn what_is_not_there_is_3() {
    let oma = Oma::new();
    let hash = oma.line(&["-o", "o", "add", &oma.file("f", "f"), "--bind", "f"]);
    let other = format!("{}{}", if hash.starts_with('0') { '1' } else { '0' }, &hash[1..]);
    for words in [
        &["add", "/nonexistent/path"][..],
        &["add", "/nonexistent/path", "--move"],
        &["path", &other],
        &["exists", &other],
        &["show", &other[..8]],
        &["hash", "f"],
        &["hash", "o:g"],
        &["-o", "o", "path", "g"],
        &["-o", "p", "path", "f"],
        &["ls", "nothing"],
        &["verify", "nothing"],
        &["pin", "nothing", "--reason", "r"],
        &["unpin", "nothing"],
        &["-o", "o", "bind", "g", &other],
        &["create", "--result", "missing", "--", "true"],
    ] {
        fails(&oma, 3, "not_found", words);
    }
    assert_eq!(oma.ok(&["-o", "o", "unbind", "g"]).stdout, "", "a missing name is no error");
    assert!(oma.ok(&["-o", "o", "unbind", "g"]).stderr.contains("`g`"), "but it is said");
}

#[test]
fn a_command_that_fails_adds_nothing() {
    let oma = Oma::new();
    for words in [&["create"][..], &["-o", "o", "get", "n"]] {
        let words = [words, &["--", "sh", "-c", "echo x > out; exit 9"]].concat();
        fails(&oma, 1, "failed", &words);
        assert!(oma.run(&words).stderr.contains('9'), "the status is told");
    }
    fails(&oma, 1, "failed", &["create", "--", "/no/such/program"]);
    let stats = oma.json(&["stats"]);
    assert_eq!((&stats["files"], &stats["trees"], &stats["bindings"]), (&json!(0), &json!(0), &json!(0)));
}

#[test]
fn damage_is_4() {
    let oma = Oma::new();
    let file = oma.line(&["-o", "o", "add", &oma.file("f", "content"), "--bind", "f"]);
    let gone = oma.line(&["-o", "o", "add", &oma.file("g", "gone"), "--bind", "g"]);
    assert_eq!(oma.json(&["verify"])["problems"], json!([]));
    flip(Path::new(&oma.line(&["path", &file])));
    let seen = oma.fails(4, &["verify"]);
    assert!(seen.stdout.contains(&file[..8]), "{seen:#?}");
    oma.fails(4, &["verify", &file]);
    oma.ok(&["verify", &gone]);
    oma.ok(&["verify", "--quick"]);

    fs::remove_file(oma.line(&["path", &gone])).unwrap();
    fails(&oma, 4, "damaged", &["path", &gone]);
    fails(&oma, 4, "damaged", &["path", "o:g"]);
    oma.fails(4, &["verify", "--quick"]);
    let report = oma.fails(4, &["--json", "verify"]).json();
    let mut kinds: Vec<&str> =
        report["problems"].as_array().unwrap().iter().map(|row| row["kind"].as_str().unwrap()).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["corrupt", "missing"]);
}

#[test]
fn a_taken_name_is_5() {
    let oma = Oma::new();
    let hash = oma.line(&["-o", "o", "add", &oma.file("f", "f"), "--bind", "n"]);
    let other = oma.file("g", "g");
    fails(&oma, 5, "conflict", &["-o", "o", "bind", "n", &hash]);
    fails(&oma, 5, "conflict", &["-o", "o", "add", &other, "--bind", "n"]);
    fails(&oma, 5, "conflict", &["-o", "o", "create", "--bind", "n", "--", "true"]);
    fails(&oma, 5, "conflict", &["init"]);
    assert_eq!(oma.line(&["hash", "o:n"]), hash);
    let forced = oma.line(&["-o", "o", "add", &other, "--bind", "n", "--force"]);
    assert_ne!(forced, hash);
    assert_eq!(oma.line(&["hash", "o:n"]), forced);
}

#[test]
fn another_process_at_work_is_6() {
    let oma = Oma::new();
    oma.ok(&["init"]);
    // The command says when it runs, and ends when its standard input does.
    let script = "echo running >&2; cat; echo made > out";
    let mut first = oma.command(&["-o", "o", "get", "n", "--", "sh", "-c", script]);
    let mut first =
        first.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut said = BufReader::new(first.stderr.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    assert_eq!(line, "running\n");
    fails(&oma, 6, "busy", &["-o", "o", "--wait", "0", "get", "n", "--", "true"]);
    oma.ok(&["-o", "o", "--wait", "0", "get", "other", "--", "true"]);
    drop(first.stdin.take());
    let first = finish(first).expect(0);
    assert_eq!(oma.line(&["-o", "o", "--wait", "0", "get", "n", "--", "false"]), first.stdout.trim_end());
}

#[test]
fn short_prefixes_and_ambiguous_ones_are_told_apart() {
    let oma = Oma::new();
    let hash = oma.line(&["add", &oma.file("f", "f")]);
    assert_eq!(oma.line(&["exists", &hash[..6].to_uppercase()]), hash);
    fails(&oma, 3, "not_found", &["exists", &hash[..5]]);
}

#[test]
fn a_closed_pipe_is_quiet() {
    let oma = Oma::new();
    // More than a pipe holds, so that a write must fail.
    for number in 0..300 {
        fs::create_dir_all(oma.path("many")).unwrap();
        fs::write(oma.path(format!("many/{number:0>240}")), "").unwrap();
    }
    let hash = oma.line(&["add", &oma.at("many")]);
    let mut child = oma.start(&["--json", "ls", &hash]);
    let mut first = [0];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let ran = finish(child).expect(0);
    assert_eq!((first, ran.stderr.as_str()), (*b"[", ""));
}

#[test]
fn looking_at_a_store_that_does_not_exist_makes_nothing() {
    let oma = Oma::new();
    for words in [&["ls"][..], &["owner", "list"]] {
        assert_eq!(oma.json(words), json!([]), "{words:?}");
    }
    assert_eq!(oma.json(&["usage"])["stored_bytes"], 0);
    assert_eq!(oma.json(&["stats"])["files"], 0);
    assert_eq!(oma.json(&["verify"])["checked_objects"], 0);
    assert_eq!(oma.json(&["gc", "-n"])["deleted_artifacts"], 0);
    assert_eq!(oma.json(&["gc", "-y"])["deleted_artifacts"], 0);
    assert_eq!(oma.json(&["-o", "o", "unbind", "n"])["missing"], json!(["n"]));
    for words in [&["path", "o:n"][..], &["exists", "abcdef"], &["-o", "o", "hash", "n"], &["show", "o:n"]] {
        fails(&oma, 3, "not_found", words);
    }
    assert!(!oma.root().exists(), "something was made");
    assert_eq!(fs::read_dir(oma.path("home")).unwrap().count(), 0);
}

/// Everything on the shelves with what a change would alter.
fn shelf_listing(root: &Path) -> Vec<String> {
    let mut listing = Vec::new();
    for entry in WalkDir::new(root).sort_by_file_name() {
        let entry = entry.expect("a folder of ours");
        let found = entry.metadata().expect("a folder of ours");
        let path = entry.path().strip_prefix(root).expect("below the root");
        let name = path.to_string_lossy();
        // SQLite's own files change when they are looked at; the rows are compared instead.
        if name.is_empty() || name.starts_with("index.sqlite") || name.starts_with("tmp") {
            continue;
        }
        let (mode, len) = (found.mode(), if found.is_dir() { 0 } else { found.len() });
        listing.push(format!("{name} {mode:o} {len} {}.{} {}", found.mtime(), found.mtime_nsec(), found.ino()));
    }
    listing
}

/// Every row, but for the times of use and of verification.
fn index_dump(root: &Path) -> Option<Vec<String>> {
    let objects = "SELECT id, hex(hash), kind, state, size, own_bytes, files, created_at, orphaned_at FROM objects";
    let bindings = "SELECT id, owner_id, name, object_id, meta, bound_at FROM bindings";
    let mut rows = index_rows(root, &format!("{objects}; {bindings}"))?;
    for table in ["store", "members", "leases", "pins", "sources", "events", "gc_runs", "gc_items"] {
        rows.extend(index_rows(root, &format!("SELECT '{table}', * FROM {table}"))?);
    }
    Some(rows)
}

#[test]
fn looking_changes_nothing() {
    let oma = Oma::new();
    oma.tree("t", &[("a", "aaa"), ("b/c", "ccc")]);
    let hash = oma.line(&["-o", "o", "add", &oma.at("t"), "--bind", "n"]);
    oma.ok(&["-o", "o", "add", &oma.file("old", "old"), "--bind", "old"]);
    oma.ok(&["-o", "o", "unbind", "old"]);
    oma.ok(&["add", &oma.file("leased", "leased")]);
    oma.ok(&["pin", &hash, "--reason", "r"]);
    let before = (shelf_listing(&oma.root()), index_dump(&oma.root()));
    assert!(before.0.len() > 8, "{before:#?}");
    oma.pass(30 * crate::support::DAY);
    for words in [
        &["ls"][..],
        &["ls", &hash],
        &["owner", "list"],
        &["show", &hash],
        &["usage"],
        &["stats"],
        &["path", "o:n"],
        &["hash", "o:n"],
        &["exists", &hash[..8]],
        &["gc", "-n"],
        &["gc", "-n", "--collect-delay", "0"],
    ] {
        oma.ok(words);
        oma.ok(&[&["--json"], words].concat());
        assert_eq!((shelf_listing(&oma.root()), index_dump(&oma.root())), before, "{words:?} changed something");
    }
    assert_eq!(
        fs::read_dir(oma.root().join("tmp")).unwrap().map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>(),
        ["locks"]
    );
}
