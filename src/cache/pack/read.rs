//! Reads a pack entry by entry, and believes nothing: every file is hashed as it comes by, every tree must add
//! up to its name, and what was not announced, or does not come, is an error.
//!
//! Nothing is unpacked as a tree: files come to lie under their own hash in a private folder, so no name of
//! the pack ever becomes a path on this disk.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::File;
use std::io::Write as _;
use std::path::{Component, Path, PathBuf};

use crate::cache::Cache;
use crate::cache::pack::manifest::{self, Contents};
use crate::cache::pack::{LIST, place_of};
use crate::cache::travel::Parcel;
use crate::digest::ObjectHasher;
use crate::error::{Error, PathContext as _, Result};
use crate::event::{Event, Phase};
use crate::fetch::{Data, Limits, Passing, Visitor, visit};
use crate::model::{Blob, Entry, Manifest, Node, ObjectKind};
use crate::store::{Origin, StageDir, StagedBlob, mode_of, random_name, staged_path};
use crate::text::{printable, printable_path};

/// What the list of contents announces limits the pack, so these only bound what can be counted.
const LIMITS: Limits = Limits { entries: 100_000_000, bytes: 1 << 56, ratio: u64::MAX, strip_top: false };
/// A depth no real tree reaches.
const DEEPEST: usize = 255;

/// What a pack brought, all of it checked.
pub(super) struct Brought {
    pub(super) parcels: Vec<Parcel>,
    /// Each content once, in the private folder.
    pub(super) blobs: Vec<StagedBlob>,
}

/// Reads the pack at `path` to its end. Without a folder its files are only looked at.
pub(super) fn read(cache: &Cache, path: &Path, dir: Option<&StageDir>) -> Result<Brought> {
    let mut reading = Reading {
        cache,
        path,
        dir,
        contents: None,
        at: None,
        entries: Vec::new(),
        folders: HashSet::new(),
        weight: 0,
        placed: HashMap::new(),
        blobs: BTreeMap::new(),
        bytes: 0,
    };
    let observer = &*cache.waiting.observer;
    observer.on(&Event::Begin { phase: Phase::Unpack, files: None });
    let visited = visit(path, &LIMITS, &cache.waiting.interrupt, &mut reading);
    observer.on(&Event::End { phase: Phase::Unpack });
    visited.and_then(|()| reading.finish()).map_err(|error| match error {
        Error::Archive { path, reason } => Error::BadPack { path, reason },
        other => other,
    })
}

struct Reading<'a> {
    cache: &'a Cache,
    path: &'a Path,
    dir: Option<&'a StageDir>,
    /// The list of contents, once it came by.
    contents: Option<Contents>,
    /// Which artifact comes by now.
    at: Option<usize>,
    /// What of a tree has come by.
    entries: Vec<Entry>,
    folders: HashSet<PathBuf>,
    /// Bytes of the tree's files so far, each entry counted.
    weight: u64,
    /// Where which content stands, for the names that refer to it.
    placed: HashMap<PathBuf, (Blob, u64)>,
    blobs: BTreeMap<Blob, u64>,
    /// Bytes of files so far.
    bytes: u64,
}

impl Visitor for Reading<'_> {
    fn entry(&mut self, name: &Path, what: Passing<'_, '_>) -> Result<()> {
        let Some(contents) = &self.contents else { return self.list(name, what) };
        let current = self.at.map(|at| &contents.parcels[at]).filter(|parcel| parcel.artifact.kind == ObjectKind::Tree);
        let inside = current.and_then(|parcel| name.strip_prefix(place_of(&parcel.artifact)).ok());
        match inside.filter(|inside| !inside.as_os_str().is_empty()) {
            Some(inside) => self.tree_entry(name, inside.to_owned(), what),
            None => self.begin(name, what),
        }
    }
}

