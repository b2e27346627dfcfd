//! Compares objects on disk with what they should be.

use std::collections::BTreeMap;
use std::fs::{File, Metadata};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde::Serialize;
use walkdir::WalkDir;

use crate::digest::Digest;
use crate::error::{Error, PathContext as _, Result};
use crate::event::{Event, Interrupt, Observer, Phase};
use crate::fs::{hash_file, lstat};
use crate::model::{Blob, Entry, IdRule, LinkStyle, Manifest, Node, ObjectKind};
use crate::store::Store;
use crate::store::relay::Reference;

/// What is wrong with an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ProblemKind {
    /// Nothing lies where it should.
    Missing,
    /// The content is not what the name says.
    Corrupt,
    /// It can be written, or the execute bit is wrong.
    Mode,
    /// A path of a tree is not there.
    MissingEntry,
    /// A tree holds something that does not belong to it.
    ExtraEntry,
    /// A path of a tree is not the link, file or directory it should be.
    WrongEntry,
    /// The rows of a tree do not add up to its name.
    Rows,
}

/// One thing found wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) kind: ProblemKind,
    pub(crate) path: PathBuf,
    pub(crate) detail: String,
}

impl Problem {
    fn new(kind: ProblemKind, path: &Path, detail: impl Into<String>) -> Self {
        Self { kind, path: path.to_owned(), detail: detail.into() }
    }
}

impl Store {
    /// Checks a file; `read` says whether its content is hashed too.
    pub(crate) fn check_blob(
        &self,
        blob: Blob,
        size: u64,
        read: bool,
        observer: &dyn Observer,
        interrupt: &Interrupt,
    ) -> Result<Vec<Problem>> {
        let path = self.layout.blob(blob);
        let Some(found) = lstat(&path)? else {
            return Ok(vec![Problem::new(ProblemKind::Missing, &path, "the file is gone")]);
        };
        if !found.is_file() {
            return Ok(vec![Problem::new(ProblemKind::Corrupt, &path, "it is not a regular file")]);
        }
        let mut problems = mode_problem(&found, &path, blob.executable);
        if found.len() != size {
            let detail = format!("it has {} bytes instead of {size}", found.len());
            problems.push(Problem::new(ProblemKind::Corrupt, &path, detail));
        } else if read {
            problems.extend(content_problem(blob.digest, &path, observer, interrupt)?);
        }
        Ok(problems)
    }

    /// Checks a directory against its entries: every path, link and mode, and nothing else there.
    pub(crate) fn check_tree(
        &self,
        digest: Digest,
        rule: &IdRule,
        entries: Vec<Entry>,
        interrupt: &Interrupt,
    ) -> Result<Vec<Problem>> {
        let top = self.layout.object(ObjectKind::Tree, digest);
        match lstat(&top)? {
            None => return Ok(vec![Problem::new(ProblemKind::Missing, &top, "the directory is gone")]),
            Some(found) if !found.is_dir() => {
                return Ok(vec![Problem::new(ProblemKind::Corrupt, &top, "it is not a directory")]);
            }
            Some(found) if found.permissions().mode() & 0o222 != 0 => {
                return Ok(vec![Problem::new(ProblemKind::Mode, &top, "it can be written")]);
            }
            Some(_) => {}
        }
        let manifest = Manifest::new(entries);
        let mut problems = Vec::new();
        let (found, expected) = manifest.check(digest, rule);
        if found != expected {
            let detail = format!("the entries in the index add up to {found} instead of {expected}");
            problems.push(Problem::new(ProblemKind::Rows, &top, detail));
        }
        let mut expected: BTreeMap<&Path, &Node> =
            manifest.entries.iter().map(|entry| (entry.path.as_path(), &entry.node)).collect();
        for found in WalkDir::new(&top).min_depth(1) {
            interrupt.check()?;
            let found = found.map_err(|error| Error::io("list", &top, error.into()))?;
            let inside = found.path().strip_prefix(&top).expect("a walk stays below its root");
            let problem = match expected.remove(inside) {
                None => Some((ProblemKind::ExtraEntry, "it does not belong to the tree".to_owned())),
                Some(node) => self.entry_problem(node, inside, found.path())?,
            };
            problems.extend(problem.map(|(kind, detail)| Problem::new(kind, found.path(), detail)));
        }
        let gone = expected.keys().map(|path| Problem::new(ProblemKind::MissingEntry, &top.join(path), "it is gone"));
        problems.extend(gone);
        Ok(problems)
    }

