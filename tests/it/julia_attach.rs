//! `oma attach julia`: what lies in a scratch space, counted without our code, and what changes there
//! under the eyes of the program.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use ohmyartifacts::{Clock, Digest};
use serde_json::{Value, json};

use crate::support::DAY;
use crate::support::julia::{ALPHA, BETA, Imported, NOBODY, blob_id, ids_at, make_space, orphan_times, set_mode};
use crate::support::oma::{Oma, Ran, finish};

/// A minute and a bit: what is older is no longer young, and its stamp can be trusted.
pub(crate) const LATER: Duration = Duration::from_secs(70);

/// A store, a scratch space beside it, and the Julia package that works on that space too.
pub(crate) struct Pair {
    pub(crate) oma: Oma,
    pub(crate) space: PathBuf,
}

impl Pair {
    /// The depot that the original left, at the time it was made.
    pub(crate) fn fixture() -> Self {
        let Imported { oma, space } = Imported::fresh();
        let pair = Self { oma, space };
        // To unpack what lies in a directory changes its time; all were made in the minutes before.
        let made = pair.oma.clock.now().as_millis() / 1_000 - 60;
        for tree in pair.count().trees.into_keys() {
            filetime::set_file_mtime(pair.artifact(&tree), filetime::FileTime::from_unix_time(made, 0)).unwrap();
        }
        pair
    }

    /// An empty space and the time of day, because the stand-in has no other clock.
    pub(crate) fn small() -> Self {
        let oma = Oma::new();
        oma.clock.set(Clock::System.now());
        oma.ok(&["init", "--durability", "none"]);
        let space = make_space(&oma.path("depot"), &[], &[]);
        fs::create_dir_all(space.join("logs")).unwrap();
        Self { oma, space }
    }

    pub(crate) fn attached(self, more: &[&str]) -> Self {
        self.oma.ok(&[&["attach", "julia", "--depot", &self.oma.at("depot")], more].concat());
        self
    }

    /// Lets real time count again, and some more.
    pub(crate) fn now_plus(&self, span: Duration) {
        self.oma.clock.set(Clock::System.now().plus(span));
    }

    pub(crate) fn julia(&self, verb: &str, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_julia-stand-in"));
        command.arg(verb).arg(&self.space).args(words).stdin(Stdio::null());
        command
    }

    pub(crate) fn try_julia(&self, verb: &str, words: &[&str]) -> Output {
        self.julia(verb, words).output().expect("the stand-in starts")
    }

    /// Lets the stand-in do what must succeed.
    pub(crate) fn ask(&self, verb: &str, words: &[&str]) -> String {
        let output = self.try_julia(verb, words);
        assert!(output.status.success(), "{verb} {words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text").trim_end().to_owned()
    }

    pub(crate) fn artifact(&self, id: &str) -> PathBuf {
        self.space.join("artifacts").join(&id[..2]).join(id)
    }

    pub(crate) fn toml(&self, uuid: &str) -> PathBuf {
        self.space.join(uuid).join("Artifacts.toml")
    }

    pub(crate) fn table(&self, path: &str) -> toml::Table {
        fs::read_to_string(self.space.join(path)).unwrap_or_default().parse().expect("TOML")
    }

    /// What `ls` says of the space: name → hash, for one owner.
    pub(crate) fn there(&self, owner: &str) -> BTreeMap<String, String> {
        let rows = self.oma.json(&["ls"]);
        let rows = rows.as_array().unwrap().iter();
        let of_owner = rows.filter(|row| row["owner"] == owner && row["space"].is_string());
        of_owner.map(|row| (text(&row["name"]), text(&row["hash"]))).collect()
    }

    /// What this store binds, for one owner.
    pub(crate) fn here(&self, owner: &str) -> BTreeMap<String, String> {
        let rows = self.oma.json(&["ls"]);
        let rows = rows.as_array().unwrap().iter();
        let of_owner = rows.filter(|row| row["owner"] == owner && row["space"].is_null());
        of_owner.map(|row| (text(&row["name"]), text(&row["hash"]))).collect()
    }

