//! Killed, or failed, at every change to the disk: all of it is there or nothing, and the store is unharmed.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;

use ohmyartifacts::{Cache, CheckoutMode, CheckoutOptions, Durability, Fault, LinkStyle, Reference};

use super::{left_beside, shape};
use crate::crash_kill::{FAR_TOO_MANY, assert_nothing_leaks, assert_sound, state};
use crate::support::make_executable;
use crate::support::oma::{Oma, tell};

/// What lies at the place before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    Nothing,
    EmptyFolder,
    Tree,
}

fn small(style: LinkStyle) -> Oma {
    let oma = Oma::in_memory(style);
    oma.ok(&["init", "--link-style", style.as_str()]);
    let top = oma.tree("src", &[("a", "a"), ("twin", "a"), ("deep/b", "b"), ("void/", "")]);
    make_executable(&top.join("twin"));
    std::os::unix::fs::symlink("deep/b", top.join("link")).unwrap();
    oma.ok(&["-o", "o", "add", &oma.at("src"), "--bind", "t"]);
    fs::create_dir(oma.path("at")).unwrap();
    oma
}

fn set_up(oma: &Oma, before: Before) {
    let place = oma.path("at/out");
    let _ = fs::remove_dir_all(&place);
    match before {
        Before::Nothing => {}
        Before::EmptyFolder => fs::create_dir(place).unwrap(),
        Before::Tree => drop(oma.tree("at/out", &[("old", "old"), ("d/old", "old")])),
    }
}

/// Tells whether all is there; else what was there before must be.
fn is_whole(oma: &Oma, before: Before, mode: &str, when: &str) -> bool {
    let place = oma.path("at/out");
    let expected = match before {
        Before::Nothing => None,
        Before::EmptyFolder => Some(Vec::new()),
        Before::Tree => Some(vec!["d", "d/old", "old"]),
    };
    if !place.exists() {
        assert_eq!(expected, None, "{when}: what was there is gone");
        return false;
    }
    if place.join("deep").exists() {
        if mode == "symlink" {
            super::assert_same(&oma.path("src"), &place, when);
        } else {
            assert_eq!(shape(&oma.path("src")), shape(&place), "{when}");
        }
        return true;
    }
    let found: Vec<String> = shape(&place).into_keys().map(|path| path.to_string_lossy().into_owned()).collect();
    assert_eq!(Some(found), expected.map(|names| names.into_iter().map(str::to_owned).collect()), "{when}");
    false
}

#[test]
fn killed_at_every_change() {
    for (style, mode, before) in [
        (LinkStyle::Absolute, "copy", Before::Nothing),
        (LinkStyle::Hardlink, "hardlink", Before::EmptyFolder),
        (LinkStyle::Relative, "symlink", Before::Tree),
        (LinkStyle::Hardlink, "auto", Before::Tree),
    ] {
        let oma = small(style);
        let mut words = vec!["checkout", "o:t", "at/out", "--mode", mode];
        words.extend((before == Before::Tree).then_some("--force"));
        let live = state(&oma);
        let points = (1..FAR_TOO_MANY).take_while(|number| {
            set_up(&oma, before);
            let output = oma.command(&words).env("OMA_FAULT", format!("abort@{number}")).output().unwrap();
            let when = format!("{style} {mode} {before:?}, killed at change {number}");
            let whole = is_whole(&oma, before, mode, &when);
            assert_eq!(state(&oma), live, "{when}");
            assert_sound(&oma, &live, &when);
            if output.status.success() {
                assert!(whole, "{when}");
                return false;
            }
            assert_eq!(output.status.signal(), Some(6), "{when}: {output:?}");
            // The next one has no trouble with what is left, and takes it away.
            let again = if whole && before != Before::Tree { 5 } else { 0 };
            oma.fails(again, &words);
            assert!(is_whole(&oma, before, mode, &format!("{when}, then once more")), "{when}");
            oma.ok(&["checkout", "o:t:a", "at/one", "--force"]);
            assert_eq!(left_beside(&oma.path("at")), Vec::<String>::new(), "{when}");
            true
        });
        let points = points.count();
        tell(&format!("{style} {mode} {before:?}: {points} points"));
        assert!(points >= 15, "{style} {mode}: {points} points only");
        assert_nothing_leaks(&oma, mode);
    }
}

/// What says that it failed left what was there; what says that it is done is done.
#[test]
fn failed_at_every_change() {
    for (spelling, style, mode, before) in [
        ("fail", LinkStyle::Absolute, CheckoutMode::Copy, Before::EmptyFolder),
        ("full", LinkStyle::Hardlink, CheckoutMode::Hardlink, Before::Nothing),
        ("fail", LinkStyle::Absolute, CheckoutMode::Auto, Before::Tree),
    ] {
        let oma = small(style);
        let live = state(&oma);
        let mut failures = 0;
        for at in 1..FAR_TOO_MANY {
            set_up(&oma, before);
            let fault: Fault = format!("{spelling}@{at}").parse().unwrap();
            let when = format!("{style} {mode} {before:?}, {spelling}@{at}");
            let outcome = check_out(&oma, &fault, mode, before);
            let whole = is_whole(&oma, before, mode.as_str(), &when);
            assert_eq!(outcome.is_ok(), whole, "{when}: {outcome:?}");
            assert_eq!(state(&oma), live, "{when}");
            assert_sound(&oma, &live, &when);
            // What could not be removed is the next one's.
            oma.ok(&["checkout", "o:t:a", "at/one", "--force"]);
            assert_eq!(left_beside(&oma.path("at")), Vec::<String>::new(), "{when}");
            if fault.count() < at {
                break;
            }
            failures += u64::from(outcome.is_err());
        }
        assert!(failures >= 10, "{failures} failures only, {style} {mode}");
        assert_nothing_leaks(&oma, mode.as_str());
    }
}

fn check_out(oma: &Oma, fault: &Fault, mode: CheckoutMode, before: Before) -> ohmyartifacts::Result<()> {
    let cache = Cache::open(oma.options().create(false).durability(Durability::Full).fault(fault.clone()))?;
    let options = CheckoutOptions::new().mode(mode).force(before == Before::Tree);
    cache.checkout(Reference::new("o:t", None), &oma.path("at/out"), &options).map(drop)
}
