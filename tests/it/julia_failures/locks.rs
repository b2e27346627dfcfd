//! Processes that die and processes that race.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use filetime::{FileTime, set_file_mtime};
use ohmyartifacts::{BindOptions, Clock, Source, VerifyOptions};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::julia_failures::{HOUR, PATIENCE, Pair, contents, ends};
use crate::support::julia::{ALPHA, blob_id};
use crate::support::oma::{Oma, finish};
use crate::support::{DAY, Env, STYLES, gc, leftovers};

/// Writes a lock as Pidfile.jl does, made so long ago.
fn write_lock(at: &Path, pid: u32, age: Duration) {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    fs::create_dir_all(at.parent().unwrap()).unwrap();
    fs::write(at, format!("{pid} {host}")).unwrap();
    let then = Clock::System.now().minus(age);
    set_file_mtime(at, FileTime::from_unix_time(then.as_millis() / 1_000, 0)).unwrap();
}

/// The id of a process that is no more.
fn dead() -> u32 {
    let mut child = Command::new("true").spawn().unwrap();
    child.wait().unwrap();
    child.id()
}

/// Every place Julia locks.
fn places(pair: &Pair, id: &str) -> [PathBuf; 3] {
    [
        pair.at(ALPHA).join("artifact_lock"),
        pair.at("logs/.my_artifact_usage_lock"),
        pair.at("artifacts").join(format!("{id}.lock")),
    ]
}

/// The original: "A lock file of a dead process hangs lookup, bind, gc and create for ever."
#[test]
fn failure_03_lock_files_of_dead_processes_hang_everybody() {
    let pair = Pair::writing();
    pair.fill();
    let path = pair.oma.file("new", "new");
    let id = blob_id(b"new").to_string();
    let name = format!("{ALPHA}:our-file");
    let theirs = pair.julia("create", &["unbound"]);
    for (round, words) in [
        &["hash", &name][..],
        &["ls"],
        &["-o", ALPHA, "add", &path, "--bind", "new"],
        &["-o", ALPHA, "bind", "again", &id],
        &["-o", ALPHA, "create", "--bind", "made", "--", "sh", "-c", "echo made > f"],
        &["-o", ALPHA, "get", "got", "--", "sh", "-c", "echo got > f"],
        &["-o", ALPHA, "unbind", "again", "made"],
        &["sync"],
        &["gc", "-y", "--collect-delay", "0"],
    ]
    .into_iter()
    .enumerate()
    {
        // Whatever was looked at before has changed since; the other program would wait for ever.
        for lock in places(&pair, &id) {
            drop(fs::remove_file(lock));
        }
        pair.julia("bind", &[ALPHA, &format!("round-{round}"), &theirs]);
        for lock in places(&pair, &id) {
            write_lock(&lock, dead(), 2 * HOUR);
        }
        let ran = ends(&pair.oma, words);
        assert_eq!(ran.code, Some(0), "{words:?}: {ran:#?}");
    }
    for name in ["new", "got"] {
        let id = pair.oma.line(&["hash", &format!("{ALPHA}:{name}")]);
        for lock in places(&pair, &id) {
            drop(fs::remove_file(lock));
        }
        assert_eq!(pair.julia("lookup", &[ALPHA, name]), id);
    }
    pair.assert_whole("after all");
}

