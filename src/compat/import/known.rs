//! What the store knows already.

use crate::cache::Cache;
use crate::digest::Digest;
use crate::error::Result;
use crate::index::{BindingRow, DeclarationRow, State};
use crate::model::{Artifact, BindingName, Blob, OwnerId};

/// A store, as the plan of an import asks it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'c>(pub(super) &'c Cache);

impl Known<'_> {
    /// Returns the artifact of this id, if the store holds it.
    pub(super) fn artifact(self, id: Digest) -> Result<Option<Artifact>> {
        let cache = self.0;
        let found = cache.read(|tx| tx.find_object(id))?;
        let Some(object) = found else { return Ok(None) };
        let held = cache.store.holds(object.kind, object.hash, object.size)?;
        Ok(held.then(|| object.artifact()))
    }

    /// Returns the length of a file, if the store holds it in this form.
    pub(super) fn file(self, blob: Blob) -> Result<Option<u64>> {
        let cache = self.0;
        let found = cache.read(|tx| tx.find_form(blob.digest, blob.kind()))?;
        let Some(object) = found.filter(|object| object.state == State::Live) else { return Ok(None) };
        Ok(cache.store.holds(object.kind, object.hash, object.size)?.then_some(object.size))
    }

    /// Returns the files a directory has.
    pub(super) fn files_of(self, tree: &Artifact) -> Result<Vec<Blob>> {
        let entries = self.0.entries(tree)?;
        Ok(entries.iter().filter_map(|entry| entry.node.blob()).collect())
    }

    /// Returns what is declared under a name.
    pub(super) fn declaration(self, owner: &OwnerId, name: &BindingName) -> Result<Option<DeclarationRow>> {
        let cache = self.0;
        cache.read(|tx| match tx.find_owner(owner)? {
            Some(owner) => tx.find_declaration(owner, name),
            None => Ok(None),
        })
    }

    /// Returns what a name is bound to.
    pub(super) fn binding(self, owner: &OwnerId, name: &BindingName) -> Result<Option<BindingRow>> {
        self.0.find_binding(owner, name)
    }
}
