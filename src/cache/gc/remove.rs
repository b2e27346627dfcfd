//! Takes condemned files out of the store, into the trash or for good.

use std::path::{Path, PathBuf};
use std::time::Instant;

use rayon::prelude::*;

use crate::cache::Cache;
use crate::cache::gc::GcFailure;
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::event::{Event, Phase};
use crate::index::{Condemned, Totals, WriteTx};
use crate::model::ObjectKind;

/// So many files leave in one transaction.
const BATCH: usize = 1_000;

/// A condemned object whose row is gone; its file waits to be deleted, if it had one.
struct Discarded {
    kind: ObjectKind,
    bytes: u64,
    away: Option<PathBuf>,
    /// Whether an earlier run had it in the trash.
    purged: bool,
}

/// What became of a condemned object.
enum Left {
    Discarded(Discarded),
    /// It lies in the trash of its run.
    Trashed,
}

/// The second half of a run: what has left so far.
pub(super) struct Removal<'c> {
    cache: &'c Cache,
    deadline: Option<Instant>,
    discarded: Vec<Discarded>,
    pub(super) gone: Totals,
    pub(super) trashed: Totals,
    pub(super) purged: Totals,
    pub(super) failed: Vec<GcFailure>,
    pub(super) unfinished: bool,
}

impl<'c> Removal<'c> {
    pub(super) fn new(cache: &'c Cache, deadline: Option<Instant>) -> Self {
        Self {
            cache,
            deadline,
            discarded: Vec::new(),
            gone: Totals::default(),
            trashed: Totals::default(),
            purged: Totals::default(),
            failed: Vec::new(),
            unfinished: false,
        }
    }

    fn is_late(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }

    /// T2, in batches: what was condemned, then what leaves the trash of earlier runs.
    pub(super) fn discard(&mut self) -> Result<()> {
        loop {
            if self.is_late() {
                self.unfinished = true;
                return Ok(());
            }
            let cache = self.cache;
            let (left, problems, seen) = cache.write(|tx| batch(cache, tx))?;
            self.failed.extend(problems);
            for (object, left) in left {
                self.account(&object, left);
            }
            if seen == 0 {
                return Ok(());
            }
        }
    }

    fn account(&mut self, object: &Condemned, left: Left) {
        match left {
            Left::Discarded(discarded) => self.discarded.push(discarded),
            Left::Trashed => add(&mut self.trashed, object.kind, object.own_bytes),
        }
    }

    /// Removes what others left in the trash, except what has just refused to go.
    pub(super) fn clear_trash(&self) {
        let strays = self.cache.store.trash().unwrap_or_default();
        for path in strays.iter().filter(|path| self.failed.iter().all(|known| known.path != **path)) {
            if self.is_late() {
                return;
            }
            // Another process may be emptying the same trash.
            let _ = self.cache.store.disk.remove_all(path);
        }
    }

    /// T3. What others left in the trash goes too, but does not count.
    pub(super) fn empty_trash(&mut self) {
        let observer = &*self.cache.waiting.observer;
        let discarded = std::mem::take(&mut self.discarded);
        observer.on(&Event::Begin { phase: Phase::Remove, files: Some(discarded.len() as u64) });
        let remove = |path: &PathBuf| {
            if self.is_late() {
                return Ok(());
            }
            self.cache.store.disk.remove_all(path).map_err(|error| failure(None, path, &error))
        };
        let outcomes: Vec<_> = discarded
            .par_iter()
            .with_min_len(16)
            .map(|object| {
                let outcome = object.away.as_ref().map_or(Ok(()), remove);
                observer.on(&Event::Advance { phase: Phase::Remove, files: 1, bytes: object.bytes });
                outcome
            })
            .collect();
        for (object, outcome) in discarded.iter().zip(outcomes) {
            match outcome {
                Ok(()) if object.purged => add(&mut self.purged, object.kind, object.bytes),
                Ok(()) => add(&mut self.gone, object.kind, object.bytes),
                Err(problem) => self.failed.push(problem),
            }
        }
        self.clear_trash();
        observer.on(&Event::End { phase: Phase::Remove });
    }

