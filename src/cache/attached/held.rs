//! What attached spaces hold, put beside what this store holds.

use std::collections::HashSet;

use crate::cache::attached::Mirror;
use crate::cache::find::bindings_where;
use crate::cache::usage::{usage_of, usage_of_one};
use crate::cache::{Binding, Cache, Usage};
use crate::digest::Digest;
use crate::error::Result;
use crate::model::{Filter, OwnerId};
use crate::time::Timestamp;

impl Mirror {
    /// Returns the bindings of a space, of one owner or of all.
    fn bindings(&self, owner: Option<&OwnerId>) -> Result<Vec<Binding>> {
        self.bindings_where(owner, &[], Timestamp::from_millis(0))
    }

    fn bindings_where(&self, owner: Option<&OwnerId>, filters: &[Filter], now: Timestamp) -> Result<Vec<Binding>> {
        let rows = self.read(|tx| bindings_where(tx, owner, filters, now))?;
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
        self.all_bindings_where(owner, &[])
    }

    /// As [`Cache::bindings_where`], with what packages of Julia bind in attached spaces and not here.
    ///
    /// # Errors
    /// What the index says.
    pub fn all_bindings_where(&self, owner: Option<&OwnerId>, filters: &[Filter]) -> Result<Vec<Binding>> {
        let ours = self.bindings_where(owner, filters)?;
        let mirrors = self.mirrors()?;
        if mirrors.is_empty() {
            return Ok(ours);
        }
        // What is bound on both sides is one thing, also where only one side meets a condition.
        let all = self.bindings(owner)?;
        let known: HashSet<Name<'_>> = all.iter().map(name).collect();
        let mut theirs = Vec::new();
        for mirror in mirrors {
            let met = mirror.bindings_where(owner, filters, self.now())?;
            theirs.extend(met.into_iter().filter(|binding| !known.contains(&name(binding))));
        }
        let mut bindings = ours;
        bindings.extend(theirs);
        bindings.sort_by(|a, b| (&a.owner, &a.name).cmp(&(&b.owner, &b.name)));
        Ok(bindings)
    }

    /// Adds what attached spaces hold to what this store holds. Files that both share count here.
    pub(crate) fn add_attached(&self, usage: &mut Usage, only: Option<&OwnerId>) -> Result<()> {
        let mirrors = self.mirrors()?;
        let ours = if mirrors.iter().any(|mirror| mirror.space.writes) { self.bindings(None)? } else { Vec::new() };
        let known: HashSet<Name<'_>> = ours.iter().map(name).collect();
        for mirror in mirrors {
            let theirs = mirror.read(|tx| match only {
                Some(owner) => usage_of_one(tx, owner),
                None => usage_of(tx, false),
            })?;
            usage.stored_bytes += theirs.stored_bytes;
            if !mirror.space.writes {
                usage.logical_bytes += theirs.logical_bytes;
            }
            usage.orphan_bytes += theirs.orphan_bytes;
            for mut owner in theirs.owners {
                if mirror.space.writes && owner.total_bytes == 0 {
                    // Where both sides are kept in step, what is the same on both is one.
                    let id = OwnerId::new(&owner.owner, owner.version.as_deref())?;
                    if mirror.bindings(Some(&id))?.iter().all(|binding| known.contains(&name(binding))) {
                        continue;
                    }
                }
                owner.space = Some(mirror.space.root.clone());
                usage.owners.push(owner);
            }
        }
        Ok(())
    }
}

/// What tells whether two sides bind the same.
type Name<'a> = (&'a OwnerId, &'a str, Digest);

fn name(binding: &Binding) -> Name<'_> {
    (&binding.owner, &binding.name, binding.artifact.hash)
}
