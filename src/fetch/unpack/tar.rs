//! Reads a tar archive entry by entry: ustar, old and PAX GNU sparse files, GNU and PAX long names.
//!
//! What one header says is put together with the long names and extended headers before it; no more
//! of it is held in memory than a name may need.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use crate::error::{Error, PathContext as _, Result};
use crate::fetch::sniff::Packing;
use crate::fetch::unpack::budget::Budget;
use crate::fetch::unpack::extended::{Extended, decimal};
use crate::fetch::unpack::header::{BLOCK, Header, Piece, more_pieces};
use crate::fetch::unpack::member::{Member, link_target, refused_kind};
use crate::fetch::unpack::name::{EntryName, shortened};
use crate::fetch::unpack::sink::{Data, Sink};
use crate::fetch::unpack::sparse::{Map, check, piece_count};
use crate::fetch::unpack::stream::Stream;

/// Data moves in pieces of this size.
const CHUNK: usize = 256 * 1024;
/// A long name or extended header of more bytes is an attack, not a name.
const LONGEST_EXTENSION: u64 = 1024 * 1024;

/// What stands before an entry and belongs to it.
#[derive(Debug, Default)]
struct Before {
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    extended: Option<Extended>,
}

/// An archive, read from its start to its end.
pub(super) struct TarReader<'a> {
    archive: &'a Path,
    stream: Stream<'a>,
    /// Bytes of the current entry's data, then of its padding, that nobody has read yet.
    left: u64,
    padding: u64,
    headers: u64,
    buffer: Vec<u8>,
}

impl<'a> TarReader<'a> {
    pub(super) fn new(archive: &'a Path, stream: Stream<'a>) -> Self {
        Self { archive, stream, left: 0, padding: 0, headers: 0, buffer: vec![0; CHUNK] }
    }

    /// Unpacks it all.
    pub(super) fn unpack(mut self, sink: &mut Sink<'_>) -> Result<()> {
        while let Some((name, member)) = self.next(&mut sink.budget)? {
            sink.put(name, &member, &mut self)?;
        }
        self.finish()
    }

    /// Returns the next entry, after skipping what is unread of the last one; none at the end.
    pub(super) fn next(&mut self, budget: &mut Budget<'_>) -> Result<Option<(EntryName, Member)>> {
        let mut before = Before::default();
        while let Some(block) = self.next_header()? {
            budget.take_entry()?;
            let header = Header::new(&block).map_err(|reason| self.refuse(self.first_or(reason)))?;
            let size = header.size().map_err(|problem| self.complain(&header.name(), &problem))?;
            self.headers += 1;
            (self.left, self.padding) = (size, padding(size));
            match header.kind() {
                b'L' => before.name = Some(self.long_name()?),
                b'K' => before.link = Some(self.long_name()?),
                b'x' | b'X' => {
                    let lines = self.extension()?;
                    before.extended = Some(Extended::parse(&lines).map_err(|reason| self.refuse(reason))?);
                }
                b'g' => self.global()?,
                // The name of a tape.
                b'V' => {}
                _ => return self.member(&header, before).map(Some),
            }
        }
        if before.name.is_some() || before.link.is_some() || before.extended.is_some() {
            return Err(self.refuse("it ends before the entry that a long name announces".to_owned()));
        }
        Ok(None)
    }

    /// Hands the next `length` bytes of the entry's data to `sink`, piece by piece.
    pub(super) fn pass(&mut self, length: u64, sink: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let mut left = length;
        while left > 0 {
            let count = self.read_data(left)?;
            sink(&self.buffer[..count])?;
            left -= count as u64;
        }
        Ok(())
    }

    /// Says how the archive is packed.
    pub(super) fn packing(&self) -> Packing {
        self.stream.packing()
    }

    /// Reads a packed stream to its end, where its checksum is; what follows the end of the tar itself
    /// is anything, as for GNU tar.
    pub(super) fn finish(&mut self) -> Result<()> {
        while self.stream.packing() != Packing::Plain && self.stream.read(&mut self.buffer)? > 0 {}
        Ok(())
    }

