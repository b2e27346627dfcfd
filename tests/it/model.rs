//! Random stories, told to a store and to an oracle of a few maps; both must end alike.

use std::path::Path;
use std::time::Duration;

use ohmyartifacts::{
    Artifact, BindOptions, Cache, Digest, Error, Ingested, LinkStyle, ObjectKind, Source, VerifyOptions,
};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::support::oracle::{Key, Name, Oracle};
use crate::support::story::{By, CONTENTS, File, Op, Way, What, op, write};
use crate::support::{DAY, Env, bytes_on_disk, gc, shelves};

const CASES: u32 = 128;
const STEPS: usize = 40;

/// A store and its oracle.
struct Pair {
    env: Env,
    cache: Cache,
    oracle: Oracle,
    /// Everything ever put in, with the oracle's lease.
    handles: Vec<(Ingested, Option<u64>)>,
    step: usize,
}

impl Pair {
    fn new(style: LinkStyle) -> Self {
        let env = Env::with_style(style);
        let cache = env.open();
        Self { env, cache, oracle: Oracle::default(), handles: Vec::new(), step: 0 }
    }

    fn run(&mut self, op: &Op) {
        self.step += 1;
        let now = self.env.clock.now();
        match op {
            Op::Put { what, way, bind } => self.put(what, *way, *bind),
            Op::Bind { which, by, name, force } => self.bind(which, *by, *name, *force),
            Op::BindStored { which, name } => {
                let Some(artifact) = self.stored(which) else { return };
                let options = BindOptions::new().force(true);
                self.cache.owner(name.0).unwrap().bind(name.1, &artifact, &options).unwrap();
                let key = (artifact.hash, artifact.kind);
                self.oracle.use_lease(key, None);
                self.oracle.bind(*name, key, now);
            }
            Op::Unbind(name) => {
                let was = self.cache.owner(name.0).unwrap().unbind([name.1]).unwrap();
                let was: Vec<Key> = was.iter().map(|binding| (binding.artifact.hash, binding.artifact.kind)).collect();
                assert_eq!(was, Vec::from_iter(self.oracle.unbind(*name, now)));
            }
            Op::Pin { which, days } => {
                let Some(artifact) = self.stored(which) else { return };
                let until = days.map(|days| now.plus(DAY * u32::from(days)));
                self.cache.pin(&artifact, "because", until).unwrap();
                self.oracle.pin((artifact.hash, artifact.kind), until);
            }
            Op::Unpin(which) => {
                let pinned: Vec<Key> = self.oracle.pins.keys().copied().collect();
                if pinned.is_empty() {
                    return;
                }
                let key = *which.get(&pinned);
                assert!(self.cache.unpin(&self.artifact(key)).unwrap());
                self.oracle.unpin(key, now);
            }
            Op::Pass { hours } => self.env.pass(Duration::from_secs(hours * 60 * 60)),
            Op::Gc { days } => self.gc(DAY * *days),
        }
    }

    fn artifact(&self, key: Key) -> Artifact {
        let object = &self.oracle.objects[&key];
        Artifact { hash: key.0, kind: key.1, size: object.size, files: 1 }
    }

    fn stored(&self, which: &prop::sample::Index) -> Option<Artifact> {
        let keys: Vec<Key> = self.oracle.objects.keys().copied().collect();
        (!keys.is_empty()).then(|| self.artifact(*which.get(&keys)))
    }

    fn put(&mut self, what: &What, way: Way, bind: Option<(Name, bool)>) {
        let source = self.env.path(format!("source-{}", self.step));
        let taken = bind.is_some_and(|(name, force)| !force && self.oracle.bindings.contains_key(&name));
        let outcome = match (way, bind) {
            (Way::Create, None) => self.cache.create(|workdir| write(&workdir.join("made"), what).map(|()| "made")),
            (Way::Create, Some((name, force))) => {
                let options = BindOptions::new().force(force);
                let make = |workdir: &Path| write(&workdir.join("made"), what).map(|()| "made");
                self.cache.owner(name.0).unwrap().create(name.1, &options, make)
            }
            (_, bind) => {
                write(&source, what).unwrap();
                let copy = matches!(way, Way::Copy);
                let from = if copy { Source::copy(&source) } else { Source::consume(&source) };
                let outcome = match bind {
                    None => self.cache.ingest(&from),
                    Some((name, force)) => {
                        self.cache.owner(name.0).unwrap().ingest(name.1, &from, &BindOptions::new().force(force))
                    }
                };
                assert_eq!(source.exists(), copy || outcome.is_err(), "only a source that was taken is gone");
                outcome
            }
        };
        if taken {
            assert!(matches!(outcome, Err(Error::BindingExists { .. })), "{outcome:?}");
            return;
        }
        let put = outcome.unwrap();
        let before = self.oracle.stored_bytes();
        let key = self.note(what, &put);
        assert_eq!(put.new_bytes, self.oracle.stored_bytes() - before, "what the store grew by");
        let now = self.env.clock.now();
        let lease = match bind {
            None => Some(self.oracle.lease(key, now)),
            Some((name, _)) => {
                self.oracle.bind(name, key, now);
                None
            }
        };
        assert_eq!(put.lease_expires_at, lease.map(|_| now.plus(DAY)));
        self.handles.push((put, lease));
    }

