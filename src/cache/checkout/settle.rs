//! Where an artifact is to be laid out, and whether it can be.

use std::path::{Path, PathBuf};

use crate::cache::Cache;
use crate::error::{Error, PathContext as _, Result};
use crate::fs::lstat;

impl Cache {
    /// Returns the place without links in its way; its own last step is never followed.
    pub(super) fn settle_dest(&self, dest: &Path, force: bool) -> Result<PathBuf> {
        let absolute = std::path::absolute(dest).at("resolve", dest)?;
        let (Some(parent), Some(name)) = (absolute.parent(), absolute.file_name()) else {
            let reason = "it is no place for something new";
            return Err(Error::invalid("destination", &dest.to_string_lossy(), reason));
        };
        let parent = match std::fs::canonicalize(parent) {
            Ok(parent) => parent,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(Error::NoSuchPath { path: parent.to_owned() });
            }
            Err(error) => return Err(Error::io("open", parent, error)),
        };
        let root = std::fs::canonicalize(self.root()).unwrap_or_else(|_| self.root().to_owned());
        let dest = parent.join(name);
        if dest.starts_with(&root) || root.starts_with(&dest) {
            let reason = "it overlaps with the store itself";
            return Err(Error::invalid("destination", &dest.to_string_lossy(), reason));
        }
        // Said at once, though it is looked at again when all is there.
        if force || is_free(&dest)? { Ok(dest) } else { Err(Error::InTheWay { path: dest }) }
    }
}

/// Tells whether nothing is there, or an empty folder.
pub(super) fn is_free(dest: &Path) -> Result<bool> {
    match lstat(dest)? {
        None => Ok(true),
        Some(found) if found.is_dir() => Ok(std::fs::read_dir(dest).at("list", dest)?.next().is_none()),
        Some(_) => Ok(false),
    }
}
