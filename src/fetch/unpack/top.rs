//! Leaves out the one folder that everything in an archive lies in.
//!
//! Where not everything lies in one folder nothing could be left out without losing a difference, so that is an
//! error.

use std::path::Path;

use crate::error::{Error, Result};
use crate::fetch::unpack::name::{EntryName, shortened};

/// What stands at the top of every name, once that is known.
pub(super) struct Top<'a> {
    archive: &'a Path,
    strip: bool,
    folder: Option<Vec<u8>>,
}

impl<'a> Top<'a> {
    pub(super) fn new(archive: &'a Path, strip: bool) -> Self {
        Self { archive, strip, folder: None }
    }

    /// Returns an entry's name below the folder; none for what the folder's own entry stands for.
    pub(super) fn inside(&mut self, name: EntryName, is_directory: bool) -> Result<Option<EntryName>> {
        if !self.strip {
            return Ok(Some(name));
        }
        if name.is_top() && is_directory {
            return Ok(None);
        }
        let (first, rest) = name.split_first();
        match &self.folder {
            None => self.folder = Some(first.to_vec()),
            Some(folder) if folder == first => {}
            Some(folder) => {
                let (folder, other) = (shortened(folder), shortened(first));
                return Err(self.refuse(format!("`{folder}` and `{other}` lie at its top, not one folder")));
            }
        }
        match rest {
            Some(rest) => Ok(Some(rest)),
            None if is_directory => Ok(None),
            None => Err(self.refuse(format!("`{}` lies at its top and is no folder", name.shown()))),
        }
    }

    /// Returns the name of what a hard link leads to.
    pub(super) fn target(&self, name: EntryName) -> Result<EntryName> {
        if !self.strip {
            return Ok(name);
        }
        let (first, rest) = name.split_first();
        let ours = self.folder.as_deref() == Some(first);
        rest.filter(|_| ours).ok_or_else(|| self.refuse(format!("a hard link leads to `{}`", name.shown())))
    }

    fn refuse(&self, reason: String) -> Error {
        Error::Archive { path: self.archive.to_owned(), reason }
    }
}
