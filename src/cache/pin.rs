//! Protects artifacts for good.

use serde::Serialize;

use crate::cache::Cache;
use crate::cache::find::live_form;
use crate::cache::lease::names_of;
use crate::digest::Digest;
use crate::error::Result;
use crate::index::{Pin, PinRow};
use crate::model::{Artifact, ObjectKind};
use crate::time::Timestamp;

/// A pin, with what it protects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PinInfo {
    /// The artifact it protects.
    pub hash: Digest,
    /// File or directory.
    pub kind: ObjectKind,
    /// Bytes of its files, each entry counted.
    pub size: u64,
    /// Why, until when, and since when.
    #[serde(flatten)]
    pub pin: Pin,
    /// The names the artifact is bound to, as `OWNER:NAME`.
    pub names: Vec<String>,
}

impl Cache {
    /// Returns all pins, oldest first. One that ran out stands here until gc notes that.
    ///
    /// # Errors
    /// What the index says.
    pub fn pins(&self) -> Result<Vec<PinInfo>> {
        self.read(|tx| {
            let info = |row: PinRow| {
                let names = names_of(tx, row.object)?;
                Ok(PinInfo { hash: row.hash, kind: row.kind, size: row.size, pin: row.pin, names })
            };
            tx.pins()?.into_iter().map(info).collect()
        })
    }

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
