//! Protects what a program uses for as long as it runs.
//!
//! A lease of a session needs no end: the kernel drops the session's lock when its process dies, however
//! it dies, and the next gc ends what the session held. Guarantees: what a job's processes look up, make
//! or put in is leased to the job before they have it, by a write that is waited for; a job that is over
//! or unknown grants nothing and stops nobody. Must not know: which command the job is.

use std::path::PathBuf;

use crate::cache::Cache;
use crate::cache::find::live_form;
use crate::error::{Error, Result};
use crate::event::Event;
use crate::index::{Holder, ReadTx, WriteTx};
use crate::model::{Artifact, OwnerId};
use crate::store::{Session, Store};

/// Why a job holds what its processes asked for.
const USED: &str = "used by a job";

/// Protects one artifact as long as it lives; made by [`Cache::hold`].
#[derive(Debug)]
#[must_use = "the artifact is protected only as long as this lives"]
pub struct Hold<'c> {
    cache: &'c Cache,
    lease: i64,
    artifact: Artifact,
}

impl Hold<'_> {
    /// Returns what is protected.
    #[must_use]
    pub fn artifact(&self) -> &Artifact {
        &self.artifact
    }

    /// Returns where it lies. A path to read from, never to write to.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.cache.path_of(&self.artifact)
    }
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        // What cannot be released now ends with the session. Somebody else may have released it.
        let _ = self.cache.release_lease(self.lease);
    }
}

/// Work of several processes, and what they use; made by [`Cache::begin_job`]. When it is dropped, or its
/// process dies, what only it protected may go.
#[derive(Debug)]
#[must_use = "the job is over when this is dropped"]
pub struct Job<'c> {
    cache: &'c Cache,
    session: Session,
}

impl Job<'_> {
    /// Returns the session to hand to the job's processes, for [`CacheOptions::lease_session`].
    ///
    /// [`CacheOptions::lease_session`]: crate::CacheOptions::lease_session
    #[must_use]
    pub fn session(&self) -> &str {
        self.session.name()
    }

    /// Protects an artifact until the job ends.
    ///
    /// # Errors
    /// [`Error::NoSuchObject`] if the store does not hold it.
    pub fn hold(&self, artifact: &Artifact, reason: &str) -> Result<()> {
        self.cache.write(|tx| {
            let object = live_form(tx, artifact)?;
            lend(tx, object.id, self.holder(), reason)
        })
    }

    /// Protects everything an owner has bound now; returns how many artifacts these are.
    ///
    /// # Errors
    /// What the index says.
    pub fn hold_all_of(&self, owner: &OwnerId, reason: &str) -> Result<u64> {
        self.cache.write(|tx| {
            let mut objects: Vec<i64> = tx.bindings_of(Some(owner))?.iter().map(|binding| binding.object_id).collect();
            objects.sort_unstable();
            objects.dedup();
            objects.iter().try_for_each(|object| lend(tx, *object, self.holder(), reason))?;
            Ok(objects.len() as u64)
        })
    }

    fn holder(&self) -> Holder<'_> {
        Holder { session: self.session.name(), text: &self.cache.holder }
    }
}

impl Drop for Job<'_> {
    fn drop(&mut self) {
        // The session ends right behind this: what cannot be written now, the next gc writes.
        let _ = self.cache.write(|tx| {
            let released = tx.end_session_leases(self.session.name())?;
            released.into_iter().try_for_each(|object| tx.mark_if_orphan(object))
        });
    }
}

impl Cache {
    /// Protects an artifact for as long as the returned value lives, and no longer than this process.
    ///
    /// # Errors
    /// [`Error::NoSuchObject`] if the store does not hold it.
    pub fn hold(&self, artifact: &Artifact, reason: &str) -> Result<Hold<'_>> {
        let session = self.session()?;
        let holder = Holder { session: session.name(), text: &self.holder };
        let (lease, artifact) = self.write(|tx| {
            let object = self.live_object(tx, artifact.into())?;
            tx.clear_orphan(object.id)?;
            Ok((tx.lease_for(object.id, holder, reason)?, object.artifact()))
        })?;
        Ok(Hold { cache: self, lease, artifact })
    }

    /// Begins a job: what its processes use is protected until it ends.
    ///
    /// # Errors
    /// [`Error::ReadOnly`] if the store cannot be written, and what the system says.
    pub fn begin_job(&self) -> Result<Job<'_>> {
        if self.is_read_only() {
            return Err(Error::ReadOnly { path: self.root().to_owned() });
        }
        let session = Session::begin(&self.store, &mut self.waiting.patience())?;
        Ok(Job { cache: self, session })
    }

    /// Answers a question about objects. Inside a job, the object it leads to is leased to the job before
    /// the answer is given.
    pub(super) fn lent<T>(
        &self,
        ask: impl Fn(&ReadTx<'_>) -> Result<T>,
        object: impl Fn(&T) -> Option<i64>,
    ) -> Result<T> {
        let Some(job) = self.job.as_deref() else { return self.read(|tx| ask(tx)) };
        let (answer, settled) = self.read(|tx| {
            let answer = ask(tx)?;
            let settled = object(&answer).map_or(Ok(true), |object| tx.is_lent(object, job))?;
            Ok((answer, settled))
        })?;
        if settled || !is_live_job(&self.store, job) {
            return Ok(answer);
        }
        if self.is_read_only() {
            let message = "this job's use of an artifact is not noted: the store cannot be written";
            self.waiting.observer.on(&Event::Warning { message });
            return Ok(answer);
        }
        // It may have gone meanwhile, so the question is put again where nothing changes.
        self.write(|tx| {
            let answer = ask(tx)?;
            object(&answer).map_or(Ok(()), |object| self.lend_to_job(tx, object))?;
            Ok(answer)
        })
    }

    /// Leases what is handed out to the job this process is part of, if it is part of one.
    pub(super) fn lend_to_job(&self, tx: &WriteTx<'_>, object: i64) -> Result<()> {
        let Some(session) = self.job.as_deref() else { return Ok(()) };
        lend(tx, object, Holder { session, text: &self.holder }, USED)
    }
}

/// Leases an object to a session, once.
fn lend(tx: &WriteTx<'_>, object: i64, holder: Holder<'_>, reason: &str) -> Result<()> {
    if tx.is_lent(object, holder.session)? {
        return Ok(());
    }
    tx.clear_orphan(object)?;
    tx.lease_for(object, holder, reason).map(drop)
}

/// Tells whether a job is at work under this name, which may be any text.
pub(super) fn is_live_job(store: &Store, session: &str) -> bool {
    // Where nobody can tell, the lease would be worth nothing.
    store.is_live_session(session).unwrap_or(false)
}

/// Returns who a program of this process is, for people: `make test (pid 4242 on host)`.
#[must_use]
pub fn holder_of(program: &str) -> String {
    let host = rustix::system::uname();
    let host = host.nodename().to_string_lossy();
    format!("{program} (pid {} on {host})", std::process::id())
}

/// Returns who this process is, by the name it was started by.
pub(super) fn own_holder() -> String {
    let program = std::env::args_os().next().map(PathBuf::from);
    let name = program.as_ref().and_then(|path| path.file_name()).unwrap_or_default();
    holder_of(&name.to_string_lossy())
}
