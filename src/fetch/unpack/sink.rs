//! Where entries go, from whatever archive: named as asked, counted, written.

use std::fs::File;
use std::io::{Seek as _, SeekFrom};
use std::path::Path;

use crate::error::{PathContext as _, Result};
use crate::event::{Event, Observer};
use crate::fetch::unpack::budget::Budget;
use crate::fetch::unpack::header::Piece;
use crate::fetch::unpack::member::Member;
use crate::fetch::unpack::name::EntryName;
use crate::fetch::unpack::top::Top;
use crate::fetch::unpack::write::Writer;
use crate::fetch::unpack::{PHASE, Shape, Unpacked};
use crate::fs::Disk;

/// An entry's bytes, where they come from.
pub(super) trait Data {
    /// Moves the next `length` bytes to the end of what `target` holds; `note` is told of each piece.
    fn copy(&mut self, length: u64, target: &mut File, path: &Path, note: &dyn Fn(u64)) -> Result<()>;
}

/// A new folder that fills with entries.
pub(super) struct Sink<'a> {
    pub(super) budget: Budget<'a>,
    writer: Writer<'a>,
    top: Top<'a>,
    observer: &'a dyn Observer,
    done: Unpacked,
}

impl<'a> Sink<'a> {
    pub(super) fn new(
        disk: &'a Disk,
        archive: &'a Path,
        dest: &'a Path,
        budget: Budget<'a>,
        strip_top: bool,
        observer: &'a dyn Observer,
    ) -> Result<Self> {
        let writer = Writer::new(disk, archive, dest)?;
        let done = Unpacked { shape: Shape::Tree, ..Unpacked::default() };
        Ok(Self { budget, writer, top: Top::new(archive, strip_top), observer, done })
    }

    /// Takes a second entry of a name, unless both are directories, for an attack. In a tar it stands for a newer
    /// file; in an archive with a list of its entries it can only mislead.
    pub(super) fn take_each_name_once(&mut self) {
        self.writer.refuse_second_files();
    }

    /// Returns what came out.
    pub(super) fn done(self) -> Unpacked {
        self.done
    }

    /// Writes one entry.
    pub(super) fn put(&mut self, name: EntryName, member: &Member, data: &mut dyn Data) -> Result<()> {
        let Some(name) = self.top.inside(name, matches!(member, Member::Directory))? else { return Ok(()) };
        match member {
            Member::Directory => return self.writer.directory(&name, &mut self.budget),
            Member::Symlink(target) => return self.writer.symlink(&name, target, &mut self.budget),
            Member::HardLink(target) => {
                let target = self.top.target(target.clone())?;
                let Some(size) = self.writer.hard_link(&name, &target, &mut self.budget)? else { return Ok(()) };
                self.done.bytes += size;
            }
            Member::File { mode, size } => self.fill(&name, *mode, *size, &[(0, *size)], data)?,
            Member::Sparse { mode, size, pieces } => {
                self.budget.take_holes(*size)?;
                self.fill(&name, *mode, *size, pieces, data)?;
            }
        }
        self.done.files += 1;
        self.observer.on(&Event::Advance { phase: PHASE, files: 1, bytes: 0 });
        Ok(())
    }

    fn fill(&mut self, name: &EntryName, mode: u32, size: u64, pieces: &[Piece], data: &mut dyn Data) -> Result<()> {
        self.budget.take_bytes(size)?;
        let mut file = self.writer.file(name, mode, &mut self.budget)?;
        let path = self.writer.path(name);
        let note = |bytes| self.observer.on(&Event::Advance { phase: PHASE, files: 0, bytes });
        let mut end = 0;
        for (offset, length) in pieces {
            if *offset != end {
                file.seek(SeekFrom::Start(*offset)).at("write", &path)?;
            }
            data.copy(*length, &mut file, &path, &note)?;
            end = offset + length;
        }
        if end != size || pieces.last().is_some_and(|(_, length)| *length == 0) {
            file.set_len(size).at("write", &path)?;
        }
        self.done.bytes += size;
        Ok(())
    }
}
