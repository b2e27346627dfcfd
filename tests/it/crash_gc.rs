//! Kills clean-up by rules, its trash, its undo and what it does by itself, at each change they make to
//! the disk: nothing is lost, nothing dangles, and what was kept can be brought back.

use std::fs;

use crate::crash_kill::{assert_sound, in_each_style, nothing_more, restore, save, state, words};
use crate::support::DAY;
use crate::support::oma::Oma;

/// Takes what nothing keeps, and keeps it for a week.
const TO_TRASH: [&str; 6] = ["gc", "-y", "--collect-delay", "0", "--trash", "7d"];

/// Another try and an undo bring back all there was; then all is as the kill had left it.
fn comes_back(again: &[&str], oma: &Oma, when: &str) {
    save(oma, "mid");
    oma.ok(again);
    let undone = oma.run(&["gc", "undo"]);
    assert!(matches!(undone.code, Some(0 | 3)), "{when}: {undone:#?}");
    let found = state(oma);
    assert_sound(oma, &found, &format!("{when}, tried again and undone"));
    restore(oma, "base");
    let base = state(oma);
    if undone.code == Some(0) {
        assert!(found.live.is_superset(&base.live), "{when}: {:?}", base.live.difference(&found.live));
        for (name, hash) in &base.bindings {
            assert_eq!(found.bindings.get(name), Some(hash), "{when}: {name:?}");
        }
    }
    restore(oma, "mid");
}

#[test]
fn gc_that_keeps_a_trash() {
    in_each_style(10, |_| words(&TO_TRASH), |oma, when| comes_back(&TO_TRASH, oma, when));
}

#[test]
fn undo() {
    let prepare = |oma: &Oma| {
        oma.ok(&TO_TRASH);
        words(&["gc", "undo"])
    };
    in_each_style(10, prepare, nothing_more);
}

#[test]
fn gc_that_empties_a_trash() {
    let prepare = |oma: &Oma| {
        oma.ok(&TO_TRASH);
        oma.pass(DAY * 7);
        words(&["gc", "-y", "--collect-delay", "90d"])
    };
    in_each_style(8, prepare, nothing_more);
}

#[test]
fn gc_of_what_nobody_uses() {
    let again = ["gc", "-y", "--unused-for", "0", "--min-age", "0", "--trash", "7d"];
    in_each_style(15, |_| words(&again), |oma, when| comes_back(&again, oma, when));
}

#[test]
fn gc_that_makes_room() {
    let prepare = |oma: &Oma| {
        let script = "mkdir d; echo made > d/a; echo shared > s";
        oma.ok(&["-o", "p", "create", "--bind", "made", "--", "sh", "-c", script]);
        words(&["gc", "-y", "--max-size", "0", "--min-age", "0"])
    };
    in_each_style(10, prepare, nothing_more);
}

#[test]
fn gc_by_a_plan_on_paper() {
    let prepare = |oma: &Oma| {
        let plan = oma.at("plan.json");
        oma.ok(&["gc", "--unused-for", "0", "--min-age", "0", "--plan-out", &plan]);
        words(&["gc", "-y", "--plan", &plan])
    };
    in_each_style(12, prepare, nothing_more);
}

#[test]
fn a_command_that_cleans_up_by_itself() {
    let prepare = |oma: &Oma| {
        oma.pass(DAY * 8);
        words(&["-o", "o", "bind", "again", "o:alone"])
    };
    in_each_style(10, prepare, nothing_more);
}

/// The recovery is killed as well, at every third point, after a kill at every fifth.
#[test]
fn a_second_kill_in_the_recovery() {
    let oma = Oma::in_memory(ohmyartifacts::LinkStyle::Hardlink);
    oma.ok(&["init", "--link-style", "hardlink"]);
    fs::create_dir(oma.path("src")).unwrap();
    oma.tree("t", &[("a", "a"), ("d/b", "b")]);
    oma.ok(&["-o", "o", "add", &oma.at("t"), "--bind", "t"]);
    oma.ok(&["-o", "o", "unbind", "t"]);
    save(&oma, "base");
    let killed = |words: &[&str], at: usize| {
        let output = oma.command(words).env("OMA_FAULT", format!("abort@{at}")).output().unwrap();
        !output.status.success()
    };
    let mut pairs = 0;
    for first in (1..).step_by(2).take_while(|first| {
        restore(&oma, "base");
        killed(&TO_TRASH, *first)
    }) {
        for second in (1..).step_by(3) {
            restore(&oma, "base");
            killed(&TO_TRASH, first);
            if !killed(&TO_TRASH, second) {
                break;
            }
            pairs += 1;
            let when = format!("killed at {first}, and at {second}");
            assert_sound(&oma, &state(&oma), &when);
            oma.ok(&TO_TRASH);
            let undone = oma.run(&["gc", "undo"]);
            assert_eq!(undone.code, Some(0), "{when}: {undone:#?}");
            let found = state(&oma);
            assert_sound(&oma, &found, &when);
            assert_eq!((found.live.len(), found.bindings.len()), (3, 1), "{when}: {found:#?}");
        }
    }
    assert!(pairs >= 20, "{pairs} pairs only");
}