    /// Tells the oracle what came in.
    fn note(&mut self, what: &What, put: &Ingested) -> Key {
        let blob = |(content, executable): File| {
            let bytes = CONTENTS[content].as_bytes();
            ((Digest::of_blob(bytes), ObjectKind::file(executable)), bytes.len() as u64)
        };
        let key = (put.artifact.hash, put.artifact.kind);
        match what {
            What::File(file) => {
                let (expected, bytes) = blob(*file);
                assert_eq!(key, expected);
                self.oracle.admit_file(key, bytes);
            }
            What::Tree { files, .. } => {
                assert_eq!(key.1, ObjectKind::Tree);
                let files: Vec<(Key, u64)> = files.iter().map(|(_, file)| blob(*file)).collect();
                self.oracle.admit_tree(key, &files);
            }
        }
        key
    }

    fn bind(&mut self, which: &prop::sample::Index, by: By, name: Name, force: bool) {
        if self.handles.is_empty() {
            return;
        }
        let (put, lease) = which.get(&self.handles);
        let (put, lease) = (put.clone(), *lease);
        let key = (put.artifact.hash, put.artifact.kind);
        let twin = (key.0, ObjectKind::file(key.1 == ObjectKind::Blob));
        // A hash alone does not say which of two forms is meant.
        let by = if key.1.is_file() && self.oracle.objects.contains_key(&twin) { By::Artifact } else { by };
        let owner = self.cache.owner(name.0).unwrap();
        let options = BindOptions::new().force(force);
        let outcome = match by {
            By::Handle => owner.bind(name.1, &put, &options),
            By::Artifact => owner.bind(name.1, &put.artifact, &options),
            By::Hash => owner.bind(name.1, put.artifact.hash, &options),
        };
        if !self.oracle.objects.contains_key(&key) {
            assert!(matches!(outcome, Err(Error::NoSuchObject { .. })), "{outcome:?}");
        } else if !force && self.oracle.bindings.contains_key(&name) {
            assert!(matches!(outcome, Err(Error::BindingExists { .. })), "{outcome:?}");
        } else {
            outcome.unwrap();
            self.oracle.use_lease(key, lease.filter(|_| matches!(by, By::Handle)));
            self.oracle.bind(name, key, self.env.clock.now());
        }
    }

    fn gc(&mut self, delay: Duration) {
        let before = bytes_on_disk(&self.env.root());
        let report = gc(&self.cache, delay);
        let (objects, bytes) = self.oracle.gc(self.env.clock.now(), delay);
        assert_eq!(report.freed_bytes, before - bytes_on_disk(&self.env.root()), "bytes that left the disk");
        assert_eq!((report.deleted_artifacts, report.freed_bytes), (objects, bytes));
        assert_eq!(report.artifacts.iter().map(|item| item.freed_bytes).sum::<u64>(), bytes, "item by item");
        assert!(report.failed.is_empty());
        self.compare();
    }

    fn compare(&self) {
        let shelf = |kind| if kind == ObjectKind::Executable { "executables" } else { "artifacts" };
        let mut expected: Vec<String> =
            self.oracle.objects.keys().map(|(hash, kind)| format!("{}/{hash}", shelf(*kind))).collect();
        expected.sort();
        assert_eq!(shelves(&self.env.root()), expected, "what lies on the shelves");
        assert_eq!(self.cache.verify(&VerifyOptions::new()).unwrap().problems, []);
        let usage = self.cache.usage().unwrap();
        let (shares, lost) = self.oracle.shares();
        assert_eq!(usage.stored_bytes, self.oracle.stored_bytes());
        assert_eq!(usage.stored_bytes, bytes_on_disk(&self.env.root()));
        assert_eq!(usage.orphan_bytes, lost);
        assert_eq!(usage.owners.iter().map(|owner| owner.fair_bytes).sum::<u64>() + lost, usage.stored_bytes);
        assert_eq!(usage.logical_bytes, shares.values().map(|share| share.logical).sum::<u64>());
        for owner in &usage.owners {
            let key =
                owner.version.as_ref().map_or(owner.owner.clone(), |version| format!("{}@{version}", owner.owner));
            let share = shares.get(&*key).copied().unwrap_or_default();
            assert_eq!((owner.exclusive_bytes, owner.shared_bytes), (share.exclusive, share.shared), "{key}");
            assert_eq!(owner.total_bytes, share.exclusive + share.shared, "{key}");
        }
        assert!(
            shares.keys().all(|key| self.cache.owner(key).is_ok_and(|owner| !owner.bindings().unwrap().is_empty()))
        );
    }
}

fn stories_end_alike(style: LinkStyle) {
    let config = Config { cases: CASES, failure_persistence: None, max_shrink_iters: 100, ..Config::default() };
    let outcome = TestRunner::new(config).run(&prop::collection::vec(op(), STEPS), |story| {
        let mut pair = Pair::new(style);
        for op in &story {
            pair.run(op);
        }
        pair.gc(DAY);
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

#[test]
fn random_stories_with_absolute_links() {
    stories_end_alike(LinkStyle::Absolute);
}

#[test]
fn random_stories_with_relative_links() {
    stories_end_alike(LinkStyle::Relative);
}

#[test]
fn random_stories_with_hard_links() {
    stories_end_alike(LinkStyle::Hardlink);
}
