//! Shows the entries of a tar to somebody as they come by, and writes nothing.
//!
//! Guarantees: names are as safe as for unpacking, the limits hold while bytes flow, and the visit is a
//! success only if the stream was whole to its end.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::event::Interrupt;
use crate::fetch::sniff::Packing;
use crate::fetch::unpack::Limits;
use crate::fetch::unpack::budget::Budget;
use crate::fetch::unpack::member::Member;
use crate::fetch::unpack::stream::Stream;
use crate::fetch::unpack::tar::TarReader;
use crate::fs::open_source;

/// What comes by.
pub(crate) enum Passing<'d, 'a> {
    File {
        executable: bool,
        data: Data<'d, 'a>,
    },
    Directory,
    Link(PathBuf),
    /// Another name of an entry, which may or may not have come by.
    HardLink(PathBuf),
}

/// The bytes of a file that comes by. What is not read is skipped.
pub(crate) struct Data<'d, 'a> {
    reader: &'d mut TarReader<'a>,
    size: u64,
}

impl Data<'_, '_> {
    /// Returns how many bytes there are.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Hands over all bytes, piece by piece.
    pub(crate) fn read(self, sink: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        self.reader.pass(self.size, sink)
    }
}

/// Who looks at the entries.
pub(crate) trait Visitor {
    /// Looks at an entry; its name leads down from the top and nowhere else. An error ends the visit.
    fn entry(&mut self, name: &Path, what: Passing<'_, '_>) -> Result<()>;
}

/// Shows every entry of the tar at `archive`, which must be packed with zstd.
///
/// # Errors
/// [`Error::Archive`] for what is broken, refused or beyond `limits`, naming the entry; `Interrupted`; and what
/// the visitor says.
pub(crate) fn visit(archive: &Path, limits: &Limits, interrupt: &Interrupt, visitor: &mut dyn Visitor) -> Result<()> {
    let (file, found) = open_source(archive)?;
    let mut budget = Budget::new(archive, limits, found.len());
    let stream = Stream::open(archive, file, budget.most_stream(), interrupt)?;
    let mut reader = TarReader::new(archive, stream);
    if reader.packing() != Packing::Zstd {
        return Err(Error::Archive { path: archive.to_owned(), reason: "it is not packed with zstd".to_owned() });
    }
    while let Some((name, member)) = reader.next(&mut budget)? {
        let what = match member {
            Member::Directory => Passing::Directory,
            Member::Symlink(target) => Passing::Link(path_of(target)),
            Member::HardLink(target) => Passing::HardLink(target.as_path().to_owned()),
            Member::File { mode, size } => {
                budget.take_bytes(size)?;
                Passing::File { executable: mode & 0o100 != 0, data: Data { reader: &mut reader, size } }
            }
            Member::Sparse { .. } => {
                let reason = format!("`{}` is a sparse file", name.shown());
                return Err(Error::Archive { path: archive.to_owned(), reason });
            }
        };
        visitor.entry(name.as_path(), what)?;
    }
    reader.finish()
}

fn path_of(target: Vec<u8>) -> PathBuf {
    use std::os::unix::ffi::OsStringExt as _;
    std::ffi::OsString::from_vec(target).into()
}
