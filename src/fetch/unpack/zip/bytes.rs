//! The bytes of one entry of a zip, unpacked and held against their length and sum.
//!
//! The decoders are those of packed streams, so that the same limits of memory hold.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write as _};
use std::path::Path;

use flate2::Crc;
use flate2::bufread::DeflateDecoder;
use liblzma::bufread::XzDecoder;
use liblzma::stream::Stream as LzmaStream;
use zip::CompressionMethod;
use zip::read::ZipFile;

use crate::error::{Error, PathContext as _, Result};
use crate::event::Interrupt;
use crate::fetch::sniff::Packing;
use crate::fetch::unpack::member::link_target;
use crate::fetch::unpack::name::shortened;
use crate::fetch::unpack::sink::Data;
use crate::fetch::unpack::source::{MOST_LZMA_MEMORY, decoder, failed};

/// Data moves in pieces of this size.
const CHUNK: usize = 256 * 1024;
/// Packed data is read in pieces of this size, or less if there is less.
const PACKED_CHUNK: u64 = 64 * 1024;
/// `PATH_MAX`: a longer text is no link's.
const LONGEST_TARGET: u64 = 4_096;

/// What is still to come of an entry.
pub(super) struct Bytes<'a> {
    archive: &'a Path,
    name: &'a [u8],
    reader: Box<dyn Read + 'a>,
    interrupt: &'a Interrupt,
    left: u64,
    sum: Crc,
    expected_sum: u32,
}

impl<'a> Bytes<'a> {
    /// Starts with an entry's first byte.
    pub(super) fn open<R: Read>(
        archive: &'a Path,
        name: &'a [u8],
        entry: ZipFile<'a, R>,
        interrupt: &'a Interrupt,
    ) -> Result<Self> {
        let (method, left, expected_sum) = (entry.compression(), entry.size(), entry.crc32());
        let capacity = usize::try_from(entry.compressed_size().clamp(1, PACKED_CHUNK)).unwrap_or(CHUNK);
        let packed = BufReader::with_capacity(capacity, entry);
        let nobody = Box::new(io::empty());
        let mut bytes = Self { archive, name, reader: nobody, interrupt, left, sum: Crc::new(), expected_sum };
        match unpacked(method, packed) {
            Ok(Some(reader)) => bytes.reader = reader,
            Ok(None) => return Err(bytes.complain(&format!("is packed in a way that is not supported ({method})"))),
            Err(error) => return Err(bytes.broken(error)),
        }
        Ok(bytes)
    }

    /// Returns how many bytes are still to come, as the headers say.
    pub(super) fn left(&self) -> u64 {
        self.left
    }

    /// Reads what a symbolic link leads to, which is all of its content.
    pub(super) fn link_target(&mut self) -> Result<Vec<u8>> {
        let length = usize::try_from(self.left.min(LONGEST_TARGET)).unwrap_or_default();
        let mut text = vec![0; length];
        let mut filled = 0;
        while filled < length {
            filled += self.read_some(&mut text[filled..])?;
        }
        link_target(&text).map_err(|problem| self.complain(&problem))
    }

    /// Checks that all was read, that nothing more comes, and that the sum is right.
    pub(super) fn finish(mut self) -> Result<()> {
        let more = self.read(&mut [0])?;
        if more > 0 || self.left > 0 {
            return Err(self.complain("has more bytes than it says"));
        }
        if self.sum.sum() != self.expected_sum {
            return Err(self.complain("is broken (its checksum is wrong)"));
        }
        Ok(())
    }

    /// Reads at least a byte, and not more than are to come.
    fn read_some(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(CHUNK).min(buffer.len());
        let count = self.read(&mut buffer[..most])?;
        if count == 0 {
            return Err(self.complain("is cut off"));
        }
        self.sum.update(&buffer[..count]);
        self.left -= count as u64;
        Ok(count)
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        self.interrupt.check()?;
        loop {
            match self.reader.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return other.map_err(|error| self.broken(error)),
            }
        }
    }

    fn broken(&self, error: io::Error) -> Error {
        failed(self.archive, error, |problem| match problem.kind() {
            io::ErrorKind::UnexpectedEof => format!("`{}` is cut off", shortened(self.name)),
            _ => format!("`{}` is broken ({problem})", shortened(self.name)),
        })
    }

    fn complain(&self, problem: &str) -> Error {
        let reason = format!("`{}` {problem}", shortened(self.name));
        Error::Archive { path: self.archive.to_owned(), reason }
    }
}

impl Data for Bytes<'_> {
    fn copy(&mut self, length: u64, target: &mut File, path: &Path, note: &dyn Fn(u64)) -> Result<()> {
        let mut buffer = vec![0; usize::try_from(length).unwrap_or(CHUNK).min(CHUNK)];
        let end = self.left.saturating_sub(length);
        while self.left > end {
            let count = self.read_some(&mut buffer)?;
            target.write_all(&buffer[..count]).at("write", path)?;
            note(count as u64);
        }
        Ok(())
    }
}

/// Returns what unpacks the data; none if nothing here does.
fn unpacked<'a>(method: CompressionMethod, packed: impl BufRead + 'a) -> io::Result<Option<Box<dyn Read + 'a>>> {
    Ok(Some(match method {
        CompressionMethod::STORE => Box::new(packed),
        CompressionMethod::DEFLATE => Box::new(DeflateDecoder::new(packed)),
        CompressionMethod::BZIP2 => decoder(Packing::Bzip2, packed)?,
        CompressionMethod::ZSTD => decoder(Packing::Zstd, packed)?,
        CompressionMethod::XZ => decoder(Packing::Xz, packed)?,
        CompressionMethod::LZMA => lzma(packed)?,
        _ => return Ok(None),
    }))
}

/// A zip has two bytes of version, two that count the properties, and the properties before LZMA's data (5.8); a
/// `.lzma` file, which the library reads, the properties and eight bytes that can say that the length is unknown.
fn lzma<'a>(mut packed: impl BufRead + 'a) -> io::Result<Box<dyn Read + 'a>> {
    let mut head = [0; 9];
    packed.read_exact(&mut head)?;
    if head[2..4] != [5, 0] {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "its LZMA properties have an unknown length"));
    }
    let mut start = [0xff; 13];
    start[..5].copy_from_slice(&head[4..]);
    let whole = BufReader::new(io::Cursor::new(start)).chain(packed);
    let stream = LzmaStream::new_lzma_decoder(MOST_LZMA_MEMORY)?;
    Ok(Box::new(XzDecoder::new_stream(whole, stream)))
}