/// The same from the other end: who lives keeps his lock, and the wait for it has an end.
#[test]
fn failure_03_a_lock_of_the_living_is_waited_for_and_not_broken() {
    let pair = Pair::writing();
    pair.fill();
    let mut number = 0;
    for place in 0..3 {
        for (pid, age) in [(std::process::id(), 30 * DAY), (dead(), Duration::ZERO)] {
            // Refused or not, the file itself may be there afterwards.
            number += 1;
            let path = pair.oma.file("new", format!("new {number}"));
            let lock = &places(&pair, &blob_id(format!("new {number}").as_bytes()).to_string())[place];
            write_lock(lock, pid, age);
            let before = fs::read(lock).unwrap();
            let names = pair.bindings();
            let start = Instant::now();
            let words = ["--wait", "1s", "-o", ALPHA, "add", &path, "--bind", "new"];
            let ran = ends(&pair.oma, &words).expect(6);
            assert!(start.elapsed() >= Duration::from_secs(1), "it did not wait: {ran:#?}");
            assert!(ran.stderr.contains(&pid.to_string()), "it does not say whose it is: {ran:#?}");
            assert_eq!(fs::read(lock).unwrap(), before, "{} was broken", lock.display());
            assert_eq!(pair.bindings(), names, "bound in spite of {}", lock.display());
            assert_eq!(pair.oma.run(&["hash", &format!("{ALPHA}:new")]).code, Some(3));
            // Who needs nothing of it is not held up.
            pair.oma.ok(&["--wait", "0", "hash", &format!("{ALPHA}:our-file")]);
            let ran = ends(&pair.oma, &["--wait", "0", "gc", "-y", "--collect-delay", "0"]);
            assert!(matches!(ran.code, Some(0 | 6)), "{ran:#?}");
            assert_eq!(fs::read(lock).unwrap(), before, "{} was broken by gc", lock.display());
            fs::remove_file(lock).unwrap();
        }
    }
    let path = pair.oma.file("new", "new");
    ends(&pair.oma, &["--wait", "1s", "-o", ALPHA, "add", &path, "--bind", "new"]).expect(0);
    assert_eq!(pair.julia("lookup", &[ALPHA, "new"]), blob_id(b"new").to_string());
}

/// Starts the program with a command that says when it runs and then waits, in a group of its own.
fn start_waiting(oma: &Oma, words: &[&str]) -> Child {
    let said = oma.path("started");
    let _ = fs::remove_file(&said);
    let script = format!("echo data > f; mkdir d; echo more > d/g; : > {}; sleep 600", said.display());
    let words = [words, &["--", "sh", "-c", &script]].concat();
    let mut command = oma.command(&words);
    let child = command.process_group(0).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let until = Instant::now() + PATIENCE;
    while !said.exists() {
        assert!(Instant::now() < until, "`oma {}` never starts its command", words.join(" "));
        thread::sleep(Duration::from_millis(2));
    }
    child
}

fn kill(mut child: Child) {
    let group = Pid::from_child(&child);
    kill_process_group(group, Signal::KILL).unwrap();
    child.wait().unwrap();
}

/// See the first: this store's own locks go with the process that has them.
#[test]
fn failure_03_a_killed_process_holds_nobody_up_here() {
    let oma = Oma::new();
    let kept = oma.line(&["-o", "o", "add", &oma.file("kept", "kept"), "--bind", "kept"]);
    for words in [&["-o", "o", "get", "n"][..], &["-o", "o", "create", "--bind", "n"]] {
        kill(start_waiting(&oma, words));
        assert_eq!(ends(&oma, &["hash", "o:kept"]).expect(0).stdout.trim_end(), kept);
        ends(&oma, &["-o", "o", "bind", "again", &kept]).expect(0);
        ends(&oma, &["-o", "o", "get", "n", "--", "sh", "-c", "echo other > f"]).expect(0);
        ends(&oma, &["-o", "o", "unbind", "n", "again"]).expect(0);
        ends(&oma, &["gc", "-y", "--collect-delay", "0"]).expect(0);
    }
    oma.ok(&["verify"]);
}

