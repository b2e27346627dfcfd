//! What protects a new artifact from the moment its row is there.

use std::time::Duration;

use crate::cache::Binding;
use crate::cache::bind::{BindOptions, Link};
use crate::cache::{Cache, Ingested};
use crate::error::{Error, Result};
use crate::index::WriteTx;
use crate::model::{Artifact, BindingName, OwnerId};
use crate::time::Timestamp;

/// How long an artifact waits to be bound.
pub(super) const LEASE: Duration = Duration::from_secs(24 * 60 * 60);

/// Who keeps an artifact that is being put in.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Claim<'a> {
    /// A lease, until somebody binds it.
    Lease,
    /// A binding, made in the same transaction.
    Bind { owner: &'a OwnerId, name: &'a BindingName, options: &'a BindOptions },
    /// A lease that ends with the session, until the caller has bound what it brings together.
    Hold { session: &'a str },
}

/// What became of a claim.
#[derive(Debug, Default)]
pub(crate) struct Claimed {
    pub(crate) lease: Option<i64>,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) binding: Option<Binding>,
}

impl Cache {
    /// Says at once that a name is taken, before any work is done.
    pub(super) fn check_claim(&self, claim: &Claim<'_>) -> Result<()> {
        let Claim::Bind { owner, name, options } = claim else { return Ok(()) };
        if options.force {
            return Ok(());
        }
        match self.find_binding(owner, name)? {
            None => Ok(()),
            Some(taken) => Err(Error::BindingExists {
                owner: owner.to_string(),
                name: name.to_string(),
                existing: taken.artifact.hash,
            }),
        }
    }

    /// Runs `bring` with the claim it can settle itself. A name that goes to an attached space too is bound
    /// when the artifact is safe here: nobody waits for another program inside a transaction.
    pub(super) fn claiming(
        &self,
        claim: &Claim<'_>,
        bring: impl FnOnce(&Claim<'_>) -> Result<Ingested>,
    ) -> Result<Ingested> {
        match claim {
            Claim::Bind { owner, name, options } if self.goes_elsewhere(owner)? => {
                self.check_claim(claim)?;
                let ingested = bring(&Claim::Lease)?;
                let binding = self.bind(owner, name, (&ingested).into(), options)?;
                Ok(Ingested { binding: Some(binding), lease_expires_at: None, ..ingested })
            }
            Claim::Lease => {
                let ingested = bring(claim)?;
                self.publish_unbound(&ingested);
                Ok(ingested)
            }
            _ => bring(claim),
        }
    }

    /// Protects a live object in the transaction that made it so.
    pub(super) fn settle_claim(
        &self,
        tx: &WriteTx<'_>,
        claim: &Claim<'_>,
        object: i64,
        artifact: &Artifact,
    ) -> Result<Claimed> {
        self.lend_to_job(tx, object)?;
        match claim {
            Claim::Lease => {
                let expires_at = tx.now().plus(LEASE);
                tx.clear_orphan(object)?;
                let lease = tx.lease_until(object, expires_at, "put in, not bound yet")?;
                Ok(Claimed { lease: Some(lease), expires_at: Some(expires_at), binding: None })
            }
            Claim::Hold { session } => {
                let lease = tx.lease_for_session(object, session, "being imported")?;
                Ok(Claimed { lease: Some(lease), ..Claimed::default() })
            }
            Claim::Bind { owner, name, options } => {
                let binding = self.link(tx, &Link { owner, name, object, artifact, options })?;
                Ok(Claimed { binding: Some(binding), ..Claimed::default() })
            }
        }
    }
}
