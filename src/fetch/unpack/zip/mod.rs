//! Reads a zip archive entry by entry, after its central directory (APPNOTE.TXT 6.3).
//!
//! The `zip` crate reads the headers and holds each entry's two against each other; which names and kinds are
//! let through, how bytes are unpacked, what they may cost and where they are written is ours. Two entries of one
//! name, entries that share bytes and entries that two headers describe differently are refused: programs differ
//! in which one they believe. So is a zip that stands behind something else, such as a program that unpacks it.

mod bytes;
mod entry;

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use zip::ZipArchive;
use zip::result::ZipError;

use crate::error::{Error, Result};
use crate::event::Interrupt;
use crate::fetch::unpack::member::Member;
use crate::fetch::unpack::name::{EntryName, shortened};
use crate::fetch::unpack::sink::Sink;
use crate::fetch::unpack::source::{Interruptible, failed};
use crate::fetch::unpack::zip::bytes::Bytes;
use crate::fetch::unpack::zip::entry::{Kind, kind_of, unix_name};

/// Unpacks it all.
pub(super) fn unpack(archive: &Path, file: File, sink: &mut Sink<'_>, interrupt: &Interrupt) -> Result<()> {
    let source = BufReader::new(Interruptible::new(file, interrupt));
    let mut zip = ZipArchive::new(source).map_err(|error| broken(archive, error))?;
    for _ in 0..zip.len() {
        sink.budget.take_entry()?;
    }
    zip.validate_header_consistency().map_err(|error| broken(archive, error))?;
    sink.take_each_name_once();
    for number in 0..zip.len() {
        interrupt.check()?;
        let entry = zip.by_index_raw(number).map_err(|error| broken(archive, error))?;
        let unix = unix_name(&entry).map_err(|reason| refuse(archive, reason))?;
        let complain = |problem: String| refuse(archive, format!("`{}` {problem}", shortened(&unix)));
        let name = EntryName::new(&unix).map_err(|reason| refuse(archive, reason))?;
        let kind = kind_of(&entry, &unix).map_err(complain)?;
        let mut bytes = Bytes::open(archive, &unix, entry, interrupt)?;
        let member = match kind {
            Kind::File { mode } => {
                sink.budget.take_unpacked(bytes.left())?;
                Member::File { mode, size: bytes.left() }
            }
            Kind::Directory => Member::Directory,
            Kind::Symlink => Member::Symlink(bytes.link_target()?),
        };
        sink.put(name, &member, &mut bytes)?;
        bytes.finish()?;
    }
    Ok(())
}

fn broken(archive: &Path, error: ZipError) -> Error {
    match error {
        ZipError::Io(error) => failed(archive, error, |error| format!("its zip structure is broken ({error})")),
        ZipError::UnsupportedArchive(what) => refuse(archive, format!("it is a zip of an unknown kind ({what})")),
        ZipError::InvalidArchive(what) => refuse(archive, format!("its zip structure is broken ({what})")),
        other => refuse(archive, format!("its zip structure is broken ({other})")),
    }
}

fn refuse(archive: &Path, reason: String) -> Error {
    Error::Archive { path: archive.to_owned(), reason }
}