    fn entry_problem(&self, node: &Node, inside: &Path, path: &Path) -> Result<Option<(ProblemKind, String)>> {
        let wrong = |detail: &str| Some((ProblemKind::WrongEntry, detail.to_owned()));
        let Some(found) = lstat(path)? else {
            return Ok(Some((ProblemKind::MissingEntry, "it is gone".to_owned())));
        };
        Ok(match node {
            Node::Directory if !found.is_dir() => wrong("it is not a directory"),
            Node::Directory if found.permissions().mode() & 0o222 != 0 => {
                Some((ProblemKind::Mode, "it can be written".to_owned()))
            }
            Node::Directory => None,
            Node::Link { target } => link_problem(path, &found, target)?,
            Node::File { hash, executable, size } => {
                let blob = Blob { digest: *hash, executable: *executable };
                self.file_problem(blob, *size, inside, path, &found)?
            }
        })
    }

    fn file_problem(
        &self,
        blob: Blob,
        size: u64,
        inside: &Path,
        path: &Path,
        found: &Metadata,
    ) -> Result<Option<(ProblemKind, String)>> {
        let wrong = |detail: &str| Ok(Some((ProblemKind::WrongEntry, detail.to_owned())));
        match self.reference(blob, inside, path, found)? {
            Reference::Of(_) => return Ok(None),
            Reference::Elsewhere => return wrong("the link points elsewhere"),
            Reference::Other => return wrong("it is not the file it should be"),
            Reference::Copy if self.style != LinkStyle::Hardlink => return wrong("it is not a symbolic link"),
            Reference::Copy => {}
        }
        // A copy of its own, made because the blob had too many links: it must be checked itself.
        if found.len() != size {
            return Ok(Some((ProblemKind::WrongEntry, "it is not the file it should be".to_owned())));
        }
        let problem = content_problem(blob.digest, path, &(), &Interrupt::default())?;
        Ok(problem.map(|problem| (ProblemKind::WrongEntry, problem.detail)))
    }
}

fn mode_problem(found: &Metadata, path: &Path, executable: bool) -> Vec<Problem> {
    let mode = found.permissions().mode() & 0o7777;
    if mode & 0o7222 != 0 {
        vec![Problem::new(ProblemKind::Mode, path, format!("its mode is {mode:04o}, it can be written or is setuid"))]
    } else if (mode & 0o100 != 0) != executable {
        vec![Problem::new(ProblemKind::Mode, path, format!("its mode is {mode:04o}, the execute bit is wrong"))]
    } else {
        Vec::new()
    }
}

fn content_problem(
    digest: Digest,
    path: &Path,
    observer: &dyn Observer,
    interrupt: &Interrupt,
) -> Result<Option<Problem>> {
    let advance = |bytes| {
        observer.on(&Event::Advance { phase: Phase::Verify, files: 0, bytes });
        if interrupt.requested() { Err(std::io::ErrorKind::Interrupted.into()) } else { Ok(()) }
    };
    let hashed = File::open(path).and_then(|mut file| hash_file(&mut file, &advance));
    interrupt.check()?;
    // What cannot be read is damaged, and must not keep the rest from being checked.
    Ok(match hashed {
        Ok(hashed) if hashed.digest == digest => None,
        Ok(hashed) => Some(Problem::new(ProblemKind::Corrupt, path, format!("its content is {}", hashed.digest))),
        Err(error) => Some(Problem::new(ProblemKind::Corrupt, path, format!("it cannot be read: {error}"))),
    })
}

fn link_problem(path: &Path, found: &Metadata, target: &Path) -> Result<Option<(ProblemKind, String)>> {
    let wrong = |detail: &str| Some((ProblemKind::WrongEntry, detail.to_owned()));
    if !found.file_type().is_symlink() {
        return Ok(wrong("it is not a symbolic link"));
    }
    let text = std::fs::read_link(path).at("read the link", path)?;
    Ok(if text == target { None } else { wrong("the link points elsewhere") })
}
