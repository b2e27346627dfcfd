//! A directory written down: every entry with its mode and hash, and the id they add up to.
//!
//! The id is git's: entries sorted bytewise by name (directories as if their name ended in `/`),
//! directories that hold no file at any depth left out. Ids that OhMyArtifacts.jl computed may follow
//! another rule, or none that can be checked: the rule is written down with the tree.

use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use crate::digest::{Digest, ObjectHasher};
use crate::model::ObjectKind;

/// A file's bytes in the store: the content's name, and whether it is the executable form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Blob {
    pub(crate) digest: Digest,
    pub(crate) executable: bool,
}

impl Blob {
    pub(crate) fn kind(self) -> ObjectKind {
        ObjectKind::file(self.executable)
    }
}

/// One path of a tree and what lies there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Relative to the tree's top, without `.` and `..`.
    pub path: PathBuf,
    /// What lies there.
    pub node: Node,
}

/// What lies at a path of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// A regular file.
    File {
        /// The name of its content.
        hash: Digest,
        /// Whether its owner may execute it.
        executable: bool,
        /// Its length in bytes.
        size: u64,
    },
    /// A symbolic link, kept to the letter.
    Link {
        /// The target's text.
        target: PathBuf,
    },
    /// A directory; its content follows as entries of its own.
    Directory,
}

impl Node {
    /// Returns git's mode for this entry.
    #[must_use]
    pub const fn mode(&self) -> u32 {
        match self {
            Self::File { executable: false, .. } => 0o100_644,
            Self::File { executable: true, .. } => 0o100_755,
            Self::Link { .. } => 0o120_000,
            Self::Directory => 0o040_000,
        }
    }

    pub(crate) fn blob(&self) -> Option<Blob> {
        match *self {
            Self::File { hash, executable, .. } => Some(Blob { digest: hash, executable }),
            _ => None,
        }
    }
}

/// How a tree's name follows from its entries.
///
/// Whatever the rule, entries called `.git` do not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum IdRule {
    /// git's own.
    Git,
    /// That of OhMyArtifacts.jl, which differs from git's in two ways: the header of a link counts the
    /// target's characters, not its bytes, and a directory that holds only `.git` is an empty tree.
    Julia,
    /// It does not: the name was taken over from OhMyArtifacts.jl, which does not store all that its
    /// ids cover.
    Recorded {
        /// git's id of what is stored.
        content: Digest,
        /// Why the name cannot be computed.
        doubt: String,
    },
}

/// Every entry of a tree, and the tree's id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// The tree's name.
    pub hash: Digest,
    pub(crate) rule: IdRule,
    /// All entries, parents before children, sorted path by path.
    pub entries: Vec<Entry>,
    /// Bytes of all files, each entry counted.
    pub size: u64,
    /// How many regular files there are.
    pub files: u64,
}

impl Manifest {
    /// Sorts the entries and computes the tree's id. Every parent directory must be an entry.
    #[must_use]
    pub fn new(mut entries: Vec<Entry>) -> Self {
        entries.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        let hash = git_digest(&entries);
        let sizes = entries.iter().filter_map(|entry| match entry.node {
            Node::File { size, .. } => Some(size),
            _ => None,
        });
        let (files, size) = sizes.fold((0, 0), |(files, total), size| (files + 1, total + size));
        Self { hash, rule: IdRule::Git, entries, size, files }
    }

    /// Names a tree as OhMyArtifacts.jl did, by the first rule that explains the name. `doubt` says why
    /// no rule may explain it.
    pub(crate) fn taken_over(name: Digest, entries: Vec<Entry>, doubt: impl FnOnce(&[Entry]) -> String) -> Self {
        let git = Self::new(entries);
        if git.hash == name {
            return git;
        }
        let rule = if julia_digest(&git.entries) == name {
            IdRule::Julia
        } else {
            IdRule::Recorded { content: git.hash, doubt: doubt(&git.entries) }
        };
        Self { hash: name, rule, ..git }
    }

    /// Returns what the entries add up to by `rule`, and what they should add up to for `name`.
    pub(crate) fn check(&self, name: Digest, rule: &IdRule) -> (Digest, Digest) {
        match rule {
            IdRule::Git => (self.hash, name),
            IdRule::Julia => (julia_digest(&self.entries), name),
            IdRule::Recorded { content, .. } => (self.hash, *content),
        }
    }
}

fn git_digest(entries: &[Entry]) -> Digest {
    tree_digest(entries, 0, false).unwrap_or_else(|| Digest::of_tree(b""))
}

fn julia_digest(entries: &[Entry]) -> Digest {
    tree_digest(entries, 0, true).unwrap_or_else(|| Digest::of_tree(b""))
}

