//! A tree that nobody made for this test: more than 20,000 files that this machine has anyway.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use ohmyartifacts::{BindOptions, LinkPolicy, Node, Source, VerifyOptions};

use super::{Git, is_gits_own};
use crate::support::{Env, bytes_on_disk, gc, shelves};

const ENOUGH: u64 = 20_000;

#[test]
fn a_real_tree_goes_in_and_out_again() {
    let Some(git) = Git::new() else { return };
    let Some((top, count)) = candidates().into_iter().find_map(find) else {
        eprintln!("skipped: no readable tree of {ENOUGH} files that git would take as it is");
        return;
    };
    eprintln!("{}: {count:?}", top.display());
    let env = Env::new();
    let cache = env.open();
    let mut watch = Watch(Instant::now());

    let tree = cache.ingest(&Source::copy(&top).links(LinkPolicy::Keep)).unwrap();
    watch.lap("put in");
    assert_eq!(tree.artifact.hash, git.id_of(&top));
    watch.lap("hashed by git");
    assert_eq!((tree.artifact.files, tree.artifact.size), (count.files, count.bytes));
    let owner = cache.owner("real").unwrap();
    owner.bind("tree", &tree, &BindOptions::new()).unwrap();

    let entries = cache.entries(&tree.artifact).unwrap();
    let of_kind = |wanted: fn(&Node) -> bool| entries.iter().filter(|entry| wanted(&entry.node)).count() as u64;
    let listed = Count {
        files: of_kind(|node| matches!(node, Node::File { .. })),
        links: of_kind(|node| matches!(node, Node::Link { .. })),
        folders: of_kind(|node| *node == Node::Directory),
        bytes: count.bytes,
    };
    assert_eq!(listed, count);
    assert!(entries.is_sorted_by(|a, b| a.path < b.path), "each path once, in order");
    watch.lap("bound and listed");

    let report = cache.verify(&VerifyOptions::new()).unwrap();
    assert_eq!((report.problems.len(), report.left_objects), (0, 0), "{:#?}", report.problems.first());
    let stats = cache.stats().unwrap();
    assert_eq!((stats.files, stats.trees, stats.orphans), (tree.new_files, 1, 0));
    let usage = cache.usage().unwrap();
    assert_eq!(usage.stored_bytes, bytes_on_disk(&env.root()));
    assert_eq!(usage.stored_bytes, tree.new_bytes);
    assert_eq!((usage.logical_bytes, usage.orphan_bytes), (count.bytes, 0));
    watch.lap("verified");

    owner.unbind(["tree"]).unwrap();
    let report = gc(&cache, Duration::ZERO);
    assert_eq!((report.deleted_files, report.deleted_artifacts), (stats.files, stats.files + 1));
    assert_eq!((report.freed_bytes, report.failed.len()), (usage.stored_bytes, 0));
    assert_eq!(shelves(&env.root()), Vec::<String>::new());
    assert_eq!(bytes_on_disk(&env.root()), 0);
    let stats = cache.stats().unwrap();
    assert_eq!((stats.files, stats.trees, stats.bindings, stats.stored_bytes), (0, 0, 0, 0));
    drop(cache);
    assert_no_rows(&env.root());
    watch.lap("collected");
}

/// Where real trees may be, best first.
fn candidates() -> Vec<PathBuf> {
    let home = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let cargo = home("CARGO_HOME").or_else(|| Some(home("HOME")?.join(".cargo")));
    let rustc = Command::new("rustc").args(["--print", "sysroot"]).output().ok();
    let sysroot = rustc.filter(|done| done.status.success()).map(|done| {
        let text = done.stdout.trim_ascii_end();
        PathBuf::from(OsStr::from_bytes(text))
    });
    let registry = cargo.map(|cargo| cargo.join("registry/src"));
    [registry, Some(PathBuf::from("/usr/share")), sysroot].into_iter().flatten().collect()
}

/// What a tree holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Count {
    files: u64,
    links: u64,
    folders: u64,
    bytes: u64,
}

/// Returns a folder with enough files, as far down from `top` as there is one, so that the test
/// takes no longer than it must.
fn find(top: PathBuf) -> Option<(PathBuf, Count)> {
    let top = fs::canonicalize(top).ok()?;
    let count = survey(&top)?;
    if count.files < ENOUGH {
        return None;
    }
    let folders = walkdir::WalkDir::new(&top).min_depth(1).max_depth(1).sort_by_file_name().into_iter().flatten();
    let smaller = folders.filter(|entry| entry.file_type().is_dir()).find_map(|entry| find(entry.into_path()));
    Some(smaller.unwrap_or((top, count)))
}

/// Counts what a tree holds; none if git or the store would not take it as it is: special files,
/// files this user may not read, `.git` in any case, absolute links into the tree (those become
/// relative ones in the store, see `shapes`).
fn survey(top: &Path) -> Option<Count> {
    let mut count = Count::default();
    for entry in walkdir::WalkDir::new(top).min_depth(1) {
        let entry = entry.ok()?;
        if is_gits_own(entry.file_name().as_bytes()) {
            return None;
        }
        let kind = entry.file_type();
        if kind.is_file() {
            let metadata = fs::File::open(entry.path()).and_then(|file| file.metadata()).ok()?;
            count.files += 1;
            count.bytes += metadata.len();
        } else if kind.is_dir() {
            count.folders += 1;
        } else if kind.is_symlink() {
            if fs::read_link(entry.path()).ok()?.starts_with(top) {
                return None;
            }
            count.links += 1;
        } else {
            return None;
        }
    }
    Some(count)
}

/// Asks the SQLite program whether anything is left of the artifact.
fn assert_no_rows(root: &Path) {
    let tables = ["objects", "tree_entries", "members", "bindings", "leases", "pins"];
    let query = tables.map(|table| format!("SELECT '{table}', count(*) FROM {table}")).join(" UNION ALL ");
    let asked = Command::new("sqlite3").arg("-readonly").arg(root.join("index.sqlite")).arg(query).output();
    let Ok(asked) = asked else {
        eprintln!("skipped: no sqlite3 program to look at the tables with");
        return;
    };
    assert!(asked.status.success(), "{}", String::from_utf8_lossy(&asked.stderr));
    let mut rows: Vec<&str> = std::str::from_utf8(&asked.stdout).unwrap().lines().collect();
    rows.sort_unstable();
    let mut wanted = tables.map(|table| format!("{table}|0"));
    wanted.sort_unstable();
    assert_eq!(rows, wanted);
}

/// Says how long each part took.
struct Watch(Instant);

impl Watch {
    fn lap(&mut self, what: &str) {
        eprintln!("{what}: {} ms", self.0.elapsed().as_millis());
        self.0 = Instant::now();
    }
}
