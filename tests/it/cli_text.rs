//! What people read: the text of every command, whatever the names hold.

use insta::assert_snapshot;

use crate::support::make_executable;
use crate::support::oma::{Oma, Ran};

/// Names that move the cursor, break the line, turn the reading order, or are twice as wide.
const NASTY: [(&str, &str); 6] = [
    ("red", "a\u{1b}[31mred"),
    ("line", "two\nlines"),
    ("quote", "it's \"quoted\""),
    ("bidi", "\u{202e}gpj.exe"),
    ("wide", "日本語"),
    ("back", "back\\slash\ttab"),
];

fn shown(oma: &Oma, ran: &Ran) -> String {
    ran.assert_printable();
    let mut text = String::new();
    for (stream, content) in [("stdout", &ran.stdout), ("stderr", &ran.stderr)] {
        if !content.is_empty() {
            text.push_str(&format!("--- {stream}\n{}", oma.redacted(content)));
        }
    }
    text
}

fn run(oma: &Oma, words: &[&str]) -> String {
    shown(oma, &oma.ok(words))
}

fn fail(oma: &Oma, code: i32, words: &[&str]) -> String {
    shown(oma, &oma.fails(code, words))
}

/// A tree under nasty names of a nasty owner.
fn nasty() -> Oma {
    let oma = Oma::new();
    for (content, name) in NASTY {
        let file = oma.file("f", content);
        oma.ok(&["-o", "own\u{7}er@1\u{202e}0", "add", &file, "--bind", name]).assert_printable();
    }
    oma
}

fn sample() -> (Oma, String) {
    let oma = Oma::new();
    let tree = oma.tree("tree", &[("a.csv", "1,2\n"), ("deep/b", "12345"), ("run", "#!/bin/sh\n")]);
    make_executable(&tree.join("run"));
    std::os::unix::fs::symlink("deep/b", tree.join("link")).unwrap();
    let hash = oma.line(&["-o", "o@1.0", "add", &oma.at("tree"), "--bind", "n"]);
    (oma, hash)
}

#[test]
fn init_and_stats() {
    let oma = Oma::new();
    assert_snapshot!(run(&oma, &["init"]), @"");
    oma.pass(3 * crate::support::DAY);
    let stats = run(&oma, &["stats"]);
    // The index grows with SQLite's mood.
    let stats: Vec<&str> = stats.lines().filter(|line| !line.starts_with("index ")).collect();
    assert_snapshot!(stats.join("\n"), @"");
    assert_snapshot!(fail(&oma, 5, &["init"]), @"");
}

#[test]
fn add() {
    let oma = Oma::new();
    let file = oma.file("f", "content\n");
    assert_snapshot!(run(&oma, &["add", &file]), @"");
    assert_snapshot!(run(&oma, &["-o", "o", "add", &file, "--bind", "n"]), @"");
    assert_snapshot!(fail(&oma, 5, &["-o", "o", "add", &file, "--bind", "n"]), @"");
    assert_snapshot!(fail(&oma, 3, &["add", "/no/such\u{1b}[2Jpath"]), @"");
    assert_snapshot!(fail(&oma, 2, &["add", &file, "--bind", "n"]), @"");
}

#[test]
fn a_link_that_leaves_the_tree() {
    let oma = Oma::new();
    let tree = oma.tree("t", &[("a", "a")]);
    std::os::unix::fs::symlink("../out\nside", tree.join("l\u{202e}k")).unwrap();
    assert_snapshot!(fail(&oma, 1, &["add", &oma.at("t")]), @"");
}

#[test]
fn create_and_get() {
    let oma = Oma::new();
    assert_snapshot!(run(&oma, &["create", "--", "sh", "-c", "echo a > out"]), @"");
    assert_snapshot!(fail(&oma, 1, &["create", "--", "sh", "-c", "exit 9"]), @"");
    assert_snapshot!(fail(&oma, 1, &["create", "--", "/no/such\u{7}program", "it's"]), @"");
    assert_snapshot!(run(&oma, &["-o", "o", "get", "n", "--", "sh", "-c", "echo a > out"]), @"");
    assert_snapshot!(fail(&oma, 3, &["create", "--result", "gone", "--", "true"]), @"");
    assert_snapshot!(fail(&oma, 1, &["create", "--result", "/etc/passwd", "--", "true"]), @"");
}

