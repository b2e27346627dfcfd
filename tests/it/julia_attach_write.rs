//! `oma attach julia --write`: two programs on one space, at the same time.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ohmyartifacts::{Clock, LinkStyle};
use serde_json::{Value, json};

use crate::julia_attach::{LATER, Pair, text};
use crate::support::julia::{ALPHA, BETA, blob_id, make_space};
use crate::support::mode_of;
use crate::support::oma::{Oma, tell};

fn writing() -> Pair {
    Pair::small().attached(&["--write"])
}

impl Pair {
    /// Puts a file in and binds it; returns its id.
    fn bind_file(&self, owner: &str, name: &str, content: &str) -> String {
        let file = self.oma.file("input", content);
        self.oma.line(&["-o", owner, "add", &file, "--bind", name])
    }

    /// Asserts that a binding is as Julia would have left it.
    fn assert_kept_right(&self, uuid: &str, name: &str, id: &str, files: &[&str]) {
        assert_eq!(self.ask("lookup", &[uuid, name]), id);
        let lies_at = |id: &str| self.artifact(id).to_str().unwrap().to_owned();
        let log = self.table("logs/my_artifact_usage.toml");
        let blobs: Vec<String> = files.iter().map(|content| blob_id(content.as_bytes()).to_string()).collect();
        for used in blobs.iter().map(String::as_str).chain([id]) {
            let users = log.get(&lies_at(used)).unwrap_or_else(|| panic!("{name}: {used} is not in the log"));
            let time = &users[self.toml(uuid).to_str().unwrap()][name];
            assert!(time.is_datetime() && time.to_string().ends_with('Z'), "{time}");
        }
        for (blob, content) in blobs.iter().zip(files) {
            assert_eq!(fs::read_to_string(self.artifact(blob)).unwrap(), *content);
            assert_eq!(mode_of(&self.artifact(blob)) & 0o222, 0, "{name}: who may write");
        }
        if files.len() > 1 {
            assert_eq!(mode_of(&self.artifact(id)) & 0o7777, 0o555);
            let entries = walkdir::WalkDir::new(self.artifact(id)).into_iter().flatten();
            let links: BTreeSet<PathBuf> = entries
                .filter(walkdir::DirEntry::path_is_symlink)
                .map(|entry| fs::read_link(entry.path()).unwrap())
                .collect();
            assert_eq!(links, blobs.iter().map(|blob| self.artifact(blob)).collect());
        }
        let old = Clock::System.now().as_millis() / 1_000 - 300;
        assert!(self.artifact(id).symlink_metadata().unwrap().mtime() > old, "Julia counts its age from then");
    }

    /// Every name of a package there, with its artifact and all files behind it; panics if one is not whole.
    fn assert_whole(&self, uuid: &str) -> BTreeMap<String, String> {
        let table = self.table(&format!("{uuid}/Artifacts.toml"));
        let names = table.into_iter().map(|(name, entry)| {
            let id = entry["sha256"].as_str().unwrap().to_owned();
            let at = self.artifact(&id);
            assert!(at.exists(), "{name} is bound and {id} is gone");
            for entry in walkdir::WalkDir::new(&at).into_iter().flatten().filter(walkdir::DirEntry::path_is_symlink) {
                assert!(entry.path().exists(), "{name}: {} leads nowhere", entry.path().display());
            }
            (name, id)
        });
        names.collect()
    }
}