    /// Everything below the space but what is ours, with content; folders without the time of change, which
    /// a lock taken and released moves on.
    pub(crate) fn snapshot(&self) -> BTreeMap<PathBuf, String> {
        let listing = walkdir::WalkDir::new(&self.space).sort_by_file_name().into_iter();
        let listing = listing.filter_entry(|entry| entry.file_name() != ".oma").map(|entry| {
            let path = entry.expect("a readable space").into_path();
            let found = path.symlink_metadata().unwrap();
            let what = if found.is_dir() {
                format!("{:o}", found.mode())
            } else if found.is_symlink() {
                format!("-> {}", fs::read_link(&path).unwrap().display())
            } else {
                let content = blob_id(&fs::read(&path).unwrap());
                format!("{:o} {}.{} {content}", found.mode(), found.mtime(), found.mtime_nsec())
            };
            (path, what)
        });
        listing.collect()
    }

    /// Locks that lie about in the space, wherever.
    pub(crate) fn locks(&self) -> Vec<PathBuf> {
        // Deeper down lies what people stored, under whatever names.
        let all = walkdir::WalkDir::new(&self.space).max_depth(2).into_iter().flatten();
        let all = all.map(walkdir::DirEntry::into_path);
        let is_lock = |path: &PathBuf| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            path.extension().is_some_and(|extension| extension == "lock") || name.ends_with("_lock")
        };
        all.filter(is_lock).collect()
    }

    /// Counts what lies there without our code.
    pub(crate) fn count(&self) -> Count {
        Count::of(&self.space)
    }
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

/// Runs what must neither fail nor wait.
pub(crate) fn at_once(oma: &Oma, words: &[&str]) -> Ran {
    let started = Instant::now();
    let ran = oma.ok(&[&["--wait", "0"], words].concat());
    assert!(started.elapsed() < Duration::from_secs(20), "{ran:#?}");
    ran
}

/// One owner: names, files and bytes.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    names: u64,
    files: BTreeSet<String>,
}

/// A space as it lies on the disk.
pub(crate) struct Count {
    /// Size of every file.
    blobs: BTreeMap<String, u64>,
    /// Every directory with the files it links to.
    trees: BTreeMap<String, BTreeSet<String>>,
    /// By owner and version.
    parts: BTreeMap<(String, Option<String>), Part>,
    /// Owner, version, name, hash.
    names: BTreeSet<(String, Option<String>, String, String)>,
}

impl Count {
    fn of(space: &Path) -> Self {
        let (mut blobs, mut trees) = (BTreeMap::new(), BTreeMap::new());
        let is_hex = |name: &str, digits| name.len() == digits && name.bytes().all(|digit| digit.is_ascii_hexdigit());
        for shelf in names(&space.join("artifacts")).iter().filter(|name| is_hex(name, 2)) {
            let shelf = space.join("artifacts").join(shelf);
            for id in names(&shelf).into_iter().filter(|name| is_hex(name, 64)) {
                let found = fs::symlink_metadata(shelf.join(&id)).unwrap();
                if found.is_file() {
                    blobs.insert(id, found.len());
                } else {
                    trees.insert(id.clone(), links(&shelf.join(&id)));
                }
            }
        }
        let mut count = Self { blobs, trees, parts: BTreeMap::new(), names: BTreeSet::new() };
        for uuid in names(space).into_iter().filter(|name| name.matches('-').count() == 4) {
            for file in names(&space.join(&uuid)) {
                let Some(rest) = file.strip_prefix("Artifacts").and_then(|rest| rest.strip_suffix(".toml")) else {
                    continue;
                };
                let version = rest.strip_prefix("_v").map(str::to_owned);
                count.file(&space.join(&uuid).join(&file), &uuid, version.as_ref());
            }
        }
        count
    }

