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
use crate::error::{Error, Result};
use crate::index::ReadTx;
use crate::model::OwnerId;

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
}
