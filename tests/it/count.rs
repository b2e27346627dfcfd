//! Every figure about the store against an independent count from the disk: the shelves are walked, links
//! are followed one step, inodes are counted once. Random stores with shared files, execute twins, empty
//! files and nested directories, in each link style.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ohmyartifacts::{
    Artifact, BindOptions, Cache, Digest, Error, FilePattern, GroupedUsage, LinkStyle, OwnerUsage, Source, Usage,
    UsageBy, UsageGroup, WhatIf,
};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::support::{DAY, Env, STYLES, bytes_on_disk, gc, make_executable};

/// Odd lengths, so that shares do not divide evenly.
const LENGTHS: [usize; 6] = [0, 1, 3, 101, 1_000, 4_099];
const PATHS: [&str; 7] = ["a", "b", "sub/a", "sub/c", "sub/deep/er/d", "x/y", "z"];
const OWNERS: [&str; 5] = ["alpha", "beta@1.0", "beta@1.1", "gamma", "delta"];

/// A path, a content, and whether it can be executed.
type File = (usize, usize, bool);

#[derive(Debug, Clone)]
struct Story {
    trees: Vec<Vec<File>>,
    /// Single files: content and execute bit.
    files: Vec<(usize, bool)>,
    /// Owner, and which tree or file.
    bindings: Vec<(usize, usize)>,
    /// Which bindings are let go again, by place.
    let_go: Vec<usize>,
    pinned: Option<usize>,
}

fn story() -> impl Strategy<Value = Story> {
    let file = (0..PATHS.len(), 0..LENGTHS.len(), any::<bool>());
    let trees = prop::collection::vec(prop::collection::vec(file, 1..6), 1..6);
    let files = prop::collection::vec((0..LENGTHS.len(), any::<bool>()), 0..4);
    let bindings = prop::collection::vec((0..OWNERS.len(), 0..20usize), 1..12);
    let let_go = prop::collection::vec(0..12usize, 0..4);
    (trees, files, bindings, let_go, prop::option::of(0..20usize))
        .prop_map(|(trees, files, bindings, let_go, pinned)| Story { trees, files, bindings, let_go, pinned })
}

struct World {
    env: Env,
    cache: Cache,
    artifacts: Vec<Artifact>,
}

impl World {
    fn build(story: &Story, style: LinkStyle) -> Self {
        let env = Env::in_memory(style);
        let cache = env.open();
        let mut artifacts = Vec::new();
        for (number, files) in story.trees.iter().enumerate() {
            let top = env.path(format!("tree-{number}"));
            for (path, content, executable) in files {
                put(&top.join(PATHS[*path]), *content, *executable);
            }
            artifacts.push(cache.ingest(&Source::copy(&top)).unwrap().artifact);
        }
        for (number, (content, executable)) in story.files.iter().enumerate() {
            let file = env.path(format!("file-{number}"));
            put(&file, *content, *executable);
            artifacts.push(cache.ingest(&Source::copy(&file)).unwrap().artifact);
        }
        for (number, (owner, what)) in story.bindings.iter().enumerate() {
            let artifact = &artifacts[what % artifacts.len()];
            let owner = cache.owner(OWNERS[*owner]).unwrap();
            owner.bind(&format!("name-{number}"), artifact, &BindOptions::new()).unwrap();
        }
        for number in &story.let_go {
            if let Some((owner, _)) = story.bindings.get(*number) {
                cache.owner(OWNERS[*owner]).unwrap().unbind([format!("name-{number}").as_str()]).unwrap();
            }
        }
        if let Some(what) = story.pinned {
            cache.pin(&artifacts[what % artifacts.len()], "a reason", None).unwrap();
        }
        // Leases of what came in end.
        env.pass(DAY * 2);
        Self { env, cache, artifacts }
    }
}