#[test]
fn what_is_bound_here_is_bound_for_julia() {
    let pair = writing();
    let file = pair.bind_file(ALPHA, "file", "some data\n");
    pair.assert_kept_right(ALPHA, "file", &file, &["some data\n"]);
    pair.oma.tree("tree", &[("a", "in a\n"), ("deep/b", "in b\n")]);
    let tree = pair.oma.line(&["-o", ALPHA, "add", &pair.oma.at("tree"), "--bind", "tree"]);
    pair.assert_kept_right(ALPHA, "tree", &tree, &["in a\n", "in b\n"]);
    pair.oma.ok(&["-o", BETA, "bind", "again", &tree]);
    pair.assert_kept_right(BETA, "again", &tree, &["in a\n", "in b\n"]);
    let got = pair.oma.json(&["-o", ALPHA, "get", "got", "--", "sh", "-c", "echo x > x; echo y > y"]);
    pair.assert_kept_right(ALPHA, "got", &text(&got["hash"]), &["x\n", "y\n"]);
    // What is only created can be bound by Julia.
    let made = pair.oma.line(&["create", "--", "sh", "-c", "echo made > m"]);
    pair.ask("bind", &[BETA, "made", &made]);
    pair.assert_kept_right(BETA, "made", &made, &["made\n"]);
    pair.oma.ok(&["-o", &format!("{ALPHA}@1.2"), "bind", "v", &file]);
    let versioned = pair.table(&format!("{ALPHA}/Artifacts_v1.2.toml"));
    assert_eq!(versioned["v"]["sha256"].as_str(), Some(&*file));
    assert_eq!(versioned["v"]["isdir"].as_bool(), Some(false));
    assert_eq!(pair.locks(), Vec::<PathBuf>::new());
    // Julia's gc agrees that all of it is in use.
    assert_eq!(pair.ask("gc", &["0"]), "0 deleted");
    // Names that are let go, one for Julia to collect.
    let log = pair.table("logs/my_artifact_usage.toml");
    pair.oma.ok(&["-o", ALPHA, "unbind", "tree", "got"]);
    assert_eq!(pair.ask("lookup", &[ALPHA, "got"]), "none");
    assert_eq!(pair.table("logs/my_artifact_usage.toml"), log, "unbinding touches no log");
    assert_eq!(pair.ask("gc", &["0"]), "3 deleted");
    assert!(pair.artifact(&tree).exists(), "it has another name");
    // Both sides agree on every word.
    assert_eq!(
        pair.oma.json(&["sync"]).as_array().unwrap().iter().map(|row| text(&row["name"])).collect::<Vec<_>>(),
        ["made"]
    );
    assert_eq!(pair.oma.json(&["sync"]), json!([]));
    assert!(pair.there(ALPHA).is_empty() && pair.there(BETA).is_empty(), "what is the same on both sides is one");
}

#[test]
fn what_julia_wrote_beside_it_stays() {
    let pair = writing();
    let file = pair.ask("create", &["iris"]);
    let toml = pair.toml(ALPHA);
    fs::create_dir_all(toml.parent().unwrap()).unwrap();
    let theirs =
        format!("[theirs]\nextra = 7\nisdir = false\nsha256 = \"{file}\"\n\n    [theirs.meta]\n    k = [1, 2]\n");
    fs::write(&toml, &theirs).unwrap();
    fs::set_permissions(&toml, std::os::unix::fs::PermissionsExt::from_mode(0o664)).unwrap();
    let before = pair.table(&format!("{ALPHA}/Artifacts.toml"))["theirs"].clone();
    pair.bind_file(ALPHA, "ours", "x");
    let data = pair.oma.file("meta.toml", "n = 1\nlist = [\"a\"]\n[sub]\nx = 1.5\n");
    let other = pair.oma.file("o", "other");
    pair.oma.ok(&["-o", ALPHA, "add", &other, "--bind", "with meta", "--meta-file", &data]);
    pair.oma.ok(&["-o", ALPHA, "unbind", "ours"]);
    let table = pair.table(&format!("{ALPHA}/Artifacts.toml"));
    assert_eq!(table["theirs"], before);
    let meta: toml::Table = fs::read_to_string(&data).unwrap().parse().unwrap();
    assert_eq!(table["with meta"]["meta"], toml::Value::Table(meta));
    assert_eq!((mode_of(&toml) & 0o7777, table.len()), (0o664, 2));
    // What is bound again is an orphan no more.
    pair.ask("gc", &["604800"]);
    pair.ask("unbind", &[ALPHA, "theirs"]);
    pair.ask("gc", &["604800"]);
    let orphan = pair.artifact(&file).to_str().unwrap().to_owned();
    // Only what was in the log is noted with a time of its own.
    pair.oma.ok(&["sync"]);
    let again = pair.bind_file(ALPHA, "again", "iris");
    assert_eq!(again, file);
    assert!(!pair.table("logs/my_artifact_orphanages.toml").contains_key(&orphan));
}

