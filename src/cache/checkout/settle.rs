//! Where an artifact is to be laid out, and whether it can be.

use std::path::{Path, PathBuf};

use crate::cache::Cache;
use crate::error::{Error, PathContext as _, Result};
use crate::fs::lstat;

/// What is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum There {
    Nothing,
    /// A folder with nothing in it, and its permissions.
    EmptyFolder(u32),
    Something,
}

impl Cache {
    /// Returns the place without links in its way; its own last step is never followed.
    pub(super) fn settle_dest(&self, dest: &Path) -> Result<PathBuf> {
        let absolute = std::path::absolute(dest).at("resolve", dest)?;
        let (Some(parent), Some(name)) = (absolute.parent(), absolute.file_name()) else {
            return Err(unfit(dest, "it is no place for something new"));
        };
        let parent = match std::fs::canonicalize(parent) {
            Ok(parent) => parent,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(Error::NoFolder { path: parent.to_owned() });
            }
            Err(error) => return Err(Error::io("open", parent, error)),
        };
        let root = std::fs::canonicalize(self.root()).unwrap_or_else(|_| self.root().to_owned());
        let dest = parent.join(name);
        if dest.starts_with(&root) || root.starts_with(&dest) {
            return Err(unfit(&dest, "it overlaps with the store itself"));
        }
        Ok(dest)
    }
}

/// Says at once what would be said when all is laid out.
pub(super) fn check_free(dest: &Path, is_tree: bool, force: bool) -> Result<()> {
    let there = look(dest)?;
    if there == There::Nothing {
        return Ok(());
    }
    // A program that works in a folder which is replaced stays in the old one, where nothing is.
    if std::env::current_dir().is_ok_and(|current| current.starts_with(dest)) {
        return Err(unfit(dest, "it is the folder this is called in, or one above it, and would be replaced"));
    }
    match there {
        There::EmptyFolder(_) if is_tree => Ok(()),
        _ if force => Ok(()),
        _ => Err(Error::InTheWay { path: dest.to_owned() }),
    }
}

fn unfit(dest: &Path, reason: &str) -> Error {
    Error::invalid("destination", &dest.to_string_lossy(), reason)
}

/// Returns what is there.
pub(super) fn look(dest: &Path) -> Result<There> {
    use std::os::unix::fs::PermissionsExt as _;

    let Some(found) = lstat(dest)? else { return Ok(There::Nothing) };
    if !found.is_dir() || std::fs::read_dir(dest).at("list", dest)?.next().is_some() {
        return Ok(There::Something);
    }
    Ok(There::EmptyFolder(found.permissions().mode() & 0o7777))
}