fn put(path: &Path, content: usize, executable: bool) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let byte = b'a' + u8::try_from(content).unwrap();
    // A path that comes twice is written again.
    let _ = std::fs::remove_file(path);
    std::fs::write(path, vec![byte; LENGTHS[content]]).unwrap();
    if executable {
        make_executable(path);
    }
}

/// Which inode, and how long it is.
type Inodes = BTreeMap<(u64, u64), u64>;

fn note(inodes: &mut Inodes, path: &Path) {
    let found = path.metadata().unwrap();
    inodes.insert((found.dev(), found.ino()), found.len());
}

/// All files that an artifact reaches on the disk.
fn reached(path: &Path) -> Inodes {
    let mut inodes = Inodes::new();
    for entry in walkdir::WalkDir::new(path) {
        let entry = entry.unwrap();
        if !entry.file_type().is_dir() {
            note(&mut inodes, entry.path());
        }
    }
    inodes
}

/// What each of several holders reaches, and what that comes to when it is divided.
struct Counted {
    holders: Vec<(String, Inodes)>,
}

impl Counted {
    fn owners(world: &World, merged: bool) -> Self {
        let mut holders: BTreeMap<String, Inodes> = BTreeMap::new();
        for binding in world.cache.bindings(None).unwrap() {
            let key = if merged { binding.owner.key().to_owned() } else { binding.owner.to_string() };
            holders.entry(key).or_default().extend(reached(&world.cache.path_of(&binding.artifact)));
        }
        Self { holders: holders.into_iter().collect() }
    }

    fn artifacts(world: &World) -> Self {
        let mut holders: BTreeMap<String, Inodes> = BTreeMap::new();
        for binding in world.cache.bindings(None).unwrap() {
            let label = format!("{} {:?}", binding.artifact.hash, binding.artifact.kind);
            holders.insert(label, reached(&world.cache.path_of(&binding.artifact)));
        }
        Self { holders: holders.into_iter().collect() }
    }

    /// Files, total, exclusive and fair bytes of one holder.
    fn figures(&self, place: usize) -> (u64, u64, u64, u64) {
        let mine = &self.holders[place].1;
        let (mut exclusive, mut fair) = (0, 0);
        for (inode, bytes) in mine {
            let sharing: Vec<usize> =
                (0..self.holders.len()).filter(|other| self.holders[*other].1.contains_key(inode)).collect();
            let number = sharing.len() as u64;
            let rank = sharing.iter().position(|other| *other == place).unwrap() as u64;
            exclusive += if number == 1 { *bytes } else { 0 };
            fair += bytes / number + u64::from(rank < bytes % number);
        }
        (mine.len() as u64, mine.values().sum(), exclusive, fair)
    }

    fn union(&self) -> u64 {
        let all: Inodes = self.holders.iter().flat_map(|(_, inodes)| inodes.clone()).collect();
        all.values().sum()
    }
}

fn of_owner(row: &OwnerUsage) -> (String, (u64, u64, u64, u64)) {
    let version = row.version.as_ref().map(|version| format!("@{version}")).unwrap_or_default();
    assert_eq!(row.total_bytes, row.exclusive_bytes + row.shared_bytes);
    (format!("{}{version}", row.owner), (row.files, row.total_bytes, row.exclusive_bytes, row.fair_bytes))
}

fn check_usage(world: &World, counted: &Counted, usage: &Usage) {
    let stored = bytes_on_disk(&world.env.root());
    assert_eq!((usage.stored_bytes, usage.orphan_bytes), (stored, stored - counted.union()));
    let holding = usage.owners.iter().filter(|row| row.bindings > 0);
    let rows: Vec<_> = holding.map(of_owner).collect();
    let expected: Vec<_> =
        counted.holders.iter().enumerate().map(|(at, (key, _))| (key.clone(), counted.figures(at))).collect();
    assert_eq!(rows, expected);
    let fair: u64 = usage.owners.iter().map(|row| row.fair_bytes).sum();
    assert_eq!(fair + usage.orphan_bytes, usage.stored_bytes, "the sum is what lies on the disk");
}

