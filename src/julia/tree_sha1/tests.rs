//! The hash of a tree, held against git itself.

use std::ffi::OsString;
use std::os::unix::fs::symlink;
use std::process::Command;

use proptest::prelude::*;

use super::*;

const EMPTY: &str = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";

fn hash(root: &Path, rule: TreeRule) -> String {
    sha1_hex(&git_tree_sha1(root, rule, &Interrupt::default()).expect("a hash"))
}

fn write(path: &Path, content: &[u8], mode: u32) {
    std::fs::create_dir_all(path.parent().expect("below")).expect("made");
    std::fs::write(path, content).expect("written");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("set");
}

/// What git itself says, with a repository that lies elsewhere.
fn git(root: &Path) -> String {
    let elsewhere = tempfile::tempdir().expect("a folder");
    let run = |arguments: &[&str]| {
        let output = Command::new("git")
            .args(["-c", "core.fileMode=true", "-c", "core.autocrlf=false", "-c", "core.safecrlf=false"])
            .args(arguments)
            .env("GIT_DIR", elsewhere.path().join("repository"))
            .env("GIT_WORK_TREE", root)
            .current_dir(root)
            .output()
            .expect("git runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text").trim().to_owned()
    };
    run(&["init", "--quiet", "--object-format=sha1"]);
    run(&["add", "--all", "--force", "."]);
    run(&["write-tree"])
}

#[test]
fn a_tree_without_files_is_the_empty_tree() {
    let dir = tempfile::tempdir().expect("a folder");
    assert_eq!(hash(dir.path(), TreeRule::Git), EMPTY);
    std::fs::create_dir_all(dir.path().join("a/b/c")).expect("made");
    assert_eq!(hash(dir.path(), TreeRule::Git), EMPTY);
    write(&dir.path().join(".git/config"), b"x", 0o644);
    assert_eq!(hash(dir.path(), TreeRule::Git), EMPTY);
    assert_eq!(hash(dir.path(), TreeRule::Pkg), EMPTY);
}

#[test]
fn a_tree_made_to_be_nasty_has_the_hash_git_gives_it() {
    let dir = tempfile::tempdir().expect("a folder");
    let root = dir.path();
    for (name, mode) in [("a", 0o644), ("a.b", 0o755), ("a-b/x", 0o644), ("a0", 0o654), ("b/.gitignore", 0o600)] {
        write(&root.join(name), name.as_bytes(), mode);
    }
    // git sorts these as if the directory were called `c/`.
    for name in ["c/x", "c-", "c.b", "c0", "c-d/x"] {
        write(&root.join(name), b"", 0o644);
    }
    write(&root.join("a+/deep/file"), &vec![7; CHUNK * 2 + 1], 0o644);
    write(&root.join("empty"), b"", 0o744);
    write(&root.join("naïve 日本語"), "é".as_bytes(), 0o644);
    write(&root.join(OsString::from_vec(b"\xff\xfe\n".to_vec())), b"not UTF-8", 0o644);
    symlink("naïve/nowhere", root.join("dangling")).expect("a link");
    symlink("a+", root.join("to-directory")).expect("a link");
    std::fs::create_dir_all(root.join("nothing/below")).expect("made");
    assert_eq!(hash(root, TreeRule::Git), git(root));
    // The link's text has 13 characters in 14 bytes.
    assert_ne!(hash(root, TreeRule::Pkg), git(root));
}

#[test]
fn git_data_is_left_out_at_every_level() {
    let dir = tempfile::tempdir().expect("a folder");
    write(&dir.path().join("a/file"), b"x", 0o644);
    let without = git(dir.path());
    write(&dir.path().join(".git/HEAD"), b"x", 0o644);
    write(&dir.path().join("a/.git"), b"gitdir: elsewhere", 0o644);
    assert_eq!(hash(dir.path(), TreeRule::Git), without);
    write(&dir.path().join("only/.git/HEAD"), b"x", 0o644);
    assert_eq!(hash(dir.path(), TreeRule::Git), without);
}

/// Python: `sha1(b"tree 31\0" + b"40000 only\0" + the empty tree's 20 bytes)`.
#[test]
fn pkg_counts_a_directory_of_git_data_as_an_empty_one() {
    let dir = tempfile::tempdir().expect("a folder");
    write(&dir.path().join("only/.git/HEAD"), b"x", 0o644);
    assert_eq!(hash(dir.path(), TreeRule::Git), EMPTY);
    assert_eq!(hash(dir.path(), TreeRule::Pkg), "f490af1669f790679e89d06fc551a9f175078984");
}

/// Python: `sha1(b"tree 29\0" + b"120000 l\0" + sha1("blob 1\0é".encode()).digest())`.
#[test]
fn pkg_counts_the_characters_of_a_link() {
    let dir = tempfile::tempdir().expect("a folder");
    symlink("é", dir.path().join("l")).expect("a link");
    assert_eq!(hash(dir.path(), TreeRule::Git), git(dir.path()));
    assert_eq!(hash(dir.path(), TreeRule::Pkg), "e540c2617169fd630b01545af81b58b8113fd200");
}

#[test]
fn what_git_could_not_hold_is_an_error() {
    let dir = tempfile::tempdir().expect("a folder");
    let pipe = dir.path().join("pipe");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).expect("a pipe");
    let answer = |root: &Path| git_tree_sha1(root, TreeRule::Git, &Interrupt::default());
    assert!(matches!(answer(dir.path()), Err(Error::Unsupported { what: "named pipe", .. })));
    let other = tempfile::tempdir().expect("a folder");
    let link = other.path().join("link");
    symlink(dir.path(), &link).expect("a link");
    assert!(matches!(answer(&link), Err(Error::Io { .. })));
    assert!(matches!(answer(&other.path().join("nothing")), Err(Error::Io { .. })));
    let interrupt = Interrupt::default();
    interrupt.request();
    assert!(matches!(git_tree_sha1(other.path(), TreeRule::Git, &interrupt), Err(Error::Interrupted)));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn random_trees_have_the_hash_git_gives_them(
        files in prop::collection::vec(("[ab.+é-]{1,2}(/[ab.0-]{1,2}){0,2}", 0u8..5, prop::collection::vec(any::<u8>(), 0..40)), 0..24)
    ) {
        let dir = tempfile::tempdir().expect("a folder");
        for (name, kind, content) in files {
            let parts: Vec<&str> = name.split('/').filter(|part| !matches!(*part, "" | "." | "..")).collect();
            let path = dir.path().join(parts.join("/"));
            let free = !parts.is_empty() && std::fs::create_dir_all(path.parent().expect("below")).is_ok();
            if !free || std::fs::symlink_metadata(&path).is_ok() {
                continue;
            }
            match kind {
                0 => write(&path, &content, 0o644),
                1 => write(&path, &content, 0o755),
                2 => symlink("a/../é", &path).expect("a link"),
                _ => std::fs::create_dir(&path).expect("made"),
            }
        }
        prop_assert_eq!(hash(dir.path(), TreeRule::Git), git(dir.path()));
    }
}