    fn file(&mut self, path: &Path, uuid: &str, version: Option<&String>) {
        let table: toml::Table = fs::read_to_string(path).unwrap().parse().unwrap();
        for (name, entry) in table {
            let Some(hash) = entry.get("sha256").and_then(toml::Value::as_str) else { continue };
            let part = self.parts.entry((uuid.to_owned(), version.cloned())).or_default();
            let files = match self.trees.get(hash) {
                Some(links) => links.clone(),
                None if self.blobs.contains_key(hash) => BTreeSet::from([hash.to_owned()]),
                None => continue,
            };
            part.names += 1;
            part.files.extend(files.into_iter().filter(|file| self.blobs.contains_key(file)));
            self.names.insert((uuid.to_owned(), version.cloned(), name, hash.to_owned()));
        }
    }

    fn bytes<'a>(&self, files: impl IntoIterator<Item = &'a String>) -> u64 {
        files.into_iter().map(|file| self.blobs[file]).sum()
    }

    pub(crate) fn stored(&self) -> u64 {
        self.blobs.values().sum()
    }
}

fn links(tree: &Path) -> BTreeSet<String> {
    let entries = walkdir::WalkDir::new(tree).into_iter().flatten().filter(walkdir::DirEntry::path_is_symlink);
    let targets = entries.map(|entry| fs::read_link(entry.path()).unwrap()).filter(|target| target.is_absolute());
    targets.map(|target| target.file_name().unwrap().to_string_lossy().into_owned()).collect()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    entries.collect()
}

/// Asserts that `usage` and `ls` say of the space what the disk says.
fn assert_counted(pair: &Pair, when: &str) {
    let count = pair.count();
    let usage = pair.oma.json(&["usage"]);
    let rows: Vec<&Value> = usage["owners"].as_array().unwrap().iter().filter(|row| row["space"].is_string()).collect();
    let mut fair = 0;
    let mut seen = BTreeSet::new();
    for row in &rows {
        let key = (text(&row["owner"]), row["version"].as_str().map(str::to_owned));
        let part = count.parts.get(&key).cloned().unwrap_or_default();
        let others: BTreeSet<&String> =
            count.parts.iter().filter(|(other, _)| **other != key).flat_map(|(_, part)| &part.files).collect();
        let shared = count.bytes(part.files.iter().filter(|file| others.contains(file)));
        let total = count.bytes(&part.files);
        let found = ["bindings", "files", "total_bytes", "shared_bytes", "exclusive_bytes"]
            .map(|field| row[field].as_u64().unwrap());
        assert_eq!(found, [part.names, part.files.len() as u64, total, shared, total - shared], "{when}: {key:?}");
        fair += row["fair_bytes"].as_u64().unwrap();
        seen.insert(key);
    }
    let held: BTreeSet<_> = count.parts.iter().filter(|(_, part)| part.names > 0).map(|(key, _)| key.clone()).collect();
    assert!(seen.is_superset(&held), "{when}: owners that `usage` leaves out: {:?}", held.difference(&seen));
    assert_eq!(usage["stored_bytes"], count.stored(), "{when}");
    assert_eq!(fair + usage["orphan_bytes"].as_u64().unwrap(), count.stored(), "{when}");
    let listed = pair.oma.json(&["ls"]);
    let listed = listed.as_array().unwrap().iter().filter(|row| row["space"] == pair.space.to_str().unwrap());
    let listed: BTreeSet<_> = listed
        .map(|row| {
            let version = row["version"].as_str().map(str::to_owned);
            (text(&row["owner"]), version, text(&row["name"]), text(&row["hash"]))
        })
        .collect();
    assert_eq!(listed, count.names, "{when}: `ls`");
}

