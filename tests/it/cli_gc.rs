//! `gc` at the command line: words, tables, plans in files, undo, choosing.

use std::fs;
use std::io::Write as _;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;

use crate::support::DAY;
use crate::support::oma::{Oma, fields, tell};

const HOUR: Duration = Duration::from_secs(60 * 60);

/// Three artifacts of two owners: two that can be built again, one that cannot; bound on three days.
fn store() -> Oma {
    let oma = Oma::new();
    oma.ok(&["-o", "zoo@1", "create", "--bind", "old", "--", "sh", "-c", "printf %01000d 1 > f"]);
    oma.pass(DAY);
    oma.ok(&["-o", "zoo@2", "create", "--bind", "new", "--", "sh", "-c", "printf %02000d 2 > f"]);
    oma.pass(DAY);
    oma.ok(&["-o", "me", "add", &oma.file("mine", "mine"), "--bind", "mine"]);
    oma.pass(HOUR * 2);
    oma
}

#[test]
fn a_dry_run_and_a_run_print_the_same_plan() {
    let oma = store();
    let words = ["gc", "--max-size", "2.5KB"];
    let dry = oma.ok(&[&words[..], &["-n"]].concat()).stdout;
    insta::assert_snapshot!(dry, @r"
    HASH          KIND    SIZE   FREES  UNUSED SINCE  REASON    RULE            NAMES
    09bddc13161e  tree  1000 B  1000 B             -  max size  max_size=2500B  zoo@1:old

    max_size=2500B: 2.9 KiB before, 2.0 KiB after
    2 artifacts would be deleted (1000 B)
    ");
    let run = oma.ok(&[&words[..], &["-y"]].concat()).stdout;
    assert_eq!(run, dry.replace("would be ", ""));
    let left = oma.ok(&["gc", "-n", "--max-size", "0"]).stdout;
    assert!(left.contains("max_size=0 is not reached (2.0 KiB before, 4 B after): what is left is 1 irreplaceable"));
}

#[test]
fn json_has_the_same_fields_in_both() {
    let oma = store();
    let dry = oma.json(&["gc", "-n", "--unused-for", "30h"]);
    let run = oma.json(&["gc", "-y", "--unused-for", "30h"]);
    let known = [
        "artifacts",
        "deleted_artifacts",
        "deleted_files",
        "dry_run",
        "failed",
        "freed_bytes",
        "kept",
        "owners_removed",
        "unbound",
    ];
    assert_eq!((fields(&dry), fields(&run)), (known.map(str::to_owned).to_vec(), known.map(str::to_owned).to_vec()));
    let item = ["freed_bytes", "hash", "kind", "names", "orphaned_at", "reason", "rule", "size", "sources"];
    assert_eq!(fields(&run["artifacts"][0]), item);
    assert_eq!(run["unbound"][0]["name"], "old");
    for key in ["artifacts", "unbound", "freed_bytes", "deleted_artifacts", "kept"] {
        assert_eq!(dry[key], run[key], "{key}");
    }
}

#[test]
fn rules_are_read_as_they_are_written() {
    let oma = store();
    let gone = oma.json(&["gc", "-n", "--rule", "owner=zoo@1 unused_for=1h", "--rule", "owner=zoo* unused_for=90d"]);
    assert_eq!(gone["artifacts"].as_array().unwrap().len(), 1);
    assert_eq!(gone["artifacts"][0]["rule"], "owner=zoo@1 unused_for=1h");
    let scoped = oma.json(&["-o", "zoo@2", "gc", "-n", "--max-size", "0", "--class", "rebuildable"]);
    assert_eq!(scoped["unbound"].as_array().unwrap().len(), 1);
    assert_eq!(scoped["unbound"][0]["version"], "2");
    for bad in [
        &["gc", "-n", "--rule", "unused_for=1y"][..],
        &["gc", "-n", "--rule", "older=1d"],
        &["gc", "-n", "--rule", "owner=a"],
        &["gc", "-n", "--class", "rebuildable"],
        &["gc", "-n", "--class", "gone", "--unused-for", "1d"],
        &["gc", "-n", "--min-free", "101%"],
        &["gc", "-n", "--max-size", "1"],
        &["gc", "-y", "-i"],
        &["gc", "-i"],
        &["gc"],
        &["gc", "--plan", "f", "--unused-for", "1d"],
    ] {
        oma.fails(2, bad).assert_printable();
    }
    let error = oma.fails(2, &["gc", "-n", "--rule", "older=1d"]).stderr;
    assert!(error.contains("`owner`, `class`, `dead_for`, `unused_for`, `max_size`, `min_free`, `min_age`"), "{error}");
}

#[test]
fn a_plan_in_a_file_is_carried_out_as_far_as_it_may() {
    let oma = store();
    let plan = oma.at("plan.json");
    let said = oma.ok(&["gc", "--unused-for", "2h", "--plan-out", &plan]);
    assert!(said.stdout.ends_with("would be deleted (2.934 KiB)\n"), "{}", said.stdout);
    oma.ok(&["pin", "zoo@1:old", "--reason", "needed"]);
    let report = oma.json(&["gc", "--plan", &plan, "-y"]);
    assert_eq!(report["skipped"].as_array().unwrap().len(), 1);
    assert_eq!(report["skipped"][0]["reason"], "pin");
    assert_eq!(report["deleted_artifacts"], 3);
    let again = oma.ok(&["gc", "--plan", &plan, "-y"]).stdout;
    assert!(again.contains("3 artifacts of the plan left alone: 1 pinned (09bddc13161e), 2 gone already ("), "{again}");
    let other = Oma::new();
    other.pass(DAY);
    other.ok(&["init"]);
    assert_eq!(other.fails(5, &["--json", "gc", "--plan", &plan, "-y"]).error_kind(), "conflict");
    for broken in ["", "{", "{\"format\": \"\u{202e}\"}", "[1e999]"] {
        let file = oma.file("broken.json", broken);
        oma.fails(2, &["gc", "--plan", &file, "-y"]).assert_printable();
    }
    oma.fails(3, &["gc", "--plan", &oma.at("nowhere"), "-y"]);
}

#[test]
fn what_went_comes_back_with_its_names() {
    let oma = store();
    let report = oma.ok(&["gc", "--unused-for", "30h", "--trash", "7d", "-y"]).stdout;
    insta::assert_snapshot!(report, @r"
    HASH          KIND    SIZE   FREES  UNUSED SINCE  REASON  RULE            NAMES
    09bddc13161e  tree  1000 B  1000 B             -  idle    unused_for=30h  zoo@1:old

    `oma gc undo 1` brings back what goes, until 2026-01-10 02:00 UTC
    2 artifacts moved to the trash (1000 B)
    ");
    insta::assert_snapshot!(oma.ok(&["gc", "undo"]).stdout, @r"
    HASH          KIND    SIZE  BOUND TO
    09bddc13161e  tree  1000 B  zoo@1:old

    2 artifacts of run 1 brought back (1000 B)
    ");
    assert_eq!(oma.json(&["-o", "zoo@1", "ls"]).as_array().unwrap().len(), 1);
    let error = oma.fails(3, &["gc", "undo", "1"]).stderr;
    assert!(error.starts_with("error: run 1 was undone already"), "{error}");
    oma.fails(3, &["gc", "undo", "7"]);
    oma.fails(3, &["gc", "undo"]);
}

/// Runs the program at a terminal and answers its questions; none where Python is missing.
pub(crate) fn at_a_terminal(oma: &Oma, words: &[&str], answers: &str) -> Option<(i32, String)> {
    const SCRIPT: &str = "import os, pty, sys
out = b''
def read(fd):
    global out
    data = os.read(fd, 4096)
    out += data
    return data
answers = sys.stdin.buffer.read()
r, w = os.pipe(); os.write(w, answers); os.dup2(r, 0)
status = pty.spawn(sys.argv[1:], read)
sys.exit(os.waitstatus_to_exitcode(status))";
    let program = env!("CARGO_BIN_EXE_oma");
    let mut command = oma.command_of(std::path::Path::new("python3"), &["-c", SCRIPT, program]);
    let mut child = match command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn() {
        Ok(child) => child,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            tell("there is no python3: nothing is tried at a terminal");
            return None;
        }
        Err(error) => panic!("python3: {error}"),
    };
    child.stdin.take().unwrap().write_all(answers.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    Some((output.status.code().unwrap(), String::from_utf8_lossy(&output.stdout).into_owned()))
}

#[test]
fn a_person_chooses_what_stays() {
    let oma = store();
    let words = ["gc", "-i", "--unused-for", "2h"];
    let Some((code, screen)) = at_a_terminal(&oma, &words, "q\n") else { return };
    assert_eq!(code, 130, "{screen}");
    assert!(screen.contains("numbers of what is to stay"), "{screen}");
    let (code, screen) = at_a_terminal(&oma, &words, "1-2\n\ny\n").unwrap();
    assert_eq!(code, 0, "{screen}");
    assert!(screen.contains("Delete these? [y/N]"), "{screen}");
    let left: Value = oma.json(&["ls"]);
    assert_eq!(left.as_array().unwrap().len(), 2, "one of three went: {screen}");
    let (code, screen) = at_a_terminal(&oma, &words, "9\n\nn\n").unwrap();
    assert_eq!(code, 0, "{screen}");
    assert!(screen.contains("`9`: numbers of what is to stay") && screen.contains("nothing was deleted"), "{screen}");
    assert_eq!(oma.json(&["ls"]).as_array().unwrap().len(), 2);
}

#[test]
fn a_plan_holds_names_that_are_not_nice() {
    let oma = Oma::new();
    let name = "line\nbreak \u{202e}\"quoted\"";
    oma.ok(&["-o", "o\u{1b}", "create", "--bind", name, "--", "sh", "-c", "echo x > f"]);
    oma.pass(DAY);
    let plan = oma.at("plan.json");
    oma.ok(&["gc", "--unused-for", "2h", "--plan-out", &plan]).assert_printable();
    assert!(fs::read_to_string(&plan).unwrap().contains("line\\nbreak"));
    let ran = oma.ok(&["gc", "--plan", &plan, "-y", "--json"]);
    assert_eq!(ran.json()["unbound"][0]["name"], name);
}
