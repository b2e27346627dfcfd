//! Unpacks an archive into a new private folder, or a single packed file into a new file.
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
mod single;
mod sink;
mod source;
mod sparse;
mod stream;
mod tar;
#[cfg(test)]
mod tests;
mod top;
mod visit;
mod write;
mod zip;

use std::fs::File;
use std::path::Path;

use crate::error::{Error, Result};
use crate::event::{Event, Interrupt, Observer, Phase};
use crate::fetch::sniff::Packing;
use crate::fetch::unpack::budget::Budget;
use crate::fetch::unpack::sink::Sink;
use crate::fetch::unpack::stream::Stream;
use crate::fetch::unpack::tar::TarReader;
use crate::fs::{Disk, open_source};

pub(crate) use crate::fetch::unpack::visit::{Data, Passing, Visitor, visit};

/// How unpacking is shown.
const PHASE: Phase = Phase::Unpack;

/// What an archive may cost, and what becomes of its top.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Headers in the archive, plus the directories made for them.
    pub(crate) entries: u64,
    /// Bytes of all files together, holes and second names of a file included.
    pub(crate) bytes: u64,
    /// How often larger than the archive its content may be; up to 16 MiB are always allowed.
    pub(crate) ratio: u64,
    /// Whether everything lies in one folder, which is left out.
    pub(crate) strip_top: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self { entries: 10_000_000, bytes: 1 << 40, ratio: 1_000, strip_top: false }
    }
}

/// What came out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A folder.
    #[default]
    Tree,
    /// A file that was packed by itself.
    File,
}

/// What came out of an archive.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Unpacked {
    pub(crate) shape: Shape,
    /// Regular files, each name of a file counted.
    pub(crate) files: u64,
    /// Their bytes, holes included.
    pub(crate) bytes: u64,
}

/// Unpacks what lies at `archive`, judged by its content: a tar, plain or packed with gzip, bzip2, xz or zstd,
/// or a zip, into the new folder `dest`; anything else that one of the four packed into the new file `dest`.
/// Nobody else may write there.
///
/// # Errors
/// [`Error::Archive`] for what is broken, refused or beyond `limits`, naming the entry; `Io` if `dest` exists;
/// `Interrupted`.
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
    observer.on(&Event::Begin { phase: PHASE, files: None });
    let job = Job { disk, archive, dest, limits, observer, interrupt };
    let outcome = job.run(file, budget);
    observer.on(&Event::End { phase: PHASE });
    outcome
}

struct Job<'a> {
    disk: &'a Disk,
    archive: &'a Path,
    dest: &'a Path,
    limits: &'a Limits,
    observer: &'a dyn Observer,
    interrupt: &'a Interrupt,
}

impl<'a> Job<'a> {
    fn run(&self, file: File, budget: Budget<'a>) -> Result<Unpacked> {
        let mut stream = Stream::open(self.archive, file, budget.most_stream(), self.interrupt)?;
        if stream.packing() == Packing::Zip {
            let (file, _) = open_source(self.archive)?;
            return self.fill_folder(budget, |sink| zip::unpack(self.archive, file, sink, self.interrupt));
        }
        if !single::is_tar(&mut stream)? {
            return self.make_file(&mut stream, budget);
        }
        let reader = TarReader::new(self.archive, stream);
        self.fill_folder(budget, |sink| reader.unpack(sink))
    }

    /// Makes a file of what is packed and no tar.
    fn make_file(&self, stream: &mut Stream<'_>, budget: Budget<'_>) -> Result<Unpacked> {
        let reason = match stream.packing() {
            Packing::Plain => "it is neither tar nor zip, and not packed with gzip, bzip2, xz or zstd",
            _ if self.limits.strip_top => "it is a single file, and has no folder at its top",
            _ => return single::unpack(self.disk, stream, self.dest, budget, self.observer),
        };
        Err(Error::Archive { path: self.archive.to_owned(), reason: reason.to_owned() })
    }

    /// Makes the folder, and takes it away again if it is not filled as it should be.
    fn fill_folder(&self, budget: Budget<'a>, fill: impl FnOnce(&mut Sink<'a>) -> Result<()>) -> Result<Unpacked> {
        self.disk.create_dir(self.dest)?;
        let outcome = Sink::new(self.disk, self.archive, self.dest, budget, self.limits.strip_top, self.observer)
            .and_then(|mut sink| fill(&mut sink).map(|()| sink.done()));
        if outcome.is_err() {
            // The first error says more than a second one, about the clearing up, could.
            drop(self.disk.remove_all(self.dest));
        }
        outcome
    }
}
