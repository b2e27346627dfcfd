//! `init` killed at every change it makes: what is left is no store yet, or the one asked for.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;

use ohmyartifacts::LinkStyle;

use crate::crash_kill::{FAR_TOO_MANY, assert_nothing_leaks, contents};
use crate::support::oma::{Oma, tell};

/// Runs `init` in one style, killed at each change, and judges what is left.
fn init_killed_everywhere(style: &str, judge: impl Fn(&Oma, &[&str], &str)) {
    let oma = Oma::in_memory(LinkStyle::default());
    let words = ["init", "--link-style", style];
    for number in 1..FAR_TOO_MANY {
        let _ = fs::remove_dir_all(oma.root());
        let output = oma.command(&words).env("OMA_FAULT", format!("abort@{number}")).output().expect("it starts");
        if output.status.success() {
            tell(&format!("`oma {}`: {} points", words.join(" "), number - 1));
            assert!(number > 5, "`oma init` has {} points only", number - 1);
            return;
        }
        assert_eq!(output.status.signal(), Some(6), "{output:?}");
        judge(&oma, &words, &format!("`oma init` killed at change {number}"));
    }
    panic!("`oma init` never ends");
}

#[test]
fn a_store_half_made_reads_as_empty() {
    init_killed_everywhere("absolute", |oma, _, when| {
        for look in [&["ls"][..], &["verify"], &["gc", "-n"], &["stats"], &["-o", "o", "unbind", "n"]] {
            let looked = oma.run(look);
            assert_eq!(looked.code, Some(0), "{when}, then {look:?}: {looked:#?}");
        }
        let looked = oma.run(&["-o", "o", "path", "n"]);
        assert_eq!(looked.code, Some(3), "{when}: {looked:#?}");
    });
}

#[test]
fn a_store_half_made_is_made_by_the_same_command() {
    init_killed_everywhere("hardlink", |oma, words, when| {
        let again = oma.run(words);
        // Whoever is told that there is a store must find the one that was asked for.
        assert!(matches!(again.code, Some(0 | 5)), "{when}, then the retry: {again:#?}");
        let style = &oma.json(&["stats"])["link_style"];
        assert_eq!(style, "hardlink", "{when}, after the retry: {again:#?}");
    });
}

#[test]
fn a_store_half_made_is_made_by_the_first_command_that_writes() {
    init_killed_everywhere("absolute", |oma, _, when| {
        let file = oma.file("f", "content");
        oma.ok(&["-o", "o", "add", &file, "--bind", "n"]);
        assert_eq!(contents(Path::new(&oma.line(&["path", "o:n"])))[Path::new("")], b"content", "{when}");
        oma.ok(&["verify"]);
        assert_nothing_leaks(oma, when);
        let tag = fs::read_to_string(oma.root().join("CACHEDIR.TAG")).expect("the tag for backups");
        assert!(tag.starts_with("Signature: 8a477f597d28d172789f06886806bc55"), "{when}: {tag:?}");
    });
}