#[test]
fn owners_that_are_no_package_stay_out() {
    let pair = writing();
    let before = pair.snapshot();
    for owner in ["mine", "cf8be1f4", &ALPHA.to_uppercase(), "../../x"] {
        pair.bind_file(owner, "n", owner);
        pair.oma.ok(&["-o", owner, "unbind", "n"]);
    }
    assert_eq!(pair.snapshot(), before);
}

/// Runs what must end with this code and change nothing on either side.
fn refused(pair: &Pair, code: i32, words: &[&str]) -> String {
    let (here, there) = (pair.oma.json(&["ls"]), pair.snapshot());
    let ran = pair.oma.fails(code, words);
    assert_eq!(pair.snapshot(), there, "{ran:#?}");
    assert_eq!(pair.oma.json(&["ls"]), here, "{ran:#?}");
    ran.stderr
}

#[test]
fn a_name_julia_has_taken_is_taken() {
    let pair = writing();
    let theirs = pair.ask("create", &["theirs"]);
    pair.ask("bind", &[ALPHA, "n", &theirs]);
    let ours = pair.bind_file("mine", "o", "ours");
    let said = refused(&pair, 5, &["-o", ALPHA, "bind", "n", &ours]);
    assert!(said.contains(&theirs[..8]), "{said}");
    let input = pair.oma.file("i", "ours");
    refused(&pair, 5, &["-o", ALPHA, "add", &input, "--bind", "n"]);
    assert_eq!(pair.ask("lookup", &[ALPHA, "n"]), theirs);
    pair.oma.ok(&["-o", ALPHA, "bind", "n", &ours, "--force"]);
    assert_eq!(pair.ask("lookup", &[ALPHA, "n"]), ours);
    // A torn file is no free place.
    fs::write(pair.toml(BETA).with_file_name("x"), "").unwrap_or_default();
    fs::create_dir_all(pair.toml(BETA).parent().unwrap()).unwrap();
    fs::write(pair.toml(BETA), "[n]\nsha256 = \"").unwrap();
    let said = refused(&pair, 1, &["-o", BETA, "bind", "n", &ours]);
    assert!(said.contains("Artifacts.toml"), "{said}");
}

#[test]
fn metadata_julia_cannot_hold_is_refused_by_name() {
    let pair = writing();
    let ours = pair.bind_file("mine", "o", "ours");
    for (name, meta) in
        [("when", "when = 2026-01-01T00:00:00+01:00\n"), ("deep.then", "[deep]\nthen = 1979-05-27T07:32:00-07:00\n")]
    {
        let meta = pair.oma.file("meta.toml", meta);
        let said = refused(&pair, 1, &["-o", ALPHA, "bind", "n", &ours, "--meta-file", &meta]);
        assert!(said.contains(name), "{said}");
        assert_eq!(pair.ask("lookup", &[ALPHA, "n"]), "none");
    }
    // Where nobody else reads it, it is fine.
    let meta = pair.oma.at("meta.toml");
    pair.oma.ok(&["-o", "mine", "bind", "m", &ours, "--meta-file", &meta]);
}

