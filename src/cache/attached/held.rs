//! What attached spaces hold, put beside what this store holds.

use crate::cache::attached::Mirror;
use crate::cache::usage::usage_of;
use crate::cache::{Binding, Cache, Usage};
use crate::error::Result;
use crate::model::OwnerId;

impl Mirror {
    /// Returns the bindings of a space, of one owner or of all.
    fn bindings(&self, owner: Option<&OwnerId>) -> Result<Vec<Binding>> {
        let rows = self.read(|tx| match owner {
            None => tx.bindings(None),
            Some(owner) => match tx.find_owner(owner)? {
                Some(owner) => tx.bindings(Some(owner)),
                None => Ok(Vec::new()),
            },
        })?;
        let bindings = rows.into_iter().map(|row| Binding { space: Some(self.space.root.clone()), ..row.into() });
        Ok(bindings.collect())
    }
}

impl Cache {
    /// As [`Cache::bindings`], with what packages of Julia bind in attached spaces and not here.
    ///
    /// # Errors
    /// What the index says.
    pub fn all_bindings(&self, owner: Option<&OwnerId>) -> Result<Vec<Binding>> {
        let mut bindings = self.bindings(owner)?;
        let ours = bindings.len();
        for mirror in self.mirrors()? {
            for theirs in mirror.bindings(owner)? {
                if !bindings[..ours].iter().any(|known| is_same(known, &theirs)) {
                    bindings.push(theirs);
                }
            }
        }
        bindings[..].sort_by(|a, b| (&a.owner, &a.name).cmp(&(&b.owner, &b.name)));
        Ok(bindings)
    }

    /// Adds what attached spaces hold to what this store holds. Files that both share count here.
    pub(crate) fn add_attached(&self, usage: &mut Usage) -> Result<()> {
        for mirror in self.mirrors()? {
            let theirs = mirror.read(usage_of)?;
            usage.stored_bytes += theirs.stored_bytes;
            if !mirror.space.writes {
                usage.logical_bytes += theirs.logical_bytes;
            }
            usage.orphan_bytes += theirs.orphan_bytes;
            let known = if mirror.space.writes { self.bindings(None)? } else { Vec::new() };
            for mut owner in theirs.owners {
                // Where both sides are kept in step, what is the same on both is one.
                let id = OwnerId::new(&owner.owner, owner.version.as_deref())?;
                let bindings = mirror.bindings(Some(&id))?;
                let same = bindings.iter().all(|theirs| known.iter().any(|ours| is_same(ours, theirs)));
                if !(same && mirror.space.writes && owner.total_bytes == 0) {
                    owner.space = Some(mirror.space.root.clone());
                    usage.owners.push(owner);
                }
            }
        }
        Ok(())
    }
}

fn is_same(ours: &Binding, theirs: &Binding) -> bool {
    ours.owner == theirs.owner && ours.name == theirs.name && ours.artifact.hash == theirs.artifact.hash
}
