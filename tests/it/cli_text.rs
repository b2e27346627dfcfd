//! What people read: the text of every command, whatever the names hold.

use insta::assert_snapshot;

use crate::support::make_executable;
use crate::support::oma::{Oma, Ran};

fn shown(oma: &Oma, ran: &Ran) -> String {
    ran.assert_printable();
    let mut text = String::new();
    for (stream, content) in [("stdout", &ran.stdout), ("stderr", &ran.stderr)] {
        if !content.is_empty() {
            text.extend(["--- ", stream, "\n", &oma.redacted(content)]);
        }
    }
    text
}

pub(crate) fn run(oma: &Oma, words: &[&str]) -> String {
    shown(oma, &oma.ok(words))
}

pub(crate) fn fail(oma: &Oma, code: i32, words: &[&str]) -> String {
    shown(oma, &oma.fails(code, words))
}

pub(crate) fn sample() -> (Oma, String) {
    let oma = Oma::new();
    let tree = oma.tree("tree", &[("a.csv", "1,2\n"), ("deep/b", "12345"), ("run", "#!/bin/sh\n")]);
    make_executable(&tree.join("run"));
    std::os::unix::fs::symlink("deep/b", tree.join("link")).expect("a new link");
    let hash = oma.line(&["-o", "o@1.0", "add", &oma.at("tree"), "--bind", "n"]);
    (oma, hash)
}