/// The original: "bind racing gc(0): bound artifacts missing from disk (2 of 80)."
#[test]
fn failure_04_binds_that_race_gc_lose_what_they_bind() {
    for style in STYLES {
        let env = &Env::with_style(style);
        env.open();
        let done = &AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(move || {
                let cache = env.open();
                while !done.load(Ordering::SeqCst) {
                    gc_quietly(&cache);
                }
            });
            let binders: Vec<_> = (0..4).map(|binder| scope.spawn(move || bind_twenty(env, binder))).collect();
            let ended: Vec<_> = binders.into_iter().map(thread::ScopedJoinHandle::join).collect();
            done.store(true, Ordering::SeqCst);
            for binder in ended {
                binder.unwrap();
            }
        });
        let cache = env.open();
        for binder in 0..4 {
            let owner = cache.owner(&format!("binder-{binder}")).unwrap();
            for round in 0..20 {
                let path = owner.path(&format!("n{round}")).unwrap().expect("it was bound");
                let found = contents(&path);
                assert_eq!(found[Path::new("own")], format!("{binder} {round}").into_bytes(), "{style}");
                assert_eq!(found[Path::new("d/shared")], format!("shared {}", round % 3).into_bytes(), "{style}");
            }
        }
        assert_eq!(cache.verify(&VerifyOptions::new()).unwrap().problems, []);
    }
}

fn gc_quietly(cache: &ohmyartifacts::Cache) {
    let policy = ohmyartifacts::GcPolicy::default().collect_delay(Duration::ZERO);
    let report = cache.gc_apply(&cache.gc_plan(&policy).unwrap()).unwrap();
    assert_eq!(report.failed, []);
}

/// Puts in and binds as two steps, or lets go and binds anew what others have too.
fn bind_twenty(env: &Env, binder: usize) {
    let cache = env.open();
    let owner = cache.owner(&format!("binder-{binder}")).unwrap();
    for round in 0..20 {
        let (own, shared) = (format!("{binder} {round}"), format!("shared {}", round % 3));
        let tree = env.tree(&format!("src-{binder}-{round}"), &[("own", &own), ("d/shared", &shared)]);
        let made = cache.ingest(&Source::consume(tree)).unwrap();
        let name = format!("n{round}");
        owner.bind(&name, made.artifact.hash, &BindOptions::new()).unwrap();
        owner.bind("last", &made.artifact, &BindOptions::new().force(true)).unwrap();
        owner.unbind(["last"]).unwrap();
    }
}

/// The same between two programs, one of which knows no lease.
#[test]
fn failure_04_binds_of_either_program_outlive_a_gc_of_the_other() {
    for gc_is_ours in [true, false] {
        let pair = &Pair::writing();
        let oma = &pair.oma;
        // Past what is spared for being young, and before the trash is emptied for good.
        oma.pass(Duration::from_secs(90));
        let done = &AtomicBool::new(false);
        let bound = thread::scope(|scope| {
            scope.spawn(move || {
                while !done.load(Ordering::SeqCst) {
                    if gc_is_ours {
                        oma.ok(&["gc", "-y", "--collect-delay", "0"]);
                    } else {
                        pair.julia("gc", &["0"]);
                        // A lock that is never free would be a test of patience.
                        thread::sleep(Duration::from_millis(10));
                    }
                }
            });
            let bind = |binder: usize| if gc_is_ours { bind_there(pair, binder) } else { bind_here(pair, binder) };
            let binders: Vec<_> = (0..2).map(|binder| scope.spawn(move || bind(binder))).collect();
            let ended: Vec<_> = binders.into_iter().map(thread::ScopedJoinHandle::join).collect();
            done.store(true, Ordering::SeqCst);
            ended.into_iter().flat_map(|binder| binder.unwrap()).collect::<Vec<_>>()
        });
        oma.ok(&["sync"]);
        assert!(bound.len() > 5, "{} binds came through", bound.len());
        for (name, content) in bound {
            let id = pair.julia("lookup", &[ALPHA, &name]);
            assert_eq!(contents(&pair.artifact(&id)).into_values().next().unwrap(), content, "{name}, there");
            let here = oma.line(&["path", &format!("{ALPHA}:{name}")]);
            assert_eq!(contents(Path::new(&here)).into_values().next().unwrap(), content, "{name}, here");
        }
        oma.ok(&["verify"]);
    }
}

