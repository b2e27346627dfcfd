//! Packs that are broken, or made to do harm: of none anything becomes visible.

use std::fs;
use std::path::PathBuf;

use ohmyartifacts::{Cache, Digest, Error, ErrorKind, Manifest, UnpackOptions};
use serde_json::{Value, json};

use super::{Env, everything, fill};
use crate::support::{leftovers, refused, shelves};

/// Takes in what must be refused, and returns the reason.
fn reason_of(cache: &Cache, pack: &[u8], env: &Env) -> String {
    fs::write(env.path("bad"), pack).unwrap();
    let previewed = refused(cache.unpack_preview(&env.path("bad"), &UnpackOptions::new()));
    let error = refused(cache.unpack(&env.path("bad"), &UnpackOptions::new()));
    assert_eq!(previewed.to_string(), error.to_string(), "the preview says something else");
    assert_eq!(error.kind(), ErrorKind::Damaged, "{error:?}");
    match error {
        Error::BadPack { reason, .. } => reason,
        other => panic!("another error: {other:?}"),
    }
}

fn assert_untouched(env: &Env) {
    let cache = env.open();
    assert_eq!(cache.bindings(None).unwrap(), []);
    drop(cache);
    assert_eq!(shelves(&env.root()), Vec::<String>::new());
    assert_eq!(leftovers(&env.root()), Vec::<String>::new());
}

fn small_pack() -> Vec<u8> {
    let env = Env::new();
    let mut pack = Vec::new();
    fill(&env, false).pack_to(&everything(), &mut pack, "-".as_ref()).unwrap();
    pack
}

#[test]
fn any_bit_that_flips_is_noticed() {
    let good = small_pack();
    let env = Env::in_memory(ohmyartifacts::LinkStyle::Absolute);
    let cache = env.open();
    let pack = env.path("bad");
    let tar = zstd::decode_all(&*good).unwrap();
    let step = (good.len() / 400).max(1);
    let (mut meaningless, mut noticed) = (0, 0);
    for at in (0..good.len()).step_by(step) {
        let mut bad = good.clone();
        bad[at] ^= 1 << (at % 8);
        fs::write(&pack, &bad).unwrap();
        if cache.unpack_preview(&pack, &UnpackOptions::new()).is_ok() {
            // zstd has bits that say nothing, such as a window larger than it needs to be.
            assert!(zstd::decode_all(&*bad).unwrap() == tar, "byte {at}: something else is taken in");
            meaningless += 1;
        } else {
            reason_of(&cache, &bad, &env);
            noticed += 1;
        }
    }
    assert!(noticed > 20 * meaningless, "{meaningless} flips were not noticed, {noticed} were");
    drop(cache);
    assert_untouched(&env);
}

#[test]
fn what_is_cut_off_is_noticed() {
    let good = small_pack();
    let env = Env::in_memory(ohmyartifacts::LinkStyle::Absolute);
    let cache = env.open();
    for length in (0..good.len()).step_by((good.len() / 60).max(1)).chain([good.len() - 1]) {
        reason_of(&cache, &good[..length], &env);
    }
    drop(cache);
    assert_untouched(&env);
}

enum Part<'a> {
    Folder(&'a str),
    File(&'a str, &'a [u8], u32),
    Link(&'a str, &'a str),
    Again(&'a str, &'a str),
}
use Part::{Again, File, Folder, Link};

/// Writes a pack by hand: a list of contents, then these entries.
fn forge(list: &[u8], parts: &[Part<'_>]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    let mut add = |path: &str, kind: tar::EntryType, mode: u32, data: &[u8], link: Option<&str>| {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_size(data.len() as u64);
        let name = &mut header.as_old_mut().name;
        name[..path.len()].copy_from_slice(path.as_bytes());
        if let Some(link) = link {
            header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
        }
        header.set_cksum();
        tar.append(&header, data).unwrap();
    };
    add("oma-pack.json", tar::EntryType::Regular, 0o644, list, None);
    for part in parts {
        match part {
            Folder(path) => add(path, tar::EntryType::Directory, 0o755, b"", None),
            File(path, data, mode) => add(path, tar::EntryType::Regular, *mode, data, None),
            Link(path, target) => add(path, tar::EntryType::Symlink, 0o777, b"", Some(target)),
            Again(path, first) => add(path, tar::EntryType::Link, 0o644, b"", Some(first)),
        }
    }
    zstd::encode_all(&*tar.into_inner().unwrap(), 1).unwrap()
}

fn list(bytes: u64, artifacts: Value) -> Vec<u8> {
    let list = json!({"format": "ohmyartifacts pack", "version": 1, "bytes": bytes, "artifacts": artifacts});
    serde_json::to_vec(&list).unwrap()
}

fn file_hash() -> String {
    Digest::of_blob(b"hello").to_string()
}

