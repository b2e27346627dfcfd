//! "Give me this data, make it if it is missing" from many processes at once, and when one dies.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command};

use crate::support::oma::{Oma, finish};

const CALLERS: usize = 8;

/// Names of what lies in the store's folder for work in progress.
fn work_folders(oma: &Oma) -> Vec<String> {
    let entries = fs::read_dir(oma.root().join("tmp")).expect("a store");
    let names = entries.map(|entry| entry.expect("a folder").file_name().to_string_lossy().into_owned());
    names.filter(|name| name != "locks").collect()
}

/// Kills a program and all it started, as a machine that runs out of memory does.
fn kill_group(child: &mut Child) {
    let group = format!("-{}", child.id());
    assert!(Command::new("kill").args(["-KILL", "--", &group]).status().expect("`kill`").success());
    assert_eq!(child.wait().expect("a child of ours").signal(), Some(9));
}

#[test]
fn of_many_callers_one_does_the_work() {
    let oma = Oma::new();
    let counter = oma.at("counter");
    let script = format!("echo x >> '{counter}'; echo noise; sleep 0.3; echo made > out");
    let callers: Vec<Child> = (0..CALLERS)
        .map(|_| oma.start(&["-o", "o", "get", "data", "--result", "out", "--", "sh", "-c", &script]))
        .collect();
    let mut paths: Vec<String> = callers.into_iter().map(|child| finish(child).expect(0).stdout).collect();
    assert_eq!(fs::read_to_string(counter).unwrap(), "x\n", "the command ran once");
    paths.dedup();
    assert_eq!(paths.len(), 1, "all got the same path: {paths:?}");
    assert_eq!(fs::read_to_string(paths[0].trim_end()).unwrap(), "made\n");
    assert_eq!(oma.json(&["ls"]).as_array().unwrap().len(), 1);
    assert_eq!(oma.json(&["verify"])["problems"].as_array().unwrap().len(), 0);
    assert_eq!(work_folders(&oma), Vec::<String>::new(), "all went without leaving anything");
}

#[test]
fn different_names_do_not_wait_for_each_other() {
    let oma = Oma::new();
    // Each waits for the other to have begun: one after the other, neither would end.
    let meet = |mine: &str, other: &str| {
        let wait = "n=0; until [ -e \"$1\" ] || [ $n -gt 300 ]; do sleep 0.1; n=$((n+1)); done; [ -e \"$1\" ]";
        format!("set -- '{}'; touch '{}'; {wait} && echo {mine} > out", oma.at(other), oma.at(mine))
    };
    let a = oma.start(&["-o", "o", "get", "a", "--", "sh", "-c", &meet("here-a", "here-b")]);
    let b = oma.start(&["-o", "o", "get", "b", "--", "sh", "-c", &meet("here-b", "here-a")]);
    assert_ne!(finish(a).expect(0).stdout, finish(b).expect(0).stdout);
}

#[test]
fn when_the_maker_is_killed_another_takes_over() {
    let oma = Oma::new();
    oma.ok(&["init"]);
    let mut maker =
        oma.start(&["-o", "o", "get", "n", "--", "sh", "-c", "echo half > out; echo running >&2; sleep 600"]);
    let mut line = String::new();
    BufReader::new(maker.stderr.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "running\n");
    let dead = work_folders(&oma);
    assert_eq!(dead.len(), 1, "the maker works in a folder of its own");

    // It says that it waits, so the maker is killed while it does.
    let mut waiting = oma.start(&["-o", "o", "get", "n", "--", "sh", "-c", "echo whole > out"]);
    let mut said = BufReader::new(waiting.stderr.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    assert!(line.contains("waiting for the lock"), "{line:?}");
    kill_group(&mut maker);
    let got = finish(waiting).expect(0);
    assert_eq!(fs::read_to_string(format!("{}/out", got.stdout.trim_end())).unwrap(), "whole\n");
    assert_eq!(oma.json(&["verify"])["problems"].as_array().unwrap().len(), 0);

    assert_eq!(work_folders(&oma), dead, "what the dead one left is there until gc");
    oma.ok(&["gc", "-n"]);
    assert_eq!(work_folders(&oma), dead, "a dry run sweeps nothing");
    oma.ok(&["gc", "-y"]);
    assert_eq!(work_folders(&oma), Vec::<String>::new());
    assert!(fs::exists(got.stdout.trim_end()).unwrap());
}

#[test]
fn gc_does_not_sweep_what_lives() {
    let oma = Oma::new();
    oma.ok(&["init"]);
    let script = format!("echo a > out; echo running >&2; until [ -e '{}' ]; do sleep 0.05; done", oma.at("go"));
    let mut maker = oma.start(&["-o", "o", "get", "n", "--", "sh", "-c", &script]);
    let mut said = BufReader::new(maker.stderr.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    assert_eq!(line, "running\n");
    for _ in 0..3 {
        oma.ok(&["gc", "-y", "--collect-delay", "0"]);
    }
    fs::write(oma.path("go"), "").unwrap();
    let got = finish(maker).expect(0);
    assert_eq!(fs::read_to_string(format!("{}/out", got.stdout.trim_end())).unwrap(), "a\n");
}

#[test]
fn a_binding_whose_files_are_gone_is_made_anew() {
    let oma = Oma::new();
    let words = ["-o", "o", "get", "n", "--result", "out", "--", "sh", "-c", "echo made > out"];
    let path = oma.line(&words);
    fs::remove_file(&path).unwrap();
    assert_eq!(oma.line(&words), path);
    assert_eq!(fs::read_to_string(&path).unwrap(), "made\n");
    assert_eq!(oma.json(&["verify"])["problems"].as_array().unwrap().len(), 0);
}