impl Reading<'_> {
    /// The first entry says what the others will be.
    fn list(&mut self, name: &Path, what: Passing<'_, '_>) -> Result<()> {
        let Passing::File { data, .. } = what else { return Err(self.no_list()) };
        if name != Path::new(LIST) {
            return Err(self.no_list());
        }
        if data.size() > manifest::LARGEST {
            return Err(self.bad(format!("its list of contents is larger than {} bytes", manifest::LARGEST)));
        }
        let mut text = Vec::new();
        data.read(&mut |bytes| {
            text.extend_from_slice(bytes);
            Ok(())
        })?;
        let contents = manifest::parse(&text).map_err(|reason| self.bad(reason))?;
        if self.dir.is_some() {
            let (needed, free) = (contents.bytes, self.cache.disk_room()?.free);
            if needed > free {
                let what = printable_path(self.path);
                return Err(Error::NoRoom { what, path: self.cache.root().to_owned(), needed, free });
            }
        }
        self.contents = Some(contents);
        Ok(())
    }

    /// Another artifact begins, which must be the next one that was announced.
    fn begin(&mut self, name: &Path, what: Passing<'_, '_>) -> Result<()> {
        self.end()?;
        let next = self.at.map_or(0, |at| at + 1);
        let parcels = self.contents.as_ref().map_or(&[][..], |contents| &contents.parcels);
        let announced = parcels.get(next).filter(|parcel| name == Path::new(&place_of(&parcel.artifact)));
        let Some(parcel) = announced else {
            return Err(self.bad(format!("`{}` is not what its list of contents has next", shown(name))));
        };
        let (artifact, needed) = (parcel.artifact.clone(), parcel.blobs());
        self.at = Some(next);
        if artifact.kind == ObjectKind::Tree {
            return match what {
                Passing::Directory => Ok(()),
                _ => Err(self.bad(format!("`{}` should be a directory", shown(name)))),
            };
        }
        let found = self.content(name, what)?.ok_or_else(|| self.bad(format!("`{}` is no file", shown(name))))?;
        if needed.first() == Some(&found) {
            return Ok(());
        }
        Err(self.differs(artifact.hash, format!("its content is {} of {} bytes", form_of(found.0), found.1)))
    }

    fn tree_entry(&mut self, name: &Path, inside: PathBuf, what: Passing<'_, '_>) -> Result<()> {
        self.check_way(name, &inside)?;
        let node = match what {
            Passing::Directory => {
                self.folders.insert(inside.clone());
                Node::Directory
            }
            Passing::Link(target) => Node::Link { target },
            file => match self.content(name, file)? {
                Some((Blob { digest, executable }, size)) => {
                    self.weigh(size)?;
                    Node::File { hash: digest, executable, size }
                }
                None => return Err(self.bad(format!("`{}` is nothing a tree can hold", shown(name)))),
            },
        };
        self.entries.push(Entry { path: inside, node });
        Ok(())
    }

    /// One name more for a content costs nothing, so a tree is held to its weight as it comes by.
    fn weigh(&mut self, size: u64) -> Result<()> {
        self.weight = self.weight.saturating_add(size);
        let artifact = self.contents.as_ref().zip(self.at).map(|(contents, at)| &contents.parcels[at].artifact);
        match artifact {
            Some(artifact) if self.weight > artifact.size => {
                Err(self.differs(artifact.hash, format!("it has more than {} bytes", artifact.size)))
            }
            _ => Ok(()),
        }
    }

    /// Every path comes once, in order, and below a directory that came before it.
    fn check_way(&self, name: &Path, inside: &Path) -> Result<()> {
        if self.entries.last().is_some_and(|last| last.path.as_path() >= inside) {
            return Err(self.bad(format!("`{}` comes twice or out of order", shown(name))));
        }
        let parent = inside.parent().unwrap_or(Path::new(""));
        if !parent.as_os_str().is_empty() && !self.folders.contains(parent) {
            return Err(self.bad(format!("`{}` lies in no directory of its tree", shown(name))));
        }
        // What lies there counts in no hash.
        if parent.components().any(|part| part == Component::Normal(".git".as_ref())) {
            return Err(self.bad(format!("`{}` lies in a `.git`, which no tree has content in", shown(name))));
        }
        if inside.components().count() > DEEPEST {
            return Err(self.bad(format!("`{}` lies deeper than {DEEPEST} directories", shown(name))));
        }
        Ok(())
    }

    /// Takes in a file's content; none if this is no file.
    fn content(&mut self, name: &Path, what: Passing<'_, '_>) -> Result<Option<(Blob, u64)>> {
        let found = match what {
            Passing::Directory | Passing::Link(_) => return Ok(None),
            Passing::File { executable, data } => self.take(executable, data)?,
            Passing::HardLink(first) => return self.again(name, &first).map(Some),
        };
        self.placed.insert(name.to_owned(), found);
        Ok(Some(found))
    }

    /// Returns the content that stood at `first`.
    fn again(&self, name: &Path, first: &Path) -> Result<(Blob, u64)> {
        self.placed.get(first).copied().ok_or_else(|| {
            self.bad(format!("`{}` is `{}` again, which did not come before it", shown(name), shown(first)))
        })
    }

    /// Hashes a file as it comes by, and keeps it under its hash.
    fn take(&mut self, executable: bool, data: Data<'_, '_>) -> Result<(Blob, u64)> {
        let size = data.size();
        self.bytes = self.bytes.saturating_add(size);
        if self.contents.as_ref().is_none_or(|contents| self.bytes > contents.bytes) {
            return Err(self.bad("it holds more than its list of contents says".to_owned()));
        }
        let mut draft = self.draft(executable)?;
        let mut hasher = ObjectHasher::blob(size);
        let observer = &*self.cache.waiting.observer;
        data.read(&mut |bytes| {
            hasher.update(bytes);
            if let Some((file, path)) = &mut draft {
                file.write_all(bytes).at("write", path)?;
            }
            observer.on(&Event::Advance { phase: Phase::Unpack, files: 0, bytes: bytes.len() as u64 });
            Ok(())
        })?;
        observer.on(&Event::Advance { phase: Phase::Unpack, files: 1, bytes: 0 });
        let blob = Blob { digest: hasher.finish(), executable };
        if let (Some((_, path)), Some(dir)) = (draft, self.dir) {
            self.cache.store.disk.rename(&path, &staged_path(dir, blob))?;
        }
        self.blobs.insert(blob, size);
        Ok((blob, size))
    }

    fn draft(&self, executable: bool) -> Result<Option<(File, PathBuf)>> {
        let Some(dir) = self.dir else { return Ok(None) };
        let path = dir.path().join(random_name()?);
        Ok(Some((self.cache.store.disk.create_file(&path, mode_of(executable))?, path)))
    }

    /// All of an artifact has come by: it must add up to its name.
    fn end(&mut self) -> Result<()> {
        let Some(at) = self.at else { return Ok(()) };
        self.folders.clear();
        self.weight = 0;
        let entries = std::mem::take(&mut self.entries);
        let Some(parcel) = self.contents.as_mut().map(|contents| &mut contents.parcels[at]) else { return Ok(()) };
        if parcel.artifact.kind != ObjectKind::Tree {
            return Ok(());
        }
        let found = Manifest::new(entries);
        let (hash, announced) = (parcel.artifact.hash, (parcel.artifact.size, parcel.artifact.files));
        let (sum, expected) = found.check(hash, &parcel.rule);
        let weight = (found.size, found.files);
        parcel.entries = found.entries;
        if sum != expected {
            return Err(self.differs(hash, format!("its entries add up to {sum} instead of {expected}")));
        }
        if weight != announced {
            let (size, files) = weight;
            return Err(self.differs(hash, format!("it has {files} files of {size} bytes")));
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Brought> {
        self.end()?;
        let Some(contents) = self.contents.take() else { return Err(self.no_list()) };
        let next = self.at.map_or(0, |at| at + 1);
        if let Some(missing) = contents.parcels.get(next) {
            return Err(self.bad(format!("{} is missing", missing.artifact.hash)));
        }
        if self.blobs.values().sum::<u64>() != contents.bytes {
            return Err(self.bad("it holds less than its list of contents says".to_owned()));
        }
        let dir = self.dir;
        let staged = |(blob, size): (Blob, u64)| StagedBlob {
            blob,
            size,
            origin: Origin::Staged,
            source: dir.map(|dir| staged_path(dir, blob)).unwrap_or_default(),
        };
        Ok(Brought { parcels: contents.parcels, blobs: self.blobs.into_iter().map(staged).collect() })
    }

    fn no_list(&self) -> Error {
        self.bad(format!("its first entry is not `{LIST}`"))
    }

    fn differs(&self, hash: crate::digest::Digest, detail: String) -> Error {
        self.bad(format!("{hash} is not what its name says: {detail}"))
    }

    fn bad(&self, reason: String) -> Error {
        Error::BadPack { path: self.path.to_owned(), reason }
    }
}

fn form_of(blob: Blob) -> String {
    let form = if blob.executable { "the executable " } else { "" };
    format!("{form}{}", blob.digest)
}

fn shown(name: &Path) -> String {
    use std::os::unix::ffi::OsStrExt as _;
    let bytes = name.as_os_str().as_bytes();
    match bytes.get(..255) {
        Some(start) if bytes.len() > 255 => format!("{}…", printable(start)),
        _ => printable(bytes),
    }
}
