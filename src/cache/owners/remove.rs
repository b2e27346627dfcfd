//! Removes owners on purpose, and tells what nothing keeps then.

use std::collections::HashSet;

use serde::Serialize;

use crate::cache::Cache;
use crate::cache::bind::Parting;
use crate::cache::owners::require;
use crate::digest::Digest;
use crate::error::Result;
use crate::index::{BindingRow, ReadTx, SpaceRow, What, WriteTx};
use crate::model::{BindingName, ObjectKind, OwnerId};

/// What the removal of owners does, or would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OwnerRemoval {
    /// The owners that go.
    pub removed: Vec<RemovedOwner>,
    /// What nothing keeps then; gc takes it after the collect delay.
    pub orphaned: Vec<OrphanedArtifact>,
}

/// An owner that goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RemovedOwner {
    /// Its key.
    pub owner: String,
    /// Its version, if it has one.
    pub version: Option<String>,
    /// How many names it had bound.
    pub bindings: u64,
}

/// An artifact that nothing keeps any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OrphanedArtifact {
    /// Its hash.
    pub hash: Digest,
    /// File or directory.
    pub kind: ObjectKind,
    /// Bytes of its files, each entry counted.
    pub size: u64,
    /// The names it had, as `OWNER:NAME`, latest first.
    pub names: Vec<String>,
}

impl Cache {
    /// Tells what [`Cache::remove_owners`] would do. Changes nothing.
    ///
    /// # Errors
    /// [`Error::NoSuchOwner`](crate::Error::NoSuchOwner) if one of them is not known.
    pub fn owner_removal(&self, owners: &[OwnerId]) -> Result<OwnerRemoval> {
        self.read(|tx| Leaving::of(tx, owners)?.outcome(tx))
    }

    /// Drops the bindings and declarations of owners, and the owners themselves. No file is touched: what
    /// nothing keeps any more is for gc to take.
    ///
    /// # Errors
    /// [`Error::NoSuchOwner`](crate::Error::NoSuchOwner) if one of them is not known; then all stay.
    pub fn remove_owners(&self, owners: &[OwnerId]) -> Result<OwnerRemoval> {
        let retracted = self.retract_owners(owners)?;
        self.with_reserve(|| {
            self.write(|tx| {
                for (space, owner, name) in &retracted {
                    tx.drop_space_binding(space.id, owner, name.as_str())?;
                }
                let leaving = Leaving::of(tx, owners)?;
                let outcome = leaving.outcome(tx)?;
                self.let_leave(tx, &leaving)?;
                Ok(outcome)
            })
        })
    }

    /// Lets the owners' names go in attached spaces too.
    fn retract_owners(&self, owners: &[OwnerId]) -> Result<Vec<(SpaceRow, OwnerId, BindingName)>> {
        let mut retracted = Vec::new();
        let bound = self.read(|tx| Ok(Leaving::of(tx, owners)?.bindings))?;
        for owner in owners {
            if !self.goes_elsewhere(owner)? {
                continue;
            }
            let bound = bound.iter().filter(|binding| binding.owner == *owner);
            let names = bound.map(|binding| BindingName::new(&binding.name)).collect::<Result<Vec<_>>>()?;
            for space in self.retract_bindings(owner, &names)? {
                retracted.extend(names.iter().map(|name| (space.clone(), owner.clone(), name.clone())));
            }
        }
        Ok(retracted)
    }

    fn let_leave(&self, tx: &WriteTx<'_>, leaving: &Leaving) -> Result<()> {
        for binding in &leaving.bindings {
            self.drop_binding(tx, binding, Parting::of(What::Remove))?;
        }
        leaving.owners.iter().try_for_each(|(id, _)| tx.drop_owner(*id))
    }
}

/// Owners that leave, with all they have bound: directories first, so that a file that is bound too is
/// noted as let go when nothing needs it any more.
struct Leaving {
    owners: Vec<(i64, OwnerId)>,
    bindings: Vec<BindingRow>,
}

impl Leaving {
    fn of(tx: &ReadTx<'_>, owners: &[OwnerId]) -> Result<Self> {
        let mut rows: Vec<(i64, OwnerId)> = Vec::new();
        let mut bindings = Vec::new();
        for owner in owners {
            let id = require(tx, owner)?;
            if rows.iter().all(|(known, _)| *known != id) {
                rows.push((id, owner.clone()));
                bindings.extend(tx.bindings(Some(id))?);
            }
        }
        bindings.sort_by_key(|binding| binding.artifact.kind.is_file());
        Ok(Self { owners: rows, bindings })
    }

    fn outcome(&self, tx: &ReadTx<'_>) -> Result<OwnerRemoval> {
        let removed = self.owners.iter().map(|(_, owner)| RemovedOwner {
            owner: owner.key().to_owned(),
            version: owner.version().map(str::to_owned),
            bindings: self.bindings.iter().filter(|binding| binding.owner == *owner).count() as u64,
        });
        Ok(OwnerRemoval { removed: removed.collect(), orphaned: self.orphaned(tx)? })
    }

    /// Returns what nothing else keeps, by hash.
    fn orphaned(&self, tx: &ReadTx<'_>) -> Result<Vec<OrphanedArtifact>> {
        let mut lost = HashSet::new();
        let mut orphaned = Vec::new();
        for binding in &self.bindings {
            let (object, artifact) = (binding.object_id, &binding.artifact);
            if lost.contains(&object) || self.is_held(tx, object, &lost)? {
                continue;
            }
            lost.insert(object);
            let names = tx.past_names(artifact.hash, artifact.kind)?;
            let kind = artifact.kind;
            orphaned.push(OrphanedArtifact { hash: artifact.hash, kind, size: artifact.size, names });
        }
        orphaned.sort_by_key(|orphan: &OrphanedArtifact| (orphan.hash, orphan.kind));
        Ok(orphaned)
    }

    /// Tells whether anything but these owners, and directories that go with them, keeps an object.
    fn is_held(&self, tx: &ReadTx<'_>, object: i64, lost: &HashSet<i64>) -> Result<bool> {
        let stays = |binding: &BindingRow| self.owners.iter().all(|(_, owner)| *owner != binding.owner);
        if tx.bindings_of_object(object)?.iter().any(stays) {
            return Ok(true);
        }
        if !tx.leases_of(object)?.is_empty() || tx.pin_of(object)?.is_some() {
            return Ok(true);
        }
        let trees = tx.trees_with(object)?;
        Ok(trees.iter().any(|tree| tree.orphaned_at.is_none() && !lost.contains(&tree.id)))
    }
}