/// One line of a git tree object.
struct Line<'a> {
    name: &'a [u8],
    mode: u32,
    digest: Digest,
}

impl Line<'_> {
    /// git compares names as if a directory's ended in a slash.
    fn sort_key(&self) -> impl Iterator<Item = u8> {
        let slash = (self.mode == Node::Directory.mode()).then_some(b'/');
        self.name.iter().copied().chain(slash)
    }
}

/// Returns the id of the directory whose sorted content is `entries`, each path starting with
/// `prefix` bytes of the directory's own path; none if it holds no file at any depth.
fn tree_digest(entries: &[Entry], prefix: usize, julia: bool) -> Option<Digest> {
    let mut lines = Vec::new();
    let mut holds_git = false;
    let mut rest = entries;
    while let [first, after @ ..] = rest {
        let path = first.path.as_os_str().as_bytes();
        let inside = match first.node {
            Node::Directory => after.partition_point(|entry| entry.path.starts_with(&first.path)),
            _ => 0,
        };
        let (children, next) = after.split_at(inside);
        rest = next;
        if &path[prefix..] == b".git" {
            holds_git = true;
            continue;
        }
        let digest = match &first.node {
            Node::File { hash, .. } => Some(*hash),
            Node::Link { target } if julia => Some(julia_link_digest(target)),
            Node::Link { target } => Some(Digest::of_blob(target.as_os_str().as_bytes())),
            Node::Directory => tree_digest(children, path.len() + 1, julia),
        };
        if let Some(digest) = digest {
            lines.push(Line { name: &path[prefix..], mode: first.node.mode(), digest });
        }
    }
    let counts = !lines.is_empty() || (julia && holds_git);
    counts.then(|| Digest::of_tree(&encode(lines)))
}

fn julia_link_digest(target: &Path) -> Digest {
    let characters = target.to_string_lossy().chars().count() as u64;
    let mut hasher = ObjectHasher::blob(characters);
    hasher.update(target.as_os_str().as_bytes());
    hasher.finish()
}

fn encode(mut lines: Vec<Line<'_>>) -> Vec<u8> {
    lines.sort_unstable_by(|a, b| a.sort_key().cmp(b.sort_key()));
    let mut body = Vec::new();
    for line in lines {
        body.extend_from_slice(format!("{:o} ", line.mode).as_bytes());
        body.extend_from_slice(line.name);
        body.push(0);
        body.extend_from_slice(line.digest.as_bytes());
    }
    body
}

/// Returns how many steps lead from the top to `path`.
pub(crate) fn depth(path: &Path) -> usize {
    path.components().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str) -> Entry {
        let hash = Digest::of_blob(b"");
        Entry { path: path.into(), node: Node::File { hash, executable: false, size: 0 } }
    }

    fn directory(path: &str) -> Entry {
        Entry { path: path.into(), node: Node::Directory }
    }

    #[test]
    fn directories_without_files_do_not_count() {
        let with = Manifest::new(vec![file("a"), directory("b"), directory("b/c")]);
        let without = Manifest::new(vec![file("a")]);
        assert_eq!(with.hash, without.hash);
        assert_eq!(Manifest::new(vec![directory("b")]).hash, Digest::of_tree(b""));
    }

    #[test]
    fn the_rules_of_julia_explain_its_ids() {
        // Ids of the cases `dir-link-unicode-target` and `dir-git-only-in-sub`, as the real program gave them,
        // stand in the golden data; here the two ways in which the rules differ.
        let link = |target: &str| Entry { path: "l".into(), node: Node::Link { target: target.into() } };
        assert_eq!(julia_digest(&[link("a")]), git_digest(&[link("a")]));
        assert_ne!(julia_digest(&[link("ä")]), git_digest(&[link("ä")]));
        let only_git = [directory("sub"), directory("sub/.git")];
        assert_eq!(git_digest(&only_git), Digest::of_tree(b""));
        assert_ne!(julia_digest(&only_git), Digest::of_tree(b""));
    }

    #[test]
    fn a_directory_keeps_its_own_entries_apart_from_its_neighbours() {
        // `a-b` sorts between `a` and `a/x` bytewise; `a.b` sorts before `a/`, `a0` behind it.
        let entries = vec![file("a0"), file("a/x"), directory("a"), file("a-b"), file("a.b")];
        let manifest = Manifest::new(entries);
        let order: Vec<_> = manifest.entries.iter().map(|entry| entry.path.to_str()).collect();
        assert_eq!(order, [Some("a"), Some("a/x"), Some("a-b"), Some("a.b"), Some("a0")]);
        assert_eq!(manifest.files, 4);
    }
}
