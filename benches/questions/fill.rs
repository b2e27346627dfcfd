//! Writes the index of a store row by row: what is asked reads nothing else.

use std::path::{Path, PathBuf};

use ohmyartifacts::{Cache, CacheOptions, Clock, Timestamp};
use rusqlite::{Connection, Params, params};

use crate::draw::Draw;

pub(crate) const NOW: i64 = 1_800_000_000_000;
pub(crate) const DAY: i64 = 24 * 60 * 60 * 1_000;
const TWO_YEARS: u64 = 730 * 24 * 60 * 60 * 1_000;
/// Entries of a tree: from 1 to 41, 21 on average.
const MOST_ENTRIES: u64 = 41;

/// How much there is of each.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    blobs: u64,
    trees: u64,
    files: u64,
    bindings: u64,
    owners: u64,
}

impl Scale {
    /// The smaller store of the demand, times `factor`.
    pub(crate) fn new(factor: f64) -> Self {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a short form is never exact")]
        let times = |number: u32| ((f64::from(number) * factor) as u64).max(3);
        let (blobs, bindings, owners) = (times(200_000), times(25_000), times(300));
        Self { blobs, trees: times(19_000), files: times(1_000), bindings, owners }
    }

    /// Files that no directory has: bound themselves, or nobody's.
    fn lone(self) -> u64 {
        self.files + self.files / 5
    }
}

/// An artifact, as far as its bindings need it.
struct Artifact {
    id: i64,
    hash: [u8; 32],
    kind: i64,
}

struct File {
    id: i64,
    mode: i64,
    size: u64,
}

struct Filling<'a> {
    tx: &'a Connection,
    scale: Scale,
    draw: Draw,
    blobs: Vec<File>,
    entries: u64,
}

/// Makes a store whose index has so many rows, and returns its folder.
pub(crate) fn filled(root: PathBuf, scale: Scale) -> PathBuf {
    let started = Timestamp::from_millis(NOW - 800 * DAY);
    Cache::init(CacheOptions::new(&root).clock(Clock::fixed(started))).expect("a new store");
    let mut index = Connection::open(root.join("index.sqlite")).expect("its index");
    // One large load, which nobody reads meanwhile and nothing need survive.
    let quickly = "PRAGMA foreign_keys = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -1000000";
    index.execute_batch(quickly).expect("a setting");
    let tx = index.transaction().expect("a transaction");
    let mut filling = Filling { tx: &tx, scale, draw: Draw::new(1), blobs: Vec::new(), entries: 0 };
    filling.fill(&root);
    tx.commit().expect("a commit");
    index.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").expect("a checkpoint");
    root
}

