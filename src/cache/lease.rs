//! Protects artifacts until a time: leases that people and programs ask for.
//!
//! Guarantees: what is leased when a call returns stays for as long as the lease says, whatever gc runs
//! beside it; what a lease lets go becomes an orphan in the same transaction. Must not know: whether a
//! session's process lives, beyond asking for its lock.

use std::time::Duration;

use serde::Serialize;

use crate::cache::{Cache, Ingested};
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::index::{LeaseRow, ReadTx};
use crate::model::{Artifact, ObjectKind};
use crate::time::{Timestamp, format_duration};

/// What is to stay for longer is to be pinned.
const LONGEST: Duration = Duration::from_secs(100 * 366 * 24 * 60 * 60);

/// A lease, with what it protects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeaseInfo {
    /// Its number in the store.
    pub id: i64,
    /// The artifact it protects.
    pub hash: Digest,
    /// File or directory.
    pub kind: ObjectKind,
    /// Bytes of its files, each entry counted.
    pub size: u64,
    /// What it was granted for.
    pub reason: String,
    /// Who holds it, for people; none if it waits for whoever put the artifact in to bind it.
    pub holder: Option<String>,
    /// The session it ends with, if it has no time limit.
    pub session: Option<String>,
    /// Whether that session lives; none for a lease that ends at a time, and if nobody can tell.
    pub alive: Option<bool>,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// When it was granted.
    pub created_at: Timestamp,
    /// The names the artifact is bound to, as `OWNER:NAME`.
    pub names: Vec<String>,
}

impl Ingested {
    /// Returns the lease that protects it until it is bound, for [`Cache::renew_lease`]; none if it was
    /// bound at once.
    #[must_use]
    pub fn lease_id(&self) -> Option<i64> {
        self.lease
    }
}

impl Cache {
    /// Returns all leases, oldest first. One that ran out stands here until gc notes that.
    ///
    /// # Errors
    /// What the index says.
    pub fn leases(&self) -> Result<Vec<LeaseInfo>> {
        let mut leases =
            self.read(|tx| tx.leases()?.into_iter().map(|row| info(tx, row)).collect::<Result<Vec<_>>>())?;
        for lease in &mut leases {
            lease.alive = lease.session.as_deref().and_then(|session| self.store.session_may_live(session).ok());
        }
        Ok(leases)
    }

    /// Protects an artifact for so long.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # let root = std::env::temp_dir().join(format!("oma-doc-lease-{}", std::process::id()));
    /// # let cache = ohmyartifacts::Cache::open(ohmyartifacts::CacheOptions::new(&root))?;
    /// # let made = cache.create(|dir| std::fs::write(dir.join("a"), "1"))?;
    /// let hour = Duration::from_secs(60 * 60);
    /// let lease = cache.lease(&made.artifact, hour, "the nightly comparison")?;
    /// cache.renew_lease(lease.id, hour * 2)?;
    /// cache.release_lease(lease.id)?;
    /// # drop(cache);
    /// # std::fs::remove_dir_all(&root).unwrap();
    /// # Ok::<(), ohmyartifacts::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NoSuchObject`] if the store does not hold it, [`Error::Invalid`] for more than a hundred
    /// years.
    pub fn lease(&self, artifact: &Artifact, span: Duration, reason: &str) -> Result<LeaseInfo> {
        check_span(span)?;
        self.write(|tx| {
            let object = self.live_object(tx, artifact.into())?;
            tx.clear_orphan(object.id)?;
            let id = tx.lease_held(object.id, tx.now().plus(span), reason, &self.holder)?;
            found(tx, id)
        })
    }

    /// Lets a lease last for so long from now; never shorter than it does already.
    ///
    /// # Errors
    /// [`Error::NoSuchLease`] if it is gone, [`Error::Invalid`] if it ends with its session and not at a
    /// time, or for more than a hundred years.
    pub fn renew_lease(&self, id: i64, span: Duration) -> Result<LeaseInfo> {
        check_span(span)?;
        self.write(|tx| {
            if found(tx, id)?.session.is_some() {
                let reason = "it lasts as long as its session, not until a time";
                return Err(Error::invalid("lease to renew", &id.to_string(), reason));
            }
            tx.renew_lease(id, tx.now().plus(span))?;
            found(tx, id)
        })
    }

    /// Ends a lease, whoever holds it; what it alone protected is an orphan from now on.
    ///
    /// # Errors
    /// [`Error::NoSuchLease`] if it is gone.
    pub fn release_lease(&self, id: i64) -> Result<()> {
        self.write(|tx| {
            let object = tx.end_lease(id)?.ok_or(Error::NoSuchLease { id })?;
            tx.mark_if_orphan(object)
        })
    }
}

fn check_span(span: Duration) -> Result<()> {
    if span <= LONGEST {
        return Ok(());
    }
    let reason = "a lease ends within a hundred years; a pin stays for good";
    Err(Error::invalid("time for a lease", &format_duration(span), reason))
}

fn found(tx: &ReadTx<'_>, id: i64) -> Result<LeaseInfo> {
    let row = tx.lease(id)?.ok_or(Error::NoSuchLease { id })?;
    info(tx, row)
}

fn info(tx: &ReadTx<'_>, row: LeaseRow) -> Result<LeaseInfo> {
    Ok(LeaseInfo {
        id: row.id,
        hash: row.hash,
        kind: row.kind,
        size: row.size,
        reason: row.reason,
        holder: row.holder,
        session: row.session,
        alive: None,
        expires_at: row.expires_at,
        created_at: row.created_at,
        names: names_of(tx, row.object)?,
    })
}

/// Returns the names an object is bound to, as `OWNER:NAME`.
pub(super) fn names_of(tx: &ReadTx<'_>, object: i64) -> Result<Vec<String>> {
    let bindings = tx.bindings_of_object(object)?;
    Ok(bindings.into_iter().map(|binding| format!("{}:{}", binding.owner, binding.name)).collect())
}
