//! What sharing saves: the files that stand in several places, and whose they are.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::cache::Cache;
use crate::digest::Digest;
use crate::error::Result;
use crate::index::{BindingRow, ReadTx};
use crate::model::{Artifact, OwnerId};
use crate::text::path_text;

/// A file that stands in several places.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Duplicate {
    /// Its hash.
    pub hash: Digest,
    /// Its length in bytes.
    pub size: u64,
    /// In how many places it stands, counting each binding of each directory.
    pub copies: u64,
    /// Bytes that all but one of them would take.
    pub saved_bytes: u64,
    /// Whose bindings reach it, as `KEY` or `KEY@VERSION`.
    pub owners: Vec<String>,
    /// One of the places, as `OWNER:NAME/PATH`.
    pub place: String,
}

/// What sharing saves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Duplicates {
    /// Bytes that everything bound would take without sharing.
    pub logical_bytes: u64,
    /// Bytes that the files of everything bound take, each once.
    pub kept_bytes: u64,
    /// The difference: the sum over all files.
    pub saved_bytes: u64,
    /// The files that stand in more than one place, those first that save most.
    pub files: Vec<Duplicate>,
}

impl Cache {
    /// Finds the files that stand in several places; with an owner, of those that it holds too.
    ///
    /// # Errors
    /// What the index says.
    pub fn duplicates(&self, owner: Option<&OwnerId>) -> Result<Duplicates> {
        self.read(|tx| {
            let mut places = Places::new(tx.bindings_of(None)?);
            places.count(tx)?;
            places.report(tx, owner)
        })
    }
}

/// Where one file stands.
struct Standing {
    copies: u64,
    /// Numbers of owners, each once.
    owners: Vec<u32>,
    /// A binding, and a path in it if that is a directory.
    first: (usize, Option<PathBuf>),
}

impl Standing {
    fn add(&mut self, copies: u64, owners: &[u32]) {
        self.copies += copies;
        for owner in owners {
            if let Err(at) = self.owners.binary_search(owner) {
                self.owners.insert(at, *owner);
            }
        }
    }
}

/// Who has bound an object, and how often.
struct Bound {
    copies: u64,
    owners: Vec<u32>,
    first: usize,
}

struct Places {
    bindings: Vec<BindingRow>,
    owners: Vec<OwnerId>,
    bound: HashMap<i64, Bound>,
    files: HashMap<i64, Standing>,
}

impl Places {
    fn new(bindings: Vec<BindingRow>) -> Self {
        let mut owners: Vec<OwnerId> = Vec::new();
        let mut bound: HashMap<i64, Bound> = HashMap::new();
        for (number, row) in bindings.iter().enumerate() {
            // They come by owner.
            if owners.last() != Some(&row.owner) {
                owners.push(row.owner.clone());
            }
            let owner = u32::try_from(owners.len() - 1).unwrap_or(u32::MAX);
            let entry = bound.entry(row.object_id).or_insert(Bound { copies: 0, owners: Vec::new(), first: number });
            entry.copies += 1;
            if entry.owners.last() != Some(&owner) {
                entry.owners.push(owner);
            }
        }
        Self { bindings, owners, bound, files: HashMap::new() }
    }

    fn count(&mut self, tx: &ReadTx<'_>) -> Result<()> {
        for row in self.bindings.iter().filter(|row| row.artifact.kind.is_file()) {
            let Some(bound) = self.bound.get(&row.object_id) else { continue };
            self.files.entry(row.object_id).or_insert_with(|| Standing {
                copies: bound.copies,
                owners: bound.owners.clone(),
                first: (bound.first, None),
            });
        }
        let (bound, files) = (&self.bound, &mut self.files);
        tx.each_path(None, |entry| {
            let (Some(tree), Some(blob)) = (bound.get(&entry.tree), entry.blob) else { return };
            let standing = files.entry(blob).or_insert_with(|| Standing {
                copies: 0,
                owners: Vec::new(),
                first: (tree.first, Some(entry.path.to_owned())),
            });
            standing.add(tree.copies, &tree.owners);
        })
    }

    fn report(self, tx: &ReadTx<'_>, owner: Option<&OwnerId>) -> Result<Duplicates> {
        let mut report = Duplicates { logical_bytes: 0, kept_bytes: 0, saved_bytes: 0, files: Vec::new() };
        let only = owner.map(|owner| self.owners.iter().position(|known| known == owner));
        // One after the other as they lie in the index: in any other order each would be a page of its own.
        let mut files: Vec<(&i64, &Standing)> = self.files.iter().collect();
        files.sort_unstable_by_key(|(id, _)| **id);
        for (id, standing) in files {
            let is_meant = only.is_none_or(|only| only.is_some_and(|only| has(standing, only)));
            let Some(file) = tx.whole(*id)?.filter(|_| is_meant) else { continue };
            report.logical_bytes += file.size * standing.copies;
            report.kept_bytes += file.size;
            if standing.copies > 1 {
                report.files.push(self.duplicate(&file, standing));
            }
        }
        report.saved_bytes = report.logical_bytes - report.kept_bytes;
        report.files.sort_by(|a, b| (b.saved_bytes, a.hash, &a.place).cmp(&(a.saved_bytes, b.hash, &b.place)));
        Ok(report)
    }

    fn duplicate(&self, file: &Artifact, standing: &Standing) -> Duplicate {
        let owners: BTreeSet<String> =
            standing.owners.iter().map(|owner| self.owners[*owner as usize].to_string()).collect();
        let (binding, path) = &standing.first;
        Duplicate {
            hash: file.hash,
            size: file.size,
            copies: standing.copies,
            saved_bytes: file.size * (standing.copies - 1),
            owners: owners.into_iter().collect(),
            place: place(&self.bindings[*binding], path.as_deref()),
        }
    }
}

fn has(standing: &Standing, owner: usize) -> bool {
    u32::try_from(owner).is_ok_and(|owner| standing.owners.binary_search(&owner).is_ok())
}

fn place(binding: &BindingRow, path: Option<&Path>) -> String {
    let inside = path.map(|path| format!("/{}", path_text(path))).unwrap_or_default();
    format!("{}:{}{inside}", binding.owner, binding.name)
}
