//! `oma copy` as people and scripts meet it.

use std::fs;

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::cli_exit_codes::flip;
use crate::cli_text::{fail, run, sample};
use crate::non_root::Unprivileged;
use crate::support::oma::{Oma, fields};

#[test]
fn in_words() {
    let (oma, hash) = sample();
    let ran = oma.ok(&["copy", "o@1.0:n", "--to", &oma.at("there")]);
    assert!(ran.stderr.starts_with("the disk holds their bytes once, by "), "{ran:#?}");
    assert_snapshot!(ran.stdout, @r"
    HASH          KIND  SIZE  STATUS  OWNER  NAME
    d4adad56550b  tree  19 B  bound   o@1.0  n

    1 artifact arrived (3 files stored anew, 19 B)
    ");
    assert_snapshot!(run(&oma, &["copy", &hash, "--to", &oma.at("there"), "--no-bind"]), @r"
    --- stdout
    HASH          KIND  SIZE  STATUS  OWNER  NAME
    d4adad56550b  tree  19 B  -       -      -

    1 artifact arrived (nothing new to store); 1 without a name, kept for a day
    ");
    assert_eq!(oma.ok(&["-q", "copy", &hash, "--to", &oma.at("there")]).stdout, format!("{hash}\n"));
    assert_snapshot!(fail(&oma, 2, &["copy", &hash, "--to", &oma.at("store/inside")]), @r"
    --- stderr
    error: `[TMP]/store/inside` is not a valid store to copy to: it lies in the store it is copied from
    hint: name another folder with `--to DIR`
    ");
}

#[test]
fn as_json() {
    let (oma, hash) = sample();
    oma.ok(&["-o", "o@1.0", "add", &oma.file("f", "12345"), "--bind", "file", "--meta", "k=v"]);
    let there = oma.at("there");
    let copied = oma.json(&["-o", "o@1.0", "copy", "--to", &there]);
    let tree = copied.as_array().unwrap().iter().find(|one| one["hash"] == json!(hash)).unwrap();
    assert_eq!(
        fields(tree),
        ["bindings", "by", "files", "hash", "kind", "lease_expires_at", "new_bytes", "new_files", "path", "size"]
    );
    let bindings = json!([{"owner": "o", "version": "1.0", "name": "n", "status": "bound"}]);
    assert_eq!((&tree["bindings"], &tree["lease_expires_at"]), (&bindings, &Value::Null));
    assert!(["reflink", "hardlink"].contains(&tree["by"].as_str().unwrap()));
    let listed = |store: &[&str]| {
        let mut rows = oma.json(&[store, &["ls"]].concat());
        rows.as_array_mut().unwrap().iter_mut().for_each(|row| row["bound_at"] = Value::Null);
        rows
    };
    assert_eq!(listed(&["--store", &there]), listed(&[]));
    assert_eq!(oma.json(&["-o", "o@1.0", "copy", "--to", &there])[0]["by"], Value::Null);
    oma.ok(&["--store", &there, "verify"]);
}

#[test]
fn every_failure_has_its_code() {
    let (oma, hash) = sample();
    let there = oma.at("there");
    oma.fails(2, &["copy", &hash]);
    oma.fails(2, &["copy", "--to", &there]);
    oma.fails(2, &["copy", &hash, "--to", &oma.at("store")]);
    oma.fails(3, &["-o", "nobody", "copy", "--to", &there]);
    oma.fails(3, &["copy", "o:nothing", "--to", &there]);
    assert!(!oma.path("there").exists(), "a store was made for nothing");
    fs::create_dir(oma.path("full")).unwrap();
    oma.file("full/mine", "mine");
    oma.fails(1, &["copy", &hash, "--to", &oma.at("full")]);
    oma.ok(&["--store", &there, "-o", "o@1.0", "add", &oma.file("g", "other"), "--bind", "n"]);
    let taken = oma.fails(5, &["copy", "o@1.0:n", "--to", &there, "--json"]);
    assert_eq!(taken.error_kind(), "conflict");
    // What helps is about the store where the name is taken.
    let hint = format!("`oma --store {there} unbind --owner o@1.0 n` frees the name there, `--force` takes it");
    assert_eq!(taken.json()["error"]["hint"], json!(hint));
    oma.ok(&["copy", "o@1.0:n", "--to", &there, "--force"]);
    flip(&fs::canonicalize(oma.line(&["path", "o@1.0:n"]) + "/a.csv").unwrap());
    let elsewhere = oma.at("elsewhere");
    let damaged = oma.fails(4, &["copy", "o@1.0:n", "--to", &elsewhere, "--json"]);
    assert_eq!(damaged.error_kind(), "damaged");
    assert!(damaged.stdout.contains(&format!("`oma --store {} verify", oma.at("store"))), "{damaged:#?}");
    assert_eq!(oma.json(&["--store", &elsewhere, "ls"]), json!([]));
}

/// Who may only read a store copies out of it, and shares nothing that its owner could change later.
#[test]
fn a_store_of_somebody_else_is_copied() {
    let user = Unprivileged::new(ohmyartifacts::LinkStyle::Absolute);
    let oma: &Oma = &user.oma;
    oma.tree("src", &[("a", "a"), ("d/b", "b")]);
    oma.ok(&["-o", "o", "add", &oma.at("src"), "--bind", "n"]);
    oma.ok(&["gc", "-y"]);
    fs::create_dir(oma.path("mine")).unwrap();
    user.give(&oma.path("mine"));
    let there = oma.at("mine/store");
    let ran = user.run(&["--json", "copy", "o:n", "--to", &there]).expect(0);
    let privileged = fs::metadata("/proc/self").is_ok_and(|found| std::os::unix::fs::MetadataExt::uid(&found) == 0);
    if privileged {
        assert_ne!(ran.json()[0]["by"], json!("hardlink"), "{ran:#?}");
    }
    user.run(&["--store", &there, "verify"]).expect(0);
    user.run(&["--store", &there, "exists", "o:n"]).expect(0);
}
