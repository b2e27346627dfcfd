//! Checks that everything stored is what its name says.

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rayon::prelude::*;
use serde::Serialize;

use crate::cache::Cache;
use crate::cache::find::live_form;
use crate::digest::Digest;
use crate::error::Result;
use crate::event::{Event, Phase};
use crate::index::{ObjectRow, State};
use crate::model::{Artifact, Blob, ObjectKind};
use crate::store::{Problem, ProblemKind};

/// So many objects are noted as verified in one transaction.
const BATCH: usize = 1_000;

/// What to verify, and how hard.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct VerifyOptions {
    only: Option<Vec<Artifact>>,
    quick: bool,
    max_time: Option<Duration>,
}

impl VerifyOptions {
    /// Everything, every byte.
    pub fn new() -> Self {
        Self::default()
    }

    /// Only these artifacts and the files they need.
    pub fn only(mut self, artifacts: Vec<Artifact>) -> Self {
        self.only = Some(artifacts);
        self
    }

    /// Looks at sizes, modes and links, reads no content.
    pub fn quick(mut self, quick: bool) -> Self {
        self.quick = quick;
        self
    }

    /// Stops after this long. What was verified longest ago comes first, so the next run goes on.
    pub fn max_time(mut self, limit: Option<Duration>) -> Self {
        self.max_time = limit;
        self
    }
}

/// Something found wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VerifyProblem {
    /// What is wrong.
    pub kind: ProblemKind,
    /// The object.
    pub hash: Digest,
    /// Where.
    #[serde(serialize_with = "crate::text::serialize_path")]
    pub path: PathBuf,
    /// In words.
    pub detail: String,
    /// Whether it was put right.
    pub repaired: bool,
}

/// What a verification found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VerifyReport {
    /// How many objects were looked at.
    pub checked_objects: u64,
    /// How many bytes were hashed.
    pub checked_bytes: u64,
    /// What is wrong, by path.
    pub problems: Vec<VerifyProblem>,
    /// How many objects were left for the next run because time was over.
    pub left_objects: u64,
}

impl Cache {
    /// Checks stored objects against their names and rows. Files without rows are no error.
    ///
    /// # Errors
    /// [`Error::Interrupted`](crate::Error::Interrupted) and what the index says; damage is
    /// reported, not an error.
    pub fn verify(&self, options: &VerifyOptions) -> Result<VerifyReport> {
        let objects = match &options.only {
            None => self.read(|tx| tx.objects_to_verify())?,
            Some(artifacts) => self.with_members(artifacts)?,
        };
        let observer = &*self.waiting.observer;
        observer.on(&Event::Begin { phase: Phase::Verify, files: Some(objects.len() as u64) });
        let run = Run {
            cache: self,
            quick: options.quick,
            deadline: options.max_time.map(|limit| Instant::now() + limit),
            sound: Mutex::default(),
            objects: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
        };
        let suspects: Vec<&ObjectRow> =
            objects.par_iter().filter_map(|object| run.check(object).transpose()).collect::<Result<_>>()?;
        let mut problems = Vec::new();
        for object in suspects {
            problems.extend(self.confirm(object, options.quick)?);
        }
        problems.sort_by(|a, b| a.path.cmp(&b.path));
        observer.on(&Event::End { phase: Phase::Verify });
        let checked_objects = run.objects.into_inner();
        let checked_bytes = run.bytes.into_inner();
        if !options.quick {
            self.note_verified(&run.sound.into_inner().unwrap_or_default());
        }
        let left_objects = objects.len() as u64 - checked_objects;
        Ok(VerifyReport { checked_objects, checked_bytes, problems, left_objects })
    }

    /// Returns the artifacts' own rows and those of the files they need.
    fn with_members(&self, artifacts: &[Artifact]) -> Result<Vec<ObjectRow>> {
        self.read(|tx| {
            let mut objects = Vec::new();
            for artifact in artifacts {
                let object = live_form(tx, artifact)?;
                for entry in tx.entries(object.id)? {
                    if let Some(blob) = entry.node.blob() {
                        objects.extend(tx.find_form(blob.digest, blob.kind())?);
                    }
                }
                objects.push(object);
            }
            objects.sort_by_key(|object| object.id);
            objects.dedup_by_key(|object| object.id);
            Ok(objects)
        })
    }

    fn problems_of(&self, object: &ObjectRow, read: bool) -> Result<Vec<Problem>> {
        let Self { store, waiting, .. } = self;
        if object.kind == ObjectKind::Tree {
            let entries = self.read(|tx| tx.entries(object.id))?;
            return store.check_tree(object.hash, &object.rule, entries, &waiting.interrupt);
        }
        let blob = Blob { digest: object.hash, executable: object.kind == ObjectKind::Executable };
        store.check_blob(blob, object.size, read, &*waiting.observer, &waiting.interrupt)
    }

    /// Looks at a suspect again, after any transaction that was running beside the first look: that
    /// may have seen something on its way in or out. Content is never read inside a transaction.
    fn confirm(&self, object: &ObjectRow, quick: bool) -> Result<Vec<VerifyProblem>> {
        let row = if self.is_read_only() {
            self.read(|tx| tx.find_form(object.hash, object.kind))
        } else {
            self.write(|tx| tx.find_form(object.hash, object.kind))
        }?;
        let confirmed = row.is_some_and(|row| row.state == State::Live && row.id == object.id);
        if !confirmed {
            return Ok(Vec::new());
        }
        let problems = self.problems_of(object, !quick)?;
        Ok(problems.into_iter().map(|problem| report(object.hash, problem)).collect())
    }

    fn note_verified(&self, sound: &[i64]) {
        for batch in sound.chunks(BATCH) {
            // A store that cannot be written can still be verified.
            if self.write(|tx| tx.set_verified(batch)).is_err() {
                return;
            }
        }
    }
}

fn report(hash: Digest, problem: Problem) -> VerifyProblem {
    VerifyProblem { kind: problem.kind, hash, path: problem.path, detail: problem.detail, repaired: false }
}

struct Run<'c> {
    cache: &'c Cache,
    quick: bool,
    deadline: Option<Instant>,
    sound: Mutex<Vec<i64>>,
    objects: AtomicU64,
    bytes: AtomicU64,
}

impl Run<'_> {
    /// Checks one object; returns it if something seems wrong.
    fn check<'o>(&self, object: &'o ObjectRow) -> Result<Option<&'o ObjectRow>> {
        self.cache.waiting.interrupt.check()?;
        if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return Ok(None);
        }
        let problems = self.cache.problems_of(object, !self.quick)?;
        self.objects.fetch_add(1, Ordering::Relaxed);
        if object.kind.is_file() && !self.quick {
            self.bytes.fetch_add(object.size, Ordering::Relaxed);
        }
        self.cache.waiting.observer.on(&Event::Advance { phase: Phase::Verify, files: 1, bytes: 0 });
        if problems.is_empty() {
            self.sound.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(object.id);
            return Ok(None);
        }
        Ok(Some(object))
    }
}
