//! Which part is meant, and where it comes to lie.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use super::{assert_clean, assert_same, bound};
use crate::support::oma::{Oma, fields};
use crate::support::shape::{Is, assert_shape};
use crate::support::{DAY, mode_of};

const SHAPE: [(&str, Is); 7] = [
    ("hash", Is::Hash),
    ("kind", Is::Text),
    ("size", Is::Number),
    ("files", Is::Number),
    ("path", Is::Text),
    ("mode", Is::Text),
    ("writable", Is::Bool),
];

#[test]
fn the_words_for_a_person() {
    let oma = Oma::new();
    bound(&oma);
    let ran = oma.ok(&["checkout", "o:t:deep", "mine", "--mode", "copy", "-w"]);
    assert_eq!(oma.redacted(&ran.stdout), "[TMP]/mine\n");
    insta::assert_snapshot!(ran.stderr, @"1 file, 1 B: copies, to be changed at will");
}

#[test]
fn a_directory_in_a_directory() {
    let oma = Oma::new();
    let hash = bound(&oma);
    assert_shape("checkout", &oma.json(&["checkout", "o:t", "whole"]), &SHAPE);
    for (number, reference) in
        ["o:t:deep/er", "o:t/deep/er", "o:t:/deep/er/", "o:t:way/er", &format!("{hash}:deep/er"), &hash[..8]]
            .into_iter()
            .enumerate()
    {
        let dest = format!("out-{number}");
        let done = oma.json(&["checkout", reference, &dest]);
        if reference.len() == 8 {
            assert_same(&oma.path("src"), &oma.path(&dest), reference);
            continue;
        }
        assert_shape("checkout of a part", &done, &[&SHAPE[..], &[("inside", Is::Text)]].concat());
        assert_eq!((&done["inside"], &done["files"], &done["size"]), (&"deep/er".into(), &1.into(), &1.into()));
        assert_same(&oma.path("src/deep/er"), &oma.path(&dest), reference);
        let put_in = oma.line(&["--store", &oma.at("elsewhere"), "add", &oma.at("src/deep/er")]);
        assert_eq!(done["hash"], put_in, "{reference}");
    }
    assert_clean(&oma);
}

#[test]
fn a_file_in_a_directory() {
    let oma = Oma::new();
    bound(&oma);
    for (reference, source) in [("o:t:twin", "twin"), ("o:t/way/up", "a"), ("o:t:large", "large"), ("o:t:zero", "zero")]
    {
        let done = oma.json(&["checkout", reference, "one"]);
        assert_eq!((&done["kind"], &done["files"]), (&"file".into(), &1.into()), "{reference}");
        assert_eq!(fs::read(oma.path("one")).unwrap(), fs::read(oma.path("src").join(source)).unwrap(), "{reference}");
        assert_eq!(mode_of(&oma.path("one")) & 0o100, mode_of(&oma.path("src").join(source)) & 0o100, "{reference}");
        fs::remove_file(oma.path("one")).unwrap();
    }
    let file = oma.line(&["-o", "o", "add", &oma.file("f", "alone"), "--bind", "f"]);
    for reference in ["o:f", "o:f:", &file, &format!("{file}:")] {
        oma.ok(&["checkout", reference, "one", "--force"]);
        assert_eq!(fs::read_to_string(oma.path("one")).unwrap(), "alone", "{reference}");
    }
    oma.fails(3, &["checkout", "o:f:x", "none"]);
    assert_clean(&oma);
}

/// Names may look like paths.
#[test]
fn the_longest_name_wins() {
    let oma = Oma::new();
    oma.tree("n", &[("x", "in the tree"), ("b:c", "a colon")]);
    oma.ok(&["-o", "o", "add", &oma.at("n"), "--bind", "a"]);
    oma.ok(&["-o", "o", "add", &oma.file("f", "by name"), "--bind", "a:x"]);
    oma.ok(&["-o", "o", "add", &oma.file("g", "by name too"), "--bind", "a/x"]);
    assert_eq!(oma.ok(&["cat", "o:a:x"]).stdout, "by name");
    assert_eq!(oma.ok(&["cat", "o:a/x"]).stdout, "by name too");
    assert_eq!(oma.ok(&["-o", "o", "cat", "a:x"]).stdout, "by name");
    assert_eq!(oma.ok(&["cat", "o:a:b:c"]).stdout, "a colon");
    oma.ok(&["-o", "o", "unbind", "a:x", "a/x"]);
    assert_eq!(oma.ok(&["cat", "o:a:x"]).stdout, "in the tree");
    assert_eq!(oma.ok(&["-o", "o", "cat", "a/x"]).stdout, "in the tree");
}

