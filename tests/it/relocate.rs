//! A store that was moved, or that is to refer to its files in another way.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ohmyartifacts::{
    BindOptions, Cache, CacheOptions, Durability, GcPolicy, LinkStyle, RelocateOptions, Source, VerifyOptions,
};

use crate::support::{DAY, Env, STYLES, bytes_on_disk, gc, leftovers, make_executable, shelves};

/// What a person finds below a path, links followed: bytes, and whether they can be run.
fn content(top: &Path) -> BTreeMap<PathBuf, (Vec<u8>, bool)> {
    let mut found = BTreeMap::new();
    for entry in walkdir::WalkDir::new(top).follow_links(true) {
        let entry = entry.unwrap_or_else(|error| panic!("{error}"));
        if entry.file_type().is_file() {
            let executable = std::os::unix::fs::PermissionsExt::mode(&entry.metadata().unwrap().permissions()) & 0o100;
            let inside = entry.path().strip_prefix(top).unwrap().to_owned();
            found.insert(inside, (fs::read(entry.path()).unwrap(), executable != 0));
        }
    }
    found
}

/// A source with an executable twin, links, an empty folder, and equal files in two places.
fn source(env: &Env, name: &str) -> PathBuf {
    let top = env.tree(name, &[("a", "same"), ("d/e/b", "same"), ("run", "same"), ("d/own", name), ("nothing/", "")]);
    make_executable(&top.join("run"));
    symlink("d/e/b", top.join("link")).unwrap();
    symlink("../../a", top.join("d/e/up")).unwrap();
    top
}

/// A store with two bound trees, and one in the trash.
fn filled(env: &Env) -> BTreeMap<String, BTreeMap<PathBuf, (Vec<u8>, bool)>> {
    let cache = env.open();
    let owner = cache.owner("o").unwrap();
    let mut all = BTreeMap::new();
    for name in ["one", "two", "three"] {
        let source = source(env, name);
        owner.ingest(name, &Source::copy(&source), &BindOptions::new()).unwrap();
        all.insert(name.to_owned(), content(&source));
    }
    owner.unbind(["three"]).unwrap();
    env.pass(DAY);
    let policy = GcPolicy::default().collect_delay(Duration::ZERO).trash(Some(30 * DAY));
    let plan = cache.gc_plan(&policy).unwrap();
    assert_eq!(cache.gc_apply(&plan).unwrap().deleted_artifacts, 2);
    all
}

fn assert_whole(cache: &Cache, expected: &BTreeMap<String, BTreeMap<PathBuf, (Vec<u8>, bool)>>) {
    assert_eq!(cache.verify(&VerifyOptions::new()).unwrap().problems, []);
    for binding in cache.bindings(None).unwrap() {
        assert_eq!(content(&cache.path_of(&binding.artifact)), expected[&binding.name], "{}", binding.name);
    }
}

fn moved(env: &Env) -> (PathBuf, CacheOptions) {
    let there = env.path("elsewhere");
    fs::rename(env.root(), &there).unwrap();
    let options = env.options().root(&there);
    (there, options)
}

fn styles_on_disk(root: &Path) -> (usize, usize, usize) {
    let mut counts = (0, 0, 0);
    for top in shelves(root).iter().filter_map(|object| object.strip_prefix("artifacts/")) {
        for entry in walkdir::WalkDir::new(root.join("artifacts").join(&top[..2]).join(top)).min_depth(1) {
            let entry = entry.unwrap();
            if entry.file_type().is_file() {
                counts.2 += 1;
            } else if entry.path_is_symlink() {
                match fs::read_link(entry.path()).unwrap() {
                    text if text.starts_with(root) => counts.0 += 1,
                    text if text.file_name().is_some_and(|name| name.len() == 64) => counts.1 += 1,
                    _ => {}
                }
            }
        }
    }
    counts
}