#[test]
fn names() {
    let (oma, hash) = sample();
    assert_snapshot!(run(&oma, &["-o", "o", "bind", "m", &hash]), @"");
    assert_snapshot!(fail(&oma, 5, &["-o", "o", "bind", "m", &hash]), @"");
    assert_snapshot!(run(&oma, &["-o", "o", "hash", "m"]), @"");
    assert_snapshot!(run(&oma, &["-o", "o", "path", "m"]), @"");
    assert_snapshot!(run(&oma, &["exists", "o:m"]), @"");
    assert_snapshot!(fail(&oma, 3, &["exists", "o:x\u{1b}c"]), @"");
    assert_snapshot!(fail(&oma, 3, &["-o", "o\u{7}", "path", "x"]), @"");
    assert_snapshot!(run(&oma, &["pin", "o:m", "--reason", "why"]), @"");
    assert_snapshot!(run(&oma, &["unpin", "o:m"]), @"");
    assert_snapshot!(run(&oma, &["unpin", "o:m"]), @"");
    assert_snapshot!(run(&oma, &["-o", "o", "unbind", "m", "x\ty"]), @"");
    assert_snapshot!(fail(&oma, 2, &["unbind", "m"]), @"");
}

#[test]
fn lists() {
    let (oma, hash) = sample();
    oma.pass(crate::support::DAY);
    assert_snapshot!(run(&oma, &["ls"]), @"");
    assert_snapshot!(run(&oma, &["ls", &hash]), @"");
    assert_snapshot!(run(&oma, &["owner", "list"]), @"");
    assert_snapshot!(run(&oma, &["-o", "nobody", "ls"]), @"");
}

#[test]
fn lists_of_nasty_names() {
    let oma = nasty();
    assert_snapshot!(run(&oma, &["ls"]), @"");
    assert_snapshot!(run(&oma, &["usage"]), @"");
    assert_snapshot!(run(&oma, &["owner", "list"]), @"");
    let names: Vec<&str> = NASTY.iter().map(|(_, name)| *name).collect();
    let unbind = [&["-o", "own\u{7}er@1\u{202e}0", "unbind"][..], &names].concat();
    assert_snapshot!(run(&oma, &unbind), @"");
    assert_snapshot!(run(&oma, &["gc", "-n", "--collect-delay", "0"]), @"");
}

#[test]
fn entries_of_nasty_names() {
    let oma = Oma::new();
    let files: Vec<(&str, &str)> = NASTY.iter().map(|(content, name)| (*name, *content)).collect();
    let tree = oma.tree("t", &files);
    std::os::unix::fs::symlink("two\nlines", tree.join("li\u{1b}nk")).unwrap();
    let hash = oma.line(&["add", &oma.at("t")]);
    assert_snapshot!(run(&oma, &["ls", &hash]), @"");
    oma.ok(&["show", &hash]).assert_printable();
    oma.ok(&["-q", "ls", &hash]).assert_printable();
}

#[test]
fn show() {
    let (oma, hash) = sample();
    oma.pass(crate::support::DAY);
    oma.ok(&["pin", &hash, "--reason", "for\u{1b}ever", "--until", "2026-02-01T00:00:00Z"]);
    assert_snapshot!(run(&oma, &["show", &hash]), @"");
}

#[test]
fn usage_of_two() {
    let (oma, hash) = sample();
    oma.ok(&["-o", "p", "bind", "n", &hash]);
    oma.ok(&["add", &oma.file("alone", "alone")]);
    assert_snapshot!(run(&oma, &["usage"]), @"");
}

#[test]
fn gc() {
    let (oma, _) = sample();
    oma.ok(&["-o", "o@1.0", "add", &oma.file("old", "o".repeat(9_102)), "--bind", "old"]);
    oma.ok(&["add", &oma.file("leased", "leased")]);
    oma.ok(&["-o", "o@1.0", "unbind", "n", "old"]);
    assert_snapshot!(run(&oma, &["gc", "-n"]), @"");
    assert_snapshot!(fail(&oma, 2, &["gc"]), @"");
    oma.pass(8 * crate::support::DAY);
    assert_snapshot!(run(&oma, &["gc", "-n"]), @"");
    assert_snapshot!(run(&oma, &["gc", "-y"]), @"");
}

#[test]
fn verify() {
    let (oma, _) = sample();
    assert_snapshot!(run(&oma, &["verify"]), @"");
    assert_snapshot!(run(&oma, &["verify", "--quick"]), @"");
    let tree = oma.line(&["path", "o@1.0:n"]);
    crate::cli_exit_codes::flip(&std::fs::canonicalize(format!("{tree}/deep/b")).unwrap());
    assert_snapshot!(fail(&oma, 4, &["verify"]), @"");
    std::fs::remove_file(std::fs::canonicalize(format!("{tree}/run")).unwrap()).unwrap();
    assert_snapshot!(fail(&oma, 4, &["verify", "--quick"]), @"");
    assert_snapshot!(fail(&oma, 3, &["verify", "un\u{1b}known"]), @"");
}

#[test]
fn a_wrong_word() {
    let oma = Oma::new();
    for words in [&["no\u{1b}[31msuch"][..], &["ls", "--no\u{202e}such"], &["--wait", "x\u{7}y", "ls"]] {
        oma.fails(2, words).assert_printable();
        oma.fails(2, &[&["--json"], words].concat()).assert_printable();
    }
}
