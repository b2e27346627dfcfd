//! Room set aside, so that cleaning up works on a disk that is full to the last byte.
//!
//! Even dropping rows needs room for the log of the database. The file is given up when a clean-up
//! runs out of space, and made again when it is done.

use crate::error::Result;
use crate::fs::{Disk, lstat};
use crate::store::{Layout, Store};

/// As much as Nix sets aside; on a small volume a part of what is free.
const MOST: u64 = 8 * 1024 * 1024;
const PART_OF_FREE: u64 = 16;

/// Sets room aside; where that cannot be done, nothing is.
pub(super) fn make(layout: &Layout, disk: &Disk) {
    let path = layout.reserve();
    if lstat(&path).is_ok_and(|found| found.is_none()) && disk.set_aside(&path, MOST, PART_OF_FREE).is_err() {
        let _ = disk.remove_file(&path);
    }
}

impl Store {
    /// Gives the room up; tells whether there was any.
    pub(crate) fn give_up_reserve(&self) -> Result<bool> {
        let path = self.layout.reserve();
        if lstat(&path)?.is_none() {
            return Ok(false);
        }
        self.disk.remove_file(&path)?;
        Ok(true)
    }

    /// Sets room aside again.
    pub(crate) fn remake_reserve(&self) {
        make(&self.layout, &self.disk);
    }
}
