//! The bytes of an archive, unpacked while they are read.
//!
//! A stream ends where its packing says so, not where the file does: a cut-off one is an error. Members
//! and frames that follow each other are one stream.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read};
use std::path::Path;

use crate::error::{Error, Result};
use crate::event::Interrupt;
use crate::fetch::sniff::{ENOUGH, Packing, sniff};
use crate::fetch::unpack::source::{Interruptible, decoder, failed};

/// The archive is read in pieces of this size.
const CHUNK: usize = 128 * 1024;

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
        let mut source = BufReader::with_capacity(CHUNK, Interruptible::new(file, interrupt));
        let start = |error| translate(archive, Packing::Plain, error);
        let first = source.fill_buf().map_err(start)?;
        let packing = sniff(&first[..first.len().min(ENOUGH)]);
        if first.is_empty() {
            return Err(Error::Archive { path: archive.to_owned(), reason: "it is empty".to_owned() });
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

fn translate(archive: &Path, packing: Packing, error: io::Error) -> Error {
    failed(archive, error, |error| match error.kind() {
        io::ErrorKind::UnexpectedEof => format!("its {} stream is cut off", packing.name()),
        _ => format!("its {} stream is broken ({error})", packing.name()),
    })
}
