//! Removes what a plan names, as far as it still may go.
//!
//! T1 condemns the rows and commits durably; T2 looks at each row again, renames its file into the
//! trash and drops the row; T3 empties the trash without any lock. A crash between any two leaves
//! condemned rows or trash, which the next run finishes; a create of the same content between T1
//! and T2 takes its row back, and T2 then leaves the file alone.

use std::path::PathBuf;

use rayon::prelude::*;

use crate::cache::Cache;
use crate::cache::bind::Parting;
use crate::cache::gc::plan::{Seen, select};
use crate::cache::gc::{GcFailure, GcPlan, GcReport};
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::event::{Event, Phase};
use crate::index::{Condemned, Doomed, Happening, State, Totals, What, WriteTx};
use crate::model::ObjectKind;

/// So many files leave in one transaction.
const BATCH: usize = 1_000;

/// A condemned object whose row is gone; its file lies in the trash, if it had one.
struct Discarded {
    kind: ObjectKind,
    bytes: u64,
    trash: Option<PathBuf>,
}

impl Cache {
    /// Carries out a plan. What became needed meanwhile stays.
    ///
    /// # Errors
    /// What the index says; single files that cannot be removed are reported, not errors.
    pub fn gc_apply(&self, plan: &GcPlan) -> Result<GcReport> {
        self.with_reserve(|| self.collect(plan))
    }

    fn collect(&self, plan: &GcPlan) -> Result<GcReport> {
        self.session()?;
        self.clear_trash(&[]);
        self.recover()?;
        let chosen = self.condemn(plan)?;
        let mut failed = Vec::new();
        let discarded = self.discard(&mut failed)?;
        let gone = self.empty_trash(discarded, &mut failed);
        let attached = self.collect_attached(&plan.attached, &plan.policy);
        if gone.objects > 0 {
            self.index.tidy();
        }
        Ok(GcReport {
            dry_run: false,
            artifacts: chosen.artifacts,
            deleted_artifacts: gone.objects,
            deleted_files: gone.files,
            freed_bytes: gone.bytes,
            owners_removed: chosen.owners_removed,
            kept: chosen.kept,
            failed,
            attached,
        })
    }

    /// T1.
    fn condemn(&self, plan: &GcPlan) -> Result<GcPlan> {
        let planned: Vec<(Digest, ObjectKind)> = plan.artifacts.iter().map(|item| (item.hash, item.form)).collect();
        let dead = self.dead_sessions()?;
        let claimed = self.claimed()?;
        let sightings = self.look_for_owners()?;
        self.write(|tx| {
            tx.set_claimed(&claimed)?;
            sightings.note(tx)?;
            let seen = Seen { dead_sessions: &dead, sightings: &sightings, store: Some(&self.store) };
            let chosen = select(tx, &plan.policy, tx.now(), seen, Some(&planned))?;
            let selected = tx.doomed()?;
            self.lapse(tx)?;
            remember(tx, &chosen, &selected)?;
            tx.condemn()?;
            // Only now, so that plan and run select from the same rows.
            tx.note_released(&dead)?;
            tx.note_held()?;
            for (id, _) in tx.empty_owners(tx.now().minus(plan.policy.collect_delay))? {
                tx.forget_owner(id)?;
            }
            tx.set_last_gc()?;
            Ok(chosen)
        })
    }

    /// What owners that are gone call what goes is let go first: the index keeps what is bound.
    fn lapse(&self, tx: &WriteTx<'_>) -> Result<()> {
        let lapsed = tx.lapsed_bindings()?;
        lapsed.iter().try_for_each(|binding| self.drop_binding(tx, binding, Parting::of(What::Lapse)))
    }

    /// T2, in batches.
    fn discard(&self, failed: &mut Vec<GcFailure>) -> Result<Vec<Discarded>> {
        let mut discarded = Vec::new();
        loop {
            let (batch, problems, seen) = self.write(|tx| self.discard_batch(tx))?;
            failed.extend(problems);
            discarded.extend(batch);
            if seen == 0 {
                return Ok(discarded);
            }
        }
    }

    fn discard_batch(&self, tx: &WriteTx<'_>) -> Result<(Vec<Discarded>, Vec<GcFailure>, usize)> {
        let condemned = tx.next_condemned(BATCH)?;
        let mut discarded = Vec::with_capacity(condemned.len());
        let mut failed = Vec::new();
        for Condemned { id, hash, kind, own_bytes } in &condemned {
            match self.store.discard(tx.token(), *kind, *hash) {
                Ok(trash) => {
                    tx.forget(*id)?;
                    discarded.push(Discarded { kind: *kind, bytes: *own_bytes, trash });
                }
                Err(error) => {
                    tx.set_failed(*id)?;
                    failed.push(failure(Some(*hash), &self.store.layout.object(*kind, *hash), &error));
                }
            }
        }
        Ok((discarded, failed, condemned.len()))
    }

    /// Removes what others left in the trash, except what has just refused to go.
    fn clear_trash(&self, failed: &[GcFailure]) {
        let strays = self.store.trash().unwrap_or_default();
        for path in strays.iter().filter(|path| failed.iter().all(|known| known.path != **path)) {
            // Another process may be emptying the same trash.
            let _ = self.store.disk.remove_all(path);
        }
    }

    /// T3. What others left in the trash goes too, but does not count.
    fn empty_trash(&self, discarded: Vec<Discarded>, failed: &mut Vec<GcFailure>) -> Totals {
        let observer = &*self.waiting.observer;
        observer.on(&Event::Begin { phase: Phase::Remove, files: Some(discarded.len() as u64) });
        let remove = |path: &PathBuf| self.store.disk.remove_all(path).map_err(|error| failure(None, path, &error));
        let outcomes: Vec<_> = discarded
            .par_iter()
            .with_min_len(16)
            .map(|object| {
                let outcome = object.trash.as_ref().map_or(Ok(()), remove);
                observer.on(&Event::Advance { phase: Phase::Remove, files: 1, bytes: object.bytes });
                outcome
            })
            .collect();
        let mut gone = Totals::default();
        for (object, outcome) in discarded.iter().zip(outcomes) {
            match outcome {
                Ok(()) => {
                    gone.objects += 1;
                    gone.files += u64::from(object.kind.is_file());
                    gone.bytes += object.bytes;
                }
                Err(problem) => failed.push(problem),
            }
        }
        self.clear_trash(failed);
        observer.on(&Event::End { phase: Phase::Remove });
        gone
    }
}

/// Writes down what goes, why, and the names it had. What an interrupted run had condemned was
/// written down by that run.
fn remember(tx: &WriteTx<'_>, chosen: &GcPlan, selected: &[Doomed]) -> Result<()> {
    if selected.iter().all(|item| item.state == State::Condemned) {
        return Ok(());
    }
    let delay = i64::try_from(chosen.policy.collect_delay.as_millis()).unwrap_or(i64::MAX);
    let run = tx.record_run(delay, tx.doomed_totals()?)?;
    // The plan was made of the same selection, in the same order.
    for (doomed, item) in selected.iter().zip(&chosen.artifacts) {
        if doomed.state == State::Condemned {
            continue;
        }
        tx.record_item(run, doomed, item.reason, &item.names)?;
        tx.record(Happening { run: Some(run), ..Happening::new(What::Collect, doomed.hash, doomed.kind) })?;
    }
    Ok(())
}

fn failure(hash: Option<Digest>, path: &std::path::Path, error: &Error) -> GcFailure {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
    GcFailure { hash, path: path.to_owned(), error: format!("{error}{cause}") }
}
