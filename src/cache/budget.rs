//! Keeps owners within their budgets.
//!
//! Guarantees: no binding lifts what its owner's bindings reach above the hard budget, whoever else binds at
//! the same time: it is counted in the transaction that binds. What already lies above may shrink, and what
//! does not grow is let through. A soft budget is only told of, when it is crossed.
//! Must not know: which of an owner's artifacts should go.

use std::collections::HashSet;

use crate::cache::Cache;
use crate::cache::claim::Claim;
use crate::error::{Error, Result};
use crate::index::{Budgets, ReadTx, WriteTx};
use crate::model::{BindingName, OwnerId};
use crate::size::format_size;
use crate::store::StagedBlob;
use crate::text::printable;

/// What an owner may hold, and what it held before it came to hold more.
pub(super) struct Allowance<'a> {
    id: i64,
    owner: &'a OwnerId,
    budgets: Budgets,
    before: u64,
}

impl<'a> Allowance<'a> {
    /// Counts what an owner holds; none if it may hold what it likes.
    pub(super) fn of(tx: &ReadTx<'_>, id: i64, owner: &'a OwnerId) -> Result<Option<Self>> {
        let budgets = tx.budgets_of(id)?;
        if !budgets.any() {
            return Ok(None);
        }
        Ok(Some(Self { id, owner, budgets, before: tx.reached_bytes(id)? }))
    }

    /// Counts again, in the same transaction.
    ///
    /// # Errors
    /// [`Error::OverBudget`] if that is more than the owner may hold.
    pub(super) fn check(&self, tx: &WriteTx<'_>) -> Result<()> {
        let after = tx.reached_bytes(self.id)?;
        self.refuse(after)?;
        if let Some(soft) = self.budgets.soft.filter(|soft| self.before <= *soft && after > *soft) {
            let owner = printable(self.owner.to_string().as_bytes());
            let (after, soft) = (format_size(after), format_size(soft));
            tx.tell_after(format!("{owner} holds {after} now, more than its soft budget of {soft}"));
        }
        Ok(())
    }

    fn refuse(&self, needed: u64) -> Result<()> {
        match self.budgets.hard {
            Some(budget) if needed > budget && needed > self.before => {
                Err(Error::OverBudget { owner: self.owner.to_string(), budget, needed })
            }
            _ => Ok(()),
        }
    }
}

impl Cache {
    /// Says before any file enters that it would be too much. By force a name may give up what it stood for,
    /// so there only the transaction that binds can tell.
    pub(super) fn refuse_too_much(&self, claim: &Claim<'_>, blobs: &[StagedBlob]) -> Result<()> {
        let Claim::Bind { owner, options, .. } = claim else { return Ok(()) };
        if options.force {
            return Ok(());
        }
        self.read(|tx| {
            let Some(id) = tx.find_owner(owner)? else { return Ok(()) };
            if tx.budgets_of(id)?.hard.is_none() {
                return Ok(());
            }
            let Some(allowance) = Allowance::of(tx, id, owner)? else { return Ok(()) };
            allowance.refuse(allowance.before.saturating_add(new_bytes(tx, id, blobs)?))
        })
    }
}

/// Says before a name goes to an attached space that it would be too much.
pub(super) fn refuse_to_publish(tx: &ReadTx<'_>, owner: &OwnerId, name: &BindingName, object: i64) -> Result<()> {
    let Some(id) = tx.find_owner(owner)? else { return Ok(()) };
    match Allowance::of(tx, id, owner)? {
        Some(allowance) => allowance.refuse(tx.would_reach(id, name, object)?),
        None => Ok(()),
    }
}

/// Returns the bytes of the files that an owner does not hold yet.
fn new_bytes(tx: &ReadTx<'_>, owner: i64, blobs: &[StagedBlob]) -> Result<u64> {
    let mut seen = HashSet::new();
    let mut bytes = 0_u64;
    for staged in blobs.iter().filter(|staged| seen.insert(staged.blob)) {
        if !tx.reaches(owner, staged.blob)? {
            bytes = bytes.saturating_add(staged.size);
        }
    }
    Ok(bytes)
}
