//! How packed bytes are read, whatever they are packed in, and what it means if that fails.

use std::fs::File;
use std::io::{self, BufRead, Read, Seek, SeekFrom};
use std::path::Path;

use flate2::bufread::GzDecoder;
use liblzma::bufread::XzDecoder;
use liblzma::stream::{CONCATENATED, Stream as XzStream};

use crate::error::Error;
use crate::event::Interrupt;
use crate::fetch::sniff::Packing;

/// More than `xz -9` needs (65 MiB), less than a hostile header may ask for (4 GiB).
pub(super) const MOST_LZMA_MEMORY: u64 = 512 * 1024 * 1024;

/// Returns what unpacks a stream; members and frames that follow each other are one. A tar that is not packed and
/// the structure of a zip pass as they are.
pub(super) fn decoder<'a>(packing: Packing, source: impl BufRead + 'a) -> io::Result<Box<dyn Read + 'a>> {
    Ok(match packing {
        Packing::Plain | Packing::Zip => Box::new(source),
        Packing::Gzip => Box::new(GzipMembers(Some(GzDecoder::new(source)))),
        Packing::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(source)),
        Packing::Xz => {
            let stream = XzStream::new_stream_decoder(MOST_LZMA_MEMORY, CONCATENATED)?;
            Box::new(XzDecoder::new_stream(source, stream))
        }
        Packing::Zstd => Box::new(zstd::stream::read::Decoder::with_buffer(source)?),
    })
}

/// Gives an error of a decoder its meaning: the archive is broken as `reason` says, unless the system failed or
/// somebody asked to stop.
pub(super) fn failed(archive: &Path, error: io::Error, reason: impl FnOnce(&io::Error) -> String) -> Error {
    if error.get_ref().is_some_and(|inner| inner.is::<Stopped>()) {
        return Error::Interrupted;
    }
    if error.raw_os_error().is_some() {
        return Error::io("read", archive, error);
    }
    Error::Archive { path: archive.to_owned(), reason: reason(&error) }
}

/// Somebody asked to stop while a decoder was reading.
#[derive(Debug, thiserror::Error)]
#[error("interrupted")]
struct Stopped;

/// A file whose reader can be asked to stop.
pub(super) struct Interruptible<'a> {
    file: File,
    interrupt: &'a Interrupt,
}

impl<'a> Interruptible<'a> {
    pub(super) fn new(file: File, interrupt: &'a Interrupt) -> Self {
        Self { file, interrupt }
    }
}

impl Read for Interruptible<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.interrupt.requested() {
            return Err(io::Error::other(Stopped));
        }
        self.file.read(buffer)
    }
}

impl Seek for Interruptible<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
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