fn bind_there(pair: &Pair, binder: usize) -> Vec<(String, Vec<u8>)> {
    let mut bound = Vec::new();
    for round in 0..10 {
        let (name, text) = (format!("n-{binder}-{round}"), format!("{binder} {round}"));
        // Between create and bind the other holds nothing: it may find the artifact gone, and says so.
        let id = pair.julia("create", &[&text]);
        if pair.julia_may("bind", &[ALPHA, &name, &id]).is_ok() {
            bound.push((name, text.into_bytes()));
        }
    }
    bound
}

fn bind_here(pair: &Pair, binder: usize) -> Vec<(String, Vec<u8>)> {
    let mut bound = Vec::new();
    for round in 0..10 {
        let (name, text) = (format!("n-{binder}-{round}"), format!("{binder} {round}"));
        let tree = pair.oma.tree(&format!("src-{name}"), &[("f", &text)]);
        pair.oma.ok(&["-o", ALPHA, "add", tree.to_str().unwrap(), "--bind", &name]);
        bound.push((name, text.into_bytes()));
    }
    bound
}

/// The original: "A just-created file with an old mtime is collected before it is bound."
#[test]
fn failure_05_created_with_an_old_time_is_collected_before_it_is_bound() {
    for style in STYLES {
        let env = Env::with_style(style);
        let cache = env.open();
        let owner = cache.owner("o").unwrap();
        let tree = env.tree("tree", &[("f", "f"), ("d/g", "g")]);
        fs::write(env.path("file"), "file").unwrap();
        for path in [tree.join("f"), tree.join("d/g"), tree.join("d"), tree.clone(), env.path("file")] {
            set_file_mtime(path, FileTime::from_unix_time(86_400, 0)).unwrap();
        }
        let old = |workdir: &Path| {
            fs::write(workdir.join("made"), "made")?;
            set_file_mtime(workdir.join("made"), FileTime::zero())
        };
        let made = [
            cache.ingest(&Source::copy(&tree)).unwrap(),
            cache.ingest(&Source::consume(&tree)).unwrap(),
            cache.ingest(&Source::consume(env.path("file"))).unwrap(),
            cache.create(old).unwrap(),
        ];
        assert_eq!(gc(&cache, Duration::ZERO).deleted_artifacts, 0, "{style}");
        env.pass(HOUR);
        assert_eq!(gc(&cache, Duration::ZERO).deleted_artifacts, 0, "{style}");
        for (name, made) in made.iter().enumerate() {
            owner.bind(&name.to_string(), made.artifact.hash, &BindOptions::new()).unwrap();
        }
        assert_eq!(cache.verify(&VerifyOptions::new()).unwrap().problems, [], "{style}");
        assert_eq!(contents(&made[0].path).len(), 2, "{style}");
    }
}

/// The same where the other program collects: what goes there is young there.
#[test]
fn failure_05_what_goes_to_the_other_side_is_young_there() {
    let pair = Pair::apart();
    let tree = pair.oma.tree("tree", &[("f", "old")]);
    for path in [tree.join("f"), tree.clone()] {
        set_file_mtime(path, FileTime::from_unix_time(86_400, 0)).unwrap();
    }
    let add = ["add", tree.to_str().unwrap()];
    pair.oma.ok(&add);
    // What this store has had for long may be one file with what goes there.
    for entry in walkdir::WalkDir::new(pair.oma.root().join("artifacts")).into_iter().flatten() {
        if entry.file_type().is_file() {
            set_file_mtime(entry.path(), FileTime::from_unix_time(86_400, 0)).unwrap();
        }
    }
    pair.oma.ok(&["attach", "julia", "--depot", &pair.oma.at("depot"), "--write"]);
    let id = pair.oma.line(&add);
    let file = pair.oma.line(&["add", "--move", tree.join("f").to_str().unwrap()]);
    assert_eq!(pair.julia("gc", &["3600"]), "0 deleted");
    for (name, id) in [("tree", &id), ("file", &file)] {
        pair.julia("bind", &[ALPHA, name, id]);
    }
    assert_eq!(pair.julia("gc", &["0"]), "0 deleted");
    pair.oma.ok(&["sync"]);
    pair.collect();
    assert_eq!(contents(&pair.artifact(&id)), contents(Path::new(&pair.oma.line(&["path", &format!("{ALPHA}:tree")]))));
    assert_eq!(contents(&pair.artifact(&id))[Path::new("f")], b"old");
}