#[test]
fn usage_and_ls_say_what_lies_there_to_the_byte() {
    let pair = Pair::fixture();
    let before = pair.snapshot();
    let pair = pair.attached(&[]);
    assert_counted(&pair, "first");
    assert_counted(&pair, "again");
    pair.oma.ok(&["gc", "-n"]);
    pair.oma.ok(&["gc", "-y", "--collect-delay", "0"]);
    // Two names stand for what was deleted by hand, so not all could come over.
    pair.oma.fails(8, &["sync", "-n"]);
    pair.oma.ok(&["why", &pair.there(ALPHA).into_values().next().unwrap()]);
    assert_eq!(pair.snapshot(), before, "who only follows changes nothing");
    assert_eq!(pair.locks(), Vec::<PathBuf>::new());
    assert!(!pair.space.join(".oma").exists());
    assert_eq!(pair.oma.json(&["attach"])[0]["writes"], false);
}

/// Each file on the disk, once.
fn inodes(folders: &[&Path]) -> u64 {
    let mut sizes = BTreeMap::new();
    for folder in folders {
        for entry in walkdir::WalkDir::new(folder).into_iter().flatten() {
            let found = entry.path().symlink_metadata().unwrap();
            let name = entry.file_name().to_string_lossy().into_owned();
            if found.is_file() && name.len() == 64 {
                sizes.insert((found.dev(), found.ino()), found.len());
            }
        }
    }
    sizes.values().sum()
}

#[test]
fn what_both_share_counts_once() {
    let pair = Pair::fixture();
    let attach = ["attach", "julia", "--depot", &pair.oma.at("depot")];
    for import_first in [true, false] {
        let pair = if import_first { Pair::fixture() } else { Pair::fixture().attached(&[]) };
        pair.oma.fails(8, &["import", &pair.oma.at("depot")]);
        pair.oma.ok(&[&attach[..3], &[&pair.oma.at("depot")]].concat());
        let root = pair.oma.root();
        let all = inodes(&[&pair.space.join("artifacts"), &root.join("artifacts"), &root.join("executables")]);
        let usage = pair.oma.json(&["usage"]);
        assert_eq!(usage["stored_bytes"], all, "import first: {import_first}");
        let fair: u64 = usage["owners"].as_array().unwrap().iter().map(|row| row["fair_bytes"].as_u64().unwrap()).sum();
        assert_eq!(fair + usage["orphan_bytes"].as_u64().unwrap(), all, "import first: {import_first}");
    }
}

/// What gc would take in the space, files of directories too.
fn would_go(pair: &Pair, delay: &str) -> BTreeSet<String> {
    let report = pair.oma.json(&["gc", "-n", "--collect-delay", delay]);
    let plan = &report["attached"][0];
    assert_eq!((&plan["writes"], &report["deleted_artifacts"]), (&json!(false), &json!(0)));
    let listed: BTreeSet<String> =
        plan["artifacts"].as_array().unwrap().iter().map(|item| text(&item["hash"])).collect();
    let count = pair.count();
    let stay: BTreeSet<&String> =
        count.trees.iter().filter(|(id, _)| !listed.contains(*id)).flat_map(|(_, l)| l).collect();
    let bound: BTreeSet<&String> = count.names.iter().map(|(.., hash)| hash).collect();
    let with = listed.iter().filter_map(|id| count.trees.get(id)).flatten();
    let with: BTreeSet<String> = with.filter(|file| !stay.contains(file) && !bound.contains(file)).cloned().collect();
    let all: BTreeSet<String> = listed.union(&with).cloned().collect();
    let bytes: u64 = all.iter().filter_map(|id| count.blobs.get(id)).sum();
    assert_eq!(plan["freed_bytes"], bytes, "delay {delay}");
    all
}

