//! Tests of one space with two programs at work: this one, and the stand-in for the original.
//!
//! The stand-in is a program of its own, built with the whole test suite; these tests skip where it
//! was not built.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::*;
use crate::digest::Digest;
use crate::julia::live::testing::{Desk, UUID, now, open};
use crate::model::{Blob, Entry, Manifest, Node};

/// The other program, and the space it works in.
struct Julia {
    program: PathBuf,
    root: String,
}

impl Julia {
    /// Finds the stand-in beside the folder of test programs.
    fn beside(desk: &Desk) -> Option<Self> {
        let own = std::env::current_exe().expect("known");
        let program = own.parent()?.parent()?.join("julia-stand-in");
        if !program.is_file() {
            println!("skipped: `{}` was not built", program.display());
            return None;
        }
        Some(Self { program, root: desk.live.space().root().to_str().expect("text").to_owned() })
    }

    fn command(&self, verb: &str, words: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.arg(verb).arg(&self.root).args(words).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run(&self, verb: &str, words: &[&str]) -> Output {
        self.command(verb, words).output().expect("runs")
    }

    /// Runs a verb that must succeed; returns its answer.
    fn ask(&self, verb: &str, words: &[&str]) -> String {
        let output = self.run(verb, words);
        assert!(output.status.success(), "{verb} {words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text").trim_end().to_owned()
    }
}

fn alpha(desk: &Desk) -> SpaceFile {
    desk.live.file(UUID, None).expect("valid")
}

fn offer_file(name: &str, id: Digest) -> Offer<'_> {
    let binding = NewBinding { name, id, is_dir: false, meta: None, force: false };
    Offer { binding, content: Content::File { executable: false } }
}

fn entries(desk: &Desk, contents: &[String]) -> Vec<Entry> {
    let entry = |(at, content): (usize, &String)| {
        let (hash, _) = desk.stored(content.as_bytes());
        let size = content.len() as u64;
        Entry { path: format!("f{at}").into(), node: Node::File { hash, executable: false, size } }
    };
    contents.iter().enumerate().map(entry).collect()
}

fn later() -> crate::time::Timestamp {
    now().plus(Duration::from_secs(90))
}

#[test]
fn julia_finds_what_is_published_and_we_find_what_julia_binds() {
    let desk = Desk::new();
    let Some(julia) = Julia::beside(&desk) else { return };
    let (id, path) = desk.stored(b"iris\n");
    desk.live.publish(&alpha(&desk), &[offer_file("ours", id)], &|_| path.clone(), now()).expect("published");
    assert_eq!(julia.ask("lookup", &[UUID, "ours"]), id.to_string());
    assert_eq!(julia.ask("create", &["iris\n"]), id.to_string(), "one content has one id");

    let theirs = julia.ask("create-dir", &["5", "seed"]);
    julia.ask("bind", &[UUID, "theirs", &theirs]);
    let document = desk.live.read_bindings(&alpha(&desk), now()).expect("readable").expect("there");
    assert_eq!(document.table()["theirs"]["sha256"].as_str(), Some(theirs.as_str()));
    assert!(!julia.run("bind", &[UUID, "ours", &theirs]).status.success(), "the name is taken");
    desk.live.unbind(&alpha(&desk), &["ours"], now()).expect("unbound");
    assert_eq!(julia.ask("lookup", &[UUID, "ours"]), "none");

    assert_eq!(julia.ask("gc", &["0"]), "1 deleted");
    assert!(!desk.live.space().artifact(id).exists());
    assert!(desk.live.space().artifact(theirs.parse().expect("an id")).join("inner/f0001").is_file());
}

#[test]
fn both_give_a_directory_the_same_id_and_julia_may_bind_ours() {
    let desk = Desk::new();
    let Some(julia) = Julia::beside(&desk) else { return };
    let contents: Vec<String> = (0..3).map(|number| format!("x {number}\n")).collect();
    let mut entries = entries(&desk, &contents);
    entries[0].path = "f0000".into();
    entries[1].path = "inner/f0001".into();
    entries[2].path = "f0002".into();
    entries.push(Entry { path: "inner".into(), node: Node::Directory });
    let manifest = Manifest::new(entries);
    let source = |blob: Blob| desk.dir.path().join(format!("store-{}", blob.digest));
    desk.live.place_tree(manifest.hash, &manifest.entries, &source, now()).expect("placed");
    assert_eq!(julia.ask("create-dir", &["3", "x"]), manifest.hash.to_string());
    julia.ask("bind", &[UUID, "dir", &manifest.hash.to_string()]);
    assert_eq!(julia.ask("gc", &["0"]), "0 deleted");
    let top = desk.live.space().artifact(manifest.hash);
    assert_eq!(fs::read_to_string(top.join("inner/f0001")).expect("readable"), "x 1\n");
}