#[test]
fn init_and_stats() {
    let oma = Oma::new();
    assert_snapshot!(run(&oma, &["init"]), @"
    --- stdout
    [TMP]/store
    --- stderr
    made a store with absolute links, durability batch
    ");
    oma.pass(3 * crate::support::DAY);
    let stats = run(&oma, &["stats"]);
    // The index grows with SQLite's mood.
    let stats: Vec<&str> = stats.lines().filter(|line| !line.starts_with("index ")).collect();
    assert_snapshot!(stats.join("\n"), @"
    --- stdout
    store      [TMP]/store
    links      absolute
    durability batch
    holds      0 files, 0 trees
    stored     0 B
    saved      0 B by sharing
    names      0 bindings of 0 owners
    unused     0 artifacts waiting for gc
    last gc    never
    ");
    assert_snapshot!(fail(&oma, 5, &["init"]), @"
    --- stderr
    error: there is a store at `[TMP]/store` already
    hint: `oma --store [TMP]/store stats` shows it
    ");
}

#[test]
fn add() {
    let oma = Oma::new();
    let file = oma.file("f", "content\n");
    assert_snapshot!(run(&oma, &["add", &file]), @"
    --- stdout
    7c490ebf9db90b84753749c721ef2bedfeb85c1da94160f2619df1249c64bdda
    --- stderr
    file, 8 B (1 file stored anew, 8 B); kept for a day, bind it to keep it longer
    ");
    assert_snapshot!(run(&oma, &["-o", "o", "add", &file, "--bind", "n"]), @"
    --- stdout
    7c490ebf9db90b84753749c721ef2bedfeb85c1da94160f2619df1249c64bdda
    --- stderr
    file, 8 B (nothing new to store); bound to `n`
    ");
    assert_snapshot!(fail(&oma, 5, &["-o", "o", "add", &file, "--bind", "n"]), @"
    --- stderr
    error: o already binds `n` to 7c490ebf9db9
    hint: `oma unbind --owner o n` frees the name, `--force` takes it
    ");
    assert_snapshot!(fail(&oma, 3, &["add", "/no/such\u{1b}[2Jpath"]), @r"
    --- stderr
    error: no path exists at `/no/such\x1b[2Jpath`
    ");
    assert_snapshot!(fail(&oma, 2, &["add", &file, "--bind", "n"]), @"
    --- stderr
    error: an owner is needed to know whose name this is
    hint: pass `--owner KEY`, or set it once with `export OMA_OWNER=KEY`
    ");
}

#[test]
fn a_link_that_leaves_the_tree() {
    let oma = Oma::new();
    let tree = oma.tree("t", &[("a", "a")]);
    std::os::unix::fs::symlink("../out\nside", tree.join("l\u{202e}k")).unwrap();
    assert_snapshot!(fail(&oma, 1, &["add", &oma.at("t")]), @r"
    --- stderr
    error: the link `[TMP]/t/l\u{202e}k` to `../out\nside` leaves the tree
    hint: `--links keep` stores such links as they are, `--links skip` leaves them out
    ");
}

#[test]
fn create_and_get() {
    let oma = Oma::new();
    assert_snapshot!(run(&oma, &["create", "--", "sh", "-c", "echo a > out"]), @"
    --- stdout
    170e8ab841125d9bb4ad3e4c21dd1ceb777bdc08886a3c99aa00e93380ff6068
    --- stderr
    tree of 1 file, 2 B (1 file stored anew, 2 B); kept for a day, bind it to keep it longer
    ");
    assert_snapshot!(fail(&oma, 1, &["create", "--", "sh", "-c", "exit 9"]), @"
    --- stderr
    error: the artifact could not be made
      caused by: `sh -c 'exit 9'` ended with exit status: 9
    ");
    assert_snapshot!(fail(&oma, 1, &["create", "--", "/no/such\u{7}program", "it's"]), @r"
    --- stderr
    error: the artifact could not be made
      caused by: `$'/no/such\x07program' 'it'\''s'` could not be started: No such file or directory (os error 2)
    ");
    assert_snapshot!(run(&oma, &["-o", "o", "get", "n", "--", "sh", "-c", "echo a > out"]), @"
    --- stdout
    [TMP]/store/artifacts/17/170e8ab841125d9bb4ad3e4c21dd1ceb777bdc08886a3c99aa00e93380ff6068
    ");
    assert_snapshot!(fail(&oma, 3, &["create", "--result", "gone", "--", "true"]), @"
    --- stderr
    error: no path exists at `[TMP]/store/tmp/[SESSION]/0/work/gone`
    ");
    assert_snapshot!(fail(&oma, 1, &["create", "--result", "/etc/passwd", "--", "true"]), @"
    --- stderr
    error: the result `/etc/passwd` does not lie inside the working directory `[TMP]/store/tmp/[SESSION]/0/work`
    hint: name a path inside the command's directory, which is in `$OMA_WORKDIR`
    ");
}

#[test]
fn names() {
    let (oma, hash) = sample();
    assert_snapshot!(run(&oma, &["-o", "o", "bind", "m", &hash]), @"
    --- stderr
    bound `m` to d4adad56550b
    ");
    assert_snapshot!(fail(&oma, 5, &["-o", "o", "bind", "m", &hash]), @"
    --- stderr
    error: o already binds `m` to d4adad56550b
    hint: `oma unbind --owner o m` frees the name, `--force` takes it
    ");
    assert_snapshot!(run(&oma, &["-o", "o", "hash", "m"]), @"
    --- stdout
    d4adad56550b153075f1082ae786fde12812f7e9d28fba307ed6331245f8fbcc
    ");
    assert_snapshot!(run(&oma, &["-o", "o", "path", "m"]), @"
    --- stdout
    [TMP]/store/artifacts/d4/d4adad56550b153075f1082ae786fde12812f7e9d28fba307ed6331245f8fbcc
    ");
    assert_snapshot!(run(&oma, &["exists", "o:m"]), @"
    --- stdout
    d4adad56550b153075f1082ae786fde12812f7e9d28fba307ed6331245f8fbcc
    ");
    assert_snapshot!(fail(&oma, 3, &["exists", "o:x\u{1b}c"]), @r"
    --- stderr
    error: nothing is known as `o:x\x1bc`
    hint: `oma ls` lists all names; a bare name needs `--owner KEY`
    ");
    assert_snapshot!(fail(&oma, 3, &["-o", "o\u{7}", "path", "x"]), @r"
    --- stderr
    error: o\x07 binds no artifact to `x`
    hint: `oma ls --owner $'o\x07'` lists its names
    ");
    assert_snapshot!(run(&oma, &["pin", "o:m", "--reason", "why"]), @"
    --- stderr
    pinned d4adad56550b
    ");
    assert_snapshot!(run(&oma, &["unpin", "o:m"]), @"
    --- stderr
    unpinned d4adad56550b
    ");
    assert_snapshot!(run(&oma, &["unpin", "o:m"]), @"
    --- stderr
    nothing pins d4adad56550b
    ");
    assert_snapshot!(run(&oma, &["-o", "o", "unbind", "m", "x\ty"]), @r"
    --- stderr
    unbound `m` from d4adad56550b
    o binds nothing to `x\ty`
    ");
    assert_snapshot!(fail(&oma, 2, &["unbind", "m"]), @"
    --- stderr
    error: an owner is needed to know whose name this is
    hint: pass `--owner KEY`, or set it once with `export OMA_OWNER=KEY`
    ");
}