#[test]
fn of_120_binds_of_two_programs_none_is_lost() {
    let pair = &writing();
    let id = &pair.ask("create-dir", &["4", "seed"]);
    pair.ask("bind", &[BETA, "first", id]);
    pair.oma.ok(&["sync"]);
    std::thread::scope(|scope| {
        for process in 0..4 {
            scope.spawn(move || {
                for number in 0..15 {
                    pair.oma.ok(&["-o", ALPHA, "bind", &format!("ours-{process}-{number}"), id]);
                }
            });
            scope.spawn(move || {
                for number in 0..15 {
                    pair.ask("bind", &[ALPHA, &format!("theirs-{process}-{number}"), id]);
                }
            });
        }
    });
    let bound = pair.assert_whole(ALPHA);
    assert_eq!(bound.len(), 120);
    let log = pair.table("logs/my_artifact_usage.toml");
    let toml = pair.toml(ALPHA).to_str().unwrap().to_owned();
    assert_eq!(log.len(), 5, "the directory and its files");
    for (artifact, users) in &log {
        let names: BTreeSet<&String> = users[&toml].as_table().unwrap().keys().collect();
        assert_eq!(names, bound.keys().collect(), "{artifact}: all are tracked");
    }
    assert_eq!(pair.locks(), Vec::<PathBuf>::new());
    assert_eq!(pair.oma.json(&["sync"]).as_array().unwrap().len(), 60);
    assert_eq!(pair.here(ALPHA), bound);
}

/// Lets the stand-in create and bind while our gc runs all the time; returns how many binds it was refused.
fn race_with_gc(pair: &Pair, rounds: usize) -> usize {
    let done = &AtomicBool::new(false);
    std::thread::scope(|scope| {
        let gc = scope.spawn(move || {
            let mut runs = 0;
            while !done.load(Ordering::Relaxed) {
                pair.oma.ok(&["gc", "-y", "--collect-delay", "0"]);
                runs += 1;
            }
            runs
        });
        let writers = ["f", "d"].map(|kind| {
            scope.spawn(move || {
                let mut refused = 0;
                for number in 0..rounds {
                    let seed = format!("{kind} {number}");
                    let id = match kind {
                        "f" => pair.ask("create", &[&seed]),
                        _ => pair.ask("create-dir", &["3", &seed]),
                    };
                    refused += usize::from(!pair.try_julia("bind", &[ALPHA, &seed, &id]).status.success());
                }
                refused
            })
        });
        let refused = writers.map(|writer| writer.join().unwrap()).into_iter().sum();
        done.store(true, Ordering::Relaxed);
        let runs: usize = gc.join().unwrap();
        assert!(runs > 3, "{runs} runs of gc only");
        refused
    })
}

#[test]
fn of_80_artifacts_that_julia_creates_and_binds_our_gc_takes_none() {
    let pair = writing();
    assert_eq!(race_with_gc(&pair, 40), 0, "what is young is nobody's to take");
    assert_eq!(pair.assert_whole(ALPHA).len(), 80);
    pair.oma.ok(&["sync"]);
    assert_eq!(pair.here(ALPHA), pair.assert_whole(ALPHA));
    assert_eq!(pair.locks(), Vec::<PathBuf>::new());
    pair.oma.ok(&["verify"]);
}

/// Our clock is ahead, so nothing is spared for being young. Julia may then find gone what it has just
/// made, and is told so; what it was let bind is there.
#[test]
fn what_is_taken_in_the_very_moment_it_is_bound_comes_back() {
    let pair = writing();
    pair.now_plus(LATER * 5);
    let refused = race_with_gc(&pair, 20);
    pair.oma.ok(&["sync"]);
    let bound = pair.assert_whole(ALPHA);
    assert_eq!(bound.len() + refused, 40);
    assert_eq!(pair.here(ALPHA), bound);
    assert_eq!(pair.locks(), Vec::<PathBuf>::new());
    tell(&format!("{refused} of 40 were gone before Julia asked for them"));
}

/// Runs gc dry and for real, which must say the same of the space; returns what went there.
fn gc(pair: &Pair) -> BTreeSet<String> {
    let dry = pair.oma.json(&["gc", "-n", "--collect-delay", "0"]);
    let before = ids(&pair.space);
    let real = pair.oma.json(&["gc", "-y", "--collect-delay", "0"]);
    assert_eq!(dry["attached"], real["attached"]);
    let gone: BTreeSet<String> = before.difference(&ids(&pair.space)).cloned().collect();
    let listed: BTreeSet<String> =
        real["attached"][0]["artifacts"].as_array().unwrap().iter().map(|item| text(&item["hash"])).collect();
    assert!(gone.is_superset(&listed), "{listed:?} went, but {gone:?} is gone");
    assert_eq!(gone.is_empty(), listed.is_empty(), "{gone:?} is gone and was not listed");
    gone
}

