//! Cleans up behind processes that died.

use crate::cache::Cache;
use crate::error::Result;

impl Cache {
    /// Returns the sessions that hold leases and are gone. They do not come back, so the answer stays
    /// true; a session that is not named may have begun since.
    pub(super) fn dead_sessions(&self) -> Result<Vec<String>> {
        let own = self.own_session();
        let mut dead = Vec::new();
        for session in self.read(|tx| tx.leasing_sessions())? {
            if own.as_deref() != Some(&*session) && !self.store.session_may_live(&session)? {
                dead.push(session);
            }
        }
        Ok(dead)
    }

    fn own_session(&self) -> Option<String> {
        let session = self.session.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        session.as_ref().map(|session| session.name().to_owned())
    }

    /// Removes the folders of dead sessions. Such a process may have died between a rename and its
    /// commit, so files without rows are looked for, folder by folder, and go into the trash; files whose
    /// rows say that they lie in the trash of a run go back there.
    ///
    /// A download that was cut off is no rubbish: it is kept for a while, for somebody to go on with it.
    pub(super) fn recover(&self) -> Result<()> {
        self.store.drop_old_partials(self.now())?;
        let leftovers = self.store.leftovers()?;
        if !leftovers.any() {
            return Ok(());
        }
        for drawer in self.store.drawers()? {
            self.write(|tx| {
                self.store.discard_strays(tx.token(), &drawer)?;
                for found in self.store.objects_in(&drawer)? {
                    if tx.known(found.digest, found.kind)?.is_none() {
                        self.store.discard(tx.token(), found.kind, found.digest)?;
                    } else if let Some(run) = tx.trash_of(found.digest, found.kind)? {
                        // An undo that died had put it back into its place, and not said so.
                        self.store.put_in_trash(tx.token(), run, found.kind, found.digest)?;
                    }
                }
                Ok(())
            })?;
        }
        leftovers.discard()
    }
}