#[test]
fn a_store_that_was_moved_is_whole_again() {
    for style in STYLES {
        let env = Env::with_style(style);
        let expected = filled(&env);
        let (root, options) = moved(&env);
        let cache = Cache::open(options.clone()).unwrap();
        let told = cache.relocate(&RelocateOptions::new().dry_run(true)).unwrap();
        let done = cache.relocate(&RelocateOptions::new()).unwrap();
        assert_eq!((told.trees, told.rewritten, told.was_root), (done.trees, done.rewritten, env.root()), "{style}");
        assert_eq!(done.rewritten, if style == LinkStyle::Absolute { 3 } else { 0 }, "{style}");
        assert_eq!(cache.relocate(&RelocateOptions::new()).unwrap().rewritten, 0, "{style}");
        assert_whole(&cache, &expected);
        // What comes back from the trash leads here too.
        assert_eq!(cache.gc_undo(None).unwrap().bindings.len(), 1, "{style}");
        assert_whole(&cache, &expected);
        // The same content again is known, and adds nothing.
        for name in ["one", "two", "three"] {
            let again = cache.ingest(&Source::copy(env.path(name))).unwrap();
            assert_eq!((again.new_files, again.new_bytes), (0, 0), "{style}");
        }
        drop(cache);
        assert_eq!(leftovers(&root), Vec::<String>::new(), "{style}");
    }
}

#[test]
fn every_style_becomes_every_other() {
    for from in STYLES {
        for to in STYLES {
            let env = Env::with_style(from);
            let expected = filled(&env);
            let stored = bytes_on_disk(&env.root());
            let cache = env.open();
            let done = cache.relocate(&RelocateOptions::new().link_style(Some(to))).unwrap();
            assert_eq!((done.was_link_style, done.link_style), (from, to));
            assert_eq!(done.rewritten, if from == to { 0 } else { 2 }, "{from} to {to}");
            drop(cache);
            let cache = env.open();
            assert_eq!(cache.stats().unwrap().link_style, to);
            assert_whole(&cache, &expected);
            cache.gc_undo(None).unwrap();
            assert_whole(&cache, &expected);
            cache.relocate(&RelocateOptions::new()).unwrap();
            let (absolute, relative, hard) = styles_on_disk(&env.root());
            let own = [(LinkStyle::Absolute, absolute), (LinkStyle::Relative, relative), (LinkStyle::Hardlink, hard)];
            assert!(own.iter().all(|(style, count)| (*count > 0) == (*style == to)), "{from} to {to}: {own:?}");
            assert!(bytes_on_disk(&env.root()) >= stored, "{from} to {to}");
            // All of it goes as if it had always been so.
            cache.owner("o").unwrap().unbind(["one", "two", "three"]).unwrap();
            env.pass(DAY);
            let freed = bytes_on_disk(&env.root());
            assert_eq!(gc(&cache, Duration::ZERO).freed_bytes, freed, "{from} to {to}");
            assert_eq!(shelves(&env.root()), Vec::<String>::new());
        }
    }
}

#[test]
fn who_reads_meanwhile_notices_nothing() {
    let env = Env::new();
    let expected = filled(&env);
    let paths: Vec<(PathBuf, String)> = env
        .open()
        .bindings(None)
        .unwrap()
        .into_iter()
        .map(|binding| (env.open().path_of(&binding.artifact), binding.name))
        .collect();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut reads = 0;
            while !over.load(Ordering::Relaxed) || reads < 10 {
                for (path, name) in &paths {
                    for (inside, (bytes, _)) in &expected[name] {
                        assert_eq!(fs::read(path.join(inside)).unwrap(), *bytes, "{}", inside.display());
                        reads += 1;
                    }
                }
            }
            reads
        });
        let others: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    for style in STYLES.iter().cycle().take(24) {
                        let options = RelocateOptions::new().link_style(Some(*style));
                        env.open().relocate(&options).unwrap();
                    }
                })
            })
            .collect();
        for other in others {
            other.join().unwrap();
        }
        over.store(true, Ordering::Relaxed);
        assert!(reader.join().unwrap() >= 10);
    });
    assert_whole(&env.open(), &expected);
}

#[cfg(feature = "failpoints")]
mod failing {
    use ohmyartifacts::Fault;

    use super::*;

