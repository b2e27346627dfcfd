//! Shows that the work of gc grows with the garbage, not with the store.
//!
//! `cargo bench --bench gc` fills the index of one store with 100,000 and of another with 1,000,000 live
//! objects (no files: what stays is never looked at) and times, in turn, gc with nothing to collect, gc of
//! 1,000 orphans, and one look-up of a name. `OMA_BENCH_DIR` is the place to work, `OMA_BENCH_ROUNDS` the
//! number of rounds.

#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ohmyartifacts::{Cache, CacheOptions, Clock, Digest, GcPolicy, Reference, Timestamp};
use rusqlite::{Connection, params};

/// How many files a directory has, and an owner directories.
const FILES: u64 = 99;
const TREES: u64 = 10;
const GARBAGE: u64 = 1_000;
const SIZES: [u64; 2] = [100_000, 1_000_000];
const NOW: i64 = 1_800_000_000_000;
const YEAR: i64 = 365 * 24 * 60 * 60 * 1_000;

/// A store, by its size.
struct Store {
    objects: u64,
    root: PathBuf,
    clean: Vec<Duration>,
    planned: Vec<Duration>,
    found: Vec<Duration>,
}

fn main() {
    let place = std::env::var_os("OMA_BENCH_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
    let rounds: usize = std::env::var("OMA_BENCH_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(9);
    let work = tempfile::tempdir_in(place).expect("a working folder");
    let mut stores: Vec<Store> = SIZES.iter().map(|objects| filled(work.path(), *objects)).collect();
    for round in 0..=rounds {
        for store in &mut stores {
            let times = measure(store);
            // The first round warms the caches.
            if round > 0 {
                store.clean.push(times[0]);
                store.planned.push(times[1]);
                store.found.push(times[2]);
            }
        }
    }
    print_table(&stores);
}

fn print_table(stores: &[Store]) {
    println!("{:<28} {:>14} {:>14} {:>7}", "WORK", SIZES[0], SIZES[1], "RATIO");
    let [small, large] = [&stores[0], &stores[1]];
    for (name, small, large) in [
        ("gc, nothing to collect", &small.clean, &large.clean),
        ("gc -n of 1,000 orphans", &small.planned, &large.planned),
        ("open, look one name up", &small.found, &large.found),
    ] {
        let (small, large) = (median(small).as_secs_f64() * 1e3, median(large).as_secs_f64() * 1e3);
        println!("{name:<28} {small:>11.2} ms {large:>11.2} ms {:>7.2}", large / small);
    }
    let beside = |store: &Store| median(&store.clean).as_secs_f64() / median(&store.found).as_secs_f64();
    println!("gc with nothing to collect is {:.1} and {:.1} look-ups", beside(&stores[0]), beside(&stores[1]));
    println!("the goal of the first ratio is near 1: what stays costs nothing");
}

fn median(times: &[Duration]) -> Duration {
    let mut times = times.to_vec();
    times.sort_unstable();
    times[times.len() / 2]
}

fn open(store: &Store) -> Cache {
    let clock = Clock::fixed(Timestamp::from_millis(NOW));
    Cache::open(CacheOptions::new(&store.root).clock(clock)).expect("a store")
}

/// gc without garbage, a plan with some, and a name: each with a store just opened.
fn measure(store: &Store) -> [Duration; 3] {
    set_garbage(store, None);
    let clean = timed(|| {
        let cache = open(store);
        let plan = cache.gc_plan(&GcPolicy::default()).expect("a plan");
        let report = cache.gc_apply(&plan).expect("a report");
        assert_eq!((report.deleted_artifacts, report.failed.len()), (0, 0));
    });
    set_garbage(store, Some(NOW - YEAR / 2));
    let planned = timed(|| {
        let plan = open(store).gc_plan(&GcPolicy::default()).expect("a plan");
        assert_eq!(plan.deleted_artifacts, GARBAGE);
    });
    let found = timed(|| {
        let found = open(store).find(Reference::new("owner-1:tree-5", None)).expect("it is bound");
        assert!(found.binding.is_some());
    });
    [clean, planned, found]
}

/// Makes orphans of the last rows, or things that are kept.
fn set_garbage(store: &Store, orphaned_at: Option<i64>) {
    let index = Connection::open(store.root.join("index.sqlite")).expect("its index");
    let last = "SELECT max(id) FROM objects";
    let first: i64 = index.query_row(last, [], |row| row.get(0)).expect("a row");
    let first = first - i64::try_from(GARBAGE).expect("a small number");
    run(&index, "UPDATE objects SET orphaned_at = ?1 WHERE id > ?2", params![orphaned_at, first]);
}

fn timed(work: impl FnOnce()) -> Duration {
    let started = Instant::now();
    work();
    started.elapsed()
}

/// Makes a store whose index speaks of so many live objects, and of some garbage.
fn filled(work: &Path, objects: u64) -> Store {
    let root = work.join(objects.to_string());
    let started = Timestamp::from_millis(NOW - YEAR);
    Cache::init(CacheOptions::new(&root).clock(Clock::fixed(started))).expect("a new store");
    let mut index = Connection::open(root.join("index.sqlite")).expect("its index");
    let tx = index.transaction().expect("a transaction");
    for tree in 0..objects / (FILES + 1) {
        add_tree(&tx, tree, objects);
    }
    for orphan in 0..GARBAGE {
        let hash = Digest::of_blob(format!("{objects} orphan {orphan}").as_bytes());
        add_object(&tx, hash, 0);
    }
    tx.execute("UPDATE last_use SET at = ?1", [NOW]).expect("its one row");
    tx.commit().expect("a commit");
    index.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").expect("a checkpoint");
    Store { objects, root, clean: Vec::new(), planned: Vec::new(), found: Vec::new() }.told()
}

impl Store {
    fn told(self) -> Self {
        let bytes = std::fs::metadata(self.root.join("index.sqlite")).map_or(0, |found| found.len());
        println!("an index of {} objects, {} MB", self.objects, bytes / 1_000_000);
        self
    }
}

fn add_tree(tx: &Connection, number: u64, objects: u64) {
    let tree = add_object(tx, Digest::of_blob(format!("{objects} tree {number}").as_bytes()), 2);
    for file in 0..FILES {
        let hash = Digest::of_blob(format!("{objects} file {number} {file}").as_bytes());
        let blob = add_object(tx, hash, 0);
        run(tx, "INSERT INTO members (tree_id, blob_id) VALUES (?1, ?2)", params![tree, blob]);
    }
    let owner = number / TREES;
    let key = format!("owner-{owner}");
    let insert = "INSERT OR IGNORE INTO owners (id, key, created_at, last_seen_at) VALUES (?1, ?2, ?3, ?3)";
    run(tx, insert, params![owner + 1, key, NOW - YEAR]);
    let insert = "INSERT INTO bindings (owner_id, name, object_id, bound_at) VALUES (?1, ?2, ?3, ?4)";
    run(tx, insert, params![owner + 1, format!("tree-{}", number % TREES), tree, NOW - YEAR]);
}

fn add_object(tx: &Connection, hash: Digest, kind: i64) -> i64 {
    let insert = "INSERT INTO objects (hash, kind, state, size, own_bytes, files, created_at)
                  VALUES (?1, ?2, 0, 1000, iif(?2 = 2, 0, 1000), 1, ?3)";
    run(tx, insert, params![hash.as_bytes(), kind, NOW - YEAR]);
    tx.last_insert_rowid()
}

fn run(tx: &Connection, sql: &str, parameters: impl rusqlite::Params) {
    tx.prepare_cached(sql).expect("a statement").execute(parameters).expect("a new row");
}