#[test]
fn gc_shows_what_the_originals_gc_would_take() {
    let pair = Pair::fixture().attached(&[]);
    let before = ids_at("before_gc");
    for (delay, step) in [("7d", "after_gc_default"), ("0", "after_gc_hour0")] {
        let gone: BTreeSet<String> = before.difference(&ids_at(step)).cloned().collect();
        assert_eq!(would_go(&pair, delay), gone, "delay {delay}");
    }
    // Those that were noted are 1:49:24 old. What was never bound is as old as its file, and what was bound
    // begins to age when Julia notes that it is not any more, which it has not done since.
    let noted: BTreeSet<String> = orphan_times(&pair.space).into_keys().collect();
    let log = fs::read_to_string(pair.space.join("logs/my_artifact_usage.toml")).unwrap();
    let all = would_go(&pair, "0");
    let never_bound: BTreeSet<String> = all.iter().filter(|id| !log.contains(&**id)).cloned().collect();
    let hour_ago = pair.oma.clock.now().as_millis() / 1_000 - 3_600;
    let is_old = |id: &&String| pair.artifact(id).symlink_metadata().unwrap().mtime() < hour_ago;
    let old: BTreeSet<String> = never_bound.iter().filter(is_old).cloned().collect();
    assert_eq!(would_go(&pair, "1h"), noted.union(&old).cloned().collect());
    pair.oma.pass(DAY * 30);
    assert_eq!(would_go(&pair, "7d"), noted.union(&never_bound).cloned().collect());
    assert!(noted.union(&never_bound).count() < all.len(), "something was bound and is not noted");
}

#[test]
fn what_julia_does_shows_at_the_next_look() {
    let pair = Pair::small().attached(&[]);
    assert_counted(&pair, "nothing");
    let file = pair.ask("create", &["iris"]);
    assert_counted(&pair, "create");
    let dir = pair.ask("create-dir", &["6", "seed"]);
    assert_counted(&pair, "create-dir");
    for (uuid, name, id) in [(ALPHA, "f", &file), (ALPHA, "d", &dir), (BETA, "d", &dir)] {
        pair.ask("bind", &[uuid, name, id]);
        assert_counted(&pair, "bind");
    }
    assert_eq!(pair.there(ALPHA), BTreeMap::from([("f".to_owned(), file.clone()), ("d".to_owned(), dir.clone())]));
    pair.ask("unbind", &[ALPHA, "f"]);
    assert_counted(&pair, "unbind");
    pair.ask("gc", &["0"]);
    assert!(!pair.artifact(&file).exists());
    assert_counted(&pair, "gc");
    // A file and a directory deleted by hand, and put back.
    let kept = pair.oma.path("kept");
    let blob = links(&pair.artifact(&dir)).pop_first().unwrap();
    for id in [&blob, &dir] {
        set_mode(&pair.artifact(id), 0o755);
        fs::rename(pair.artifact(id), &kept).unwrap();
        assert_counted(&pair, "deleted by hand");
        fs::create_dir_all(pair.artifact(id).parent().unwrap()).unwrap();
        fs::rename(&kept, pair.artifact(id)).unwrap();
        assert_counted(&pair, "put back");
    }
    // A shelf that is moved away, and a package that goes.
    let shelf = pair.artifact(&blob).parent().unwrap().to_owned();
    fs::rename(&shelf, pair.oma.path("shelf")).unwrap();
    assert_counted(&pair, "a shelf is gone");
    fs::rename(pair.oma.path("shelf"), &shelf).unwrap();
    assert_counted(&pair, "the shelf is back");
    fs::remove_dir_all(pair.space.join(BETA)).unwrap();
    assert_counted(&pair, "a package is gone");
    fs::remove_file(pair.toml(ALPHA)).unwrap();
    assert_counted(&pair, "a bindings file is gone");
    assert_eq!(pair.oma.json(&["ls"]), json!([]));
}