fn ids(space: &Path) -> BTreeSet<String> {
    let entries = walkdir::WalkDir::new(space.join("artifacts")).min_depth(2).max_depth(2).into_iter().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn gc_spares_what_is_young_and_says_what_it_took() {
    let pair = writing();
    let kept = pair.bind_file(ALPHA, "kept", "kept");
    let file = pair.bind_file(ALPHA, "n", "let go");
    pair.oma.tree("tree", &[("a", "in a\n"), ("b", "kept")]);
    let tree = pair.oma.line(&["-o", ALPHA, "add", &pair.oma.at("tree"), "--bind", "t"]);
    pair.oma.ok(&["-o", ALPHA, "unbind", "n", "t"]);
    assert_eq!(gc(&pair), BTreeSet::new(), "all of it is younger than a minute");
    pair.now_plus(LATER);
    // Old, but for one file of the directory.
    let inner = blob_id(b"in a\n").to_string();
    let hold = pair.oma.path("hold");
    fs::rename(pair.artifact(&inner), &hold).unwrap();
    fs::rename(&hold, pair.artifact(&inner)).unwrap();
    let gone = gc(&pair);
    assert_eq!(gone, BTreeSet::from([file, tree, inner]), "a minute is over");
    assert!(pair.artifact(&kept).exists());
    let trash = || walkdir::WalkDir::new(pair.space.join(".oma/trash")).min_depth(2).max_depth(2).into_iter().count();
    assert_eq!(trash(), 3, "Julia may have looked at it just before");
    pair.now_plus(Duration::from_secs(7_200));
    assert_eq!(gc(&pair), BTreeSet::new());
    assert_eq!(trash(), 0, "an hour is over");
    assert_eq!(pair.assert_whole(ALPHA), BTreeMap::from([("kept".to_owned(), kept)]));
    assert_eq!(pair.ask("gc", &["0"]), "0 deleted", "Julia's logs hold nothing that is gone");
}

#[test]
fn gc_keeps_the_delay_and_notes_what_is_unused_as_julia_does() {
    let pair = writing();
    let file = pair.bind_file(ALPHA, "n", "let go");
    pair.oma.ok(&["-o", ALPHA, "unbind", "n"]);
    pair.now_plus(Duration::from_secs(3_600));
    pair.oma.ok(&["gc", "-y"]);
    let noted = pair.table("logs/my_artifact_orphanages.toml");
    let time = noted[pair.artifact(&file).to_str().unwrap()].to_string();
    assert!(time.ends_with('Z') && time.contains('.'), "{time}");
    pair.oma.pass(crate::support::DAY * 6);
    pair.oma.ok(&["gc", "-y"]);
    assert!(pair.artifact(&file).exists());
    assert_eq!(pair.table("logs/my_artifact_orphanages.toml"), noted, "old times stay");
    pair.oma.pass(crate::support::DAY * 2);
    pair.oma.ok(&["gc", "-y"]);
    assert!(!pair.artifact(&file).exists());
    assert_eq!(pair.table("logs/my_artifact_orphanages.toml"), toml::Table::new());
}

#[test]
fn what_only_julia_binds_is_in_use_to_our_gc() {
    let pair = writing();
    let file = pair.oma.line(&["add", &pair.oma.file("f", "made here")]);
    pair.ask("bind", &[ALPHA, "theirs", &file]);
    pair.oma.pass(crate::support::DAY * 30);
    let report = pair.oma.json(&["gc", "-y", "--collect-delay", "0"]);
    assert_eq!(report["deleted_artifacts"], 0, "{report:#}");
    assert_eq!(pair.oma.json(&["why", &file])["state"], "live");
    pair.assert_whole(ALPHA);
}

/// A torn file: nobody knows what it binds, so nothing is taken there.
#[test]
fn gc_takes_nothing_while_a_file_is_torn() {
    let pair = writing();
    let file = pair.bind_file(ALPHA, "n", "let go");
    let other = pair.bind_file(BETA, "b", "other");
    pair.oma.ok(&["-o", ALPHA, "unbind", "n"]);
    fs::write(pair.toml(BETA), "[b").unwrap();
    pair.now_plus(LATER);
    let ran = pair.oma.ok(&["--json", "gc", "-y", "--collect-delay", "0"]);
    assert!(ran.stderr.contains("Artifacts.toml"), "{ran:#?}");
    assert_eq!(ran.json()["attached"][0]["artifacts"], json!([]), "nothing went, so nothing is listed");
    assert!(pair.artifact(&file).exists() && pair.artifact(&other).exists());
}

// ------------------------------------------------------------------ kills

/// Copies the store and the depot aside, and back to where links expect them.
fn copy(oma: &Oma, from: &str, to: &str) {
    let script = "for part in store depot; do chmod -R u+rwX \"$2.$part\" 2>/dev/null; rm -rf \"$2.$part\"; \
                  cp -a \"$1.$part\" \"$2.$part\"; done";
    let done = Command::new("sh").args(["-c", script, "sh", from, to]).current_dir(oma.path("")).status().unwrap();
    assert!(done.success(), "copying {from} to {to}");
}

/// A space with a bound file, a bound directory and something let go, in folders called `w.store`, `w.depot`.
fn world() -> Pair {
    let oma = Oma::in_memory(LinkStyle::default());
    oma.clock.set(Clock::System.now());
    for part in ["store", "depot"] {
        fs::create_dir(oma.path(format!("w.{part}"))).unwrap();
        std::os::unix::fs::symlink(format!("w.{part}"), oma.path(part)).unwrap();
    }
    oma.ok(&["init", "--durability", "none"]);
    let space = make_space(&oma.path("depot"), &[], &[]);
    fs::create_dir_all(space.join("logs")).unwrap();
    let pair = Pair { oma, space };
    let dir = pair.ask("create-dir", &["2", "theirs"]);
    pair.ask("bind", &[ALPHA, "theirs", &dir]);
    let pair = pair.attached(&["--write"]);
    pair.bind_file(ALPHA, "ours", "ours");
    pair.oma.tree("tree", &[("a", "in a\n"), ("b", "ours")]);
    pair.oma.ok(&["-o", ALPHA, "add", &pair.oma.at("tree"), "--bind", "gone"]);
    pair
}

/// Kills a command at each of its changes; each time `sync` must bring both sides together, without a loss.
fn kill_everywhere(pair: &Pair, words: &[&str], least: u64) {
    copy(&pair.oma, "w", "base");
    let start = pair.oma.clock.now();
    let before = pair.assert_whole(ALPHA);
    pair.oma.ok(words);
    pair.oma.ok(&["sync"]);
    let after = pair.assert_whole(ALPHA);
    let mut locks = 0;
    for number in 1..1_000 {
        copy(&pair.oma, "base", "w");
        pair.oma.clock.set(start);
        let mut command = pair.oma.command(words);
        let output = command.env("OMA_FAULT", format!("abort@{number}")).output().unwrap();
        if output.status.success() {
            tell(&format!("`oma {}`: {} points, {locks} locks left", words[words.len().min(3) - 1], number - 1));
            assert!(number > least, "{number} points only");
            assert!(locks > 0, "no kill left a lock");
            return;
        }
        assert_eq!(output.status.signal(), Some(6), "killed at change {number}: {output:?}");
        let when = format!("`oma {}` killed at change {number}", words.join(" "));
        locks += pair.locks().len();
        // A minute after the kill the locks of the dead are broken.
        pair.oma.clock.set(Clock::System.now().plus(Duration::from_secs(62)));
        let synced = pair.oma.run(&["--wait", "5s", "sync"]);
        assert_eq!(synced.code, Some(0), "{when}: {synced:#?}");
        let there = pair.assert_whole(ALPHA);
        assert!(there == before || there == after, "{when}: {there:?}");
        assert_eq!(pair.here(ALPHA), there, "{when}: both sides");
        assert_eq!(pair.oma.json(&["sync"]), json!([]), "{when}");
        // What is left of the work harms nobody, and the locks are gone as soon as somebody needs them.
        pair.oma.ok(&["--wait", "5s", "gc", "-y"]);
        let left: Vec<PathBuf> = pair.locks();
        assert!(left.iter().all(|lock| lock.extension().is_some()), "{when}: {left:?}");
        pair.ask("bind", &[BETA, "next", &there["theirs"]]);
    }
    panic!("`oma {}` never ends", words.join(" "));
}

#[test]
fn a_bind_killed_anywhere_is_made_or_not() {
    let pair = world();
    let file = pair.oma.file("new", "new");
    let hash = pair.oma.line(&["-o", "mine", "add", &file, "--bind", "n"]);
    kill_everywhere(&pair, &["-o", ALPHA, "bind", "new", &hash], 15);
}

#[test]
fn an_unbind_killed_anywhere_is_made_or_not() {
    let pair = world();
    kill_everywhere(&pair, &["-o", ALPHA, "unbind", "gone"], 5);
}

#[test]
fn a_gc_killed_anywhere_loses_nothing() {
    let pair = world();
    pair.oma.ok(&["-o", ALPHA, "unbind", "gone"]);
    pair.now_plus(LATER);
    kill_everywhere(&pair, &["gc", "-y", "--collect-delay", "0"], 15);
}

#[test]
fn the_lock_of_a_dead_process_is_broken_after_its_time_and_one_of_a_living_never() {
    let pair = writing();
    let file = pair.bind_file(ALPHA, "n", "x");
    let lock = pair.toml(ALPHA).with_file_name("artifact_lock");
    let bind = |name: &str| pair.oma.run(&["--wait", "0", "-o", ALPHA, "bind", name, &file]).code;
    let wait_for = |path: &Path| {
        while fs::read_to_string(path).unwrap_or_default().is_empty() {
            std::thread::sleep(Duration::from_millis(1));
        }
    };
    let mut living = pair.julia("hold-lock", &[ALPHA, "60000"]).spawn().unwrap();
    wait_for(&lock);
    pair.now_plus(Duration::from_secs(86_400));
    let said = pair.oma.fails(6, &["--wait", "0", "-o", ALPHA, "bind", "m", &file]).stderr;
    assert!(said.contains(&living.id().to_string()), "{said}");
    assert!(lock.exists());
    living.kill().unwrap();
    living.wait().unwrap();
    assert!(lock.exists(), "who is killed leaves its lock");
    pair.now_plus(Duration::from_secs(30));
    assert_eq!(bind("m"), Some(6), "it is not a minute old");
    assert!(lock.exists());
    pair.now_plus(Duration::from_secs(62));
    assert_eq!(bind("m"), Some(0));
    assert!(!lock.exists());
    // Of another machine nobody knows who lives there.
    fs::write(&lock, format!("{} elsewhere.example", living.id())).unwrap();
    pair.now_plus(Duration::from_secs(86_400));
    assert_eq!(bind("o"), Some(6));
    assert!(lock.exists());
    fs::remove_file(&lock).unwrap();
    assert_eq!(pair.assert_whole(ALPHA).len(), 2);
}

#[test]
fn a_report_names_the_space() {
    let pair = writing();
    pair.bind_file(ALPHA, "n", "x");
    pair.oma.ok(&["-o", ALPHA, "unbind", "n"]);
    pair.now_plus(LATER);
    let dry = pair.oma.ok(&["gc", "-n", "--collect-delay", "0"]).stdout;
    let real = pair.oma.ok(&["gc", "-y", "--collect-delay", "0"]).stdout;
    let space = pair.space.to_str().unwrap();
    assert!(dry.contains(space) && dry.contains("would go"), "{dry}");
    assert!(real.contains(space) && real.contains("went"), "{real}");
    let rows: Value = pair.oma.json(&["attach"]);
    assert_eq!((&rows[0]["writes"], rows[0]["synced_at"].is_string()), (&json!(true), true));
}
