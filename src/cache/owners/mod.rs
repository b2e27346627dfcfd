//! What can be done to owners as a whole: one file an operation.
//!
//! Guarantees: each changes its rows in one transaction, all or none; no file is touched, and what nothing
//! keeps any more is for gc to take. What a rebuild of the index needs goes to the binding journal.
//! Must not know: how an owner is looked for.

mod delegate;
mod register;
mod remove;
mod rename;
mod show;

use crate::cache::Cache;
use crate::cache::bind::{Parting, unbound};
use crate::error::{Error, Result};
use crate::index::{BindingRow, Happening, ReadTx, What, WriteTx};
use crate::model::{Metadata, OwnerId};
use crate::store::Record;

pub use delegate::Delegation;
pub use register::OwnerSpec;
pub use remove::{OrphanedArtifact, OwnerRemoval, RemovedOwner};
pub use show::{OnBehalf, OwnerDetails, OwnerInfo};

/// Returns an owner's row.
fn require(tx: &ReadTx<'_>, owner: &OwnerId) -> Result<i64> {
    tx.find_owner(owner)?.ok_or_else(|| Error::NoSuchOwner { owner: owner.to_string() })
}

impl Cache {
    /// Names that another program has too cannot change hands behind its back.
    fn refuse_held_elsewhere(&self, owner: &OwnerId) -> Result<()> {
        match self.written_spaces(owner)?.into_iter().next() {
            Some(space) => Err(Error::HeldElsewhere { owner: owner.to_string(), space: space.root }),
            None => Ok(()),
        }
    }

    /// Writes down that a binding is another owner's now, or its owner is called otherwise. `by` is who bound
    /// it on behalf of that one.
    fn change_hands(
        &self,
        tx: &WriteTx<'_>,
        binding: &BindingRow,
        to: &OwnerId,
        what: What,
        by: Option<&str>,
    ) -> Result<()> {
        let detail = to.to_string();
        Parting { detail: Some(&detail), ..Parting::of(what) }.note(tx, binding)?;
        tx.record(Happening { detail: by, ..Happening::to_name(What::Bind, &binding.artifact, to, &binding.name) })?;
        let meta = binding.meta.as_ref().map(Metadata::to_stored);
        let gone = unbound(tx, binding)?;
        let bound = Record {
            seq: tx.next_seq()?,
            at: binding.bound_at,
            owner: to.key(),
            version: to.version(),
            name: &binding.name,
            hash: Some(binding.artifact.hash),
            kind: Some(binding.artifact.kind.form()),
            meta: meta.as_deref(),
        };
        self.store.append_journal(tx.token(), &[gone, bound])
    }
}
