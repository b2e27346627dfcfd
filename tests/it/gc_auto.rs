//! Clean-up by itself: when it is due, never in anybody's way.

use std::fs;
use std::time::Duration;

use ohmyartifacts::GcPolicy;

use crate::support::oma::Oma;
use crate::support::{DAY, leftovers};

/// A store with one orphan whose time is over when a week has passed.
fn with_garbage() -> Oma {
    let oma = Oma::new();
    oma.ok(&["-o", "o", "create", "--bind", "old", "--", "sh", "-c", "echo old > f"]);
    oma.ok(&["-o", "o", "unbind", "old"]);
    oma.pass(DAY * 7);
    oma
}

fn shelf_count(oma: &Oma) -> usize {
    crate::support::shelves(&oma.root()).len()
}

#[test]
fn it_runs_after_a_command_that_writes_when_a_week_has_passed() {
    let oma = with_garbage();
    assert_eq!(oma.ok(&["ls"]).stderr, "nothing is bound\n", "looking cleans nothing up");
    assert_eq!(shelf_count(&oma), 2);
    let ran = oma.ok(&["-o", "o", "add", &oma.file("new", "new"), "--bind", "new"]);
    assert!(
        ran.stderr.ends_with("automatic gc: 2 artifacts deleted (4 B); `oma history` tells which\n"),
        "{}",
        ran.stderr
    );
    assert_eq!(ran.stdout.lines().count(), 1, "stdout has the hash alone");
    assert_eq!(shelf_count(&oma), 1);
    let ran = oma.ok(&["-o", "o", "unbind", "new"]);
    assert!(!ran.stderr.contains("automatic"), "once a week: {}", ran.stderr);
}

#[test]
fn it_says_nothing_when_it_did_nothing() {
    let oma = Oma::new();
    oma.ok(&["-o", "o", "add", &oma.file("a", "a"), "--bind", "a"]);
    oma.pass(DAY * 8);
    let ran = oma.ok(&["-o", "o", "add", &oma.file("b", "b"), "--bind", "b"]);
    assert!(!ran.stderr.contains("gc"), "{}", ran.stderr);
    assert!(oma.json(&["stats"])["last_gc_at"].is_string(), "it ran all the same");
}

#[test]
fn it_can_be_turned_off_and_tuned() {
    let oma = with_garbage();
    oma.ok(&["config", "set", "gc.auto", "never"]);
    let add = ["-o", "o", "add", &oma.file("new", "new"), "--bind", "new", "--force"];
    assert!(!oma.ok(&add).stderr.contains("automatic"));
    oma.ok(&["config", "set", "gc.auto", "30d"]);
    assert!(!oma.ok(&add).stderr.contains("automatic"));
    oma.ok(&["config", "set", "gc.auto", "1d"]);
    oma.ok(&["config", "set", "gc.trash", "3d"]);
    let ran = oma.ok(&add);
    assert!(ran.stderr.contains("2 artifacts deleted (4 B); `oma gc undo 1` brings them back;"), "{}", ran.stderr);
    assert_eq!(oma.json(&["gc", "undo"])["bindings"][0]["status"], "restored");
}

#[test]
fn it_stays_away_while_anybody_else_is_at_work() {
    let oma = with_garbage();
    let ready = oma.at("ready");
    let script = format!("touch {ready}; while [ -e {ready} ]; do sleep 0.05; done");
    let job = oma.start(&["lease", "run", "--", "sh", "-c", &script]);
    while !oma.path("ready").exists() {
        std::thread::sleep(Duration::from_millis(10));
    }
    let ran = oma.ok(&["-o", "o", "add", &oma.file("new", "new"), "--bind", "new"]);
    assert!(!ran.stderr.contains("automatic"), "{}", ran.stderr);
    fs::remove_file(oma.path("ready")).unwrap();
    crate::support::oma::finish(job).expect(0);
    let ran = oma.ok(&["-o", "o", "add", &oma.file("new", "new"), "--bind", "other"]);
    assert!(ran.stderr.contains("automatic gc"), "{}", ran.stderr);
}

#[test]
fn what_is_wrong_with_it_never_fails_the_command() {
    let oma = with_garbage();
    fs::write(oma.root().join("config.toml"), "[gc]\nauto = 7\n").unwrap();
    let ran = oma.ok(&["-o", "o", "add", &oma.file("new", "new"), "--bind", "new"]);
    assert!(ran.stderr.contains("nothing is cleaned up by itself") && ran.stderr.contains("line 2"), "{}", ran.stderr);
    assert_eq!(oma.fails(2, &["gc", "-n"]).stdout, "");
}

#[test]
fn leftovers_of_dead_processes_are_swept() {
    let oma = with_garbage();
    let mut maker = oma.start(&["create", "--", "sh", "-c", "touch here; sleep 60"]);
    while !fs::read_dir(oma.root().join("tmp"))
        .unwrap()
        .flatten()
        .any(|entry| walkdir::WalkDir::new(entry.path()).into_iter().flatten().any(|found| found.file_name() == "here"))
    {
        std::thread::sleep(Duration::from_millis(10));
    }
    // The whole group: the command must not outlive the program and hold its lock.
    let group = rustix::process::Pid::from_child(&maker);
    rustix::process::kill_process_group(group, rustix::process::Signal::KILL).unwrap();
    maker.wait().unwrap();
    assert!(!leftovers(&oma.root()).is_empty());
    oma.ok(&["-o", "o", "add", &oma.file("new", "new"), "--bind", "new"]);
    assert_eq!(leftovers(&oma.root()), [""; 0]);
}

#[test]
fn what_does_not_fit_into_its_time_is_left_for_the_next_one() {
    let oma = with_garbage();
    let cache = oma.open();
    let run = |at_most| cache.auto_gc(&GcPolicy::default(), DAY, at_most).unwrap();
    let report = run(Duration::ZERO).expect("it is due");
    assert!(report.unfinished && report.deleted_artifacts == 0, "{report:#?}");
    assert_eq!(shelf_count(&oma), 2, "condemned, and not gone yet");
    let report = run(Duration::from_secs(60)).expect("it is due still");
    assert_eq!((report.unfinished, report.deleted_artifacts), (false, 2));
    assert_eq!(shelf_count(&oma), 0);
    assert_eq!(run(Duration::from_secs(60)), None, "now it is not");
}
