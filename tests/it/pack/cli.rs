//! `oma pack` and `oma unpack` as people and scripts meet them.

use std::fs;
use std::process::Command;

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::cli_exit_codes::flip;
use crate::cli_text::{fail, run, sample};
use crate::support::oma::{Oma, fields};

fn packed() -> (Oma, String) {
    let (oma, hash) = sample();
    oma.ok(&["-o", "o@1.0", "add", &oma.file("f", "12345"), "--bind", "file", "--meta", "k=v"]);
    oma.ok(&["-o", "o@1.0", "pack", "-f", &oma.at("p.tar.zst")]);
    (oma, hash)
}

#[test]
fn in_words() {
    let (oma, hash) = packed();
    assert_snapshot!(run(&oma, &["pack", &hash, "-f", &oma.at("h.tar.zst")]), @"
    --- stdout
    1 artifact with 0 names, 19 B of content in `[TMP]/h.tar.zst` (393 B)
    ");
    assert_snapshot!(run(&oma, &["--store", &oma.at("there"), "unpack", "-n", &oma.at("p.tar.zst")]), @"
    --- stdout
    HASH          KIND  SIZE  STATUS  OWNER  NAME
    74242c6e4a0d  file   5 B  bound   o@1.0  file
    d4adad56550b  tree  19 B  bound   o@1.0  n

    2 artifacts would arrive (3 files stored anew, 19 B)
    --- stderr
    there is no store at `[TMP]/there` yet; the first command that writes makes it
    ");
    assert!(!oma.path("there").exists(), "a dry run made a store");
    assert_snapshot!(run(&oma, &["--store", &oma.at("there"), "unpack", &oma.at("p.tar.zst")]), @"
    --- stdout
    HASH          KIND  SIZE  STATUS  OWNER  NAME
    74242c6e4a0d  file   5 B  bound   o@1.0  file
    d4adad56550b  tree  19 B  bound   o@1.0  n

    2 artifacts arrived (3 files stored anew, 19 B)
    ");
    assert_snapshot!(run(&oma, &["--store", &oma.at("bare"), "unpack", "--no-bind", &oma.at("h.tar.zst")]), @"
    --- stdout
    HASH          KIND  SIZE  STATUS  OWNER  NAME
    d4adad56550b  tree  19 B  -       -      -

    1 artifact arrived (3 files stored anew, 19 B); 1 without a name, kept for a day
    ");
    assert_snapshot!(fail(&oma, 5, &["pack", &hash, "-f", &oma.at("h.tar.zst")]), @"
    --- stderr
    error: there is something at `[TMP]/h.tar.zst` already
    hint: name another place, or replace what is there with `--force`
    ");
}

#[test]
fn as_json() {
    let (oma, hash) = packed();
    let pack = oma.json(&["-o", "o@1.0", "pack", "n", "-f", &oma.at("n.tar.zst")]);
    assert_eq!(fields(&pack), ["artifacts", "bindings", "content_bytes", "path", "size"]);
    assert_eq!(pack["size"], fs::metadata(oma.path("n.tar.zst")).unwrap().len());
    let there = oma.at("there");
    let unpack = |words: &[&str]| oma.json(&[&["--store", &there, "unpack"], words].concat());
    let file = oma.at("p.tar.zst");
    let dry = unpack(&["-n", &file]);
    let real = unpack(&[&file]);
    assert_eq!(dry, real, "the dry run said something else");
    let tree = real.as_array().unwrap().iter().find(|one| one["hash"] == json!(hash)).unwrap();
    assert_eq!(
        fields(tree),
        ["bindings", "files", "hash", "kind", "lease_expires_at", "new_bytes", "new_files", "path", "size"]
    );
    let bindings = json!([{"owner": "o", "version": "1.0", "name": "n", "status": "bound"}]);
    assert_eq!((&tree["bindings"], &tree["lease_expires_at"]), (&bindings, &Value::Null));
    let listed = |store: &[&str]| {
        let mut rows = oma.json(&[store, &["ls"]].concat());
        for row in rows.as_array_mut().unwrap() {
            row["bound_at"] = Value::Null;
        }
        rows
    };
    assert_eq!(listed(&["--store", &there]), listed(&[]));
}

#[test]
fn every_failure_has_its_code() {
    let (oma, hash) = packed();
    let (file, p) = (oma.at("p.tar.zst"), oma.at("q.tar.zst"));
    oma.fails(3, &["-o", "nobody", "pack", "-f", &p]);
    oma.fails(3, &["pack", "nothing", "-f", &p]);
    oma.fails(2, &["pack", "-f", &p]);
    oma.fails(2, &["pack", &hash, "-f", "-", "--json"]);
    oma.fails(5, &["pack", &hash, "-f", &file]);
    oma.ok(&["-o", "o@1.0", "add", &oma.file("g", "other"), "--bind", "file", "--force"]);
    assert_eq!(oma.fails(5, &["unpack", &file, "--json"]).error_kind(), "conflict");
    oma.ok(&["unpack", &file, "--force"]);
    assert_eq!(oma.fails(4, &["unpack", &oma.file("bad", "no pack"), "--json"]).error_kind(), "damaged");
    oma.fails(3, &["unpack", &oma.at("nothing")]);
    // What is damaged does not leave.
    let stored = fs::canonicalize(oma.line(&["path", "o@1.0:n"]) + "/a.csv").unwrap();
    flip(&stored);
    assert_eq!(oma.fails(4, &["pack", &hash, "-f", &p, "--json"]).error_kind(), "damaged");
    fs::remove_file(stored).unwrap();
    oma.fails(4, &["pack", &hash, "-f", &p]);
    assert!(!oma.path("q.tar.zst").exists());
    let drafts = fs::read_dir(oma.path("")).unwrap().flatten();
    assert!(drafts.into_iter().all(|entry| !entry.file_name().to_string_lossy().contains(".part")), "a draft is left");
}

#[test]
fn masks_and_pipes_change_no_byte() {
    let (oma, _) = packed();
    let good = fs::read(oma.path("p.tar.zst")).unwrap();
    for mask in ["000", "022", "077"] {
        let other = Oma::new();
        let program = env!("CARGO_BIN_EXE_oma");
        let script = format!(
            "umask {mask}; '{program}' --store s -o o@1.0 unpack '{}' && '{program}' --store s -o o@1.0 pack -f q && \
             '{program}' --store s -o o@1.0 pack -f - | cat > piped",
            oma.at("p.tar.zst")
        );
        let done = Command::new("sh").args(["-c", &script]).current_dir(other.path("")).output().unwrap();
        assert!(done.status.success(), "{mask}: {}", String::from_utf8_lossy(&done.stderr));
        for name in ["q", "piped"] {
            assert!(fs::read(other.path(name)).unwrap() == good, "{name} under {mask} is another pack");
        }
    }
}

/// What is not a file of the user's own is not written over, `--force` or not.
#[test]
fn the_store_and_what_is_no_file_are_not_written_over() {
    let oma = Oma::new();
    oma.tree("data", &[("a", "a")]);
    oma.ok(&["-o", "o", "add", &oma.at("data"), "--bind", "t"]);
    let stored = oma.line(&["path", "o:t"]);
    let link = oma.path("link");
    std::os::unix::fs::symlink(oma.file("target", "kept"), &link).unwrap();
    make_pipe(&oma.path("pipe"));
    let places = ["store/index.sqlite", "store/config.toml", "store/new", "link", "pipe"].map(|name| oma.at(name));
    for place in places.iter().chain([&stored]) {
        for verb in ["pack", "archive"] {
            let ran = oma.fails(2, &["-o", "o", verb, "t", "-f", place, "--force"]);
            assert!(ran.stderr.contains("is not a valid file to write"), "{place}: {ran:?}");
        }
    }
    assert_eq!(fs::read_to_string(oma.path("target")).unwrap(), "kept");
    assert!(link.is_symlink() && !oma.path("store/new").exists() && !oma.path("store/config.toml").exists());
    assert_eq!(oma.ok(&["verify"]).stderr, "");
}

fn make_pipe(path: &std::path::Path) {
    let done = Command::new("mkfifo").arg(path).status().unwrap();
    assert!(done.success());
}