#[test]
fn a_torn_file_is_said_and_what_it_bound_is_shown() {
    let pair = Pair::small().attached(&[]);
    let file = pair.ask("create", &["iris"]);
    pair.ask("bind", &[ALPHA, "f", &file]);
    pair.ask("bind", &[BETA, "g", &file]);
    assert_counted(&pair, "before");
    fs::write(pair.toml(ALPHA), "[f]\nsha256 = \"").unwrap();
    let ran = pair.oma.ok(&["ls"]);
    assert!(ran.stderr.contains("Artifacts.toml") && ran.stderr.contains("what it bound before is shown"), "{ran:#?}");
    assert_eq!(pair.there(ALPHA), BTreeMap::from([("f".to_owned(), file.clone())]));
    assert_eq!(pair.there(BETA).len(), 1, "the others are not in its way");
    // It goes on being said as long as it is torn.
    assert!(pair.oma.ok(&["usage"]).stderr.contains("Artifacts.toml"));
    fs::write(pair.toml(ALPHA), format!("[h]\nsha256 = \"{file}\"\nisdir = false\n")).unwrap();
    assert_counted(&pair, "mended");
}

/// Puts a lock beside a bindings file, held by this very process.
fn lock_file(pair: &Pair, uuid: &str) -> PathBuf {
    let lock = pair.toml(uuid).with_file_name("artifact_lock");
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    fs::write(&lock, format!("{} {}", std::process::id(), host.trim_end())).unwrap();
    lock
}

#[test]
fn what_has_not_changed_is_not_read_again() {
    let pair = Pair::small();
    let file = pair.ask("create", &["iris"]);
    pair.ask("bind", &[ALPHA, "f", &file]);
    pair.ask("bind", &[BETA, "g", &file]);
    pair.now_plus(LATER);
    let pair = pair.attached(&[]);
    pair.oma.ok(&["usage"]);
    let lock = lock_file(&pair, ALPHA);
    for words in [&["usage"][..], &["ls"], &["gc", "-n"], &["why", &file]] {
        at_once(&pair.oma, words);
    }
    // The same look at a changed file waits for the lock; where nobody releases it, what looks as if it
    // were being written is left as it was known.
    pair.ask("bind", &[BETA, "h", &file]);
    at_once(&pair.oma, &["ls"]);
    let entry = format!("[new]\nsha256 = \"{file}\"\nisdir = false\n");
    fs::write(pair.toml(ALPHA), entry.trim_end()).unwrap();
    let ran = pair.oma.ok(&["--wait", "0", "ls"]);
    assert!(ran.stderr.contains("what it bound before is shown") && !ran.stdout.contains("new"), "{ran:#?}");
    fs::write(pair.toml(ALPHA), entry).unwrap();
    let waiting = pair.oma.start(&["--json", "ls", "-o", ALPHA]);
    std::thread::sleep(Duration::from_millis(300));
    fs::remove_file(lock).unwrap();
    let ran = finish(waiting).expect(0);
    assert!(ran.stdout.contains("\"new\""), "{ran:#?}");
}

#[test]
fn a_mirror_that_is_lost_or_broken_is_made_anew() {
    let pair = Pair::fixture().attached(&[]);
    let expected = pair.oma.json(&["usage"]);
    let mirror = pair.oma.root().join("attached/1.sqlite");
    assert!(mirror.is_file());
    let clear = || {
        for suffix in ["-wal", "-shm"] {
            let _ = fs::remove_file(format!("{}{suffix}", mirror.display()));
        }
    };
    let half = fs::read(&mirror).unwrap();
    for content in [None, Some(&b""[..]), Some(&[0x5a; 9_000][..]), Some(&half[..half.len() / 2])] {
        clear();
        match content {
            None => fs::remove_file(&mirror).unwrap(),
            Some(content) => fs::write(&mirror, content).unwrap(),
        }
        let size = content.map(<[u8]>::len);
        assert_eq!(pair.oma.json(&["usage"]), expected, "{size:?} bytes left");
    }
    fs::remove_dir_all(pair.oma.root().join("attached")).unwrap();
    assert_eq!(pair.oma.json(&["usage"]), expected);
}

