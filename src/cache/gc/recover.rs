//! Cleans up behind processes that died.

use crate::cache::Cache;
use crate::error::Result;

impl Cache {
    /// Returns the sessions that hold leases and may still be alive.
    pub(super) fn living_sessions(&self) -> Result<Vec<String>> {
        Ok(self.sessions_by_life()?.0)
    }

    /// Returns the sessions that hold leases: those that may live, and those that are gone.
    pub(super) fn sessions_by_life(&self) -> Result<(Vec<String>, Vec<String>)> {
        let mut living = Vec::new();
        let mut dead = Vec::new();
        let own = self.own_session();
        for session in self.read(|tx| tx.leasing_sessions())? {
            let lives = own.as_deref() == Some(&*session) || self.store.session_may_live(&session)?;
            if lives { living.push(session) } else { dead.push(session) }
        }
        Ok((living, dead))
    }

    fn own_session(&self) -> Option<String> {
        let session = self.session.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        session.as_ref().map(|session| session.name().to_owned())
    }

    /// Removes the folders of dead sessions. Such a process may have died between a rename and its
    /// commit, so files without rows are looked for, folder by folder, and go into the trash.
    pub(super) fn recover(&self) -> Result<()> {
        let leftovers = self.store.leftovers()?;
        if !leftovers.any() {
            return Ok(());
        }
        for drawer in self.store.drawers()? {
            self.write(|tx| {
                for found in self.store.objects_in(&drawer)? {
                    if tx.known(found.digest, found.kind)?.is_none() {
                        self.store.discard(tx.token(), found.kind, found.digest)?;
                    }
                }
                Ok(())
            })?;
        }
        leftovers.remove()
    }
}
