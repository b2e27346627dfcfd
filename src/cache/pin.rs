//! Protects artifacts for good.

use crate::cache::Cache;
use crate::cache::find::live_form;
use crate::error::Result;
use crate::model::Artifact;
use crate::time::Timestamp;

impl Cache {
    /// Protects an artifact for good, or until a time, with a reason.
    ///
    /// # Errors
    /// [`Error::NoSuchObject`](crate::Error::NoSuchObject) if the store does not hold it.
    pub fn pin(&self, artifact: &Artifact, reason: &str, until: Option<Timestamp>) -> Result<()> {
        self.write(|tx| {
            let object = live_form(tx, artifact)?;
            tx.put_pin(object.id, reason, until)?;
            tx.clear_orphan(object.id)
        })
    }

    /// Lets a pinned artifact go; tells whether it was pinned.
    ///
    /// # Errors
    /// [`Error::NoSuchObject`](crate::Error::NoSuchObject) if the store does not hold it.
    pub fn unpin(&self, artifact: &Artifact) -> Result<bool> {
        self.write(|tx| {
            let object = live_form(tx, artifact)?;
            let removed = tx.remove_pin(object.id)?;
            if removed {
                tx.mark_if_orphan(object.id)?;
            }
            Ok(removed)
        })
    }
}
