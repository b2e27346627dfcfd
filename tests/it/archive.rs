//! Archives for Julia: other programs unpack them, git names their content, and they come back by their
//! declaration.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use insta::assert_snapshot;

use crate::cli_exit_codes::flip;
use crate::cli_text::fail;
use crate::support::make_executable;
use crate::support::oma::{Oma, fields};

/// Shapes that git and tar treat in ways of their own.
fn shapes(oma: &Oma) -> String {
    let long = format!("{}/{}", "d".repeat(110), "f".repeat(180));
    let files =
        [("a", "a"), ("a-b", "1"), ("a.b", "2"), ("a/", ""), ("empty", ""), ("deep/er/b", "12345"), (&*long, "long")];
    let files: Vec<_> = files.into_iter().filter(|(path, _)| *path != "a/").collect();
    let tree = oma.tree("tree", &files);
    fs::create_dir_all(tree.join("void/inside")).unwrap();
    fs::write(tree.join("run"), "#!/bin/sh\n").unwrap();
    make_executable(&tree.join("run"));
    symlink("deep/er/b", tree.join("link")).unwrap();
    symlink("deep", tree.join("to-folder")).unwrap();
    oma.line(&["-o", "p", "add", &oma.at("tree"), "--bind", "data"])
}

/// git's SHA-1 of a folder, by git itself.
fn tree_sha1(oma: &Oma, folder: &Path) -> String {
    let git = |words: &[&str]| {
        let mut command = Command::new("git");
        command.arg("--git-dir").arg(oma.path("oracle.git")).arg("--work-tree").arg(folder).args(words);
        let output = command.env("HOME", oma.path("home")).env("GIT_CONFIG_NOSYSTEM", "1").output().expect("git runs");
        assert!(output.status.success(), "git {words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    git(&["init", "-q", "--object-format=sha1"]);
    git(&["add", "-A", "-f", "."]);
    git(&["write-tree"])
}

fn output_of(program: &str, words: &[&str]) -> String {
    let output = Command::new(program).args(words).output().unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(output.status.success(), "{program} {words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn tar_unpacks_it_and_git_gives_it_the_same_name() {
    let oma = Oma::new();
    shapes(&oma);
    let file = oma.at("a.tar.gz");
    let archived = oma.json(&["archive", "p:data", "-f", &file]);
    assert_eq!(fields(&archived), ["git_tree_sha1", "path", "sha256", "size"]);
    assert_eq!(archived["size"], fs::metadata(&file).unwrap().len());
    let sum = output_of("sha256sum", &[&file]);
    assert_eq!(archived["sha256"].as_str(), sum.split(' ').next());
    fs::create_dir(oma.path("out")).unwrap();
    output_of("tar", &["-xzf", &file, "-C", &oma.at("out")]);
    assert_eq!(archived["git_tree_sha1"], tree_sha1(&oma, &oma.path("out")));
    let found: Vec<_> =
        walkdir::WalkDir::new(oma.path("out")).into_iter().flatten().map(|entry| entry.depth()).collect();
    let meant = walkdir::WalkDir::new(oma.path("tree")).into_iter().flatten().count();
    assert_eq!(found.len(), meant, "something is missing, or too much");
    assert_eq!(oma.line(&["archive", "p:data", "-f", &oma.at("b.tar.gz"), "-q"]), archived["sha256"].as_str().unwrap());
}

#[test]
fn it_comes_back_by_its_declaration() {
    let oma = Oma::new();
    let hash = shapes(&oma);
    let file = oma.at("a.tar.gz");
    let url = format!("file://{file}");
    let text = oma.ok(&["archive", "p:data", "-f", &file, "--toml", "data", "--url", &url]).stdout;
    let toml = oma.file("Artifacts.toml", text);
    let there = oma.at("there");
    let rows = oma.json(&["--store", &there, "-o", "q", "import", &toml]);
    assert_eq!(rows[0]["status"], "declared", "{rows}");
    assert_eq!(oma.line(&["--store", &there, "-o", "q", "fetch", "data"]).lines().count(), 1);
    assert_eq!(oma.line(&["--store", &there, "hash", "q:data"]), hash);
}

#[test]
fn a_directory_without_files_has_the_name_of_the_empty_tree() {
    let oma = Oma::new();
    fs::create_dir_all(oma.path("tree/void")).unwrap();
    oma.ok(&["-o", "p", "add", &oma.at("tree"), "--bind", "data"]);
    let archived = oma.json(&["archive", "p:data", "-f", &oma.at("a.tar.gz")]);
    assert_eq!(archived["git_tree_sha1"], "4b825dc642cb6eb9a060e54bf8d69288fbee4904");
}

#[test]
fn the_same_directory_is_the_same_archive_everywhere() {
    let bytes = |style| {
        let oma = Oma::with_style(style);
        oma.ok(&["init", "--link-style", style.as_str()]);
        shapes(&oma);
        oma.ok(&["archive", "p:data", "-f", &oma.at("a.tar.gz")]);
        fs::read(oma.path("a.tar.gz")).unwrap()
    };
    let [first, second, third] = crate::support::STYLES.map(bytes);
    assert!(first == second && second == third);
}

#[test]
fn what_cannot_be_archived_is_refused() {
    let oma = Oma::new();
    shapes(&oma);
    oma.ok(&["-o", "p", "add", &oma.file("f", "f"), "--bind", "file"]);
    assert_snapshot!(fail(&oma, 2, &["archive", "p:file", "-f", &oma.at("f.tar.gz")]), @"
    --- stderr
    error: 3a0463960d6d984e1ce2d5dcb235802734874206960507281f48b526aa79bf3e is a file, and Julia's artifacts are directories
    hint: `oma pack 3a0463960d6d -f FILE.tar.zst` packs files too
    ");
    fs::write(oma.path("there"), "mine").unwrap();
    oma.fails(5, &["archive", "p:data", "-f", &oma.at("there")]);
    assert_eq!(fs::read(oma.path("there")).unwrap(), b"mine");
    oma.fails(3, &["archive", "p:nothing", "-f", &oma.at("n.tar.gz")]);
    flip(&fs::canonicalize(oma.line(&["path", "p:data"]) + "/deep/er/b").unwrap());
    oma.fails(4, &["archive", "p:data", "-f", &oma.at("bad.tar.gz")]);
    assert!(!oma.path("bad.tar.gz").exists() && !oma.path("f.tar.gz").exists());
}