#[test]
fn a_read_only_store_follows_too() {
    let pair = Pair::fixture().attached(&[]);
    // What is collected folds the log of the index, which a reader may not.
    pair.oma.ok(&["-o", "o", "add", &pair.oma.file("old", "old"), "--bind", "old"]);
    pair.oma.ok(&["-o", "o", "unbind", "old"]);
    pair.oma.ok(&["gc", "-y", "--collect-delay", "0"]);
    let expected = pair.oma.json(&["usage"]);
    let root = pair.oma.root();
    // The superuser may write anywhere, so nobody is asked to look.
    let open = fs::Permissions::from_mode(0o755);
    fs::set_permissions(pair.oma.path(""), open.clone()).unwrap();
    let program = pair.oma.path("oma");
    fs::copy(env!("CARGO_BIN_EXE_oma"), &program).unwrap();
    fs::set_permissions(&program, open).unwrap();
    for entry in walkdir::WalkDir::new(&root).into_iter().flatten().filter(|entry| !entry.path_is_symlink()) {
        let mode = entry.path().symlink_metadata().unwrap().mode();
        set_mode(entry.path(), (mode | 0o444 | ((mode & 0o100) >> 2) | ((mode & 0o100) >> 1)) & 0o7555);
    }
    for words in [&["--json", "usage"][..], &["--json", "ls"], &["--json", "gc", "-n"]] {
        let mut command = pair.oma.command_of(&program, words);
        if fs::metadata("/proc/self").unwrap().uid() == 0 {
            use std::os::unix::process::CommandExt as _;
            command.uid(65_534).gid(65_534);
        }
        let ran = Ran::of(command, words).expect(0);
        if words.contains(&"usage") {
            assert_eq!(ran.json(), expected, "{}", ran.stderr);
        }
        assert!(ran.stdout.contains(pair.space.to_str().unwrap()), "{ran:#?}");
    }
}

#[test]
fn who_detaches_sees_nothing_of_it_any_more() {
    let pair = Pair::small();
    let file = pair.ask("create", &["iris"]);
    pair.ask("bind", &[ALPHA, "f", &file]);
    let pair = pair.attached(&[]);
    let depot = pair.oma.at("depot");
    let before = pair.snapshot();
    assert_eq!(pair.there(ALPHA).len(), 1);
    pair.oma.ok(&["detach", "julia", "--depot", &depot]);
    assert_eq!(pair.oma.json(&["ls"]), json!([]));
    assert_eq!(pair.oma.json(&["attach"]), json!([]));
    assert_eq!(pair.snapshot(), before);
    assert_eq!(names(&pair.oma.root().join("attached")), Vec::<String>::new());
    pair.oma.fails(3, &["detach", "julia", "--depot", &depot]);
    // Another space under the number that is free again is not taken for the old one.
    let other = make_space(&pair.oma.path("other"), &[b"x"], &[("logs/my_artifact_usage.toml", "")]);
    let entry = format!("[x]\nsha256 = \"{}\"\nisdir = false\n", blob_id(b"x"));
    fs::create_dir_all(other.join(BETA)).unwrap();
    fs::write(other.join(BETA).join("Artifacts.toml"), entry).unwrap();
    pair.oma.ok(&["attach", "julia", "--depot", other.to_str().unwrap()]);
    let rows = pair.oma.json(&["ls"]);
    assert_eq!((rows.as_array().unwrap().len(), &rows[0]["owner"]), (1, &json!(BETA)));
    pair.oma.fails(3, &["attach", "julia", "--depot", &pair.oma.at("nowhere")]);
}

