//! What is to be taken out: an artifact, or what lies at a path of one.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::cache::find::lookup;
use crate::cache::inside::{Inside, follow, lookup_outer};
use crate::cache::{Cache, Reference};
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::index::{BindingRow, ReadTx};
use crate::model::{Artifact, Blob, Entry, Manifest, ObjectKind};

/// An artifact, or a part of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Part {
    /// What it is called in the store; of a directory in an artifact, what it would be called if it were put in.
    pub hash: Digest,
    /// `file` or `tree`.
    pub kind: ObjectKind,
    /// Logical bytes.
    pub size: u64,
    /// Files, each path counted.
    pub files: u64,
    /// The path in the artifact, links followed; empty for all of it.
    #[serde(skip_serializing_if = "is_empty", serialize_with = "crate::text::serialize_path")]
    pub inside: PathBuf,
}

fn is_empty(path: &Path) -> bool {
    path.as_os_str().is_empty()
}

impl Part {
    fn new(artifact: &Artifact, inside: PathBuf) -> Self {
        let Artifact { hash, kind, size, files } = *artifact;
        Self { hash, kind, size, files, inside }
    }

    /// Returns the stored file; none of a directory.
    pub(super) fn blob(&self) -> Option<Blob> {
        self.kind.is_file().then(|| Blob { digest: self.hash, executable: self.kind == ObjectKind::Executable })
    }
}

/// What a reference led to.
pub(super) struct Chosen {
    /// The artifact that keeps it.
    pub(super) keeper: Artifact,
    /// The file it is; none of a directory.
    pub(super) file: Option<Artifact>,
    /// The path in the artifact, links followed; empty for all of it.
    pub(super) inside: PathBuf,
}

impl Cache {
    /// Finds what a reference means, for somebody who is going to use it.
    pub(super) fn choose(&self, reference: Reference<'_>) -> Result<Chosen> {
        let (found, binding) = self.lent(|tx| find(tx, reference), |(found, _)| Some(found.tree.id))?;
        if let Some(binding) = &binding {
            self.note_use(binding);
        }
        let Inside { tree, path, file } = found;
        Ok(Chosen { keeper: tree.artifact(), file: file.map(|file| file.artifact()), inside: path })
    }

    /// Returns all that is known of what was chosen: of a directory its entries too, parents before children,
    /// their paths beginning below it.
    pub(super) fn unfold(&self, chosen: Chosen) -> Result<(Part, Vec<Entry>)> {
        let Chosen { keeper, file, inside } = chosen;
        if let Some(file) = file {
            return Ok((Part::new(&file, inside), Vec::new()));
        }
        let entries = self.entries(&keeper)?;
        if is_empty(&inside) {
            return Ok((Part::new(&keeper, inside), entries));
        }
        let below = entries.into_iter().filter_map(|Entry { path, node }| {
            let path = path.strip_prefix(&inside).ok()?.to_owned();
            (!is_empty(&path)).then_some(Entry { path, node })
        });
        let Manifest { hash, size, files, entries, .. } = Manifest::new(below.collect());
        Ok((Part { hash, kind: ObjectKind::Tree, size, files, inside }, entries))
    }
}

/// Tries a reference as a whole first: names may look like paths.
fn find(tx: &ReadTx<'_>, reference: Reference<'_>) -> Result<(Inside, Option<BindingRow>)> {
    let ((artifact, binding), path) = match lookup(tx, reference) {
        Ok(hit) => (hit, ""),
        Err(error @ (Error::UnknownReference { .. } | Error::NoSuchBinding { .. })) => {
            lookup_outer(tx, reference)?.ok_or(error)?
        }
        Err(other) => return Err(other),
    };
    Ok((follow(tx, artifact, path)?, binding))
}