/// A tree that holds `a`, which is `hello`.
fn tree_hash() -> String {
    let node = ohmyartifacts::Node::File { hash: Digest::of_blob(b"hello"), executable: false, size: 5 };
    Manifest::new(vec![ohmyartifacts::Entry { path: PathBuf::from("a"), node }]).hash.to_string()
}

fn one_file(name: &str) -> Value {
    let binding = json!({"owner": "o", "name": name});
    json!([{"hash": file_hash(), "form": "file", "size": 5, "files": 1, "bindings": [binding]}])
}

fn one_tree(size: u64, files: u64) -> Value {
    let binding = json!({"owner": "o", "name": "t"});
    json!([{"hash": tree_hash(), "form": "tree", "size": size, "files": files, "bindings": [binding]}])
}

#[test]
fn a_forged_pack_that_tells_the_truth_is_taken_in() {
    let env = Env::new();
    let (file, tree) = (format!("artifacts/{}", file_hash()), format!("artifacts/{}", tree_hash()));
    let inside = format!("{tree}/a");
    fs::write(env.path("file"), forge(&list(5, one_file("f")), &[File(&file, b"hello", 0o600)])).unwrap();
    let parts = [Folder(&tree), File(&inside, b"hello", 0o644)];
    fs::write(env.path("tree"), forge(&list(5, one_tree(5, 1)), &parts)).unwrap();
    let cache = env.open();
    for pack in ["file", "tree"] {
        cache.unpack(&env.path(pack), &UnpackOptions::new()).unwrap();
    }
    assert_eq!(cache.bindings(None).unwrap().len(), 2);
}

#[test]
fn lies_about_the_content_are_refused() {
    let env = Env::new();
    let cache = env.open();
    let (file, tree) = (format!("artifacts/{}", file_hash()), format!("artifacts/{}", tree_hash()));
    let inside = |name: &str| format!("{tree}/{name}");
    let (a, b, c, git) = (inside("a"), inside("b"), inside("no/c"), inside(".git/config"));
    let (git_folder, up, absolute) = (inside(".git"), inside("../../x"), format!("/{tree}/a"));
    let folder = || Folder(&tree);
    let hello = || File(&a, b"hello", 0o644);
    let twice = json!([one_file("f")[0], one_file("g")[0]]);
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("its content is", forge(&list(5, one_file("f")), &[File(&file, b"hellO", 0o644)])),
        ("its content is", forge(&list(5, one_file("f")), &[File(&file, b"hello", 0o755)])),
        ("holds more than", forge(&list(4, one_file("f")), &[File(&file, b"hello", 0o644)])),
        ("holds less than", forge(&list(6, one_file("f")), &[File(&file, b"hello", 0o644)])),
        ("is missing", forge(&list(5, one_file("f")), &[])),
        (
            "has next",
            forge(&list(10, one_file("f")), &[File(&file, b"hello", 0o644), File("artifacts/x", b"hello", 0o644)]),
        ),
        ("has next", forge(&list(5, one_file("f")), &[File("elsewhere", b"hello", 0o644)])),
        ("is no file", forge(&list(5, one_file("f")), &[Link(&file, "/etc/passwd")])),
        ("did not come before", forge(&list(5, one_file("f")), &[Again(&file, "oma-pack.json")])),
        ("twice or out of order", forge(&list(5, twice), &[File(&file, b"hello", 0o644)])),
        ("add up to", forge(&list(5, one_tree(5, 1)), &[folder(), File(&b, b"hello", 0o644)])),
        ("add up to", forge(&list(5, one_tree(5, 1)), &[folder(), hello(), Link(&b, "a")])),
        ("add up to", forge(&list(0, one_tree(0, 0)), &[folder()])),
        ("1 files of 5 bytes", forge(&list(5, one_tree(7, 1)), &[folder(), hello()])),
        ("should be a directory", forge(&list(5, one_tree(5, 1)), &[File(&tree, b"hello", 0o644)])),
        ("has next", forge(&list(5, one_tree(5, 1)), &[hello()])),
        ("twice or out of order", forge(&list(10, one_tree(5, 1)), &[folder(), hello(), hello()])),
        ("in no directory", forge(&list(10, one_tree(5, 1)), &[folder(), hello(), File(&c, b"hello", 0o644)])),
        (
            "has content in",
            forge(&list(10, one_tree(5, 1)), &[folder(), Folder(&git_folder), File(&git, b"hello", 0o644)]),
        ),
        ("leads upward", forge(&list(10, one_tree(5, 1)), &[folder(), File(&up, b"hello", 0o644)])),
        ("is an absolute path", forge(&list(5, one_tree(5, 1)), &[folder(), File(&absolute, b"hello", 0o644)])),
        (
            "not packed with zstd",
            zstd::decode_all(&*forge(&list(5, one_file("f")), &[File(&file, b"hello", 0o644)])).unwrap(),
        ),
    ];
    for (expected, pack) in cases {
        let reason = reason_of(&cache, &pack, &env);
        assert!(reason.contains(expected), "`{reason}` does not say `{expected}`");
    }
    drop(cache);
    assert_untouched(&env);
}

