//! Reads everything an export needs, in one transaction.

use std::collections::btree_map::Entry as Slot;
use std::collections::{BTreeMap, BTreeSet};

use crate::cache::Cache;
use crate::digest::Digest;
use crate::error::Result;
use crate::index::{BindingRow, DeclarationRow, ReadTx};
use crate::model::{Blob, Entry, ObjectKind, OwnerId};
use crate::time::Timestamp;

/// How much is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// Names and what they stand for.
    Names,
    /// Also what directories consist of, for the log of uses, and what nobody uses.
    Space,
    /// Also what nobody uses consists of.
    Artifacts,
}

/// One state of the rows.
#[derive(Debug, Default)]
pub(super) struct Snapshot {
    pub(super) bindings: Vec<BindingRow>,
    pub(super) declarations: Vec<DeclarationRow>,
    /// What nobody uses, and since when.
    pub(super) orphans: BTreeMap<Digest, Timestamp>,
    /// The files that are artifacts themselves.
    pub(super) files: BTreeSet<Blob>,
    /// The directories, with what they consist of.
    pub(super) trees: BTreeMap<Digest, Vec<Entry>>,
}

impl Snapshot {
    /// Reads what one owner has, or what all have and what nobody uses.
    pub(super) fn take(cache: &Cache, owner: Option<&OwnerId>, scope: Scope) -> Result<Self> {
        cache.read(|tx| {
            let mut snapshot = Self::names(tx, owner)?;
            if scope != Scope::Names {
                snapshot.add_bound(tx)?;
                if owner.is_none() {
                    snapshot.add_orphans(tx, scope)?;
                }
            }
            Ok(snapshot)
        })
    }

    fn names(tx: &ReadTx<'_>, owner: Option<&OwnerId>) -> Result<Self> {
        let bindings = match owner {
            None => tx.bindings(None)?,
            Some(owner) => match tx.find_owner(owner)? {
                Some(owner) => tx.bindings(Some(owner))?,
                None => Vec::new(),
            },
        };
        let mut declarations = tx.declarations()?;
        declarations.retain(|row| owner.is_none_or(|owner| row.owner == *owner));
        Ok(Self { bindings, declarations, ..Self::default() })
    }

    fn add_bound(&mut self, tx: &ReadTx<'_>) -> Result<()> {
        let bound: Vec<_> = self.own_bindings().map(|row| (row.object_id, row.artifact.clone())).collect();
        bound.into_iter().try_for_each(|(object, artifact)| self.add(tx, object, artifact.hash, artifact.kind))
    }

    /// A mark may be older than a directory that came to need the file.
    fn add_orphans(&mut self, tx: &ReadTx<'_>, scope: Scope) -> Result<()> {
        let in_use: BTreeSet<Digest> = self.blobs().map(|blob| blob.digest).chain(self.bound_ids()).collect();
        for row in tx.marked_orphans()? {
            let Some(since) = row.orphaned_at.filter(|_| !in_use.contains(&row.hash)) else { continue };
            self.orphans.insert(row.hash, since);
            if scope == Scope::Artifacts {
                self.add(tx, row.id, row.hash, row.kind)?;
            }
        }
        Ok(())
    }

    fn add(&mut self, tx: &ReadTx<'_>, object: i64, hash: Digest, kind: ObjectKind) -> Result<()> {
        if kind != ObjectKind::Tree {
            self.files.insert(Blob { digest: hash, executable: kind == ObjectKind::Executable });
        } else if let Slot::Vacant(vacant) = self.trees.entry(hash) {
            vacant.insert(tx.entries(object)?);
        }
        Ok(())
    }

    /// Returns the bindings that stand for no declaration.
    pub(super) fn own_bindings(&self) -> impl Iterator<Item = &BindingRow> {
        let declared: BTreeSet<(&OwnerId, &str)> =
            self.declarations.iter().map(|row| (&row.owner, row.name.as_str())).collect();
        self.bindings.iter().filter(move |row| !declared.contains(&(&row.owner, row.name.as_str())))
    }

    /// Returns the files of directories and those that are artifacts themselves.
    pub(super) fn blobs(&self) -> impl Iterator<Item = Blob> {
        let in_trees = self.trees.values().flatten().filter_map(|entry| entry.node.blob());
        in_trees.chain(self.files.iter().copied())
    }

    fn bound_ids(&self) -> impl Iterator<Item = Digest> {
        self.bindings.iter().map(|row| row.artifact.hash)
    }
}
