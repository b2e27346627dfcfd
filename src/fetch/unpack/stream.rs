//! The bytes of an archive, unpacked while they are read.
//!
//! A stream ends where its packing says so, not where the file does: a cut-off one is an error. Members
//! and frames that follow each other are one stream.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use flate2::bufread::GzDecoder;
use liblzma::bufread::XzDecoder;
use liblzma::stream::{CONCATENATED, Stream as XzStream};

use crate::error::{Error, Result};
use crate::event::Interrupt;
use crate::fetch::sniff::{ENOUGH, Packing, sniff};

/// The archive is read in pieces of this size.
const CHUNK: usize = 128 * 1024;
/// More than `xz -9` needs (65 MiB), less than a hostile header may ask for (4 GiB).
const MOST_XZ_MEMORY: u64 = 512 * 1024 * 1024;

/// An archive's bytes as tar wrote them.
pub(super) struct Stream<'a> {
    archive: &'a Path,
    packing: Packing,
    inner: Box<dyn Read + 'a>,
    interrupt: &'a Interrupt,
    /// What was looked at before it is read.
    ahead: Vec<u8>,
    read: u64,
    most: u64,
}

impl<'a> Stream<'a> {
    /// Starts reading; more than `most` bytes are an error.
    pub(super) fn open(archive: &'a Path, file: File, most: u64, interrupt: &'a Interrupt) -> Result<Self> {
        let mut source = BufReader::with_capacity(CHUNK, Interruptible { file, interrupt });
        let start = |error| translate(archive, Packing::Plain, error);
        let first = source.fill_buf().map_err(start)?;
        let packing = sniff(&first[..first.len().min(ENOUGH)]);
        let reason = match packing {
            _ if first.is_empty() => Some("it is empty"),
            _ => None,
        };
        if let Some(reason) = reason {
            return Err(Error::Archive { path: archive.to_owned(), reason: reason.to_owned() });
        }
        let inner = decoder(packing, source).map_err(start)?;
        Ok(Self { archive, packing, inner, interrupt, ahead: Vec::new(), read: 0, most })
    }

    /// Returns the first `count` bytes, or all there are; they are still to be read.
    pub(super) fn peek(&mut self, count: usize) -> Result<&[u8]> {
        let mut first = vec![0; count];
        let filled = self.fill(&mut first)?;
        first.truncate(filled);
        self.ahead = first;
        Ok(&self.ahead)
    }

    /// Reads until `buffer` is full or the stream is over; returns how much that is.
    pub(super) fn fill(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            let count = self.read(&mut buffer[filled..])?;
            if count == 0 {
                break;
            }
            filled += count;
        }
        Ok(filled)
    }

    /// Reads the next bytes; none means that the stream is over and was whole.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        self.interrupt.check()?;
        if !self.ahead.is_empty() {
            let count = self.ahead.len().min(buffer.len());
            buffer[..count].copy_from_slice(&self.ahead[..count]);
            self.ahead.drain(..count);
            return Ok(count);
        }
        let count = loop {
            match self.inner.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        let count = count.map_err(|error| translate(self.archive, self.packing, error))?;
        self.read += count as u64;
        if self.read > self.most {
            let reason = format!("it grows beyond {} bytes, out of proportion to its own size", self.most);
            return Err(Error::Archive { path: self.archive.to_owned(), reason });
        }
        Ok(count)
    }

    /// Says how the stream is packed.
    pub(super) fn packing(&self) -> Packing {
        self.packing
    }
}

fn decoder<'a>(packing: Packing, source: BufReader<Interruptible<'a>>) -> io::Result<Box<dyn Read + 'a>> {
    Ok(match packing {
        Packing::Plain | Packing::Zip => Box::new(source),
        Packing::Gzip => Box::new(GzipMembers(Some(GzDecoder::new(source)))),
        Packing::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(source)),
        Packing::Xz => {
            let stream = XzStream::new_stream_decoder(MOST_XZ_MEMORY, CONCATENATED)?;
            Box::new(XzDecoder::new_stream(source, stream))
        }
        Packing::Zstd => Box::new(zstd::stream::read::Decoder::with_buffer(source)?),
    })
}

/// Gives an error of a decoder its meaning: the archive is broken, unless the system said otherwise.
fn translate(archive: &Path, packing: Packing, error: io::Error) -> Error {
    if error.get_ref().is_some_and(|inner| inner.is::<Stopped>()) {
        return Error::Interrupted;
    }
    if error.raw_os_error().is_some() {
        return Error::io("read", archive, error);
    }
    let broken = match error.kind() {
        io::ErrorKind::UnexpectedEof => "is cut off".to_owned(),
        _ => format!("is broken ({error})"),
    };
    Error::Archive { path: archive.to_owned(), reason: format!("its {} stream {broken}", packing.name()) }
}

/// Somebody asked to stop while a decoder was reading.
#[derive(Debug, thiserror::Error)]
#[error("interrupted")]
struct Stopped;

struct Interruptible<'a> {
    file: File,
    interrupt: &'a Interrupt,
}

impl Read for Interruptible<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.interrupt.requested() {
            return Err(io::Error::other(Stopped));
        }
        self.file.read(buffer)
    }
}

/// The members of a gzip file one after the other, then zeros, as tape writers pad it, or nothing.
struct GzipMembers<R: BufRead>(Option<GzDecoder<R>>);

impl<R: BufRead> Read for GzipMembers<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(member) = &mut self.0 {
            let count = member.read(buffer)?;
            if count > 0 || buffer.is_empty() {
                return Ok(count);
            }
            self.0 = match self.0.take() {
                Some(member) => following(member.into_inner())?.map(GzDecoder::new),
                None => None,
            };
        }
        Ok(0)
    }
}

/// Goes to the next member; none if only zeros follow.
fn following<R: BufRead>(mut source: R) -> io::Result<Option<R>> {
    loop {
        let ahead = source.fill_buf()?;
        let zeros = ahead.iter().take_while(|byte| **byte == 0).count();
        match ahead.get(zeros) {
            Some(0x1f) => {
                source.consume(zeros);
                return Ok(Some(source));
            }
            Some(_) => return Err(io::Error::new(io::ErrorKind::InvalidData, "something else follows it")),
            None if zeros == 0 => return Ok(None),
            None => source.consume(zeros),
        }
    }
}
