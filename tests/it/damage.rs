//! A store whose folder was meddled with: nothing outside is touched, and nothing inside is lost.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use ohmyartifacts::{BindOptions, Cache, Error, ErrorKind, Fault, GcPolicy, Source, VerifyOptions};

use crate::support::{Env, gc, shelves};

/// A store with one tree bound to `o:tree`.
fn bound(env: &Env) {
    let source = env.tree("source", &[("a", "a"), ("d/b", "b")]);
    env.open().owner("o").unwrap().ingest("tree", &Source::copy(source), &BindOptions::new()).unwrap();
}

fn collect(env: &Env) -> Result<(), Error> {
    let cache = Cache::open(env.options())?;
    let plan = cache.gc_plan(&GcPolicy::default().collect_delay(Duration::ZERO))?;
    cache.gc_apply(&plan).map(drop)
}

fn remove_index(root: &Path) {
    for entry in fs::read_dir(root).unwrap().map(Result::unwrap) {
        if entry.file_name().to_string_lossy().starts_with("index.sqlite") {
            fs::remove_file(entry.path()).unwrap();
        }
    }
}

#[test]
fn a_lost_index_does_not_make_garbage_of_everything() {
    for blank in [false, true] {
        let env = Env::new();
        bound(&env);
        remove_index(&env.root());
        if blank {
            fs::write(env.root().join("index.sqlite"), "").unwrap();
        }
        // A session that died makes gc look for files without rows.
        fs::create_dir(env.root().join("tmp/0123456789abcdef")).unwrap();
        let before = shelves(&env.root());
        assert_eq!(before.len(), 3);
        for options in [env.options(), env.options().create(false)] {
            let error = Cache::open(options).unwrap_err();
            assert!(matches!(error, Error::IndexLost { .. }), "{error}");
            assert_eq!(error.kind(), ErrorKind::Damaged);
        }
        assert!(matches!(Cache::init(env.options()).unwrap_err(), Error::IndexLost { .. }));
        assert!(collect(&env).is_err());
        assert_eq!(shelves(&env.root()), before);
    }
}

#[test]
fn a_folder_that_is_a_link_is_not_cleaned() {
    for folder in ["trash", "tmp", "tmp/locks", "artifacts", "executables"] {
        let env = Env::new();
        bound(&env);
        let outside = env.tree("outside", &[("precious", "p"), ("0123456789abcdef/precious", "p"), ("locks/", "")]);
        fs::remove_dir_all(env.root().join(folder)).unwrap();
        symlink(&outside, env.root().join(folder)).unwrap();
        let error = collect(&env).unwrap_err();
        assert!(matches!(error, Error::NotAStore { .. }), "{folder}: {error}");
        let left: Vec<_> = walkdir::WalkDir::new(&outside).into_iter().map(Result::unwrap).collect();
        assert_eq!(left.len(), 5, "{folder}: {left:?}");
    }
}

#[test]
fn what_is_not_ours_in_the_trash_stays() {
    let env = Env::new();
    bound(&env);
    fs::write(env.root().join("trash/notes.txt"), "mine").unwrap();
    fs::create_dir(env.root().join("tmp/mine")).unwrap();
    collect(&env).unwrap();
    assert!(env.root().join("trash/notes.txt").exists() && env.root().join("tmp/mine").exists());
}

#[test]
fn folders_that_were_removed_come_back() {
    let env = Env::new();
    bound(&env);
    for folder in ["tmp", "trash", "executables"] {
        fs::remove_dir_all(env.root().join(folder)).unwrap();
    }
    let more = env.tree("more", &[("c", "c")]);
    env.open().ingest(&Source::copy(more)).unwrap();
    assert_eq!(env.open().verify(&VerifyOptions::new()).unwrap().problems, []);
}

#[test]
fn a_journal_that_is_a_pipe_holds_nobody_up() {
    let env = Env::new();
    bound(&env);
    let journal = env.root().join("bindings.journal");
    fs::remove_file(&journal).unwrap();
    assert!(Command::new("mkfifo").arg(&journal).status().unwrap().success());
    let error = env.open().owner("o").unwrap().unbind(["tree"]).unwrap_err();
    assert!(error.to_string().contains("bindings.journal"), "{error}");
    assert!(env.open().owner("o").unwrap().resolve("tree").unwrap().is_some(), "nothing was changed");
}

#[test]
fn a_journal_that_is_a_link_is_not_written_through() {
    let env = Env::new();
    bound(&env);
    let journal = env.root().join("bindings.journal");
    fs::remove_file(&journal).unwrap();
    fs::write(env.path("mine"), "mine").unwrap();
    symlink(env.path("mine"), &journal).unwrap();
    env.open().owner("o").unwrap().unbind(["tree"]).unwrap_err();
    assert_eq!(fs::read_to_string(env.path("mine")).unwrap(), "mine");
}

#[test]
fn a_working_directory_replaced_by_a_link_takes_nothing_from_where_it_leads() {
    let env = Env::new();
    let data = env.tree("data", &[("mine", "mine")]);
    let error = env
        .open()
        .create(|workdir| {
            fs::remove_dir(workdir)?;
            symlink(&data, workdir)
        })
        .unwrap_err();
    assert!(matches!(error, Error::OutsideWorkdir { .. }), "{error}");
    assert_eq!(fs::read_to_string(data.join("mine")).unwrap(), "mine");
    assert_eq!(shelves(&env.root()), Vec::<String>::new());
}

#[test]
fn a_store_is_the_same_by_whatever_link_it_is_reached() {
    let env = Env::new();
    bound(&env);
    symlink(env.root(), env.path("alias")).unwrap();
    let cache = Cache::open(env.options().root(env.path("alias"))).unwrap();
    assert_eq!(cache.verify(&VerifyOptions::new()).unwrap().problems, []);
    let source = env.tree("more", &[("c", "c")]);
    cache.ingest(&Source::copy(source)).unwrap();
    assert_eq!(env.open().verify(&VerifyOptions::new()).unwrap().problems, []);
}

/// The first write meets a full disk; the room that was set aside is given up, and it works.
#[test]
fn letting_go_and_collecting_work_on_a_full_disk() {
    for at in 1.. {
        let env = Env::new();
        bound(&env);
        let fault: Fault = format!("full@{at}").parse().unwrap();
        let cache = Cache::open(env.options().fault(fault.clone())).unwrap();
        cache.owner("o").unwrap().unbind(["tree"]).unwrap();
        let plan = cache.gc_plan(&GcPolicy::default().collect_delay(Duration::ZERO)).unwrap();
        let report = cache.gc_apply(&plan).unwrap();
        drop(cache);
        // A file that could not be removed is reported, and goes the next time.
        assert!(report.failed.is_empty() || fault.count() >= at);
        gc(&env.open(), Duration::ZERO);
        assert_eq!(shelves(&env.root()), Vec::<String>::new());
        assert!(env.root().join("reserve").exists(), "room is set aside again");
        if fault.count() < at {
            assert!(at > 10, "only {at} changes");
            return;
        }
    }
}
