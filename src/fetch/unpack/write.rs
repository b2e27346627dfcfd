//! Writes entries below one folder and nowhere else.
//!
//! Each part of a name is opened relative to the directory before it and without following a link, so
//! no entry can lead a later one out of the folder, whatever it is called.

use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;

use crate::error::{Error, PathContext as _, Result};
use crate::fetch::unpack::budget::Budget;
use crate::fetch::unpack::name::EntryName;
use crate::fs::Disk;

/// How a directory is opened: as one, and not through a link.
const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// `PATH_MAX`, less some room for moving the folder: what cannot be named from the outside could be
/// neither read nor removed again.
const LONGEST_PATH: usize = 4_096 - 256;

/// The folder entries are written to.
pub(super) struct Writer<'a> {
    disk: &'a Disk,
    archive: &'a Path,
    dest: &'a Path,
    top: OwnedFd,
    /// The directory written to last; directories are never taken away, so it stays what it is.
    recent: Option<(Vec<u8>, OwnedFd)>,
}

impl<'a> Writer<'a> {
    /// Opens the folder, which exists and is ours.
    pub(super) fn new(disk: &'a Disk, archive: &'a Path, dest: &'a Path) -> Result<Self> {
        let top = rustix::fs::open(dest, DIRECTORY, Mode::empty()).at("open", dest)?;
        Ok(Self { disk, archive, dest, top, recent: None })
    }

    /// Returns where an entry comes to lie, for errors.
    pub(super) fn path(&self, name: &EntryName) -> PathBuf {
        self.dest.join(name.as_path())
    }

    /// Makes a directory, and those above it, unless it is there.
    pub(super) fn directory(&mut self, name: &EntryName, budget: &mut Budget<'_>) -> Result<()> {
        self.check_length(name)?;
        self.recent = Some((name.as_bytes().to_vec(), self.descend(name, name.as_bytes(), Some(budget))?));
        Ok(())
    }

