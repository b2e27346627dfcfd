//! Unpacks an archive into a new private folder.
//!
//! Why: an archive is somebody else's program for writing to our disk; no library's "unpack all" is
//! trusted with it.
//! Guarantees: everything is written below the new folder and nothing through a link; only regular
//! files, directories and symbolic links come out, readable and writable by their owner, without
//! set-id and sticky bits; the limits hold while bytes flow; after an error the folder is gone. Links
//! keep their text: where they lead is for the reader of the folder to judge. Owners, times and
//! extended attributes are dropped.
//! Must not know: where the archive is from, which hash the tree should have.

mod budget;
mod extended;
mod header;
mod member;
mod name;
mod sparse;
mod stream;
mod tar;
#[cfg(test)]
mod tests;
mod visit;
mod write;

use std::io::{Seek as _, SeekFrom};
use std::path::Path;

use crate::error::{PathContext as _, Result};
use crate::event::{Event, Interrupt, Observer, Phase};
use crate::fetch::unpack::budget::Budget;
use crate::fetch::unpack::header::Piece;
use crate::fetch::unpack::member::Member;
use crate::fetch::unpack::name::EntryName;
use crate::fetch::unpack::stream::Stream;
use crate::fetch::unpack::tar::TarReader;
use crate::fetch::unpack::write::Writer;
use crate::fs::{Disk, open_source};

pub(crate) use crate::fetch::unpack::visit::{Data, Passing, Visitor, visit};

/// How unpacking is shown.
const PHASE: Phase = Phase::Hash;

/// What an archive may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Headers in the archive, plus the directories made for them.
    pub(crate) entries: u64,
    /// Bytes of all files together, holes and second names of a file included.
    pub(crate) bytes: u64,
    /// How often larger than the archive its content may be; up to 16 MiB are always allowed.
    pub(crate) ratio: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { entries: 10_000_000, bytes: 1 << 40, ratio: 1_000 }
    }
}

/// What came out of an archive.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Unpacked {
    /// Regular files, each name of a file counted.
    pub(crate) files: u64,
    /// Their bytes, holes included.
    pub(crate) bytes: u64,
}

/// Unpacks the tar at `archive`, plain or packed with gzip, bzip2, xz or zstd as its first bytes say,
/// into the new folder `dest`, which nobody else may write to.
///
/// # Errors
/// [`crate::error::Error::Archive`] for what is broken, refused or beyond `limits`, naming the
/// entry; `Io` if `dest` exists; `Interrupted`.
pub(crate) fn unpack(
    disk: &Disk,
    archive: &Path,
    dest: &Path,
    limits: &Limits,
    observer: &dyn Observer,
    interrupt: &Interrupt,
) -> Result<Unpacked> {
    let (file, found) = open_source(archive)?;
    let budget = Budget::new(archive, limits, found.len());
    let stream = Stream::open(archive, file, budget.most_stream(), interrupt)?;
    disk.create_dir(dest)?;
    observer.on(&Event::Begin { phase: PHASE, files: None });
    let outcome = Writer::new(disk, archive, dest)
        .and_then(|writer| Unpacking { reader: TarReader::new(archive, stream), writer, budget, observer }.run());
    observer.on(&Event::End { phase: PHASE });
    if outcome.is_err() {
        // The first error says more than a second one, about the clearing up, could.
        drop(disk.remove_all(dest));
    }
    outcome
}

struct Unpacking<'a> {
    reader: TarReader<'a>,
    writer: Writer<'a>,
    budget: Budget<'a>,
    observer: &'a dyn Observer,
}

impl Unpacking<'_> {
    fn run(mut self) -> Result<Unpacked> {
        let mut done = Unpacked::default();
        while let Some((name, member)) = self.reader.next(&mut self.budget)? {
            let Some(bytes) = self.put(&name, &member)? else { continue };
            self.observer.on(&Event::Advance { phase: PHASE, files: 1, bytes: 0 });
            done.files += 1;
            done.bytes += bytes;
        }
        self.reader.finish()?;
        Ok(done)
    }

    /// Writes one entry; returns its size if it is a file.
    fn put(&mut self, name: &EntryName, member: &Member) -> Result<Option<u64>> {
        match member {
            Member::Directory => self.writer.directory(name, &mut self.budget).map(|()| None),
            Member::Symlink(target) => self.writer.symlink(name, target, &mut self.budget).map(|()| None),
            Member::HardLink(target) => {
                let size = self.writer.hard_link(name, target, &mut self.budget)?;
                self.budget.take_bytes(size)?;
                Ok(Some(size))
            }
            Member::File { mode, size } => self.fill(name, *mode, *size, &[(0, *size)]).map(Some),
            Member::Sparse { mode, size, pieces } => {
                self.budget.take_holes(*size)?;
                self.fill(name, *mode, *size, pieces).map(Some)
            }
        }
    }

    fn fill(&mut self, name: &EntryName, mode: u32, size: u64, pieces: &[Piece]) -> Result<u64> {
        self.budget.take_bytes(size)?;
        let mut file = self.writer.file(name, mode, &mut self.budget)?;
        let path = self.writer.path(name);
        let note = |bytes| self.observer.on(&Event::Advance { phase: PHASE, files: 0, bytes });
        let mut end = 0;
        for (offset, length) in pieces {
            if *offset != end {
                file.seek(SeekFrom::Start(*offset)).at("write", &path)?;
            }
            self.reader.copy(*length, &mut file, &path, &note)?;
            end = offset + length;
        }
        if end != size || pieces.last().is_some_and(|(_, length)| *length == 0) {
            file.set_len(size).at("write", &path)?;
        }
        Ok(size)
    }
}
