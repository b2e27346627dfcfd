//! A file for somebody else that appears whole or not at all.
//!
//! It is written beside its place under a name of its own, and gets its name when all of it is durable. A
//! name that is taken is refused at the start, and once more at the end.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::fs::{Disk, lstat};

/// A file that is being written; without [`NewFile::finish`] nothing of it stays.
#[derive(Debug)]
pub(crate) struct NewFile {
    disk: Disk,
    path: PathBuf,
    draft: PathBuf,
    file: File,
    replace: bool,
    named: bool,
}

impl NewFile {
    /// Begins a file at `path`, which must not lie below `forbidden`; `replace` says whether it may take the place
    /// of another.
    ///
    /// # Errors
    /// [`Error::InTheWay`]; [`Error::Invalid`] for what must not be replaced: what others take for something
    /// else than a file, and what is in `forbidden`; and what the system says.
    pub(crate) fn create(disk: &Disk, path: &Path, replace: bool, forbidden: &Path) -> Result<Self> {
        check_place(path, forbidden)?;
        match lstat(path)? {
            Some(_) if !replace => return Err(Error::InTheWay { path: path.to_owned() }),
            Some(found) if !found.is_file() => {
                return Err(unfit(path, "something else than a regular file is there"));
            }
            _ => {}
        }
        let random = getrandom::u64().map_err(|error| Error::Internal(format!("no random numbers: {error}")))?;
        let draft = path.with_file_name(format!(".oma-{random:016x}.part"));
        // Who meant another folder is told of the name they gave.
        let file = disk.create_file(&draft, 0o644).map_err(|error| match error {
            Error::Io { action, source, .. } => Error::Io { action, path: path.to_owned(), source },
            other => other,
        })?;
        Ok(Self { disk: disk.clone(), path: path.to_owned(), draft, file, replace, named: false })
    }

    /// Makes it durable and gives it its name.
    ///
    /// # Errors
    /// As [`NewFile::create`].
    pub(crate) fn finish(mut self) -> Result<()> {
        self.disk.flush(&self.draft)?;
        if self.replace {
            self.take_over()?;
        } else {
            self.take_free_name()?;
        }
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        self.disk.flush(folder.unwrap_or(Path::new(".")))
    }

    fn take_over(&mut self) -> Result<()> {
        self.disk.rename(&self.draft, &self.path)?;
        self.named = true;
        Ok(())
    }

    /// A second name is refused where one is; the first one goes when this is dropped.
    fn take_free_name(&mut self) -> Result<()> {
        match self.disk.hard_link(&self.draft, &self.path) {
            Err(error) if error.is_io(io::ErrorKind::AlreadyExists) => Err(Error::InTheWay { path: self.path.clone() }),
            Err(error) if has_no_links(&error) => {
                if lstat(&self.path)?.is_some() {
                    return Err(Error::InTheWay { path: self.path.clone() });
                }
                self.take_over()
            }
            other => other,
        }
    }
}

/// Refuses a place in a folder whose files are not to be written over.
fn check_place(path: &Path, forbidden: &Path) -> Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // What is not there, the system says by itself.
    let (Ok(parent), Ok(forbidden)) = (std::fs::canonicalize(parent), std::fs::canonicalize(forbidden)) else {
        return Ok(());
    };
    if parent.starts_with(&forbidden) { Err(unfit(path, "it lies in the store itself")) } else { Ok(()) }
}

fn unfit(path: &Path, reason: &str) -> Error {
    Error::invalid("file to write", &path.to_string_lossy(), reason)
}

/// Some filesystems give a file one name only.
fn has_no_links(error: &Error) -> bool {
    error.is_io(io::ErrorKind::PermissionDenied) || error.is_io(io::ErrorKind::Unsupported)
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.named {
            // What cannot be removed is of no use to anybody, and its name says so.
            let _ = self.disk.remove_file(&self.draft);
        }
    }
}
