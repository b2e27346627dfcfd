//! The stand-in for OhMyArtifacts.jl behaves as the original is described: tests of one space with
//! two programs are worth what it is worth.

use std::fs;
use std::process::{Command, Output};
use std::time::Duration;

use ohmyartifacts::Digest;

const UUID: &str = "aaaaaaaa-1111-4111-8111-111111111111";

fn command(space: &tempfile::TempDir, verb: &str, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_julia-stand-in"));
    command.arg(verb).arg(space.path()).args(words);
    command
}

fn run(space: &tempfile::TempDir, verb: &str, words: &[&str]) -> Output {
    command(space, verb, words).output().expect("runs")
}

fn ask(space: &tempfile::TempDir, verb: &str, words: &[&str]) -> String {
    let output = run(space, verb, words);
    assert!(output.status.success(), "{verb}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text").trim_end().to_owned()
}

fn lies_at(space: &tempfile::TempDir, id: &str) -> std::path::PathBuf {
    space.path().join("artifacts").join(&id[..2]).join(id)
}

#[test]
fn julia_deletes_what_nobody_binds_and_keeps_the_files_of_bound_directories() {
    let space = tempfile::tempdir().expect("made");
    let file = ask(&space, "create", &["iris"]);
    assert_eq!(file, Digest::of_blob(b"iris").to_string());
    let dir = ask(&space, "create-dir", &["4", "seed"]);
    ask(&space, "bind", &[UUID, "dir", &dir]);
    assert_eq!(ask(&space, "gc", &["604800"]), "0 deleted", "the delay is not over");
    assert_eq!(ask(&space, "gc", &["0"]), "1 deleted");
    assert!(!lies_at(&space, &file).exists());
    assert_eq!(fs::read_to_string(lies_at(&space, &dir).join("inner/f0003")).expect("readable"), "seed 3\n");
    assert!(!run(&space, "bind", &[UUID, "gone", &file]).status.success(), "it must exist");
    assert!(!run(&space, "bind", &[UUID, "dir", &dir]).status.success(), "the name is taken");
    ask(&space, "unbind", &[UUID, "dir"]);
    assert_eq!(ask(&space, "gc", &["0"]), "5 deleted");
}

#[test]
fn julia_loses_no_bind_to_itself() {
    let space = &tempfile::tempdir().expect("made");
    let id = &ask(space, "create", &["x"]);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            scope.spawn(move || {
                for number in 0..10 {
                    ask(space, "bind", &[UUID, &format!("n-{thread}-{number}"), id]);
                }
            });
        }
    });
    for thread in 0..4 {
        assert_eq!(&ask(space, "lookup", &[UUID, &format!("n-{thread}-9")]), id);
    }
}

#[test]
fn julia_waits_for_ever_for_the_lock_of_a_dead_process() {
    let space = tempfile::tempdir().expect("made");
    fs::create_dir_all(space.path().join(UUID)).expect("made");
    let lock = space.path().join(UUID).join("artifact_lock");
    fs::write(&lock, "4194303 nowhere").expect("written");
    let mut waiting = command(&space, "lookup", &[UUID, "n"]).spawn().expect("runs");
    std::thread::sleep(Duration::from_millis(200));
    assert!(waiting.try_wait().expect("known").is_none(), "it broke the lock");
    fs::remove_file(&lock).expect("there");
    assert!(waiting.wait().expect("ends").success());
}