/// The original: "Working directories of killed creates stay for ever."
#[test]
fn failure_15_working_directories_of_killed_creates_stay() {
    let oma = Oma::new();
    oma.ok(&["init", "--durability", "none"]);
    for words in [&["create"][..], &["-o", "o", "create", "--bind", "n", "--result", "d"], &["-o", "o", "get", "n"]] {
        kill(start_waiting(&oma, words));
        assert_ne!(leftovers(&oma.root()), Vec::<String>::new(), "{words:?}: it was to leave something");
        oma.ok(&["gc", "-y"]);
        assert_eq!(leftovers(&oma.root()), Vec::<String>::new(), "{words:?}");
    }
    // Of one that still runs nothing is taken.
    let go = oma.path("go");
    let script = format!("echo data > f; : > {}; until test -e {}; do sleep 0.01; done", oma.at("ready"), oma.at("go"));
    let running = oma.start(&["create", "--", "sh", "-c", &script]);
    while !oma.path("ready").exists() {
        thread::sleep(Duration::from_millis(2));
    }
    kill(start_waiting(&oma, &["create"]));
    oma.pass(30 * DAY);
    oma.ok(&["gc", "-y", "--collect-delay", "0"]);
    fs::write(go, "").unwrap();
    let id = finish(running).expect(0).stdout;
    assert_eq!(oma.ok(&["ls", id.trim_end()]).code, Some(0));
    assert_eq!(leftovers(&oma.root()), Vec::<String>::new());
}

/// The same in a space: ours goes, the other's is left alone, for its process may live.
#[test]
fn failure_15_working_directories_in_a_scratch_space() {
    let pair = Pair::writing();
    pair.fill();
    let theirs = pair.at("artifacts/jl_Ab12Cd/source/data");
    fs::create_dir_all(theirs.parent().unwrap()).unwrap();
    fs::write(&theirs, "half of it").unwrap();
    set_file_mtime(&theirs, FileTime::zero()).unwrap();
    set_file_mtime(pair.at("artifacts/jl_Ab12Cd"), FileTime::zero()).unwrap();
    let tree = pair.oma.tree("big", &[("x", "x1"), ("y", "y1"), ("z/w", "w1")]);
    // A dead lock is not broken in its first minute.
    pair.oma.pass(2 * HOUR);
    let mut left = 0;
    for number in (2..).step_by(7) {
        let name = format!("n{number}");
        let words = ["-o", ALPHA, "add", tree.to_str().unwrap(), "--bind", &name];
        let output = pair.oma.command(&words).env("OMA_FAULT", format!("abort@{number}")).output().unwrap();
        left += names_in(&pair.at(".oma/tmp")).len();
        if output.status.success() {
            break;
        }
        ends(&pair.oma, &["sync"]).expect(0);
        ends(&pair.oma, &["-o", ALPHA, "unbind", &name]).expect(0);
    }
    assert!(left > 0, "no kill left anything there");
    pair.collect();
    assert_eq!(names_in(&pair.at(".oma/tmp")), Vec::<String>::new());
    assert_eq!(leftovers(&pair.oma.root()), Vec::<String>::new());
    assert_eq!(fs::read(&theirs).unwrap(), b"half of it", "the other's was touched");
    pair.assert_whole("after all");
}

fn names_in(folder: &Path) -> Vec<String> {
    let listing = fs::read_dir(folder).into_iter().flatten().flatten();
    listing.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}