    /// Creates an empty file with the permissions of `mode`, minus writing by others. A file of this
    /// name is replaced, so what is a second name of it stays as it is.
    pub(super) fn file(&mut self, name: &EntryName, mode: u32, budget: &mut Budget<'_>) -> Result<File> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = self.place(name, FileType::RegularFile, budget, |directory, own| {
            rustix::fs::openat(directory, own, flags, Mode::RUSR | Mode::WUSR)
        })?;
        // Set apart from creation, because the user's mask must not change what is hashed.
        let mode = Mode::from_raw_mode(mode & 0o755 | 0o600);
        rustix::fs::fchmod(&file, mode).at("set the permissions of", &self.path(name))?;
        Ok(File::from(file))
    }

    /// Creates a symbolic link with this text, replacing one of this name.
    pub(super) fn symlink(&mut self, name: &EntryName, target: &[u8], budget: &mut Budget<'_>) -> Result<()> {
        self.place(name, FileType::Symlink, budget, |directory, own| rustix::fs::symlinkat(target, directory, own))
    }

    /// Gives a file that was unpacked before a second name, or copies it where the filesystem gives
    /// none; returns its size.
    pub(super) fn hard_link(&mut self, name: &EntryName, target: &EntryName, budget: &mut Budget<'_>) -> Result<u64> {
        let size = self.size_of(name, target)?;
        // GNU tar writes this for a file that was named twice on its command line.
        if name == target {
            return Ok(size);
        }
        let (folder, own) = target.split();
        let folder = self.descend(target, folder, None)?;
        let linked = self.place(name, FileType::RegularFile, budget, |directory, new| {
            match rustix::fs::linkat(&folder, own, directory, new, AtFlags::empty()) {
                Err(Errno::PERM | Errno::MLINK | Errno::OPNOTSUPP) => Ok(false),
                other => other.map(|()| true),
            }
        })?;
        if !linked {
            self.copy(&folder, own, name, budget)?;
        }
        Ok(size)
    }

    fn copy(&mut self, folder: &OwnedFd, own: &[u8], name: &EntryName, budget: &mut Budget<'_>) -> Result<()> {
        let path = self.path(name);
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut original = File::from(rustix::fs::openat(folder, own, flags, Mode::empty()).at("copy to", &path)?);
        let mode = rustix::fs::fstat(&original).at("copy to", &path)?.st_mode;
        let mut copy = self.file(name, mode, budget)?;
        std::io::copy(&mut original, &mut copy).at("copy to", &path)?;
        Ok(())
    }

    /// Returns the size of the file a hard link leads to.
    fn size_of(&self, name: &EntryName, target: &EntryName) -> Result<u64> {
        let (folder, own) = target.split();
        let found = match self.descend(target, folder, None) {
            Ok(folder) if !own.is_empty() => rustix::fs::statat(&folder, own, AtFlags::SYMLINK_NOFOLLOW),
            Err(error) if !error.is_io(std::io::ErrorKind::NotFound) => return Err(error),
            _ => Err(Errno::NOENT),
        };
        match found {
            Ok(found) if FileType::from_raw_mode(found.st_mode) == FileType::RegularFile => {
                Ok(u64::try_from(found.st_size).unwrap_or_default())
            }
            Ok(_) => Err(self.refuse(name, &format!("is a hard link to `{}`, which is no file", target.shown()))),
            Err(Errno::NOENT) => {
                Err(self
                    .refuse(name, &format!("is a hard link to `{}`, which does not come before it", target.shown())))
            }
            Err(errno) => Err(errno).at("read", &self.path(target)),
        }
    }

    /// Makes something new in its directory; what is there and of the same `kind` is removed first.
    fn place<T>(
        &mut self,
        name: &EntryName,
        kind: FileType,
        budget: &mut Budget<'_>,
        make: impl Fn(BorrowedFd<'_>, &[u8]) -> rustix::io::Result<T>,
    ) -> Result<T> {
        if name.is_top() {
            return Err(self.refuse(name, "stands for the top of the tree but is no directory"));
        }
        self.check_length(name)?;
        let (folder, own) = name.split();
        let directory = match self.recent.take() {
            Some((known, directory)) if known == folder => directory,
            _ => self.descend(name, folder, Some(budget))?,
        };
        let path = self.path(name);
        self.disk.fault_point(&path)?;
        let made = match make(directory.as_fd(), own) {
            Err(Errno::EXIST) => {
                self.make_way(name, directory.as_fd(), kind)?;
                make(directory.as_fd(), own)
            }
            other => other,
        };
        self.recent = Some((folder.to_vec(), directory));
        made.at("create", &path)
    }

    fn make_way(&self, name: &EntryName, directory: BorrowedFd<'_>, kind: FileType) -> Result<()> {
        let (_, own) = name.split();
        let path = self.path(name);
        let found = rustix::fs::statat(directory, own, AtFlags::SYMLINK_NOFOLLOW).at("read", &path)?;
        if FileType::from_raw_mode(found.st_mode) != kind {
            return Err(self.refuse(name, "comes twice, as different kinds of things"));
        }
        self.disk.fault_point(&path)?;
        rustix::fs::unlinkat(directory, own, AtFlags::empty()).at("replace", &path)
    }

    /// Opens the directory at `way`, which leads to `name`; makes what is missing if there is a budget.
    fn descend(&self, name: &EntryName, way: &[u8], mut budget: Option<&mut Budget<'_>>) -> Result<OwnedFd> {
        let mut at = rustix::io::fcntl_dupfd_cloexec(&self.top, 0).at("open", self.dest)?;
        let mut end = 0;
        for part in way.split(|byte| *byte == b'/').filter(|part| !part.is_empty()) {
            end = if end == 0 { part.len() } else { end + 1 + part.len() };
            let path = || self.dest.join(OsStr::from_bytes(&way[..end]));
            let mut opened = rustix::fs::openat(&at, part, DIRECTORY, Mode::empty());
            if let (Err(Errno::NOENT), Some(budget)) = (&opened, budget.as_deref_mut()) {
                budget.take_entry()?;
                self.disk.fault_point(&path())?;
                rustix::fs::mkdirat(&at, part, Mode::from_raw_mode(0o755)).at("create the directory", &path())?;
                opened = rustix::fs::openat(&at, part, DIRECTORY, Mode::empty());
            }
            at = match opened {
                Err(Errno::NOTDIR | Errno::LOOP) => return Err(self.refuse(name, &not_through(&way[..end]))),
                other => other.at("open", &path())?,
            };
        }
        Ok(at)
    }

    fn check_length(&self, name: &EntryName) -> Result<()> {
        if self.path(name).as_os_str().len() > LONGEST_PATH {
            return Err(self.refuse(name, "is too long for where it would lie"));
        }
        Ok(())
    }

    fn refuse(&self, name: &EntryName, problem: &str) -> Error {
        Error::Archive { path: self.archive.to_owned(), reason: format!("`{}` {problem}", name.shown()) }
    }
}

fn not_through(way: &[u8]) -> String {
    format!("leads through `{}`, which is no directory", crate::fetch::unpack::name::shortened(way))
}
