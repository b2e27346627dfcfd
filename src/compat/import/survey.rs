//! Looks at what a scratch space stores: every file by its content, every directory by its id.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rayon::prelude::*;

use crate::compat::import::known::Known;
use crate::digest::Digest;
use crate::error::{Error, Result, error_line};
use crate::event::{Event, Interrupt, Observer, Phase};
use crate::fs::lstat;
use crate::julia::{ScratchSpace, Stored, StoredEntry, StoredNode};
use crate::model::{Artifact, Blob, Entry, IdRule, LinkPolicy, Manifest, Node, ObjectKind};
use crate::store::{Links, Origin, Scanned, Seen, SeenEntry, StagedBlob, hash_source, scan};
use crate::text::printable_path;

/// What an id of a space stands for.
#[derive(Debug, Clone)]
pub(super) enum Finding {
    /// This store has it already, so it was checked when it came.
    Ours(Artifact),
    /// A file whose content is what its name says.
    File(StagedBlob),
    /// A directory, all of its files sound. Its rule says whether its id could be computed.
    Tree(Manifest),
    /// There is nothing.
    Missing,
    /// What is there is not what the name says.
    Corrupt(String),
}

impl Finding {
    /// Returns why the id of a directory cannot be computed, if so.
    pub(super) fn doubt(&self) -> Option<&str> {
        match self {
            Self::Tree(Manifest { rule: IdRule::Recorded { doubt, .. }, .. }) => Some(doubt),
            _ => None,
        }
    }

    pub(super) fn artifact(&self) -> Option<Artifact> {
        match self {
            Self::Ours(artifact) => Some(artifact.clone()),
            Self::File(file) => {
                Some(Artifact { hash: file.blob.digest, kind: file.blob.kind(), size: file.size, files: 1 })
            }
            Self::Tree(tree) => {
                Some(Artifact { hash: tree.hash, kind: ObjectKind::Tree, size: tree.size, files: tree.files })
            }
            Self::Missing | Self::Corrupt(_) => None,
        }
    }
}

/// Everything a space stores of what was asked for.
#[derive(Debug, Default)]
pub(super) struct Survey {
    pub(super) findings: BTreeMap<Digest, Finding>,
    /// The sound files, those of directories too.
    pub(super) files: BTreeMap<Blob, StagedBlob>,
}

/// One look at a space.
pub(super) struct Surveyor<'a> {
    pub(super) space: &'a ScratchSpace,
    pub(super) known: Known<'a>,
    pub(super) observer: &'a dyn Observer,
    pub(super) interrupt: &'a Interrupt,
}

/// What a file of a space turned out to be.
type Sound = Result<StagedBlob, Flaw>;

/// Why a file is of no use.
#[derive(Debug, Clone)]
enum Flaw {
    Missing,
    Corrupt(String),
}

impl From<Flaw> for Finding {
    fn from(flaw: Flaw) -> Self {
        match flaw {
            Flaw::Missing => Self::Missing,
            Flaw::Corrupt(reason) => Self::Corrupt(reason),
        }
    }
}