#[test]
fn why_names_what_only_julia_binds() {
    let pair = Pair::small();
    let file = pair.ask("create", &["iris"]);
    let dir = pair.ask("create-dir", &["2", "seed"]);
    let loose = pair.ask("create", &["nobody's"]);
    pair.ask("bind", &[ALPHA, "f", &file]);
    pair.ask("bind", &[NOBODY, "d", &dir]);
    let pair = pair.attached(&[]);
    let space = pair.space.to_str().unwrap().to_owned();
    let why = pair.oma.json(&["why", &file]);
    assert_eq!((&why["state"], &why["hash"]), (&json!("live"), &json!(file)));
    assert_eq!(why["kept_by"].as_array().unwrap().len(), 1);
    let keeper = &why["kept_by"][0];
    let said = ["kind", "owner", "version", "name", "space"].map(|field| keeper[field].clone());
    assert_eq!(json!(said), json!(["binding", ALPHA, null, "f", space]));
    for reference in [&file[..12], &format!("{ALPHA}:f")] {
        assert_eq!(pair.oma.json(&["why", reference]), why, "{reference}");
    }
    let blob = links(&pair.artifact(&dir)).pop_first().unwrap();
    let why = pair.oma.json(&["why", &blob]);
    assert_eq!((&why["state"], &why["kept_by"][0]["kind"]), (&json!("live"), &json!("tree")));
    assert_eq!(why["kept_by"][0]["kept_by"][0]["space"], space.as_str());
    let why = pair.oma.json(&["why", &loose]);
    assert_eq!((&why["state"], &why["kept_by"]), (&json!("orphan"), &json!([])));
    assert!(why["orphaned_at"].is_string() && why["collect_after"].is_string());
    let shown = pair.oma.ok(&["why", &file]);
    shown.assert_printable();
    assert!(shown.stdout.contains(&format!("{ALPHA}:f")) && shown.stdout.contains(&space), "{shown:#?}");
    // What is in both is kept by both.
    pair.oma.ok(&["-o", "mine", "add", &pair.oma.file("iris", "iris"), "--bind", "here"]);
    let both = pair.oma.json(&["why", &file]);
    let owners: BTreeSet<String> = both["kept_by"].as_array().unwrap().iter().map(|row| text(&row["owner"])).collect();
    assert_eq!(owners, BTreeSet::from(["mine".to_owned(), ALPHA.to_owned()]));
    assert_eq!(pair.oma.run(&["--json", "why", &Digest::of_blob(b"absent").to_string()]).json()["state"], "absent");
}

#[test]
fn a_space_that_vanished_is_said_and_nothing_else_suffers() {
    for more in [&[][..], &["--write"]] {
        let pair = Pair::small();
        let file = pair.ask("create", &["iris"]);
        pair.ask("bind", &[ALPHA, "f", &file]);
        let pair = pair.attached(more);
        let mine = pair.oma.line(&["-o", "mine", "add", &pair.oma.file("f", "f"), "--bind", "n"]);
        let bound_here = pair.here(ALPHA);
        fs::rename(&pair.space, pair.oma.path("elsewhere")).unwrap();
        for words in [&["usage"][..], &["ls"], &["gc", "-n"], &["why", &mine], &["gc", "-y", "--collect-delay", "0"]] {
            let ran = pair.oma.ok(words);
            assert!(ran.stderr.contains("warning") && ran.stderr.contains("0.3"), "{more:?}: {ran:#?}");
        }
        pair.oma.ok(&["-o", "mine", "unbind", "n"]);
        // Not one name is let go because its space cannot be seen.
        pair.oma.ok(&["sync"]);
        assert_eq!(pair.here(ALPHA), bound_here, "{more:?}");
        pair.oma.ok(&["-o", BETA, "add", &pair.oma.file("b", "b"), "--bind", "b"]);
        assert!(!pair.space.exists(), "{more:?}: no space is made where there was one");
        fs::rename(pair.oma.path("elsewhere"), &pair.space).unwrap();
        pair.oma.ok(&["sync"]);
        assert_eq!(pair.here(ALPHA), BTreeMap::from([("f".to_owned(), file)]), "{more:?}");
        let bound = pair.table(&format!("{BETA}/Artifacts.toml")).contains_key("b");
        assert_eq!(bound, more.contains(&"--write"), "what was bound meanwhile comes over");
    }
}
