//! git's SHA-1 name of a directory that is known as a list, not as a folder on the disk.
//!
//! It is that of `git write-tree`, as [`git_tree_sha1`](crate::julia::git_tree_sha1) finds it on the disk:
//! `.git` is left out at every level, and so is a directory without files.

use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use sha1::{Digest as _, Sha1};

use crate::julia::sha1::GitTreeSha1;

/// A path and what lies there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ListedEntry {
    pub(crate) path: PathBuf,
    pub(crate) node: ListedNode,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ListedNode {
    Directory,
    /// The SHA-1 of the content as a blob.
    File {
        sha1: [u8; 20],
        executable: bool,
    },
    /// The SHA-1 of the target's text as a blob.
    Link {
        sha1: [u8; 20],
    },
}

/// Hashes a file's content, or a link's target, as a blob.
#[derive(Clone)]
pub(crate) struct BlobSha1(Sha1);

impl BlobSha1 {
    pub(crate) fn new(length: u64) -> Self {
        Self(start("blob", length))
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(crate) fn finish(self) -> [u8; 20] {
        self.0.finalize().into()
    }

    pub(crate) fn of(bytes: &[u8]) -> [u8; 20] {
        let mut hasher = Self::new(bytes.len() as u64);
        hasher.update(bytes);
        hasher.finish()
    }
}

/// Returns the name of the directory whose content is `entries`, sorted path by path, every parent among them.
pub(crate) fn listed_tree_sha1(entries: &[ListedEntry]) -> GitTreeSha1 {
    GitTreeSha1::from_bytes(tree(entries, 0).unwrap_or_else(|| finish_tree(&[])))
}

struct Line<'a> {
    mode: &'static str,
    name: &'a [u8],
    sha1: [u8; 20],
}

impl Line<'_> {
    /// git compares names as if a directory's ended in a slash.
    fn key(&self) -> impl Iterator<Item = u8> {
        self.name.iter().copied().chain((self.mode == "40000").then_some(b'/'))
    }
}

/// Returns the hash of the directory whose own path has `prefix` bytes, the slash behind it counted; none if
/// there is no file in it.
fn tree(entries: &[ListedEntry], prefix: usize) -> Option<[u8; 20]> {
    let mut lines = Vec::new();
    let mut rest = entries;
    while let [first, after @ ..] = rest {
        let inside = match first.node {
            ListedNode::Directory => after.partition_point(|entry| entry.path.starts_with(&first.path)),
            _ => 0,
        };
        let (children, next) = after.split_at(inside);
        rest = next;
        let path = bytes(&first.path);
        let hashed = match first.node {
            _ if &path[prefix..] == b".git" => None,
            ListedNode::File { sha1, executable: false } => Some(("100644", sha1)),
            ListedNode::File { sha1, executable: true } => Some(("100755", sha1)),
            ListedNode::Link { sha1 } => Some(("120000", sha1)),
            ListedNode::Directory => tree(children, path.len() + 1).map(|sha1| ("40000", sha1)),
        };
        lines.extend(hashed.map(|(mode, sha1)| Line { mode, name: &path[prefix..], sha1 }));
    }
    lines.sort_by(|a, b| a.key().cmp(b.key()));
    (!lines.is_empty()).then(|| finish_tree(&lines))
}

fn finish_tree(lines: &[Line<'_>]) -> [u8; 20] {
    let mut body = Vec::new();
    for line in lines {
        body.extend_from_slice(line.mode.as_bytes());
        body.push(b' ');
        body.extend_from_slice(line.name);
        body.push(0);
        body.extend_from_slice(&line.sha1);
    }
    start("tree", body.len() as u64).chain_update(&body).finalize().into()
}

fn start(kind: &str, length: u64) -> Sha1 {
    Sha1::new().chain_update(format!("{kind} {length}\0"))
}

fn bytes(path: &Path) -> &[u8] {
    path.as_os_str().as_bytes()
}