impl Filling<'_> {
    fn fill(&mut self, root: &Path) {
        self.add_owners(root);
        // An empty file is everywhere.
        self.add_blob(Some(0), None);
        let trees: Vec<Artifact> = (0..self.scale.trees).map(|number| self.add_tree(number)).collect();
        let files: Vec<Artifact> = (0..self.scale.lone()).map(|number| self.add_lone(number)).collect();
        let (orphans, kept): (Vec<_>, Vec<_>) = (0u64..).zip(&trees).partition(|(number, _)| is_orphan(*number));
        let kept = kept.into_iter().map(|(_, tree)| tree);
        let bound: Vec<&Artifact> = kept.chain(&files[..files.len() * 5 / 6]).collect();
        self.add_bindings(&bound);
        for (_, tree) in &orphans {
            self.let_go(tree);
        }
        self.protect(&bound);
        self.add_samples();
        self.run("UPDATE last_use SET at = ?1", [NOW]);
    }

    /// Every other key has three versions. A third of the owners stand for a path that is there.
    fn add_owners(&mut self, root: &Path) {
        for number in 0..self.scale.owners {
            let (key, version) = owner(number);
            let seen = self.past(TWO_YEARS / 8);
            let insert = "INSERT INTO owners (id, key, version, created_at, last_seen_at) VALUES (?1, ?2, ?3, ?4, ?5)";
            self.run(insert, params![number + 1, key, version, NOW - 800 * DAY, seen]);
            if number % 3 == 0 {
                let insert = "INSERT INTO probes (owner_id, kind, target) VALUES (?1, 'path', ?2)";
                self.run(insert, params![number + 1, root.to_str()]);
            }
            for name in 0..5 {
                let insert = "INSERT INTO declarations
                                (owner_id, name, artifact, tree_sha1, lazy, downloads, whole, created_at)
                              VALUES (?1, ?2, ?2, hex(zeroblob(20)), 1, '[]', '{\"lazy\":true}', ?3)";
                self.run(insert, params![number + 1, format!("declared-{name}"), NOW - 800 * DAY]);
            }
        }
    }

    fn add_object(&mut self, kind: i64, size: u64, files: u64, orphaned_at: Option<i64>) -> Artifact {
        let hash = self.draw.hash();
        let insert = "INSERT INTO objects (hash, kind, state, size, own_bytes, files, created_at, orphaned_at)
                      VALUES (?1, ?2, 0, ?3, iif(?2 = 2, 0, ?3), ?4, ?5, ?6)";
        let created_at = NOW - 800 * DAY;
        self.run(insert, params![hash, kind, size, files, created_at, orphaned_at]);
        Artifact { id: self.tx.last_insert_rowid(), hash, kind }
    }

    /// Most files are small and a few are large; no size divides evenly.
    fn add_blob(&mut self, size: Option<u64>, orphaned_at: Option<i64>) -> (Artifact, u64) {
        let most = 1 << (5 + self.draw.below(14));
        let size = size.unwrap_or_else(|| 17 + self.draw.below(most));
        let kind = i64::from(self.draw.one_in(12));
        let blob = self.add_object(kind, size, 1, orphaned_at);
        self.blobs.push(File { id: blob.id, mode: if kind == 1 { 33261 } else { 33188 }, size });
        (blob, size)
    }

    /// About half of a tree's files are new; the others are of earlier ones, most of a few.
    fn add_tree(&mut self, number: u64) -> Artifact {
        let in_trees = self.scale.blobs.saturating_sub(self.scale.lone());
        let all_entries = self.scale.trees * MOST_ENTRIES.div_ceil(2);
        let mut files = Vec::new();
        for _ in 0..=self.draw.below(MOST_ENTRIES) {
            self.entries += 1;
            let due = self.entries * in_trees / all_entries;
            if (self.blobs.len() as u64) < due {
                self.add_blob(None, None);
                files.push(self.blobs.len() - 1);
            } else {
                let any = self.draw.skewed(self.blobs.len() as u64, 3);
                files.push(usize::try_from(any).expect("a place in a list"));
            }
        }
        let size = files.iter().map(|file| self.blobs[*file].size).sum();
        let orphaned_at = is_orphan(number).then(|| self.past(TWO_YEARS / 24));
        let tree = self.add_object(2, size, files.len() as u64, orphaned_at);
        self.add_entries(tree.id, &files);
        if !self.draw.one_in(3) {
            self.add_source(tree.id, number);
        }
        tree
    }

    fn add_entries(&mut self, tree: i64, files: &[usize]) {
        for (number, file) in files.iter().enumerate() {
            let directory = format!("part-{}", number / 10);
            if number % 10 == 0 {
                let insert = "INSERT INTO tree_entries (tree_id, path, mode) VALUES (?1, ?2, 16384)";
                self.run(insert, params![tree, directory.as_bytes()]);
            }
            let path = format!("{directory}/data-{}-{number}.bin", self.draw.below(1_000));
            let File { id, mode, .. } = self.blobs[*file];
            let insert = "INSERT INTO tree_entries (tree_id, path, mode, blob_id) VALUES (?1, ?2, ?3, ?4)";
            self.run(insert, params![tree, path.as_bytes(), mode, id]);
            self.run("INSERT OR IGNORE INTO members (tree_id, blob_id) VALUES (?1, ?2)", params![tree, id]);
        }
    }

    /// A file that stands for itself; the last ones have been nobody's for some weeks.
    fn add_lone(&mut self, number: u64) -> Artifact {
        let orphaned_at = (number >= self.scale.lone() * 5 / 6).then(|| self.past(TWO_YEARS / 24));
        self.add_blob(None, orphaned_at).0
    }

    fn add_source(&mut self, artifact: i64, number: u64) {
        let kind = match number % 4 {
            0 => "path",
            1 => "command",
            _ => "url",
        };
        let insert = "INSERT INTO sources (object_id, kind, location, created_at) VALUES (?1, ?2, ?3, ?4)";
        self.run(insert, params![artifact, kind, format!("/somewhere/{number}.tar.gz"), NOW - 800 * DAY]);
    }

    /// Everything once, and the rest of the bindings for what is popular; some owners have far more than others.
    fn add_bindings(&mut self, bound: &[&Artifact]) {
        for number in 0..self.scale.bindings {
            let all = bound.len() as u64;
            let any = if number < all { number } else { self.draw.skewed(all, 2) };
            let artifact = bound[usize::try_from(any).expect("a place in a list")];
            let owner_number = self.draw.skewed(self.scale.owners, 2);
            let used = (!self.draw.one_in(5)).then(|| self.past(TWO_YEARS));
            let bound_at = used.map_or_else(|| self.past(TWO_YEARS), |used| used - DAY);
            let meta = self.draw.one_in(4).then(|| format!("{{\"run\":{number},\"tag\":\"nightly\"}}"));
            let name = format!("artifact-{number}");
            let insert = "INSERT INTO bindings (owner_id, name, object_id, meta, bound_at, last_used_at)
                          VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
            self.run(insert, params![owner_number + 1, name, artifact.id, meta, bound_at, used]);
            self.add_event("bind", bound_at, artifact, owner_number, &name);
        }
    }

    fn add_event(&mut self, what: &str, at: i64, artifact: &Artifact, owner_number: u64, name: &str) {
        let (key, version) = owner(owner_number);
        let insert =
            "INSERT INTO events (at, what, hash, kind, owner, version, name) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        self.run(insert, params![at, what, artifact.hash, artifact.kind, key, version, name]);
    }

    fn let_go(&mut self, tree: &Artifact) {
        for (what, days) in [("bind", 300), ("unbind", 31)] {
            self.add_event(what, NOW - days * DAY, tree, 0, &format!("former-{}", tree.id));
        }
    }

    fn protect(&mut self, bound: &[&Artifact]) {
        for artifact in bound.iter().step_by(200) {
            let insert = "INSERT INTO leases (object_id, expires_at, reason, created_at) VALUES (?1, ?2, 'in use', ?3)";
            self.run(insert, params![artifact.id, NOW + DAY, NOW - DAY]);
        }
        for artifact in bound.iter().skip(7).step_by(400) {
            let insert = "INSERT INTO pins (object_id, reason, created_at) VALUES (?1, 'published', ?2)";
            self.run(insert, params![artifact.id, NOW - 90 * DAY]);
        }
    }

    /// A month of daily notes.
    fn add_samples(&mut self) {
        for day in 1..=30 {
            let at = NOW - day * DAY;
            let insert =
                "INSERT INTO store_samples (at, stored_bytes, logical_bytes, orphan_bytes) VALUES (?1, ?2, ?2, 0)";
            self.run(insert, params![at, 1_000_000]);
            for number in 0..self.scale.owners {
                let (key, version) = owner(number);
                let insert = "INSERT INTO usage_samples (at, owner, version, total_bytes, exclusive_bytes, fair_bytes)
                              VALUES (?1, ?2, ?3, 1000, 500, 700)";
                self.run(insert, params![at, key, version]);
            }
        }
    }

    /// A time of the last `span` milliseconds.
    fn past(&mut self, span: u64) -> i64 {
        NOW - i64::try_from(self.draw.below(span)).unwrap_or(0)
    }

    fn run(&self, sql: &str, parameters: impl Params) {
        self.tx.prepare_cached(sql).expect("a statement").execute(parameters).expect("a new row");
    }
}

/// A hundredth of the directories lost their names.
const fn is_orphan(number: u64) -> bool {
    number % 100 == 50
}

fn owner(number: u64) -> (String, String) {
    let group = number / 3;
    if group.is_multiple_of(2) {
        return (format!("package-{group}"), format!("1.0.{}", number % 3));
    }
    (format!("tool-{number}"), String::new())
}
