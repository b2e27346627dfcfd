//! Reads a zip archive entry by entry, after its central directory (APPNOTE.TXT 6.3).
//!
//! The `zip` crate reads headers, unpacks streams and checks their sums; which names and kinds are let through,
//! where they are written and how much they may cost is ours. Two entries of one name, entries that share bytes
//! and entries that two headers describe differently are refused: programs differ in which one they believe.

use std::fs::File;
use std::io::{self, BufReader, Read, Write as _};
use std::path::Path;

use zip::ZipArchive;
use zip::read::ZipFile;
use zip::result::ZipError;

use crate::error::{Error, PathContext as _, Result};
use crate::event::Interrupt;
use crate::fetch::unpack::member::{Member, link_target};
use crate::fetch::unpack::name::{EntryName, shortened};
use crate::fetch::unpack::sink::{Data, Sink};

/// Data moves in pieces of this size.
const CHUNK: usize = 256 * 1024;
/// `PATH_MAX`: a longer text is no link's.
const LONGEST_TARGET: u64 = 4_096;
/// The types of files that unix keeps in front of the twelve bits of a mode (`inode(7)`).
const TYPE: u32 = 0o170_000;
const REGULAR: u32 = 0o100_000;
const DIRECTORY: u32 = 0o040_000;
const LINK: u32 = 0o120_000;

/// Unpacks it all.
pub(super) fn unpack(archive: &Path, file: File, sink: &mut Sink<'_>, interrupt: &Interrupt) -> Result<()> {
    let mut zip = ZipArchive::new(BufReader::new(file)).map_err(|error| broken(archive, &error))?;
    for _ in 0..zip.len() {
        sink.budget.take_entry()?;
    }
    zip.validate_header_consistency().map_err(|error| broken(archive, &error))?;
    for number in 0..zip.len() {
        interrupt.check()?;
        let mut entry = zip.by_index(number).map_err(|error| broken(archive, &error))?;
        let name = entry.name_raw().to_vec();
        let complain = |problem: String| refuse(archive, format!("`{}` {problem}", shortened(&name)));
        let safe = EntryName::new(&unix_name(&entry)).map_err(|reason| refuse(archive, reason))?;
        let member = member(&mut entry).map_err(complain)?;
        let mut data = Bytes { archive, name: &name, entry: &mut entry, interrupt };
        sink.put(safe, &member, &mut data)?;
        if matches!(member, Member::File { .. }) {
            data.finish()?;
        }
    }
    Ok(())
}

/// Returns the name as unix would have it. Programs on DOS and Windows may write `\` between its parts; only
/// those of unix write bytes of any code, and then mean them as they are.
fn unix_name<R: Read>(entry: &ZipFile<'_, R>) -> Vec<u8> {
    let raw = entry.name_raw().to_vec();
    let unix = matches!(entry.system(), zip::System::Unix);
    if unix && std::str::from_utf8(&raw).is_ok() {
        return raw;
    }
    let decoded = entry.name().map_or(raw, |name| name.into_owned().into_bytes());
    if unix { decoded } else { decoded.into_iter().map(|byte| if byte == b'\\' { b'/' } else { byte }).collect() }
}

fn member<R: Read>(entry: &mut ZipFile<'_, R>) -> Result<Member, String> {
    if entry.encrypted() {
        return Err("is encrypted".to_owned());
    }
    let mode = entry.unix_mode().unwrap_or(REGULAR | 0o644);
    match mode & TYPE {
        LINK => link(entry).map(Member::Symlink),
        _ if entry.is_dir() => Ok(Member::Directory),
        DIRECTORY => Ok(Member::Directory),
        REGULAR | 0 => Ok(Member::File { mode: mode & 0o7777, size: entry.size() }),
        _ => Err("is no file, directory or symbolic link".to_owned()),
    }
}

/// A link's text is its content.
fn link<R: Read>(entry: &mut ZipFile<'_, R>) -> Result<Vec<u8>, String> {
    let mut text = Vec::new();
    entry
        .take(LONGEST_TARGET + 1)
        .read_to_end(&mut text)
        .map_err(|error| format!("is a link whose text cannot be read ({error})"))?;
    link_target(&text)
}

/// The bytes of one entry.
struct Bytes<'a, 'e, R: Read> {
    archive: &'a Path,
    name: &'a [u8],
    entry: &'a mut ZipFile<'e, R>,
    interrupt: &'a Interrupt,
}

impl<R: Read> Data for Bytes<'_, '_, R> {
    fn copy(&mut self, length: u64, target: &mut File, path: &Path, note: &dyn Fn(u64)) -> Result<()> {
        let mut buffer = vec![0; CHUNK.min(usize::try_from(length).unwrap_or(CHUNK)).max(1)];
        let mut left = length;
        while left > 0 {
            self.interrupt.check()?;
            let most = usize::try_from(left).unwrap_or(CHUNK).min(buffer.len());
            let count = self.read(&mut buffer[..most])?;
            if count == 0 {
                return Err(self.complain("is cut off"));
            }
            target.write_all(&buffer[..count]).at("write", path)?;
            left -= count as u64;
            note(count as u64);
        }
        Ok(())
    }
}

impl<R: Read> Bytes<'_, '_, R> {
    /// Reads to the end, where the sum is held against the bytes.
    fn finish(&mut self) -> Result<()> {
        let mut more = [0];
        match self.read(&mut more)? {
            0 => Ok(()),
            _ => Err(self.complain("has more bytes than it says")),
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        loop {
            match self.entry.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return other.map_err(|error| self.complain(&format!("is broken ({error})"))),
            }
        }
    }

    fn complain(&self, problem: &str) -> Error {
        refuse(self.archive, format!("`{}` {problem}", shortened(self.name)))
    }
}

fn broken(archive: &Path, error: &ZipError) -> Error {
    match error {
        ZipError::UnsupportedArchive(what) => refuse(archive, format!("it is a zip that nobody here reads: {what}")),
        other => refuse(archive, format!("its zip structure is broken ({other})")),
    }
}

fn refuse(archive: &Path, reason: String) -> Error {
    Error::Archive { path: archive.to_owned(), reason }
}
