//! Removes and opens up whole directories that were made read-only, without ever following a link.
//!
//! Two processes may empty the same trash: what the other one removed first is fine.

use std::fs::{DirEntry, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rayon::prelude::*;

use crate::error::{PathContext as _, Result};
use crate::fs::{Disk, lstat};

#[expect(clippy::disallowed_methods, reason = "part of the one module that changes the disk")]
impl Disk {
    /// Removes whatever lies at `path`; nothing there is fine. Links are removed, not followed.
    pub(crate) fn remove_all(&self, path: &Path) -> Result<()> {
        match lstat(path)? {
            None => Ok(()),
            Some(found) if found.is_dir() => absent_is_fine(self.remove_tree(path)),
            Some(_) => absent_is_fine(self.remove_file(path)),
        }
    }

    /// Makes every directory of a tree one that its owner may read and change.
    pub(crate) fn open_up(&self, path: &Path) -> Result<()> {
        let mode = std::fs::symlink_metadata(path).at("read", path)?.permissions().mode();
        if mode & 0o700 != 0o700 {
            self.set_mode(path, mode | 0o700)?;
        }
        for child in std::fs::read_dir(path).at("list", path)? {
            let child = child.at("list", path)?;
            if child.file_type().at("read", &child.path())?.is_dir() {
                self.open_up(&child.path())?;
            }
        }
        Ok(())
    }

    fn remove_tree(&self, path: &Path) -> Result<()> {
        // A read-only directory cannot be emptied by anybody but root.
        std::fs::set_permissions(path, Permissions::from_mode(0o700)).at("set the permissions of", path)?;
        let listing = std::fs::read_dir(path).at("list", path)?;
        let children = listing.collect::<io::Result<Vec<_>>>().at("list", path)?;
        children.par_iter().with_min_len(64).try_for_each(|child| absent_is_fine(self.remove_child(child)))?;
        self.remove_dir(path)
    }

    fn remove_child(&self, child: &DirEntry) -> Result<()> {
        let path = child.path();
        if child.file_type().at("read", &path)?.is_dir() { self.remove_tree(&path) } else { self.remove_file(&path) }
    }
}

fn absent_is_fine(outcome: Result<()>) -> Result<()> {
    match outcome {
        Err(error) if error.is_io(io::ErrorKind::NotFound) => Ok(()),
        other => other,
    }
}