#[test]
fn neither_program_loses_a_bind_of_the_other() {
    let desk = &Desk::new();
    let Some(julia) = &Julia::beside(desk) else { return };
    let shared = julia.ask("create", &["shared"]);
    let id: Digest = shared.parse().expect("an id");
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let shared = &shared;
            scope.spawn(move || {
                let live = open(desk.live.space().root());
                for number in 0..15 {
                    let name = format!("n-{thread}-{number}");
                    if thread % 2 == 0 {
                        julia.ask("bind", &[UUID, &name, shared]);
                    } else {
                        let new = offer_file(&name, id).binding;
                        live.bind(&alpha(desk), &[new], now()).expect("bound");
                    }
                }
            });
        }
    });
    let document = desk.live.read_bindings(&alpha(desk), now()).expect("readable").expect("there");
    assert_eq!(document.table().len(), 120);
    let (log, complaints) = UsageLog::read(desk.live.space(), Zone::Local).expect("readable");
    assert_eq!((log.entries().count(), complaints.len()), (120, 0));
    assert_eq!(desk.names(UUID), ["Artifacts.toml"], "no lock is left");
}

#[test]
fn what_we_publish_outlives_a_gc_of_julias_that_runs_all_the_time() {
    let desk = &Desk::new();
    let Some(julia) = &Julia::beside(desk) else { return };
    let done = &AtomicBool::new(false);
    let mut kept = Vec::new();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            while !done.load(Ordering::Relaxed) {
                julia.ask("gc", &["0"]);
                // A lock that is never free would be a test of patience.
                std::thread::sleep(Duration::from_millis(10));
            }
        });
        let live = open(desk.live.space().root());
        for number in 0..40 {
            let contents = [format!("a{number}"), "shared".to_owned()];
            let entries = entries(desk, &contents);
            let id = Manifest::new(entries.clone()).hash;
            let name = format!("n{number}");
            let binding = NewBinding { name: &name, id, is_dir: true, meta: None, force: false };
            let source = |blob: Blob| desk.dir.path().join(format!("store-{}", blob.digest));
            let offers = [Offer { binding, content: Content::Directory(&entries) }];
            live.publish(&alpha(desk), &offers, &source, now()).expect("published");
            kept.push((id, contents));
        }
        done.store(true, Ordering::Relaxed);
    });
    julia.ask("gc", &["0"]);
    for (id, contents) in kept {
        for (at, content) in contents.iter().enumerate() {
            let path = desk.live.space().artifact(id).join(format!("f{at}"));
            assert_eq!(&fs::read_to_string(&path).expect("bound and gone"), content);
        }
    }
}

#[test]
fn what_julia_binds_outlives_a_collection_of_ours_that_runs_all_the_time() {
    let desk = &Desk::new();
    let Some(julia) = &Julia::beside(desk) else { return };
    let texts: Vec<String> = (0..30).map(|number| format!("text {number}")).collect();
    // All are there and old, so that nothing is spared for being young.
    let ids: Vec<Digest> = texts.iter().map(|text| julia.ask("create", &[text]).parse().expect("an id")).collect();
    let done = &AtomicBool::new(false);
    let mut bound = Vec::new();
    std::thread::scope(|scope| {
        let ids = &ids;
        scope.spawn(move || {
            while !done.load(Ordering::Relaxed) {
                desk.live.collect(ids, later()).expect("possible");
            }
        });
        for (number, text) in texts.iter().enumerate() {
            let name = format!("n{number}");
            let id = julia.ask("create", &[text]);
            // Between create and bind Julia holds nothing: it may find the artifact gone, and says so.
            if julia.run("bind", &[UUID, &name, &id]).status.success() {
                bound.push(ids[number]);
            }
        }
        done.store(true, Ordering::Relaxed);
    });
    desk.live.put_back_bound(later()).expect("possible");
    julia.ask("gc", &["0"]);
    for id in &bound {
        assert!(desk.live.space().artifact(*id).is_file(), "{id} is bound and gone");
    }
    println!("{} of {} binds came through", bound.len(), texts.len());
}

#[test]
fn a_lock_held_by_julia_is_waited_for_and_the_wait_has_an_end() {
    let desk = Desk::new();
    let Some(julia) = Julia::beside(&desk) else { return };
    let id: Digest = julia.ask("create", &["x"]).parse().expect("an id");
    let mut holder = julia.command("hold-lock", &[UUID, "400"]).spawn().expect("runs");
    let lock = desk.live.space().root().join(UUID).join("artifact_lock");
    while !lock.exists() {
        std::thread::sleep(Duration::from_millis(1));
    }
    let hasty = LiveSpace::new(desk.live.space().root(), crate::fs::Disk::default(), {
        let mut waiting = desk.live.waiting.clone();
        waiting.limit = Some(Duration::from_millis(20));
        waiting
    });
    let new = [offer_file("n", id).binding];
    let error = hasty.expect("a space").bind(&alpha(&desk), &new, now()).expect_err("held");
    assert!(error.to_string().contains(&format!("process {}", holder.id())), "{error}");
    desk.live.bind(&alpha(&desk), &new, now()).expect("bound when it is free");
    assert!(holder.wait().expect("ends").success());
    // One that is killed leaves its lock, which nobody breaks within a minute.
    let mut killed = julia.command("hold-lock", &[UUID, "60000"]).spawn().expect("runs");
    while !lock.exists() {
        std::thread::sleep(Duration::from_millis(1));
    }
    while fs::read_to_string(&lock).expect("readable").is_empty() {}
    killed.kill().expect("killed");
    killed.wait().expect("ends");
    filetime::set_file_mtime(&lock, filetime::FileTime::from_unix_time(now().as_millis() / 1_000 - 90, 0))
        .expect("set");
    desk.live.unbind(&alpha(&desk), &["n"], now()).expect("unbound, the lock of the dead is broken");
    assert!(!lock.exists());
}