#[test]
fn lies_in_the_list_are_refused() {
    let env = Env::new();
    let cache = env.open();
    let file = format!("artifacts/{}", file_hash());
    let with = |key: &str, value: Value| {
        let mut item = one_file("f");
        item[0][key] = value;
        list(5, item)
    };
    let name = |name: Value| with("bindings", json!([name]));
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("broken", b"{".to_vec()),
        ("broken", b"[]".to_vec()),
        ("broken", with("unknown\u{1b}[31m", json!(1))),
        ("something else", serde_json::to_vec(&json!({"format": "x\n", "version": 1})).unwrap()),
        ("version 2", serde_json::to_vec(&json!({"format": "ohmyartifacts pack", "version": 2})).unwrap()),
        ("broken", with("hash", json!("../../etc"))),
        ("neither file nor tree", with("form", json!("device\u{1b}"))),
        ("what no file can be", with("files", json!(2))),
        ("what no file can be", with("rule", json!("julia"))),
        ("broken", with("size", json!(-1))),
        ("where nothing can come from", with("sources", json!([{"kind": "path", "location": "/x"}]))),
        ("where nothing can come from", with("sources", json!([{"kind": "url", "location": "x\u{1b}[2J"}]))),
        ("a name which is none", name(json!({"owner": "", "name": "n"}))),
        ("a name which is none", name(json!({"owner": "o", "name": "n\u{0}"}))),
        ("a name which is none", name(json!({"owner": "o", "name": "n", "meta": {"a": null}}))),
        ("a name which is none", name(json!({"owner": "o", "name": "n", "meta": {"$toml": "]]"}}))),
        ("a name which is none", name(json!({"owner": "o", "name": "n".repeat(5_000)}))),
    ];
    for (expected, list) in cases {
        let reason = reason_of(&cache, &forge(&list, &[File(&file, b"hello", 0o644)]), &env);
        assert!(reason.contains(expected), "`{reason}` does not say `{expected}`");
    }
    let huge = forge(&vec![b' '; 65 * 1024 * 1024], &[]);
    assert!(reason_of(&cache, &huge, &env).contains("larger than"));
    drop(cache);
    assert_untouched(&env);
}

#[test]
fn a_name_that_a_pack_has_twice_is_a_conflict() {
    let env = Env::new();
    let cache = env.open();
    let (file, other) = (Digest::of_blob(b"hello").to_string(), Digest::of_blob(b"other").to_string());
    let item = |hash: &str| json!({"hash": hash, "form": "file", "size": 5, "files": 1, "bindings": [{"owner": "o", "name": "n"}]});
    let mut both = [(file, b"hello"), (other, b"other")];
    both.sort();
    let items: Vec<Value> = both.iter().map(|(hash, _)| item(hash)).collect();
    let paths: Vec<String> = both.iter().map(|(hash, _)| format!("artifacts/{hash}")).collect();
    let parts = [File(&paths[0], both[0].1, 0o644), File(&paths[1], both[1].1, 0o644)];
    fs::write(env.path("p"), forge(&list(10, json!(items)), &parts)).unwrap();
    let error = refused(cache.unpack(&env.path("p"), &UnpackOptions::new().force(true)));
    assert!(matches!(error, Error::BindingExists { .. }), "{error:?}");
    drop(cache);
    assert_untouched(&env);
}

/// A taken-over name never replaces content whose name is proven.
#[test]
fn a_recorded_name_takes_nobodys_place() {
    let env = Env::new();
    let cache = env.open();
    let tree = env.tree("t", &[("a", "hello")]);
    let mine =
        cache.owner("me").unwrap().ingest("t", &ohmyartifacts::Source::copy(&tree), &ohmyartifacts::BindOptions::new());
    let mine = mine.unwrap();
    assert_eq!(mine.artifact.hash.to_string(), tree_hash());
    let node = ohmyartifacts::Node::File { hash: Digest::of_blob(b"enemy"), executable: false, size: 5 };
    let content = Manifest::new(vec![ohmyartifacts::Entry { path: PathBuf::from("a"), node }]).hash.to_string();
    let mut item = one_tree(5, 1);
    item[0]["rule"] = json!({"recorded": {"content": content, "doubt": "trust\u{1b}[2J me"}});
    let top = format!("artifacts/{}", tree_hash());
    let inside = format!("{top}/a");
    fs::write(env.path("p"), forge(&list(5, item), &[Folder(&top), File(&inside, b"enemy", 0o644)])).unwrap();
    let _ = cache.unpack(&env.path("p"), &UnpackOptions::new());
    assert_eq!(fs::read_to_string(mine.path.join("a")).unwrap(), "hello");
    super::assert_sound(&cache);
}
