//! Removes what a plan names, as far as it still may go.
//!
//! T1 condemns the rows and commits durably; T2 looks at each row again, renames its file into the
//! trash and drops the row; T3 empties the trash without any lock. A crash between any two leaves
//! condemned rows or trash, which the next run finishes; a create of the same content between T1
//! and T2 takes its row back, and T2 then leaves the file alone.

use std::time::Instant;

use crate::cache::Cache;
use crate::cache::gc::plan::skipped_of;
use crate::cache::gc::record::keep_until;
use crate::cache::gc::remove::Removal;
use crate::cache::gc::select::select;
use crate::cache::gc::{GcPlan, GcReport};
use crate::error::Result;
use crate::index::WriteTx;
use crate::time::Timestamp;

/// What T1 chose and wrote down.
struct Condemnation {
    chosen: GcPlan,
    run: Option<i64>,
    trash_until: Option<Timestamp>,
}

impl Cache {
    /// Carries out a plan. What became needed meanwhile stays.
    ///
    /// # Errors
    /// What the index says; single files that cannot be removed are reported, not errors.
    pub fn gc_apply(&self, plan: &GcPlan) -> Result<GcReport> {
        self.with_reserve(|| self.collect(plan, None))
    }

    /// With a deadline it stops in time, and a later run goes on.
    pub(super) fn collect(&self, plan: &GcPlan, deadline: Option<Instant>) -> Result<GcReport> {
        self.session()?;
        let mut removal = Removal::new(self, deadline);
        removal.clear_trash();
        self.recover()?;
        let Condemnation { chosen, run, trash_until } = self.condemn(plan, deadline.is_none())?;
        removal.discard()?;
        removal.empty_trash();
        removal.close_runs(&chosen.purges)?;
        let attached = self.collect_attached(&plan.attached, &plan.policy);
        if removal.gone.objects > 0 {
            self.index.tidy();
        }
        Ok(GcReport {
            dry_run: false,
            run,
            artifacts: chosen.artifacts,
            unbound: chosen.unbound,
            deleted_artifacts: removal.gone.objects + removal.trashed.objects,
            deleted_files: removal.gone.files + removal.trashed.files,
            freed_bytes: removal.gone.bytes + removal.purged.bytes,
            trashed_bytes: removal.trashed.bytes,
            purged_bytes: removal.purged.bytes,
            trash_until,
            owners_removed: chosen.owners_removed,
            kept: chosen.kept,
            skipped: chosen.skipped,
            limits: plan.limits.clone(),
            unfinished: removal.unfinished,
            failed: removal.failed,
            attached,
        })
    }

    /// T1.
    fn condemn(&self, plan: &GcPlan, is_whole: bool) -> Result<Condemnation> {
        let look = self.look_around(&plan.policy)?;
        let planned = plan.planned();
        self.write(|tx| {
            look.sightings.note(tx)?;
            let mut chosen = select(tx, &plan.policy, tx.now(), look.seen(self, tx)?, Some(&planned))?;
            chosen.skipped.clone_from(&plan.skipped);
            chosen.skipped.extend(skipped_of(tx, &planned, &chosen.artifacts, tx.now())?);
            let selected = tx.doomed()?;
            let run = self.record_run(tx, &chosen, &selected)?;
            tx.condemn(run.filter(|_| chosen.trash.is_some()))?;
            let trash_until = run.and_then(|_| keep_until(tx, &chosen));
            let run = run.filter(|_| trash_until.is_some());
            settle(tx, &look.dead_sessions, &chosen)?;
            if is_whole {
                tx.set_last_gc()?;
            }
            Ok(Condemnation { chosen, run, trash_until })
        })
    }
}

/// Notes what time has let go. Only after the selection, so that plan and run select from the same rows.
fn settle(tx: &WriteTx<'_>, dead_sessions: &[String], chosen: &GcPlan) -> Result<()> {
    tx.note_released(dead_sessions)?;
    tx.note_held()?;
    let delay = chosen.policy.dead_for(None, crate::model::Class::Irreplaceable).0;
    for (id, owner) in tx.empty_owners(tx.now().minus(delay), tx.now(), chosen.trash.is_some())? {
        // Who has become empty only now is for the next run, which says so.
        if chosen.owners_removed.contains(&owner.to_string()) {
            tx.forget_owner(id)?;
        }
    }
    Ok(())
}
