//! Info-ZIP, and what it does differently.

use super::trees::*;
use super::*;

const UNPACK: &str = "unzip -q \"$1\" -d \"$2\"";

/// Links are stored, which `zip` cannot do on a pipe; the status of a pipe is that of its end.
pub(super) const PIPED: &str = "find . -type l -delete
    { zip -q -r - . || touch \"$2/failed\"; } | cat > \"$1\"
    ! rm \"$2/failed\"";

/// What both halves of Info-ZIP agree on; `unzip` leaves control characters out of names.
#[expect(clippy::disallowed_methods, reason = "tests prepare the disk themselves")]
fn make_tree(root: &Path) {
    make_plain_tree(root);
    write(&root.join("naïve 日本語/ütf-8"), b"far", 0o755);
    write(&root.join("back\\slash"), b"x", 0o644);
    write(&root.join("-dash"), b"x", 0o644);
    write(&root.join("x".repeat(250)), b"x", 0o644);
    std::fs::remove_file(root.join("setuid")).expect("there");
}

#[test]
fn every_way_of_packing_is_understood() {
    for options in ["-0", "-9", "-Z bzip2", "-X", "-fz", "-D"] {
        agrees(make_tree, &format!("zip -q -r -y {options} \"$1.zip\" . && mv \"$1.zip\" \"$1\""), UNPACK);
    }
}

/// Sizes stand behind the data, since nobody could go back to write them in front.
#[test]
fn a_zip_that_was_written_to_a_pipe_is_understood() {
    agrees(make_tree, PIPED, UNPACK);
    let to_file = "find . -type l -delete && zip -q -r -fd \"$1.zip\" . && mv \"$1.zip\" \"$1\"";
    agrees(make_tree, to_file, UNPACK);
}

#[test]
fn links_that_were_followed_are_files() {
    agrees(make_tree, "rm a/dangling && zip -q -r \"$1.zip\" . && mv \"$1.zip\" \"$1\"", UNPACK);
}

#[test]
fn names_with_control_characters_are_those_that_were_packed() {
    let contest = Match::new(|root| write(&root.join("new\nline\u{1b}"), b"x", 0o644));
    if contest.run("zip -q -r \"$1.zip\" . && mv \"$1.zip\" \"$1\"") {
        assert!(contest.ours() == listing(&contest.source()));
    } else {
        println!("SKIPPED: no zip");
    }
}

#[test]
fn what_is_encrypted_is_refused_by_name() {
    let contest = Match::new(|root| write(&root.join("secret"), b"x", 0o644));
    if !contest.run("zip -q -r -P password \"$1.zip\" . && mv \"$1.zip\" \"$1\"") {
        println!("SKIPPED: no zip");
        return;
    }
    let reason = Place::new().refusal(&std::fs::read(contest.archive()).expect("there"));
    assert_eq!(reason, "`secret` is encrypted");
}

/// `unzip` takes it; a program in front of an archive is for running, not for unpacking.
#[test]
fn a_zip_behind_a_program_is_refused() {
    let contest = Match::new(|root| write(&root.join("f"), b"x", 0o644));
    if !contest.run("zip -q -r \"$1.zip\" . && (echo '#!/bin/sh' && cat \"$1.zip\") > \"$1\"") {
        println!("SKIPPED: no zip");
        return;
    }
    let reason = Place::new().refusal(&std::fs::read(contest.archive()).expect("there"));
    assert!(reason.contains("neither tar nor zip"), "{reason}");
}
