//! The SHA-1 name of a directory, as git and Pkg compute it: what `git-tree-sha1` announces.
//!
//! Why: an artifact that Julia's Pkg declares is the right one only if its tree has this hash.
//! Guarantees: equal to `git write-tree` (git's object format: `gitformat-pack`, `git-hash-object`) for
//! the directory's content: `.git` is left out at every level, and so is a directory without files; a
//! link counts with its text; executable is what its owner may execute. Nothing is followed, files are
//! read in pieces, and what is no file, directory or link is an error.
//! Must not know: what the hash is compared with, where the tree is from.

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
mod tests {
    use std::ffi::OsString;
    use std::os::unix::fs::symlink;
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;

    const EMPTY: &str = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";

    fn hash(root: &Path, rule: TreeRule) -> String {
        sha1_hex(&git_tree_sha1(root, rule, &Interrupt::default()).expect("a hash"))
    }

    fn write(path: &Path, content: &[u8], mode: u32) {
        std::fs::create_dir_all(path.parent().expect("below")).expect("made");
        std::fs::write(path, content).expect("written");
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("set");
    }

    /// What git itself says, with a repository that lies elsewhere.
    fn git(root: &Path) -> String {
        let elsewhere = tempfile::tempdir().expect("a folder");
        let run = |arguments: &[&str]| {
            let output = Command::new("git")
                .args(["-c", "core.fileMode=true", "-c", "core.autocrlf=false", "-c", "core.safecrlf=false"])
                .args(arguments)
                .env("GIT_DIR", elsewhere.path().join("repository"))
                .env("GIT_WORK_TREE", root)
                .current_dir(root)
                .output()
                .expect("git runs");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8(output.stdout).expect("text").trim().to_owned()
        };
        run(&["init", "--quiet", "--object-format=sha1"]);
        run(&["add", "--all", "--force", "."]);
        run(&["write-tree"])
    }

    #[test]
    fn a_tree_without_files_is_the_empty_tree() {
        let dir = tempfile::tempdir().expect("a folder");
        assert_eq!(hash(dir.path(), TreeRule::Git), EMPTY);
        std::fs::create_dir_all(dir.path().join("a/b/c")).expect("made");
        assert_eq!(hash(dir.path(), TreeRule::Git), EMPTY);
        write(&dir.path().join(".git/config"), b"x", 0o644);
        assert_eq!(hash(dir.path(), TreeRule::Git), EMPTY);
        assert_eq!(hash(dir.path(), TreeRule::Pkg), EMPTY);
    }

    #[test]
    fn a_tree_made_to_be_nasty_has_the_hash_git_gives_it() {
        let dir = tempfile::tempdir().expect("a folder");
        let root = dir.path();
        for (name, mode) in [("a", 0o644), ("a.b", 0o755), ("a-b/x", 0o644), ("a0", 0o654), ("b/.gitignore", 0o600)] {
            write(&root.join(name), name.as_bytes(), mode);
        }
        // git sorts these as if the directory were called `c/`.
        for name in ["c/x", "c-", "c.b", "c0", "c-d/x"] {
            write(&root.join(name), b"", 0o644);
        }
        write(&root.join("a+/deep/file"), &vec![7; CHUNK * 2 + 1], 0o644);
        write(&root.join("empty"), b"", 0o744);
        write(&root.join("naïve 日本語"), "é".as_bytes(), 0o644);
        write(&root.join(OsString::from_vec(b"\xff\xfe\n".to_vec())), b"not UTF-8", 0o644);
        symlink("naïve/nowhere", root.join("dangling")).expect("a link");
        symlink("a+", root.join("to-directory")).expect("a link");
        std::fs::create_dir_all(root.join("nothing/below")).expect("made");
        assert_eq!(hash(root, TreeRule::Git), git(root));
        // The link's text has 13 characters in 14 bytes.
        assert_ne!(hash(root, TreeRule::Pkg), git(root));
    }

    #[test]
    fn git_data_is_left_out_at_every_level() {
        let dir = tempfile::tempdir().expect("a folder");
        write(&dir.path().join("a/file"), b"x", 0o644);
        let without = git(dir.path());
        write(&dir.path().join(".git/HEAD"), b"x", 0o644);
        write(&dir.path().join("a/.git"), b"gitdir: elsewhere", 0o644);
        assert_eq!(hash(dir.path(), TreeRule::Git), without);
        write(&dir.path().join("only/.git/HEAD"), b"x", 0o644);
        assert_eq!(hash(dir.path(), TreeRule::Git), without);
    }

    /// Python: `sha1(b"tree 31\0" + b"40000 only\0" + the empty tree's 20 bytes)`.
    #[test]
    fn pkg_counts_a_directory_of_git_data_as_an_empty_one() {
        let dir = tempfile::tempdir().expect("a folder");
        write(&dir.path().join("only/.git/HEAD"), b"x", 0o644);
        assert_eq!(hash(dir.path(), TreeRule::Git), EMPTY);
        assert_eq!(hash(dir.path(), TreeRule::Pkg), "f490af1669f790679e89d06fc551a9f175078984");
    }

    /// Python: `sha1(b"tree 29\0" + b"120000 l\0" + sha1("blob 1\0é".encode()).digest())`.
    #[test]
    fn pkg_counts_the_characters_of_a_link() {
        let dir = tempfile::tempdir().expect("a folder");
        symlink("é", dir.path().join("l")).expect("a link");
        assert_eq!(hash(dir.path(), TreeRule::Git), git(dir.path()));
        assert_eq!(hash(dir.path(), TreeRule::Pkg), "e540c2617169fd630b01545af81b58b8113fd200");
    }

    #[test]
    fn what_git_could_not_hold_is_an_error() {
        let dir = tempfile::tempdir().expect("a folder");
        let pipe = dir.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).expect("a pipe");
        let answer = |root: &Path| git_tree_sha1(root, TreeRule::Git, &Interrupt::default());
        assert!(matches!(answer(dir.path()), Err(Error::Unsupported { what: "named pipe", .. })));
        let other = tempfile::tempdir().expect("a folder");
        let link = other.path().join("link");
        symlink(dir.path(), &link).expect("a link");
        assert!(matches!(answer(&link), Err(Error::Io { .. })));
        assert!(matches!(answer(&other.path().join("nothing")), Err(Error::Io { .. })));
        let interrupt = Interrupt::default();
        interrupt.request();
        assert!(matches!(git_tree_sha1(other.path(), TreeRule::Git, &interrupt), Err(Error::Interrupted)));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

        #[test]
        fn random_trees_have_the_hash_git_gives_them(
            files in prop::collection::vec(("[ab.+é-]{1,2}(/[ab.0-]{1,2}){0,2}", 0u8..5, prop::collection::vec(any::<u8>(), 0..40)), 0..24)
        ) {
            let dir = tempfile::tempdir().expect("a folder");
            for (name, kind, content) in files {
                let parts: Vec<&str> = name.split('/').filter(|part| !matches!(*part, "" | "." | "..")).collect();
                let path = dir.path().join(parts.join("/"));
                let free = !parts.is_empty() && std::fs::create_dir_all(path.parent().expect("below")).is_ok();
                if !free || std::fs::symlink_metadata(&path).is_ok() {
                    continue;
                }
                match kind {
                    0 => write(&path, &content, 0o644),
                    1 => write(&path, &content, 0o755),
                    2 => symlink("a/../é", &path).expect("a link"),
                    _ => std::fs::create_dir(&path).expect("made"),
                }
            }
            prop_assert_eq!(hash(dir.path(), TreeRule::Git), git(dir.path()));
        }
    }
}
