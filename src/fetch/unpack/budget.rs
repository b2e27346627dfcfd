//! What an archive may still cost.

use std::path::Path;

use crate::error::{Error, Result};
use crate::fetch::unpack::Limits;

/// Content up to this size is no bomb, however small its archive.
const HARMLESS: u64 = 16 * 1024 * 1024;
/// What tar itself may add to one entry: headers, long names and padding.
const PER_ENTRY: u64 = 4 * 1024;

/// Counts down.
#[derive(Debug)]
pub(super) struct Budget<'a> {
    archive: &'a Path,
    limits: Limits,
    /// Bytes the ratio allows.
    dense: u64,
    entries: u64,
    bytes: u64,
}

impl<'a> Budget<'a> {
    /// `length` is the archive's own, in bytes.
    pub(super) fn new(archive: &'a Path, limits: &Limits, length: u64) -> Self {
        let dense = length.saturating_mul(limits.ratio).max(HARMLESS);
        Self { archive, limits: *limits, dense, entries: 0, bytes: 0 }
    }

    /// How many bytes the unpacked stream may have: the same ratio, or all files, headers and padding.
    pub(super) fn most_stream(&self) -> u64 {
        let tar = self.limits.entries.saturating_mul(PER_ENTRY).saturating_add(HARMLESS);
        self.dense.min(self.limits.bytes.saturating_add(tar))
    }

    /// One more header, or directory.
    pub(super) fn take_entry(&mut self) -> Result<()> {
        self.entries += 1;
        if self.entries > self.limits.entries {
            return self.refuse(format!("it has more than {} entries", self.limits.entries));
        }
        Ok(())
    }

    /// One more file of this size, before a byte of it is written.
    pub(super) fn take_bytes(&mut self, bytes: u64) -> Result<()> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > self.limits.bytes {
            return self.refuse(format!("its files have more than {} bytes", self.limits.bytes));
        }
        Ok(())
    }

    /// Holes of a file, which are in no stream.
    pub(super) fn take_holes(&mut self, size: u64) -> Result<()> {
        self.take_dense(size, "a sparse file")
    }

    /// A file that is packed by itself, and so in no stream.
    pub(super) fn take_unpacked(&mut self, size: u64) -> Result<()> {
        self.take_dense(size, "a file")
    }

    fn take_dense(&mut self, size: u64, what: &str) -> Result<()> {
        match self.dense.checked_sub(size) {
            Some(left) => self.dense = left,
            None => return self.refuse(format!("{what} of {size} bytes is out of proportion to it")),
        }
        Ok(())
    }

    fn refuse(&self, reason: String) -> Result<()> {
        Err(Error::Archive { path: self.archive.to_owned(), reason })
    }
}
