//! What a scratch space stores under an id, as it lies there.
//!
//! A file is a file. A directory is real directories in which every regular file is an absolute link
//! to `artifacts/<2 hex>/<64 hex>`; the space may have been moved since, so only the end of such a
//! link counts. Other links are relative and lead to places inside the directory.

use std::path::{Component, Path, PathBuf};

use walkdir::WalkDir;

use crate::digest::Digest;
use crate::error::{Error, PathContext as _, Result};
use crate::fs::{lstat, special_file};
use crate::julia::ScratchSpace;

/// What lies under an id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stored {
    /// Nothing.
    Missing,
    /// A regular file, or what only claims to be one.
    File,
    /// A directory.
    Tree(Vec<StoredEntry>),
    /// Something OhMyArtifacts.jl does not store.
    Foreign(String),
}

/// One path of a stored directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredEntry {
    /// Relative to the top.
    pub(crate) path: PathBuf,
    pub(crate) node: StoredNode,
}

/// What lies at a path of a stored directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StoredNode {
    /// A link to the file of this id.
    File(Digest),
    /// A link to a place inside.
    Link(PathBuf),
    Directory,
}

impl ScratchSpace {
    /// Looks at what is stored under an id. Reads no content.
    pub(crate) fn stored(&self, id: Digest) -> Result<Stored> {
        let top = self.artifact(id);
        match lstat(&top)? {
            None => Ok(Stored::Missing),
            Some(found) if found.is_file() => Ok(Stored::File),
            Some(found) if found.is_dir() => entries(&top),
            Some(found) => {
                let what = special_file(found.file_type()).unwrap_or("symbolic link");
                Ok(Stored::Foreign(format!("it is a {what}")))
            }
        }
    }

    /// Returns the ids of everything stored, sorted. What else lies in the folder does not count.
    pub(crate) fn ids(&self) -> Result<Vec<Digest>> {
        let folder = self.artifacts();
        if lstat(&folder)?.is_none() {
            return Ok(Vec::new());
        }
        let listing = WalkDir::new(&folder).min_depth(1).max_depth(2).into_iter();
        // Working directories of creates and other rubbish are not looked into.
        let listing = listing.filter_entry(|entry| entry.depth() != 1 || is_shelf(entry.path()));
        let mut ids = Vec::new();
        for entry in listing {
            let entry = entry.map_err(|error| Error::io("list", &folder, error.into()))?;
            if entry.depth() == 2 {
                ids.extend(id_at_end(entry.path()));
            }
        }
        ids.sort_unstable();
        Ok(ids)
    }
}

fn entries(top: &Path) -> Result<Stored> {
    let mut entries = Vec::new();
    for found in WalkDir::new(top).min_depth(1) {
        let found = found.map_err(|error| Error::io("list", top, error.into()))?;
        let path = found.path().strip_prefix(top).expect("a walk stays below its root").to_owned();
        let kind = found.file_type();
        let node = if kind.is_dir() {
            StoredNode::Directory
        } else if kind.is_symlink() {
            let target = std::fs::read_link(found.path()).at("read the link", found.path())?;
            match link(target) {
                Ok(node) => node,
                Err(target) => {
                    let path = path.display();
                    return Ok(Stored::Foreign(format!("the link `{path}` leads to `{}`", target.display())));
                }
            }
        } else {
            return Ok(Stored::Foreign(format!("`{}` is not a link into the store", path.display())));
        };
        entries.push(StoredEntry { path, node });
    }
    Ok(Stored::Tree(entries))
}

/// An absolute link must end in the place of a file; the target comes back if it does not.
fn link(target: PathBuf) -> Result<StoredNode, PathBuf> {
    if target.is_relative() {
        return Ok(StoredNode::Link(target));
    }
    match id_at_end(&target) {
        Some(id) => Ok(StoredNode::File(id)),
        None => Err(target),
    }
}

/// Returns the id a path ends with, if it ends like `artifacts/<2 hex>/<64 hex>`.
pub(crate) fn id_at_end(path: &Path) -> Option<Digest> {
    let mut parts = path.components().rev();
    let mut part = || match parts.next() {
        Some(Component::Normal(name)) => name.to_str(),
        _ => None,
    };
    let (name, shelf, folder) = (part()?, part()?, part()?);
    let id = name.parse::<Digest>().ok().filter(|id| id.to_string() == name)?;
    (folder == "artifacts" && name.starts_with(shelf) && shelf.len() == 2).then_some(id)
}

fn is_shelf(path: &Path) -> bool {
    let name = path.file_name().and_then(std::ffi::OsStr::to_str).unwrap_or_default();
    name.len() == 2 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}