    fn member(&mut self, header: &Header<'_>, before: Before) -> Result<(EntryName, Member)> {
        let extended = before.extended.unwrap_or_default();
        let name = extended.sparse_name.or(extended.name).or(before.name).unwrap_or_else(|| header.name());
        let link = extended.link.or(before.link).unwrap_or_else(|| header.link().to_vec());
        if let Some(size) = extended.size {
            (self.left, self.padding) = (size, padding(size));
        }
        let safe = EntryName::new(&name).map_err(|reason| self.refuse(reason))?;
        let sparse = (extended.sparse_map, extended.sparse_size.unwrap_or_default());
        let member = self.kind_of(header, &name, &link, sparse).map_err(|problem| match problem {
            Problem::Entry(reason) => self.complain(&name, &reason),
            Problem::Other(error) => error,
        })?;
        Ok((safe, member))
    }

    fn kind_of(
        &mut self,
        header: &Header<'_>,
        name: &[u8],
        link: &[u8],
        sparse: (Option<Map>, u64),
    ) -> Result<Member, Problem> {
        let member = match header.kind() {
            // A plain entry whose name ends in a slash is how the first tars wrote a directory.
            0 | b'0' | b'7' if name.ends_with(b"/") => Member::Directory,
            0 | b'0' | b'7' => return self.regular(header.mode()?, sparse),
            b'S' => return self.old_sparse(header),
            b'1' => Member::HardLink(EntryName::new(link).map_err(|reason| format!("is a hard link: {reason}"))?),
            b'2' => Member::Symlink(link_target(link)?),
            b'5' => Member::Directory,
            other => return Err(refused_kind(other).into()),
        };
        // Programs differ in whether such data follows; a wrong guess would read data as headers.
        if self.left == 0 { Ok(member) } else { Err("is no file but has data".to_owned().into()) }
    }

    fn regular(&mut self, mode: u32, sparse: (Option<Map>, u64)) -> Result<Member, Problem> {
        let pieces = match sparse.0 {
            None => return Ok(Member::File { mode, size: self.left }),
            Some(Map::Here(pieces)) => pieces,
            Some(Map::BeforeData) => self.map_before_data()?,
        };
        check(&pieces, sparse.1, self.left)?;
        Ok(Member::Sparse { mode, size: sparse.1, pieces })
    }

    fn old_sparse(&mut self, header: &Header<'_>) -> Result<Member, Problem> {
        let mode = header.mode()?;
        let (mut pieces, size, mut more) = header.sparse()?;
        while more {
            let mut block = [0; BLOCK];
            self.fill(&mut block)?;
            more = more_pieces(&block, &mut pieces)?;
            piece_count(pieces.len() as u64)?;
        }
        check(&pieces, size, self.left)?;
        // Each piece starts at a block of the archive, which these are only if all but the last fill theirs.
        let mut filled = pieces.iter().filter(|(_, length)| *length > 0).rev().skip(1);
        if !filled.all(|(_, length)| padding(*length) == 0) {
            return Err("has pieces that do not fill blocks".to_owned().into());
        }
        Ok(Member::Sparse { mode, size, pieces })
    }

    /// Reads the list of pieces that stands in whole blocks before the data: how many, then each
    /// one's offset and length, a number a line.
    fn map_before_data(&mut self) -> Result<Vec<Piece>, Problem> {
        let mut numbers = Vec::new();
        let mut digits = Vec::new();
        let mut most = 1;
        while numbers.len() < most {
            let mut block = [0; BLOCK];
            self.left = self.left.checked_sub(BLOCK as u64).ok_or("has a list of pieces that is cut off".to_owned())?;
            self.fill(&mut block)?;
            for byte in block {
                match byte {
                    b'\n' if numbers.len() < most => {
                        numbers.push(decimal(&std::mem::take(&mut digits))?);
                        most = 1 + 2 * piece_count(numbers[0])?;
                    }
                    _ if numbers.len() == most => break,
                    _ if digits.len() > 20 => return Err("has a list of pieces that is broken".to_owned().into()),
                    _ => digits.push(byte),
                }
            }
        }
        Ok(numbers[1..].as_chunks().0.iter().map(|[offset, length]| (*offset, *length)).collect())
    }