impl Surveyor<'_> {
    /// Looks at these ids and the files they need.
    pub(super) fn survey(&self, ids: &BTreeSet<Digest>) -> Result<Survey> {
        let mut findings = BTreeMap::new();
        let mut trees = Vec::new();
        let mut wanted = BTreeSet::new();
        for &id in ids {
            if let Some(ours) = self.known.artifact(id)? {
                findings.insert(id, Finding::Ours(ours));
                continue;
            }
            match self.stored(id) {
                Ok(Stored::Missing) => drop(findings.insert(id, Finding::Missing)),
                Ok(Stored::Foreign(reason)) => drop(findings.insert(id, Finding::Corrupt(reason))),
                Ok(Stored::File) => drop(wanted.insert(id)),
                Ok(Stored::Tree(entries)) => {
                    wanted.extend(entries.iter().filter_map(file_of));
                    trees.push((id, entries));
                }
                Err(error) => drop(findings.insert(id, unreadable(&error)?.into())),
            }
        }
        let files = self.files(&wanted)?;
        for (id, entries) in trees {
            findings.insert(id, self.tree(id, &entries, &files)?);
        }
        let single = files.iter().filter(|(id, _)| ids.contains(id));
        for (&id, file) in single {
            let finding = match file {
                Ok(file) => Finding::File(file.clone()),
                Err(flaw) => flaw.clone().into(),
            };
            findings.entry(id).or_insert(finding);
        }
        let sound = files.into_values().flatten().map(|file| (file.blob, file)).collect();
        Ok(Survey { findings, files: sound })
    }

    fn stored(&self, id: Digest) -> Result<Stored> {
        self.interrupt.check()?;
        self.space.stored(id)
    }

    /// Reads files, all cores at work.
    fn files(&self, wanted: &BTreeSet<Digest>) -> Result<BTreeMap<Digest, Sound>> {
        self.observer.on(&Event::Begin { phase: Phase::Hash, files: Some(wanted.len() as u64) });
        let wanted: Vec<Digest> = wanted.iter().copied().collect();
        let files = wanted.par_iter().map(|&id| Ok((id, self.file(id)?))).collect();
        self.observer.on(&Event::End { phase: Phase::Hash });
        files
    }

    fn file(&self, id: Digest) -> Result<Sound> {
        self.interrupt.check()?;
        let path = self.space.artifact(id);
        let sound = match self.known_file(id, &path) {
            Ok(Some(file)) => Ok(file),
            Ok(None) => self.read(id, &path),
            Err(error) => Err(unreadable(&error)?),
        };
        self.observer.on(&Event::Advance { phase: Phase::Hash, files: 1, bytes: 0 });
        Ok(sound)
    }

    /// A file that this store has in the same form was checked when it came.
    fn known_file(&self, id: Digest, path: &Path) -> Result<Option<StagedBlob>> {
        use std::os::unix::fs::PermissionsExt as _;
        let executable = match lstat(path)? {
            Some(found) if found.is_file() => found.permissions().mode() & 0o100 != 0,
            Some(_) => return Ok(None),
            None => false,
        };
        let blob = Blob { digest: id, executable };
        let size = self.known.file(blob)?;
        Ok(size.map(|size| StagedBlob { blob, size, origin: Origin::Stored, source: path.to_owned() }))
    }

    fn read(&self, id: Digest, path: &Path) -> Sound {
        if lstat(path).is_ok_and(|found| found.is_none()) {
            return Err(Flaw::Missing);
        }
        match hash_source(path, self.observer, self.interrupt) {
            Ok((file, _)) if file.blob.digest == id => Ok(file),
            Ok((file, _)) => Err(Flaw::Corrupt(format!("its content is {}", file.blob.digest))),
            Err(error) => Err(Flaw::Corrupt(error_line(&error))),
        }
    }

    /// Puts a directory together from its files and computes its id.
    fn tree(&self, id: Digest, entries: &[StoredEntry], files: &BTreeMap<Digest, Sound>) -> Result<Finding> {
        let top = self.space.artifact(id);
        let seen: Vec<SeenEntry> = entries.iter().map(seen).collect();
        // OhMyArtifacts.jl let some links through that lead into a neighbour of the directory.
        let stray = Links::new(&top, &seen)?.first_stray(&seen);
        let mut nodes = Vec::with_capacity(entries.len());
        for StoredEntry { path, node } in entries {
            let node = match node {
                StoredNode::Directory => Node::Directory,
                StoredNode::Link(target) => Node::Link { target: target.clone() },
                StoredNode::File(file) => match files.get(file) {
                    Some(Ok(file)) => {
                        Node::File { hash: file.blob.digest, executable: file.blob.executable, size: file.size }
                    }
                    Some(Err(Flaw::Corrupt(reason))) => {
                        let reason = format!("its file `{}`, {}: {reason}", printable_path(path), file.short());
                        return Ok(Finding::Corrupt(reason));
                    }
                    _ => {
                        let reason = format!("its file `{}`, {}, is gone", printable_path(path), file.short());
                        return Ok(Finding::Corrupt(reason));
                    }
                },
            };
            nodes.push(Entry { path: path.clone(), node });
        }
        Ok(Finding::Tree(Manifest::taken_over(id, nodes, |entries| match stray {
            Some((path, problem)) => format!("its link `{}` {problem}", printable_path(&path)),
            None => doubt(entries).to_owned(),
        })))
    }
}

/// Looks at a folder that is to become a directory here: its content, and the files that have it.
pub(super) fn survey_folder(
    folder: &Path,
    observer: &dyn Observer,
    interrupt: &Interrupt,
) -> Result<(Manifest, Vec<StagedBlob>)> {
    let Scanned::Directory { root, entries } = scan(folder, LinkPolicy::Keep, observer)? else {
        return Err(Error::Unsupported { path: folder.to_owned(), what: "file where a directory must be" });
    };
    let read = |entry: &SeenEntry| hash_source(&root.join(&entry.path), observer, interrupt).map(|(file, _)| file);
    let files: Vec<StagedBlob> =
        entries.par_iter().filter(|entry| entry.seen == Seen::File).map(read).collect::<Result<_>>()?;
    let mut next = files.iter();
    let nodes = entries.iter().map(|entry| {
        let node = match &entry.seen {
            Seen::Directory => Node::Directory,
            Seen::Link(target) => Node::Link { target: target.clone() },
            Seen::File => {
                let StagedBlob { blob, size, .. } = next.next().expect("every file was read");
                Node::File { hash: blob.digest, executable: blob.executable, size: *size }
            }
        };
        Entry { path: entry.path.clone(), node }
    });
    Ok((Manifest::new(nodes.collect()), files))
}

/// Says why no rule explains a directory's id, as far as its content tells.
fn doubt(entries: &[Entry]) -> &'static str {
    if entries.iter().any(|entry| matches!(entry.node, Node::Link { .. })) {
        "its id covers links as they were given, and they are stored rewritten"
    } else {
        "its id covers links or execute bits that are not stored"
    }
}

fn seen(entry: &StoredEntry) -> SeenEntry {
    let seen = match &entry.node {
        StoredNode::Directory => Seen::Directory,
        StoredNode::File(_) => Seen::File,
        StoredNode::Link(target) => Seen::Link(target.clone()),
    };
    SeenEntry { path: entry.path.clone(), seen }
}

fn file_of(entry: &StoredEntry) -> Option<Digest> {
    match entry.node {
        StoredNode::File(id) => Some(id),
        _ => None,
    }
}

/// What cannot be read is one bad entry; an interrupt or a broken index stops everything.
fn unreadable(error: &Error) -> Result<Flaw> {
    match error {
        Error::Io { .. } | Error::Unsupported { .. } => Ok(Flaw::Corrupt(error_line(error))),
        Error::Interrupted => Err(Error::Interrupted),
        other => Err(Error::Internal(error_line(other))),
    }
}