fn check_owners(world: &World) {
    let counted = Counted::owners(world, false);
    let all = world.cache.usage().unwrap();
    check_usage(world, &counted, &all);
    check_usage(world, &Counted::owners(world, true), &world.cache.usage_by_key().unwrap());
    for row in &all.owners {
        let id = ohmyartifacts::OwnerId::new(&row.owner, row.version.as_deref()).unwrap();
        let one = world.cache.usage_of(&id).unwrap();
        assert_eq!((one.owners.as_slice(), one.orphan_bytes), (std::slice::from_ref(row), all.orphan_bytes));
    }
}

fn check_groups(world: &World) {
    let counted = Counted::artifacts(world);
    let usage = world.cache.usage_by(UsageBy::Artifact, None).unwrap();
    let mut expected: Vec<_> = (0..counted.holders.len()).map(|at| counted.figures(at)).collect();
    let mut rows: Vec<_> =
        usage.groups.iter().map(|row| (row.files, row.total_bytes, row.exclusive_bytes, row.fair_bytes)).collect();
    // A content may be an artifact twice, once executable; they come in the same order otherwise.
    rows.sort_unstable();
    expected.sort_unstable();
    assert_eq!(rows, expected);
    for by in [UsageBy::Artifact, UsageBy::Kind, UsageBy::Age, UsageBy::Class] {
        let GroupedUsage { stored_bytes, orphan_bytes, groups, .. } = world.cache.usage_by(by, None).unwrap();
        let fair: u64 = groups.iter().map(|row| row.fair_bytes).sum();
        assert_eq!(fair + orphan_bytes, stored_bytes, "{by:?}");
        let artifacts: u64 = groups.iter().map(|row| row.artifacts).sum();
        assert_eq!(artifacts, counted.holders.len() as u64, "{by:?}");
    }
    for owner in OWNERS {
        check_artifacts_of(world, &owner.parse().unwrap());
    }
}

/// Of one owner the artifacts are its own, and what others reach too is shared.
fn check_artifacts_of(world: &World, owner: &ohmyartifacts::OwnerId) {
    let usage = world.cache.usage_by(UsageBy::Artifact, Some(owner)).unwrap();
    let bound = world.cache.bindings(Some(owner)).unwrap();
    let hashes: BTreeSet<Digest> = bound.iter().map(|binding| binding.artifact.hash).collect();
    let listed: BTreeSet<Digest> = usage
        .groups
        .iter()
        .filter_map(|row| match &row.group {
            UsageGroup::Artifact { hash, .. } => Some(*hash),
            _ => None,
        })
        .collect();
    assert_eq!(listed, hashes);
    let exclusive: u64 = usage.groups.iter().map(|row| row.exclusive_bytes).sum();
    let all = world.cache.usage_of(owner).unwrap().owners.first().map_or(0, |row| row.exclusive_bytes);
    assert!(exclusive <= all, "what two of its artifacts share is exclusive to the owner, not to one of them");
}

fn check_duplicates(world: &World) {
    let mut places: BTreeMap<(u64, u64), (u64, u64)> = BTreeMap::new();
    for binding in world.cache.bindings(None).unwrap() {
        for entry in walkdir::WalkDir::new(world.cache.path_of(&binding.artifact)) {
            let entry = entry.unwrap();
            if !entry.file_type().is_dir() {
                let found = entry.path().metadata().unwrap();
                places.entry((found.dev(), found.ino())).or_insert((found.len(), 0)).1 += 1;
            }
        }
    }
    let several = places.values().filter(|(_, copies)| *copies > 1);
    let mut expected: Vec<(u64, u64)> = several.copied().collect();
    let report = world.cache.duplicates(None).unwrap();
    let mut rows: Vec<(u64, u64)> = report.files.iter().map(|file| (file.size, file.copies)).collect();
    expected.sort_unstable();
    rows.sort_unstable();
    assert_eq!(rows, expected);
    let logical: u64 = places.values().map(|(size, copies)| size * copies).sum();
    assert_eq!((report.logical_bytes, report.saved_bytes), (logical, report.files.iter().map(|f| f.saved_bytes).sum()));
}

