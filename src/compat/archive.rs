//! Writes a directory into an archive that Julia's Pkg takes for an artifact, as `archive_artifact` does.
//!
//! Guarantees: the archive appears whole or not at all; the same directory is the same bytes on every machine;
//! unpacked, it has the announced SHA-1; nothing that is damaged gets into it.

use std::io::{self, BufWriter, Write};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use flate2::{Compression, GzBuilder};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use toml::{Table, Value};

use crate::cache::pack::read_checked;
use crate::cache::pack::tar::TarWriter;
use crate::cache::travel::{Parcel, Wanted};
use crate::cache::{Cache, Reference};
use crate::digest::Sha256Sum;
use crate::error::{Error, PathContext as _, Result};
use crate::event::{Event, Phase};
use crate::fs::NewFile;
use crate::julia::{BlobSha1, ListedEntry, ListedNode, listed_tree_sha1, print};
use crate::model::{Blob, Entry, Node, ObjectKind};

/// How hard gzip tries: another level gives other bytes.
const LEVEL: u32 = 6;
/// So many bytes are written at once.
const CHUNK: usize = 256 * 1024;

/// An archive that was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Archived {
    /// Where it lies.
    #[serde(serialize_with = "crate::text::serialize_path")]
    pub path: PathBuf,
    /// The plain SHA-256 of its bytes, which `archive_artifact` returns.
    pub sha256: Sha256Sum,
    /// git's SHA-1 of the directory, 40 hex digits.
    pub git_tree_sha1: String,
    /// Bytes of the archive.
    pub size: u64,
}

impl Archived {
    /// Returns the entry of an `Artifacts.toml` that declares it, to be downloaded from any of these places.
    ///
    /// # Errors
    /// [`Error::Unwritable`] for a name or place that Julia cannot read.
    pub fn declaration(&self, name: &str, urls: &[String]) -> Result<String> {
        let download = |url: &String| {
            let fields = [("url", url.clone()), ("sha256", self.sha256.to_string())];
            Value::Table(fields.into_iter().map(|(key, value)| (key.to_owned(), value.into())).collect())
        };
        let mut entry = Table::new();
        entry.insert("git-tree-sha1".to_owned(), self.git_tree_sha1.clone().into());
        if !urls.is_empty() {
            entry.insert("download".to_owned(), urls.iter().map(download).collect::<Vec<Value>>().into());
        }
        print(&Table::from_iter([(name.to_owned(), Value::Table(entry))]))
    }
}

impl Cache {
    /// Writes the content of a directory into a new `.tar.gz`; with `replace` it may take the place of another
    /// file.
    ///
    /// # Errors
    /// [`Error::NotATree`] for a file, for Julia's artifacts are directories; [`Error::InTheWay`];
    /// [`Error::Damaged`] if its content is not what it was; as [`Cache::find`]. There is no new file then.
    pub fn archive(&self, reference: Reference<'_>, file: &Path, replace: bool) -> Result<Archived> {
        let departure = self.depart(&[Wanted::One(reference)])?;
        let parcel = departure.parcels.first().ok_or_else(|| Error::Internal("nothing was found".to_owned()))?;
        if parcel.artifact.kind != ObjectKind::Tree {
            let reason = "Julia's artifacts are directories";
            return Err(Error::NotATree { hash: parcel.artifact.hash, reason });
        }
        let new = NewFile::create(&self.store.disk, file, replace, self.root())?;
        let out = BufWriter::with_capacity(CHUNK, Hashing { to: new, sha256: Sha256::new(), size: 0 });
        let gzip = GzBuilder::new().write(out, Compression::new(LEVEL));
        let mut archiving = Archiving { cache: self, tar: TarWriter::new(gzip), to: file, listed: Vec::new() };
        archiving.tree(parcel)?;
        let Archiving { tar, listed, .. } = archiving;
        let out = tar.finish().and_then(flate2::write::GzEncoder::finish).at("write", file)?;
        let Hashing { to, sha256, size } =
            out.into_inner().map_err(io::IntoInnerError::into_error).at("write", file)?;
        to.finish()?;
        Ok(Archived {
            path: file.to_owned(),
            sha256: Sha256Sum::from_bytes(sha256.finalize().into()),
            git_tree_sha1: listed_tree_sha1(&listed).to_string(),
            size,
        })
    }
}

struct Archiving<'a, W> {
    cache: &'a Cache,
    tar: TarWriter<W>,
    to: &'a Path,
    /// What was written, by its SHA-1.
    listed: Vec<ListedEntry>,
}

impl<W: Write + Send> Archiving<'_, W> {
    fn tree(&mut self, parcel: &Parcel) -> Result<()> {
        let observer = &*self.cache.waiting.observer;
        observer.on(&Event::Begin { phase: Phase::Pack, files: Some(parcel.artifact.files) });
        parcel.entries.iter().try_for_each(|entry| self.entry(entry))?;
        observer.on(&Event::End { phase: Phase::Pack });
        Ok(())
    }

    fn entry(&mut self, entry: &Entry) -> Result<()> {
        let name = entry.path.as_os_str().as_bytes();
        let node = match &entry.node {
            Node::Directory => {
                self.tar.directory(name).at("write", self.to)?;
                ListedNode::Directory
            }
            Node::Link { target } => {
                let target = target.as_os_str().as_bytes();
                self.tar.symlink(name, target).at("write", self.to)?;
                self.warn_of_target(entry, target);
                ListedNode::Link { sha1: BlobSha1::of(target) }
            }
            Node::File { hash, executable, size } => {
                let blob = Blob { digest: *hash, executable: *executable };
                ListedNode::File { sha1: self.file(name, blob, *size)?, executable: *executable }
            }
        };
        self.listed.push(ListedEntry { path: entry.path.clone(), node });
        Ok(())
    }

    fn file(&mut self, name: &[u8], blob: Blob, size: u64) -> Result<[u8; 20]> {
        let tar = &mut self.tar;
        let mut sha1 = BlobSha1::new(size);
        tar.file(name, blob.executable, size).at("write", self.to)?;
        read_checked(self.cache, blob, size, self.to, &mut |bytes| {
            sha1.update(bytes);
            tar.data(bytes)
        })?;
        self.cache.waiting.observer.on(&Event::Advance { phase: Phase::Pack, files: 1, bytes: size });
        Ok(sha1.finish())
    }

    /// Some versions of Pkg count the characters of a target where git counts bytes.
    fn warn_of_target(&self, entry: &Entry, target: &[u8]) {
        if !target.is_ascii() {
            let path = crate::text::printable_path(&entry.path);
            let message = format!("Julia may find another hash than git does, because of the link `{path}`");
            self.cache.waiting.observer.on(&Event::Warning { message: &message });
        }
    }
}

/// Hashes and counts what goes through.
struct Hashing<W> {
    to: W,
    sha256: Sha256,
    size: u64,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.to.write(bytes)?;
        self.sha256.update(&bytes[..count]);
        self.size += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}
