//! The SHA-1 name of a directory, as git and Pkg compute it: what `git-tree-sha1` announces.
//!
//! Why: an artifact that Julia's Pkg declares is the right one only if its tree has this hash.
//! Guarantees: equal to `git write-tree` (git's object format: `gitformat-pack`, `git-hash-object`) for
//! the directory's content: `.git` is left out at every level, and so is a directory without files; a
//! link counts with its text; executable is what its owner may execute. Nothing is followed, files are
//! read in pieces, and what is no file, directory or link is an error.
//! Must not know: what the hash is compared with, where the tree is from.

#[cfg(test)]
use std::fmt::Write as _;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use sha1::{Digest as _, Sha1};

use crate::error::{Error, PathContext as _, Result};
use crate::event::Interrupt;
use crate::fs::{open_source, special_file};

/// Files are read in pieces of this size.
const CHUNK: usize = 256 * 1024;
/// A depth no real tree reaches.
const DEEPEST: usize = 255;

/// Which program's reading of a tree counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TreeRule {
    /// git's.
    Git,
    /// `Pkg.GitTools.tree_hash`: a link's length is counted in characters, and a directory that holds
    /// nothing but `.git` counts as an empty one instead of none.
    Pkg,
}

/// Returns git's SHA-1 name of the directory at `root`; without any file it is that of the empty
/// tree, `4b825dc642cb6eb9a060e54bf8d69288fbee4904`.
///
/// # Errors
/// `Unsupported` for pipes, sockets and devices; `Io`, also for a `root` that is no directory;
/// `Interrupted`.
pub(crate) fn git_tree_sha1(root: &Path, rule: TreeRule, interrupt: &Interrupt) -> Result<[u8; 20]> {
    // A link at the top would make the answer one about some other place.
    if !std::fs::symlink_metadata(root).at("read", root)?.is_dir() {
        return Err(Error::io("list", root, std::io::ErrorKind::NotADirectory.into()));
    }
    Ok(Walk { rule, interrupt }.tree(root, 0)?.sha1)
}

#[cfg(test)]
/// Returns the 40 lower-case hex digits of a SHA-1.
pub(crate) fn sha1_hex(sha1: &[u8; 20]) -> String {
    sha1.iter().fold(String::with_capacity(40), |mut hex, byte| {
        write!(hex, "{byte:02x}").expect("writing to a string cannot fail");
        hex
    })
}

#[derive(Clone, Copy)]
struct Walk<'a> {
    rule: TreeRule,
    interrupt: &'a Interrupt,
}

struct Tree {
    sha1: [u8; 20],
    /// Whether a tree above it mentions it.
    counts: bool,
}

/// A line of git's tree object.
struct Line {
    mode: &'static str,
    name: Vec<u8>,
    sha1: [u8; 20],
}

impl Line {
    /// git sorts a directory as if its name ended in a slash.
    fn key(&self) -> impl Iterator<Item = u8> {
        self.name.iter().copied().chain((self.mode == "40000").then_some(b'/'))
    }
}

impl Walk<'_> {
    fn tree(self, directory: &Path, depth: usize) -> Result<Tree> {
        if depth > DEEPEST {
            let reason = format!("it is deeper than {DEEPEST} directories");
            return Err(Error::invalid("path", &directory.to_string_lossy(), reason));
        }
        let mut paths = Vec::new();
        let mut hides_git = false;
        for child in std::fs::read_dir(directory).at("list", directory)? {
            let child = child.at("list", directory)?;
            if child.file_name() == ".git" {
                hides_git = hides_git || (self.rule == TreeRule::Pkg && holds_files(&child.path(), depth + 1)?);
            } else {
                paths.push(child.path());
            }
        }
        let lines = paths.into_par_iter().map(|path| self.line(path, depth)).filter_map(Result::transpose);
        let mut lines = lines.collect::<Result<Vec<Line>>>()?;
        lines.sort_by(|a, b| a.key().cmp(b.key()));
        Ok(Tree { sha1: hash_tree(&lines), counts: hides_git || !lines.is_empty() })
    }

    fn line(self, path: PathBuf, depth: usize) -> Result<Option<Line>> {
        self.interrupt.check()?;
        let kind = std::fs::symlink_metadata(&path).at("read", &path)?.file_type();
        let (mode, sha1) = if kind.is_dir() {
            let tree = self.tree(&path, depth + 1)?;
            if !tree.counts {
                return Ok(None);
            }
            ("40000", tree.sha1)
        } else if kind.is_symlink() {
            ("120000", self.link(&path)?)
        } else if let Some(what) = special_file(kind) {
            return Err(Error::Unsupported { path, what });
        } else {
            self.file(&path)?
        };
        let name = path.file_name().map(|name| name.as_bytes().to_vec()).unwrap_or_default();
        Ok(Some(Line { mode, name, sha1 }))
    }

    fn link(self, path: &Path) -> Result<[u8; 20]> {
        let target = std::fs::read_link(path).at("read the link", path)?.into_os_string().into_vec();
        let length = match (self.rule, std::str::from_utf8(&target)) {
            (TreeRule::Pkg, Ok(text)) => text.chars().count(),
            _ => target.len(),
        };
        Ok(start("blob", length as u64).chain_update(&target).finalize().into())
    }

    /// Returns mode and hash of a file, both from one opening.
    fn file(self, path: &Path) -> Result<(&'static str, [u8; 20])> {
        let (file, found) = open_source(path)?;
        let mode = if found.permissions().mode() & 0o100 == 0 { "100644" } else { "100755" };
        Ok((mode, self.content(path, file, found.len())?))
    }

    fn content(self, path: &Path, file: File, length: u64) -> Result<[u8; 20]> {
        let mut sha = start("blob", length);
        // The length is hashed first, so a file that grows or shrinks meanwhile has no hash. One byte
        // more than the file has is room to see that it grew.
        let mut buffer = vec![0; usize::try_from(length).unwrap_or(CHUNK).min(CHUNK) + 1];
        let mut file = file.take(length.saturating_add(1));
        let mut read = 0;
        loop {
            self.interrupt.check()?;
            let count = file.read(&mut buffer).at("read", path)?;
            if count == 0 {
                break;
            }
            sha.update(&buffer[..count]);
            read += count as u64;
        }
        if read != length {
            return Err(Error::io("hash", path, std::io::Error::other("it changes while it is read")));
        }
        Ok(sha.finalize().into())
    }
}

fn start(kind: &str, length: u64) -> Sha1 {
    Sha1::new().chain_update(format!("{kind} {length}\0"))
}

fn hash_tree(lines: &[Line]) -> [u8; 20] {
    let mut body = Vec::new();
    for line in lines {
        body.extend_from_slice(line.mode.as_bytes());
        body.push(b' ');
        body.extend_from_slice(&line.name);
        body.push(0);
        body.extend_from_slice(&line.sha1);
    }
    start("tree", body.len() as u64).chain_update(&body).finalize().into()
}

/// Tells whether Pkg finds a file at or below a path.
fn holds_files(path: &Path, depth: usize) -> Result<bool> {
    if !std::fs::symlink_metadata(path).at("read", path)?.is_dir() {
        return Ok(true);
    }
    if depth > DEEPEST {
        return Ok(false);
    }
    for child in std::fs::read_dir(path).at("list", path)? {
        if holds_files(&child.at("list", path)?.path(), depth + 1)? {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests prepare the disk themselves")]
mod tests;
