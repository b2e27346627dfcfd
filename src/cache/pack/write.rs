//! Writes a pack: the list of contents, then every artifact, each content once and checked on the way.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Read as _, Write};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use crate::cache::Cache;
use crate::cache::pack::tar::TarWriter;
use crate::cache::pack::{LIST, manifest, place_of};
use crate::cache::travel::Parcel;
use crate::digest::ObjectHasher;
use crate::error::{Error, PathContext as _, Result};
use crate::event::{Event, Phase};
use crate::fs::open_source;
use crate::model::{Blob, Entry, Node, ObjectKind, depth};

/// Files are read in pieces of this size.
const CHUNK: usize = 256 * 1024;
/// An archive's names may have 255 parts, and two are the artifact's own.
const DEEPEST: usize = 253;

/// Bytes that are handed over as they are read.
type Sink<'s> = dyn FnMut(&[u8]) -> io::Result<()> + Send + 's;

/// Writes parcels into an archive; `to` names it in errors.
pub(super) fn write<W: Write + Send>(cache: &Cache, parcels: &[Parcel], tar: TarWriter<W>, to: &Path) -> Result<W> {
    let blobs: BTreeMap<Blob, u64> = parcels.iter().flat_map(Parcel::blobs).collect();
    let observer = &*cache.waiting.observer;
    observer.on(&Event::Begin { phase: Phase::Pack, files: Some(blobs.len() as u64) });
    let mut packing = Packing { cache, tar, to, first: HashMap::with_capacity(blobs.len()) };
    let list = manifest::print(parcels, blobs.values().sum())?;
    packing.list(&list).at("write", to)?;
    parcels.iter().try_for_each(|parcel| packing.parcel(parcel))?;
    observer.on(&Event::End { phase: Phase::Pack });
    packing.tar.finish().at("write", to)
}

struct Packing<'a, W> {
    cache: &'a Cache,
    tar: TarWriter<W>,
    to: &'a Path,
    /// Where each content stands first.
    first: HashMap<Blob, Vec<u8>>,
}

impl<W: Write + Send> Packing<'_, W> {
    fn list(&mut self, list: &[u8]) -> io::Result<()> {
        self.tar.file(LIST.as_bytes(), false, list.len() as u64)?;
        self.tar.data(list)
    }

    fn parcel(&mut self, parcel: &Parcel) -> Result<()> {
        let place = place_of(&parcel.artifact).into_bytes();
        if parcel.artifact.kind != ObjectKind::Tree {
            let (blob, size) = parcel.blobs()[0];
            return self.file(place, blob, size);
        }
        self.tar.directory(&place).at("write", self.to)?;
        parcel.entries.iter().try_for_each(|entry| {
            check_depth(entry)?;
            self.entry(&place, entry)
        })
    }

    fn entry(&mut self, top: &[u8], entry: &Entry) -> Result<()> {
        let name = [top, b"/", entry.path.as_os_str().as_bytes()].concat();
        match &entry.node {
            Node::Directory => self.tar.directory(&name).at("write", self.to),
            Node::Link { target } => self.tar.symlink(&name, target.as_os_str().as_bytes()).at("write", self.to),
            Node::File { hash, executable, size } => {
                self.file(name, Blob { digest: *hash, executable: *executable }, *size)
            }
        }
    }

    fn file(&mut self, name: Vec<u8>, blob: Blob, size: u64) -> Result<()> {
        if let Some(first) = self.first.get(&blob) {
            return self.tar.hard_link(&name, blob.executable, first).at("write", self.to);
        }
        self.tar.file(&name, blob.executable, size).at("write", self.to)?;
        let tar = &mut self.tar;
        read_checked(self.cache, blob, size, self.to, &mut |bytes| tar.data(bytes))?;
        self.first.insert(blob, name);
        self.cache.waiting.observer.on(&Event::Advance { phase: Phase::Pack, files: 1, bytes: size });
        Ok(())
    }
}

/// What would be refused on the way in must not be packed.
fn check_depth(entry: &Entry) -> Result<()> {
    if depth(&entry.path) <= DEEPEST {
        return Ok(());
    }
    let reason = format!("it is deeper than {DEEPEST} directories, and no pack can hold it");
    Err(Error::invalid("path", &entry.path.to_string_lossy(), reason))
}

/// Hands over a stored file's bytes, which must be those of its name. What was handed over before an error is
/// of no use; `to` is where the sink writes.
pub(crate) fn read_checked(cache: &Cache, blob: Blob, size: u64, to: &Path, sink: &mut Sink<'_>) -> Result<()> {
    let path = cache.store.layout.blob(blob);
    let damaged = |detail: String| Error::Damaged { hash: blob.digest, path: path.clone(), detail };
    let (mut file, found) = open_source(&path).map_err(|error| match error {
        error if error.is_io(io::ErrorKind::NotFound) => damaged("its file is gone".to_owned()),
        other => other,
    })?;
    if found.len() != size {
        return Err(damaged(format!("it has {} bytes instead of {size}", found.len())));
    }
    let mut hasher = ObjectHasher::blob(size);
    let mut buffer = vec![0; usize::try_from(size).unwrap_or(CHUNK).clamp(1, CHUNK)];
    let mut left = size;
    while left > 0 {
        cache.waiting.interrupt.check()?;
        let most = usize::try_from(left).unwrap_or(CHUNK).min(buffer.len());
        let count = file.read(&mut buffer[..most]).at("read", &path)?;
        if count == 0 {
            return Err(damaged("it was cut off while it was read".to_owned()));
        }
        let bytes = &buffer[..count];
        let ((), written) = rayon::join(|| hasher.update(bytes), || sink(bytes));
        written.at("write", to)?;
        left -= count as u64;
    }
    let found = hasher.finish();
    if found == blob.digest { Ok(()) } else { Err(damaged(format!("its content is {found}"))) }
}
