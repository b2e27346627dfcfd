//! In what two artifacts differ, path by path.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use serde::{Serialize, Serializer};

use crate::cache::Cache;
use crate::digest::Digest;
use crate::error::Result;
use crate::model::{Artifact, Entry, Node, ObjectKind};
use crate::text::path_text;

/// What happened to a path on the way from one artifact to the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// It is only in the second one.
    Added,
    /// It is only in the first one.
    Removed,
    /// Its content differs; of a link the target.
    Changed,
    /// Only the execute bit differs.
    Mode,
    /// A file is a link or a directory, or the other way round.
    Kind,
    /// The same file lies elsewhere.
    Moved,
}

/// What lies at a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DiffSide {
    /// Git's mode.
    #[serde(serialize_with = "octal")]
    pub mode: u32,
    /// A file's length in bytes.
    pub size: Option<u64>,
    /// A file's hash.
    pub hash: Option<Digest>,
    /// A link's target.
    pub target: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn octal<S: Serializer>(mode: &u32, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format!("{mode:06o}"))
}

/// A path at which two artifacts differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DiffedPath {
    /// The path; in the second artifact if it was moved. None if both artifacts are files.
    pub path: Option<String>,
    /// What happened.
    pub change: Change,
    /// Where it was, if it was moved.
    pub from: Option<String>,
    /// What the first artifact has.
    pub left: Option<DiffSide>,
    /// What the second artifact has.
    pub right: Option<DiffSide>,
}

/// In what two artifacts differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diff {
    /// The first artifact.
    pub left: Digest,
    /// The second artifact.
    pub right: Digest,
    /// Whether nothing differs.
    pub equal: bool,
    /// How many paths are the same in both.
    pub same: u64,
    /// Bytes of the files that the second has and the first does not, each content once.
    pub new_bytes: u64,
    /// Bytes of the files that the first has and the second does not, each content once.
    pub lost_bytes: u64,
    /// The paths at which they differ, in order.
    pub changes: Vec<DiffedPath>,
}

impl Cache {
    /// Compares two artifacts, from the first to the second.
    ///
    /// # Errors
    /// [`Error::NoSuchObject`](crate::Error::NoSuchObject) if the store does not hold one of them.
    pub fn diff(&self, left: &Artifact, right: &Artifact) -> Result<Diff> {
        let sides = Sides { left: self.nodes(left)?, right: self.nodes(right)? };
        let changes = sides.changes();
        Ok(Diff {
            left: left.hash,
            right: right.hash,
            equal: changes.is_empty(),
            same: sides.same(),
            new_bytes: bytes_beyond(&sides.right, &sides.left),
            lost_bytes: bytes_beyond(&sides.left, &sides.right),
            changes,
        })
    }

    /// A file has one path: none.
    fn nodes(&self, artifact: &Artifact) -> Result<Nodes> {
        if artifact.kind == ObjectKind::Tree {
            let entries = self.entries(artifact)?;
            return Ok(entries.into_iter().map(|Entry { path, node }| (path, node)).collect());
        }
        let executable = artifact.kind == ObjectKind::Executable;
        let node = Node::File { hash: artifact.hash, executable, size: artifact.size };
        Ok(Nodes::from([(PathBuf::new(), node)]))
    }
}

type Nodes = BTreeMap<PathBuf, Node>;

struct Sides {
    left: Nodes,
    right: Nodes,
}

impl Sides {
    fn same(&self) -> u64 {
        self.left.iter().filter(|(path, node)| self.right.get(*path) == Some(*node)).count() as u64
    }

    fn changes(&self) -> Vec<DiffedPath> {
        let mut lost = self.lost_files();
        let mut moved: Vec<&Path> = Vec::new();
        let mut changes = Vec::new();
        for (path, right) in &self.right {
            match self.left.get(path) {
                Some(left) => changes.extend(changed(path, left, right)),
                None => match lost.get_mut(&content(right)).and_then(Vec::pop) {
                    Some(from) => {
                        moved.push(from);
                        let from_node = self.left.get(from);
                        changes.push(row(path, Change::Moved, Some(from), from_node, Some(right)));
                    }
                    None => changes.push(row(path, Change::Added, None, None, Some(right))),
                },
            }
        }
        moved.sort_unstable();
        let gone = self.left.iter().filter(|(path, _)| !self.right.contains_key(*path));
        let gone = gone.filter(|(path, _)| moved.binary_search(&path.as_path()).is_err());
        changes.extend(gone.map(|(path, left)| row(path, Change::Removed, None, Some(left), None)));
        changes.sort_by(|a, b| (&a.path, a.change).cmp(&(&b.path, b.change)));
        changes
    }

    /// The files that the second side does not have where the first one has them, the last path first. Empty
    /// ones are all alike, and say nothing.
    fn lost_files(&self) -> HashMap<Option<Digest>, Vec<&Path>> {
        let mut lost: HashMap<Option<Digest>, Vec<&Path>> = HashMap::new();
        for (path, node) in self.left.iter().rev().filter(|(path, _)| !self.right.contains_key(*path)) {
            if let Node::File { hash, size: 1.., .. } = node {
                lost.entry(Some(*hash)).or_default().push(path);
            }
        }
        lost
    }
}

fn content(node: &Node) -> Option<Digest> {
    match node {
        Node::File { hash, .. } => Some(*hash),
        _ => None,
    }
}

fn changed(path: &Path, left: &Node, right: &Node) -> Option<DiffedPath> {
    let change = match (left, right) {
        (left, right) if left == right => return None,
        (Node::File { hash: a, .. }, Node::File { hash: b, .. }) if a == b => Change::Mode,
        (Node::File { .. }, Node::File { .. }) | (Node::Link { .. }, Node::Link { .. }) => Change::Changed,
        _ => Change::Kind,
    };
    Some(row(path, change, None, Some(left), Some(right)))
}

fn row(path: &Path, change: Change, from: Option<&Path>, left: Option<&Node>, right: Option<&Node>) -> DiffedPath {
    let text = |path: &Path| Some(path_text(path)).filter(|text| !text.is_empty());
    DiffedPath { path: text(path), change, from: from.and_then(text), left: left.map(side), right: right.map(side) }
}

fn side(node: &Node) -> DiffSide {
    let (size, hash, target) = match node {
        Node::File { hash, size, .. } => (Some(*size), Some(*hash), None),
        Node::Link { target } => (None, None, Some(path_text(target))),
        Node::Directory => (None, None, None),
    };
    DiffSide { mode: node.mode(), size, hash, target }
}

/// Adds up the contents that one side has and the other does not.
fn bytes_beyond(side: &Nodes, other: &Nodes) -> u64 {
    let contents = |nodes: &Nodes| {
        let files = nodes.values().filter_map(|node| match node {
            Node::File { hash, size, .. } => Some((*hash, *size)),
            _ => None,
        });
        files.collect::<HashMap<Digest, u64>>()
    };
    let known = contents(other);
    contents(side).into_iter().filter(|(hash, _)| !known.contains_key(hash)).map(|(_, size)| size).sum()
}