    /// Closes runs of which nothing lies in the trash any more.
    pub(super) fn close_runs(&mut self, runs: &[i64]) -> Result<()> {
        for run in runs {
            match close_run(self.cache, *run) {
                Err(error @ (Error::Database { .. } | Error::Internal(_))) => return Err(error),
                Err(error) => self.failed.push(failure(None, &self.cache.store.layout.trash_of(*run), &error)),
                Ok(()) => {}
            }
        }
        Ok(())
    }
}

/// Closes a run if nothing of it lies in the trash any more. What is still in its folder was taken back
/// meanwhile, and is nobody's. The folder goes first: a run that is closed is not looked at again.
pub(super) fn close_run(cache: &Cache, run: i64) -> Result<()> {
    if cache.read(|tx| tx.trashed_count(run))? > 0 {
        return Ok(());
    }
    cache.store.disk.remove_all(&cache.store.layout.trash_of(run))?;
    cache.write(|tx| tx.set_emptied(run)).map(drop)
}

/// The objects that left, those that could not, and how many there were.
type Batch = (Vec<(Condemned, Left)>, Vec<GcFailure>, usize);

fn batch(cache: &Cache, tx: &WriteTx<'_>) -> Result<Batch> {
    let mut condemned = tx.next_condemned(BATCH)?;
    let purging = condemned.is_empty();
    if purging {
        condemned = tx.next_purged(BATCH)?;
    }
    let mut left = Vec::with_capacity(condemned.len());
    let mut failed = Vec::new();
    for object in &condemned {
        let outcome = match object.trash_run {
            Some(run) if purging => purge(cache, tx, object, run),
            Some(run) => put_in_trash(cache, tx, object, run),
            None => discard(cache, tx, object),
        };
        match outcome {
            Ok(outcome) => left.push((*object, outcome)),
            Err(error @ (Error::Database { .. } | Error::Internal(_))) => return Err(error),
            Err(error) => {
                tx.set_failed(object.id)?;
                let path = cache.store.layout.object(object.kind, object.hash);
                failed.push(failure(Some(object.hash), &path, &error));
            }
        }
    }
    Ok((left, failed, condemned.len()))
}

fn discard(cache: &Cache, tx: &WriteTx<'_>, object: &Condemned) -> Result<Left> {
    let away = cache.store.discard(tx.token(), object.kind, object.hash)?;
    tx.forget(object.id)?;
    Ok(Left::Discarded(Discarded { kind: object.kind, bytes: object.own_bytes, away, purged: false }))
}

fn put_in_trash(cache: &Cache, tx: &WriteTx<'_>, object: &Condemned, run: i64) -> Result<Left> {
    // A file that was deleted by hand cannot be brought back; its row still belongs to the run.
    cache.store.put_in_trash(tx.token(), run, object.kind, object.hash)?;
    tx.set_trashed(object.id)?;
    Ok(Left::Trashed)
}

fn purge(cache: &Cache, tx: &WriteTx<'_>, object: &Condemned, run: i64) -> Result<Left> {
    // An undo that died had put it back into its place, and not said so.
    let stray = cache.store.discard(tx.token(), object.kind, object.hash)?;
    let away = cache.store.take_from_trash(tx.token(), run, object.kind, object.hash)?.or(stray);
    tx.forget(object.id)?;
    Ok(Left::Discarded(Discarded { kind: object.kind, bytes: object.own_bytes, away, purged: true }))
}

fn add(totals: &mut Totals, kind: ObjectKind, bytes: u64) {
    totals.objects += 1;
    totals.files += u64::from(kind.is_file());
    totals.bytes += bytes;
}

fn failure(hash: Option<Digest>, path: &Path, error: &Error) -> GcFailure {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
    GcFailure { hash, path: path.to_owned(), error: format!("{error}{cause}") }
}