fn check_search(world: &World) {
    let pattern: FilePattern = "a".parse().unwrap();
    let hits = world.cache.find_files(&pattern, None).unwrap();
    let found: BTreeSet<(Digest, PathBuf)> =
        hits.iter().map(|hit| (hit.artifact, PathBuf::from(hit.path.as_ref().unwrap()))).collect();
    let mut expected = BTreeSet::new();
    for artifact in &world.artifacts {
        let top = world.cache.path_of(artifact);
        for entry in walkdir::WalkDir::new(&top).min_depth(1) {
            let entry = entry.unwrap();
            if entry.file_name() == "a" && !entry.file_type().is_dir() {
                expected.insert((artifact.hash, entry.path().strip_prefix(&top).unwrap().to_owned()));
            }
        }
    }
    assert_eq!(found, expected);
}

/// What is told to come free is what the disk has less afterwards.
fn check_what_if(world: &World, question: &WhatIf, remove: impl Fn(&Cache)) {
    let before = shelf_state(world);
    let answer = world.cache.what_if(question).unwrap();
    assert_eq!(shelf_state(world), before, "a question changes nothing");
    let items: u64 = answer.artifacts.iter().map(|item| item.freed_bytes).sum();
    assert_eq!(items, answer.freed_bytes, "the artifacts account for all of it");
    gc(&world.cache, Duration::ZERO);
    let clean = bytes_on_disk(&world.env.root());
    assert_eq!(before.0 - clean, answer.anyway_bytes, "what goes anyway");
    remove(&world.cache);
    gc(&world.cache, Duration::ZERO);
    assert_eq!(clean - bytes_on_disk(&world.env.root()), answer.freed_bytes);
}

fn shelf_state(world: &World) -> (u64, Usage) {
    (bytes_on_disk(&world.env.root()), world.cache.usage().unwrap())
}

fn check(story: &Story, style: LinkStyle) {
    let world = World::build(story, style);
    check_owners(&world);
    check_groups(&world);
    check_duplicates(&world);
    check_search(&world);
    let owner = OWNERS[story.bindings[0].0];
    if story.bindings.len().is_multiple_of(2) {
        let question = WhatIf::new().remove_owner(owner.parse().unwrap());
        check_what_if(&world, &question, |cache| {
            // One that has bound nothing any more may be forgotten by now.
            match cache.remove_owners(&[owner.parse().unwrap()]) {
                Ok(_) | Err(Error::NoSuchOwner { .. }) => {}
                Err(other) => panic!("{other}"),
            }
        });
    } else {
        let question = WhatIf::new().unbind("beta*:*".parse().unwrap()).unbind("*:name-1*".parse().unwrap());
        check_what_if(&world, &question, |cache| {
            for binding in cache.bindings(None).unwrap() {
                if binding.owner.key() == "beta" || binding.name.starts_with("name-1") {
                    cache.owner(&binding.owner.to_string()).unwrap().unbind([binding.name.as_str()]).unwrap();
                }
            }
        });
    }
    check_owners(&world);
}

fn proof(style: LinkStyle) {
    let times: u32 = std::env::var("OMA_PROOF_TIMES").ok().and_then(|times| times.parse().ok()).unwrap_or(1);
    let config = Config { cases: 40 * times, failure_persistence: None, max_shrink_iters: 300, ..Config::default() };
    let mut runner = if times == 1 {
        TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
    } else {
        TestRunner::new(config)
    };
    let outcome = runner.run(&story(), |story| {
        check(&story, style);
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{style}: {error}");
    }
}

#[test]
fn figures_are_those_of_the_disk() {
    for style in STYLES {
        proof(style);
    }
}