    /// Lets everything go: then nothing may be left.
    fn assert_nothing_leaks(env: &Env) {
        let cache = env.open();
        cache.owner("o").unwrap().unbind(["one", "two", "three"]).unwrap();
        env.pass(DAY);
        gc(&cache, Duration::ZERO);
        drop(cache);
        assert_eq!((shelves(&env.root()), leftovers(&env.root())), (Vec::new(), Vec::new()));
    }

    /// Fails at every change to the disk, once and from then on: every tree stays whole, and the next run ends it.
    #[test]
    fn a_change_that_fails_anywhere_loses_nothing() {
        for (from, to) in [
            (LinkStyle::Absolute, LinkStyle::Hardlink),
            (LinkStyle::Hardlink, LinkStyle::Relative),
            (LinkStyle::Relative, LinkStyle::Absolute),
        ] {
            for spelling in ["fail@", "full@"] {
                let mut failures = 0;
                for at in 1.. {
                    let env = Env::in_memory(from);
                    let expected = filled(&env);
                    let lasting = if at % 2 == 0 { "+" } else { "" };
                    let fault: Fault = format!("{spelling}{at}{lasting}").parse().unwrap();
                    let options = env.options().durability(Durability::Full).fault(fault.clone());
                    let change = RelocateOptions::new().link_style(Some(to));
                    let outcome = Cache::open(options).and_then(|cache| cache.relocate(&change));
                    assert!(outcome.is_ok() || fault.count() >= at, "{outcome:?}");
                    assert_whole(&env.open(), &expected);
                    env.open().relocate(&change).unwrap();
                    assert_whole(&env.open(), &expected);
                    env.open().gc_undo(None).unwrap();
                    assert_whole(&env.open(), &expected);
                    assert_nothing_leaks(&env);
                    if fault.count() < at {
                        break;
                    }
                    failures += u64::from(outcome.is_err());
                }
                assert!(failures >= 15, "only {failures} points, {from} to {to}");
            }
        }
    }
}

#[cfg(feature = "cli")]
mod words {
    use serde_json::json;

    use super::*;
    use crate::support::oma::Oma;

    #[test]
    fn who_opens_a_moved_store_is_told_what_helps() {
        let oma = Oma::new();
        fs::create_dir(oma.path("data")).unwrap();
        oma.file("data/a", "a");
        oma.ok(&["-o", "o", "add", &oma.at("data"), "--bind", "data"]);
        let (old, new) = (oma.at("store"), oma.at("new place"));
        fs::rename(&old, &new).unwrap();
        let ran = oma.ok(&["--store", &new, "-o", "o", "path", "data"]);
        let hint = format!("`oma --store '{new}' relocate`");
        assert!(ran.stderr.contains(&old) && ran.stderr.contains(&hint), "{ran:?}");
        // It is said until all links lead to where it is.
        oma.ok(&["--store", &new, "relocate", "-n"]);
        assert!(oma.ok(&["--store", &new, "ls"]).stderr.contains(&hint));
        let done = oma.json(&["--store", &new, "relocate"]);
        let expected = json!({
            "dry_run": false, "root": new, "was_root": old, "link_style": "absolute", "was_link_style": "absolute",
            "trees": 1, "rewritten": 1,
        });
        assert_eq!(done, expected);
        assert_eq!(oma.ok(&["--store", &new, "verify"]).stderr, "");
        let told = oma.ok(&["--store", &new, "relocate", "--link-style", "relative"]).stdout;
        assert_eq!(
            oma.redacted(&told),
            "laid out anew: 1 of 1 directory, with relative links in `[TMP]/new place`; they had absolute links\n"
        );
        // Now it can be moved as it is.
        fs::rename(&new, &old).unwrap();
        assert_eq!(oma.ok(&["verify"]).stderr, "");
        assert_eq!(oma.ok(&["-o", "o", "cat", "data/a"]).stdout, "a");
    }

    #[test]
    fn wrong_words_are_said() {
        let oma = Oma::new();
        oma.fails(2, &["relocate", "--link-style", "sideways"]);
        oma.fails(3, &["relocate"]);
        oma.ok(&["init"]);
        assert_eq!(oma.json(&["relocate"])["trees"], 0);
    }
}
