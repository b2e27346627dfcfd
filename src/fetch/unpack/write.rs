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
use crate::fetch::unpack::name::{EntryName, shortened};
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
    /// The directories that lead to the one written to last, each with its name in the one before it; directories
    /// are never taken away, so they stay what they are. Entries that follow each other mostly lie near each other.
    way: Vec<(Vec<u8>, OwnedFd)>,
    /// Whether a file or link takes the place of an earlier one of its name.
    replaces: bool,
}

impl<'a> Writer<'a> {
    /// Opens the folder, which exists and is ours.
    pub(super) fn new(disk: &'a Disk, archive: &'a Path, dest: &'a Path) -> Result<Self> {
        let top = rustix::fs::open(dest, DIRECTORY, Mode::empty()).at("open", dest)?;
        Ok(Self { disk, archive, dest, top, way: Vec::new(), replaces: true })
    }

    /// From here on, a second file or link of a name is an error.
    pub(super) fn refuse_second_files(&mut self) {
        self.replaces = false;
    }

    /// Returns where an entry comes to lie, for errors.
    pub(super) fn path(&self, name: &EntryName) -> PathBuf {
        self.dest.join(name.as_path())
    }

    /// Makes a directory, and those above it, unless it is there.
    pub(super) fn directory(&mut self, name: &EntryName, budget: &mut Budget<'_>) -> Result<()> {
        self.check_length(name)?;
        self.enter(name, name.as_bytes(), budget)
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

    /// Gives a file or link that was unpacked before a second name, or copies a file where the filesystem gives it
    /// none; returns a file's size, none for a link.
    pub(super) fn hard_link(
        &mut self,
        name: &EntryName,
        target: &EntryName,
        budget: &mut Budget<'_>,
    ) -> Result<Option<u64>> {
        let (kind, size) = self.original(name, target)?;
        budget.take_bytes(size)?;
        // GNU tar writes this for a file that was named twice on its command line.
        if name != target {
            let (folder, own) = target.split();
            let folder = self.find(target, folder)?;
            let linked = self.place(name, kind, budget, |directory, new| {
                match rustix::fs::linkat(&folder, own, directory, new, AtFlags::empty()) {
                    Err(Errno::PERM | Errno::MLINK | Errno::OPNOTSUPP) => Ok(false),
                    other => other.map(|()| true),
                }
            })?;
            if !linked {
                self.copy(folder.as_fd(), own, kind, name, budget)?;
            }
        }
        Ok((kind == FileType::RegularFile).then_some(size))
    }

    fn copy(
        &mut self,
        folder: BorrowedFd<'_>,
        own: &[u8],
        kind: FileType,
        name: &EntryName,
        budget: &mut Budget<'_>,
    ) -> Result<()> {
        let path = self.path(name);
        if kind == FileType::Symlink {
            let target = rustix::fs::readlinkat(folder, own, Vec::new()).at("copy to", &path)?;
            return self.symlink(name, target.as_bytes(), budget);
        }
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut original = File::from(rustix::fs::openat(folder, own, flags, Mode::empty()).at("copy to", &path)?);
        let found = rustix::fs::fstat(&original).at("copy to", &path)?;
        // Its bytes come a second time, and from no stream.
        budget.take_unpacked(u64::try_from(found.st_size).unwrap_or_default())?;
        let mut copy = self.file(name, found.st_mode, budget)?;
        std::io::copy(&mut original, &mut copy).at("copy to", &path)?;
        Ok(())
    }

    /// Returns what a hard link leads to, a file or a symbolic link, and a file's size.
    fn original(&self, name: &EntryName, target: &EntryName) -> Result<(FileType, u64)> {
        let (folder, own) = target.split();
        let found = match self.find(target, folder) {
            Ok(folder) if !own.is_empty() => rustix::fs::statat(&folder, own, AtFlags::SYMLINK_NOFOLLOW),
            Err(error) if !error.is_io(std::io::ErrorKind::NotFound) => return Err(error),
            _ => Err(Errno::NOENT),
        };
        let refuse =
            |problem: &str| self.refuse(name, &format!("is a hard link to `{}`, which {problem}", target.shown()));
        let found = match found {
            Err(Errno::NOENT) => return Err(refuse("does not come before it")),
            other => other.at("read", &self.path(target))?,
        };
        match FileType::from_raw_mode(found.st_mode) {
            FileType::RegularFile => Ok((FileType::RegularFile, u64::try_from(found.st_size).unwrap_or_default())),
            FileType::Symlink => Ok((FileType::Symlink, 0)),
            _ => Err(refuse("is no file")),
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
        self.enter(name, folder, budget)?;
        let path = self.path(name);
        self.disk.fault_point(&path)?;
        let made = match make(self.entered(), own) {
            Err(Errno::EXIST) => {
                self.make_way(name, kind)?;
                make(self.entered(), own)
            }
            other => other,
        };
        made.at("create", &path)
    }

    fn make_way(&self, name: &EntryName, kind: FileType) -> Result<()> {
        if !self.replaces {
            return Err(self.refuse(name, "comes twice"));
        }
        let (_, own) = name.split();
        let path = self.path(name);
        let found = rustix::fs::statat(self.entered(), own, AtFlags::SYMLINK_NOFOLLOW).at("read", &path)?;
        if FileType::from_raw_mode(found.st_mode) != kind {
            return Err(self.refuse(name, "comes twice, as different kinds of things"));
        }
        self.disk.fault_point(&path)?;
        rustix::fs::unlinkat(self.entered(), own, AtFlags::empty()).at("replace", &path)
    }

    /// Opens the directory at `folder`, which leads to `name`; makes what is missing.
    fn enter(&mut self, name: &EntryName, folder: &[u8], budget: &mut Budget<'_>) -> Result<()> {
        let parts = || folder.split(|byte| *byte == b'/').filter(|part| !part.is_empty());
        let open = self.way.iter().zip(parts()).take_while(|((known, _), part)| known == part).count();
        self.way.truncate(open);
        for part in parts().skip(open) {
            let path = self.path_entered().join(OsStr::from_bytes(part));
            let mut opened = rustix::fs::openat(self.entered(), part, DIRECTORY, Mode::empty());
            if matches!(opened, Err(Errno::NOENT)) {
                budget.take_entry()?;
                self.disk.fault_point(&path)?;
                let mode = Mode::from_raw_mode(0o755);
                rustix::fs::mkdirat(self.entered(), part, mode).at("create the directory", &path)?;
                opened = rustix::fs::openat(self.entered(), part, DIRECTORY, Mode::empty());
            }
            let opened = self.directory_at(name, &path, opened)?;
            self.way.push((part.to_vec(), opened));
        }
        Ok(())
    }

    /// Opens the directory at `folder`, which leads to `name` and must be there.
    fn find(&self, name: &EntryName, folder: &[u8]) -> Result<OwnedFd> {
        let mut path = self.dest.to_owned();
        let mut at = rustix::io::fcntl_dupfd_cloexec(&self.top, 0).at("open", self.dest)?;
        for part in folder.split(|byte| *byte == b'/').filter(|part| !part.is_empty()) {
            path.push(OsStr::from_bytes(part));
            at = self.directory_at(name, &path, rustix::fs::openat(&at, part, DIRECTORY, Mode::empty()))?;
        }
        Ok(at)
    }

    fn directory_at(&self, name: &EntryName, path: &Path, opened: rustix::io::Result<OwnedFd>) -> Result<OwnedFd> {
        if let Err(Errno::NOTDIR | Errno::LOOP) = opened {
            let way = path.strip_prefix(self.dest).unwrap_or(path).as_os_str().as_bytes();
            return Err(self.refuse(name, &format!("leads through `{}`, which is no directory", shortened(way))));
        }
        opened.at("open", path)
    }

    /// The directory entered last.
    fn entered(&self) -> BorrowedFd<'_> {
        self.way.last().map_or(self.top.as_fd(), |(_, directory)| directory.as_fd())
    }

    fn path_entered(&self) -> PathBuf {
        let names = self.way.iter().map(|(name, _)| OsStr::from_bytes(name));
        std::iter::once(self.dest.as_os_str()).chain(names).collect()
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
