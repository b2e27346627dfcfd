//! Writes down what a run takes, and lets go the names that go with it.

use crate::cache::Cache;
use crate::cache::bind::Parting;
use crate::cache::gc::GcPlan;
use crate::cache::gc::select::OWNER_GONE;
use crate::error::Result;
use crate::index::{Doomed, Happening, ItemNote, RunNote, State, What, WriteTx};
use crate::time::Timestamp;

impl Cache {
    /// Writes a run down with all it takes; none if it takes nothing anew. What an interrupted run had
    /// condemned was written down by that run.
    pub(super) fn record_run(&self, tx: &WriteTx<'_>, chosen: &GcPlan, selected: &[Doomed]) -> Result<Option<i64>> {
        if selected.iter().all(|item| item.state == State::Condemned) && chosen.unbound.is_empty() {
            return Ok(None);
        }
        let run = tx.record_run(RunNote {
            collect_delay_ms: i64::try_from(chosen.policy.collect_delay.as_millis()).unwrap_or(i64::MAX),
            totals: tx.doomed_totals()?,
            keep_until: keep_until(tx, chosen),
        })?;
        self.part(tx, chosen, run)?;
        // The plan was made of the same selection, in the same order.
        for (doomed, item) in selected.iter().zip(&chosen.artifacts) {
            if doomed.state == State::Condemned {
                continue;
            }
            let note = ItemNote {
                reason: item.reason,
                rule: item.rule.as_deref(),
                names: &item.names,
                sources: &item.sources,
            };
            tx.record_item(run, doomed, note)?;
            tx.record(Happening { run: Some(run), ..Happening::new(What::Collect, doomed.hash, doomed.kind) })?;
        }
        Ok(Some(run))
    }

    /// The names of what goes are let go first: the index keeps what is bound.
    fn part(&self, tx: &WriteTx<'_>, chosen: &GcPlan, run: i64) -> Result<()> {
        for unbound in &chosen.unbound {
            let Some(binding) = tx.binding_by_id(unbound.binding)? else { continue };
            let what = if unbound.reason == OWNER_GONE { What::Lapse } else { What::Evict };
            self.drop_binding(tx, &binding, Parting { what, run: Some(run), detail: Some(&unbound.rule) })?;
        }
        Ok(())
    }
}

/// Returns until when what goes now is kept in the trash.
pub(super) fn keep_until(tx: &WriteTx<'_>, chosen: &GcPlan) -> Option<Timestamp> {
    chosen.trash.map(|keep| tx.now().plus(keep))
}