/// An empty folder gives way; who made it private wants its content to be.
#[test]
fn an_empty_folder_is_taken() {
    let oma = Oma::new();
    bound(&oma);
    fs::create_dir(oma.path("out")).unwrap();
    fs::set_permissions(oma.path("out"), fs::Permissions::from_mode(0o700)).unwrap();
    oma.ok(&["checkout", "o:t", "out/"]);
    assert_same(&oma.path("src"), &oma.path("out"), "into an empty folder");
    assert_eq!(mode_of(&oma.path("out")), 0o700);
    fs::create_dir(oma.path("empty")).unwrap();
    oma.fails(5, &["checkout", "o:t:a", "empty"]);
    oma.ok(&["checkout", "o:t:a", "empty", "--force"]);
    assert!(oma.path("empty").is_file());
    assert_clean(&oma);
}

#[test]
fn what_is_there_is_replaced_by_force_only() {
    let oma = Oma::new();
    bound(&oma);
    for mode in ["copy", "hardlink", "symlink"] {
        oma.tree("elsewhere", &[("kept", "kept")]);
        oma.tree("out", &[("mine", "mine"), ("sub/mine", "mine")]);
        symlink(oma.path("elsewhere"), oma.path("out/link")).unwrap();
        fs::set_permissions(oma.path("out/sub"), fs::Permissions::from_mode(0o555)).unwrap();
        let refused = oma.fails(5, &["checkout", "o:t", "out", "--mode", mode]);
        assert!(refused.stderr.contains("--force"), "{refused:#?}");
        assert_eq!(fs::read_to_string(oma.path("out/sub/mine")).unwrap(), "mine");
        oma.ok(&["checkout", "o:t", "out", "--mode", mode, "--force"]);
        assert_same(&oma.path("src"), &oma.path("out"), mode);
        // A link is replaced, not what it leads to.
        symlink(oma.path("elsewhere"), oma.path("link")).unwrap();
        oma.fails(5, &["checkout", "o:t", "link", "--mode", mode]);
        oma.ok(&["checkout", "o:t", "link", "--mode", mode, "--force"]);
        assert!(oma.path("link").symlink_metadata().unwrap().is_dir());
        assert_eq!(fs::read_to_string(oma.path("elsewhere/kept")).unwrap(), "kept");
        fs::remove_dir_all(oma.path("out")).unwrap();
        fs::remove_dir_all(oma.path("link")).unwrap();
    }
    assert_clean(&oma);
}

/// A folder above is reached through a link: the place is where that leads.
#[test]
fn a_place_behind_a_link() {
    let oma = Oma::new();
    bound(&oma);
    fs::create_dir(oma.path("real")).unwrap();
    symlink("real", oma.path("way")).unwrap();
    assert_eq!(oma.line(&["-q", "checkout", "o:t:a", "way/one"]), oma.at("real/one"));
}

/// Filesystems that know no exchange, such as NFS, are played by one whose every such call fails.
#[test]
fn without_renames_that_do_not_replace() {
    let oma = Oma::new();
    bound(&oma);
    let program = env!("CARGO_BIN_EXE_oma");
    let traced = |words: &[&str]| {
        let inject = ["-f", "-qq", "-o", "/dev/null", "-e", "inject=renameat2:error=EINVAL", program];
        let output = oma.command_of(Path::new("strace"), &[&inject[..], words].concat()).output();
        output.map(|output| output.status.code())
    };
    match traced(&["stats"]) {
        Ok(Some(0)) => {}
        other => return crate::support::oma::tell(&format!("skipped: no `strace` that works: {other:?}")),
    }
    assert_eq!(traced(&["checkout", "o:t", "out"]).unwrap(), Some(0));
    assert_same(&oma.path("src"), &oma.path("out"), "moved");
    assert_eq!(traced(&["checkout", "o:t:deep", "out"]).unwrap(), Some(5));
    assert_same(&oma.path("src"), &oma.path("out"), "refused");
    assert_eq!(traced(&["checkout", "o:t:deep/er", "out", "--force"]).unwrap(), Some(0));
    assert_same(&oma.path("src/deep/er"), &oma.path("out"), "replaced");
    assert_clean(&oma);
}

#[test]
fn taking_out_is_a_use() {
    let oma = Oma::new();
    bound(&oma);
    let used = |oma: &Oma| oma.json(&["ls", "-o", "o"])[0]["last_used_at"].clone();
    for words in [&["checkout", "o:t:a", "one"][..], &["cat", "o:t:a"]] {
        oma.pass(DAY);
        let before = used(&oma);
        oma.ok(words);
        assert_ne!(used(&oma), before, "{words:?}");
        assert_eq!(used(&oma).as_str().unwrap()[..10], oma.clock.now().to_string()[..10], "{words:?}");
        assert_eq!(oma.json(&["lease", "list"]), serde_json::json!([]), "{words:?}");
    }
    assert_eq!(fields(&oma.json(&["checkout", "o:t:a", "two"])).len(), SHAPE.len() + 1);
}