    /// Accepts what holds for all entries, such as git's commit. Programs differ in whether they heed the rest, so
    /// what would change an entry is refused.
    fn global(&mut self) -> Result<()> {
        let lines = self.extension()?;
        match Extended::parse(&lines).map_err(|reason| self.refuse(reason))? {
            nothing if nothing == Extended::default() => Ok(()),
            _ => Err(self.refuse("it says of all its entries at once what they are called or hold".to_owned())),
        }
    }

    fn long_name(&mut self) -> Result<Vec<u8>> {
        let mut name = self.extension()?;
        // The name is written as a C string.
        if name.last() == Some(&0) {
            name.pop();
        }
        Ok(name)
    }

    fn extension(&mut self) -> Result<Vec<u8>> {
        if self.left > LONGEST_EXTENSION {
            return Err(self.refuse(format!("a name or extended header has {} bytes", self.left)));
        }
        let mut bytes = vec![0; usize::try_from(self.left).unwrap_or_default()];
        self.fill(&mut bytes)?;
        self.left = 0;
        Ok(bytes)
    }

    /// Returns the next block that is a header; none at a block of zeros or the end of the stream.
    fn next_header(&mut self) -> Result<Option<[u8; BLOCK]>> {
        self.left = self.left.saturating_add(self.padding);
        self.padding = 0;
        while self.left > 0 {
            self.read_data(self.left)?;
        }
        let mut block = [0; BLOCK];
        match self.stream.fill(&mut block)? {
            0 if self.headers == 0 => Err(self.refuse("it holds no tar archive".to_owned())),
            BLOCK if block.iter().any(|byte| *byte != 0) => Ok(Some(block)),
            // GNU tar does without the two blocks of zeros at the end, too.
            0 | BLOCK => Ok(None),
            _ => Err(self.refuse(self.first_or("it is cut off within a header".to_owned()))),
        }
    }

    /// Reads some of the entry's data, at most `most` bytes, to the start of the buffer.
    fn read_data(&mut self, most: u64) -> Result<usize> {
        let most = usize::try_from(most.min(self.left)).unwrap_or(CHUNK).min(CHUNK);
        match self.stream.read(&mut self.buffer[..most])? {
            0 => Err(self.cut_off()),
            count => {
                self.left -= count as u64;
                Ok(count)
            }
        }
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<()> {
        if self.stream.fill(bytes)? == bytes.len() { Ok(()) } else { Err(self.cut_off()) }
    }

    fn cut_off(&self) -> Error {
        self.refuse("it is cut off within an entry".to_owned())
    }

    /// A first header that is none means that the whole file is something else.
    fn first_or(&self, reason: String) -> String {
        if self.headers == 0 { "it holds no tar archive".to_owned() } else { reason }
    }

    fn complain(&self, name: &[u8], problem: &str) -> Error {
        self.refuse(format!("`{}` {problem}", shortened(name)))
    }

    fn refuse(&self, reason: String) -> Error {
        Error::Archive { path: self.archive.to_owned(), reason }
    }
}

impl Data for TarReader<'_> {
    fn copy(&mut self, length: u64, target: &mut File, path: &Path, note: &dyn Fn(u64)) -> Result<()> {
        self.pass(length, &mut |bytes| {
            target.write_all(bytes).at("write", path)?;
            note(bytes.len() as u64);
            Ok(())
        })
    }
}

/// What is wrong with an entry, still without its name, or an error that needs none.
enum Problem {
    Entry(String),
    Other(Error),
}

impl From<String> for Problem {
    fn from(reason: String) -> Self {
        Self::Entry(reason)
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

fn padding(size: u64) -> u64 {
    size.wrapping_neg() % BLOCK as u64
}
