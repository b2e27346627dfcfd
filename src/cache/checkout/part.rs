//! What is to be taken out: an artifact, or what lies at a path of one.

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};

use serde::Serialize;

use crate::cache::checkout::Keeper;
use crate::cache::find::lookup;
use crate::cache::inside::lookup_outer;
use crate::cache::{Cache, Reference};
use crate::digest::Digest;
use crate::error::{Error, LinkProblem, Result};
use crate::index::{BindingRow, ObjectRow, ReadTx};
use crate::model::{Artifact, Blob, Entry, Node, ObjectKind};

/// As many links as Linux follows in one path (`path_resolution(7)`).
const MOST_LINKS: usize = 40;

/// An artifact, or a part of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Part {
    /// The artifact's hash, or that of the file; of a directory in an artifact, the artifact's.
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
    /// Returns the stored file; only of a file.
    pub(super) fn blob(&self) -> Blob {
        Blob { digest: self.hash, executable: self.kind == ObjectKind::Executable }
    }

    fn whole(artifact: &Artifact) -> Self {
        let Artifact { hash, kind, size, files } = *artifact;
        Self { hash, kind, size, files, inside: PathBuf::new() }
    }
}

impl Cache {
    /// Finds what a reference means, and the artifact that keeps it.
    pub(super) fn find_part(&self, reference: Reference<'_>) -> Result<(Part, Keeper)> {
        let (object, binding, inside) = self.lent(|tx| find(tx, reference), |(object, _, _)| Some(object.id))?;
        if let Some(binding) = &binding {
            self.note_use(binding);
        }
        let keeper = object.artifact();
        match inside {
            None => Ok((Part::whole(&keeper), keeper)),
            Some(path) => Ok((self.part_inside(&keeper, &path)?, keeper)),
        }
    }

    fn part_inside(&self, tree: &Artifact, path: &Path) -> Result<Part> {
        let entries = self.entries(tree)?;
        let nodes: HashMap<&Path, &Node> = entries.iter().map(|entry| (entry.path.as_path(), &entry.node)).collect();
        let inside = Walk { tree, nodes: &nodes, links: MOST_LINKS }.go(PathBuf::new(), path)?;
        if let Some(Node::File { hash, executable, size }) = nodes.get(inside.as_path()) {
            let kind = ObjectKind::file(*executable);
            return Ok(Part { hash: *hash, kind, size: *size, files: 1, inside });
        }
        let below = entries.iter().filter(|entry| entry.path.starts_with(&inside));
        let sizes = below.filter_map(|entry| match entry.node {
            Node::File { size, .. } => Some(size),
            _ => None,
        });
        let (files, size) = sizes.fold((0, 0_u64), |(files, sum), size| (files + 1, sum.saturating_add(size)));
        Ok(Part { hash: tree.hash, kind: ObjectKind::Tree, size, files, inside })
    }

    /// Returns the entries of a directory, their paths relative to the part's top; none of a file.
    pub(super) fn entries_of_part(&self, part: &Part) -> Result<Vec<Entry>> {
        if part.kind != ObjectKind::Tree {
            return Ok(Vec::new());
        }
        let tree = Artifact { hash: part.hash, kind: part.kind, size: part.size, files: part.files };
        let entries = self.entries(&tree)?.into_iter();
        let below = entries.filter_map(|Entry { path, node }| {
            let path = path.strip_prefix(&part.inside).ok()?.to_owned();
            (!path.as_os_str().is_empty()).then_some(Entry { path, node })
        });
        Ok(below.collect())
    }
}

/// Tries a reference as a whole first: names may look like paths.
fn find(tx: &ReadTx<'_>, reference: Reference<'_>) -> Result<(ObjectRow, Option<BindingRow>, Option<PathBuf>)> {
    match lookup(tx, reference) {
        Ok((object, binding)) => Ok((object, binding, None)),
        Err(error @ (Error::UnknownReference { .. } | Error::NoSuchBinding { .. })) => {
            let ((object, binding), path) = lookup_outer(tx, reference)?.ok_or(error)?;
            Ok((object, binding, Some(path.into())))
        }
        Err(other) => Err(other),
    }
}

/// A walk down a tree that was written down: nothing outside it exists.
struct Walk<'a> {
    tree: &'a Artifact,
    nodes: &'a HashMap<&'a Path, &'a Node>,
    links: usize,
}

impl Walk<'_> {
    /// Goes from the directory `at` along `path`; returns the end.
    fn go(&mut self, at: PathBuf, path: &Path) -> Result<PathBuf> {
        let mut at = at;
        for component in path.components() {
            match component {
                Component::CurDir => {}
                Component::Normal(name) => at = self.step(at, Path::new(name))?,
                Component::ParentDir if at.pop() => {}
                _ => return Err(self.missing(path)),
            }
        }
        Ok(at)
    }

    fn step(&mut self, at: PathBuf, name: &Path) -> Result<PathBuf> {
        let path = at.join(name);
        match self.nodes.get(path.as_path()) {
            None => Err(self.missing(&path)),
            Some(Node::Link { target }) => {
                let problem = |problem| Error::Link { path: path.clone(), target: target.clone(), problem };
                self.links = self.links.checked_sub(1).ok_or_else(|| problem(LinkProblem::Loops))?;
                if target.is_absolute() {
                    return Err(problem(LinkProblem::Leaves));
                }
                self.go(at, target).map_err(|error| match error {
                    Error::NoSuchEntry { .. } => problem(LinkProblem::Dangles),
                    other => other,
                })
            }
            Some(_) => Ok(path),
        }
    }

    fn missing(&self, path: &Path) -> Error {
        Error::NoSuchEntry { hash: self.tree.hash, path: path.to_string_lossy().into_owned() }
    }
}
