//! Every change this crate makes to the disk, with the path in each error.
//!
//! Why: a store is only as safe as its order of writes, so each write is one call here, and each
//! call is a point where a test can stop the program.
//! Guarantees: no function follows a symbolic link at the last step of its path; files are created
//! new or not at all; errors name what was attempted on which path.
//! Must not know: stores, hashes' meaning, rows.

mod copy;
mod fault;
mod lock;
mod new_file;
mod remove;
mod space;

use std::fs::{File, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use rustix::fs::{CWD, OFlags, RenameFlags};
use rustix::io::Errno;

use crate::error::{Error, PathContext as _, Result};

pub(crate) use copy::{Copied, Copier, clone_bytes, hash_file};
#[cfg(feature = "failpoints")]
pub use fault::Fault;
#[cfg(not(feature = "failpoints"))]
pub(crate) use fault::Fault;
pub(crate) use lock::{Existing, LockFile, Patience, Waiting};
pub(crate) use new_file::NewFile;
pub(crate) use space::{DiskRoom, is_network, room, same_filesystem};

/// The disk, as this crate changes it. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Disk {
    fault: Fault,
}

#[expect(clippy::disallowed_methods, reason = "the one module that changes the disk")]
impl Disk {
    pub(crate) fn new(fault: Fault) -> Self {
        Self { fault }
    }

    /// A point at which a test may stop the program or fail the call.
    pub(crate) fn fault_point(&self, path: &Path) -> Result<()> {
        self.fault.hit().at("write", path)
    }

    pub(crate) fn create_dir(&self, path: &Path) -> Result<()> {
        self.fault_point(path)?;
        std::fs::DirBuilder::new().mode(0o755).create(path).at("create the directory", path)
    }

    /// Creates a directory unless it is there already.
    pub(crate) fn ensure_dir(&self, path: &Path) -> Result<()> {
        match self.create_dir(path) {
            Err(error) if error.is_io(io::ErrorKind::AlreadyExists) => Ok(()),
            other => other,
        }
    }

    /// Creates a directory and those above it.
    pub(crate) fn create_dir_all(&self, path: &Path) -> Result<()> {
        self.fault_point(path)?;
        std::fs::create_dir_all(path).at("create the directory", path)
    }

    /// Creates a file that did not exist, open for reading and writing.
    pub(crate) fn create_file(&self, path: &Path, mode: u32) -> Result<File> {
        self.fault_point(path)?;
        OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(mode)
            .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
            .open(path)
            .at("create", path)
    }

    /// Opens a file of ours to write on at its end, never through a link.
    pub(crate) fn open_end(&self, path: &Path) -> Result<File> {
        self.fault_point(path)?;
        OpenOptions::new().append(true).custom_flags(OFlags::NOFOLLOW.bits().cast_signed()).open(path).at("open", path)
    }

    /// Creates a file that did not exist, with this content.
    pub(crate) fn write_new(&self, path: &Path, content: &[u8], mode: u32) -> Result<()> {
        let mut file = self.create_file(path, mode)?;
        io::Write::write_all(&mut file, content).at("write", path)
    }

    /// Adds one record to the end of a file, in one write.
    pub(crate) fn append(&self, path: &Path, record: &[u8], flush: bool) -> Result<()> {
        self.fault_point(path)?;
        let mut file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o644)
            .custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed())
            .open(path)
            .at("open", path)?;
        // Waiting for the other end of a pipe would hold the index for ever.
        if !file.metadata().at("read", path)?.is_file() {
            return Err(Error::Unsupported {
                path: path.to_owned(),
                what: "special file where the store keeps its own",
            });
        }
        io::Write::write_all(&mut file, record).at("append to", path)?;
        if flush { file.sync_data().at("flush", path) } else { Ok(()) }
    }

    /// Creates a file that takes room and holds nothing: `most` bytes, or a part of what is free.
    pub(crate) fn set_aside(&self, path: &Path, most: u64, part_of_free: u64) -> Result<()> {
        let file = self.create_file(path, 0o644)?;
        let free = rustix::fs::fstatvfs(&file).at("ask for free space at", path)?;
        let bytes = most.min(free.f_bavail.saturating_mul(free.f_frsize) / part_of_free);
        rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, bytes.max(1)).at("set room aside in", path)
    }

    pub(crate) fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.fault_point(to)?;
        std::fs::rename(from, to).at("move a file to", to)
    }

    /// Moves to a place where nothing is. Filesystems that know no such move (NFS) are asked first whether
    /// something is there.
    pub(crate) fn rename_new(&self, from: &Path, to: &Path) -> Result<()> {
        if self.rename_with(from, to, RenameFlags::NOREPLACE)? {
            return Ok(());
        }
        match lstat(to)? {
            None => self.rename(from, to),
            Some(_) => Err(io::Error::from(io::ErrorKind::AlreadyExists)).at("move to", to),
        }
    }

    /// Puts two things that are there in each other's place, at once. Filesystems that cannot (NFS) do it in
    /// three steps, by way of the folder of `one`, which must be the caller's own.
    pub(crate) fn exchange(&self, one: &Path, other: &Path) -> Result<()> {
        if self.rename_with(one, other, RenameFlags::EXCHANGE)? {
            return Ok(());
        }
        let aside = one.with_extension("aside");
        self.rename(other, &aside)?;
        if let Err(error) = self.rename(one, other) {
            self.rename(&aside, other)?;
            return Err(error);
        }
        self.rename(&aside, one)
    }

    /// Moves as the flags say; false if the filesystem cannot.
    fn rename_with(&self, from: &Path, to: &Path, flags: RenameFlags) -> Result<bool> {
        self.fault_point(to)?;
        match rustix::fs::renameat_with(CWD, from, CWD, to, flags) {
            Ok(()) => Ok(true),
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => Ok(false),
            Err(errno) => Err(io::Error::from(errno)).at("move to", to),
        }
    }

    pub(crate) fn hard_link(&self, original: &Path, link: &Path) -> Result<()> {
        self.fault_point(link)?;
        std::fs::hard_link(original, link).at("create the hard link", link)
    }

    pub(crate) fn symlink(&self, target: &Path, link: &Path) -> Result<()> {
        self.fault_point(link)?;
        std::os::unix::fs::symlink(target, link).at("create the link", link)
    }

    /// Sets the permissions of a file or directory that is known not to be a link.
    pub(crate) fn set_mode(&self, path: &Path, mode: u32) -> Result<()> {
        self.fault_point(path)?;
        std::fs::set_permissions(path, Permissions::from_mode(mode)).at("set the permissions of", path)
    }

    pub(crate) fn remove_file(&self, path: &Path) -> Result<()> {
        self.fault_point(path)?;
        std::fs::remove_file(path).at("remove", path)
    }

    pub(crate) fn remove_dir(&self, path: &Path) -> Result<()> {
        self.fault_point(path)?;
        std::fs::remove_dir(path).at("remove the directory", path)
    }

    /// Makes a file's content, or a directory's list of names, survive a power cut.
    pub(crate) fn flush(&self, path: &Path) -> Result<()> {
        self.fault_point(path)?;
        File::open(path).and_then(|file| file.sync_all()).at("flush", path)
    }

    /// Makes everything written to the filesystem of `path` survive a power cut.
    pub(crate) fn flush_filesystem(&self, path: &Path) -> Result<()> {
        self.fault_point(path)?;
        let directory = File::open(path).at("open", path)?;
        rustix::fs::syncfs(&directory).at("flush the filesystem of", path)
    }
}

/// Returns what lies at `path`, not following a link; none if nothing does.
pub(crate) fn lstat(path: &Path) -> Result<Option<Metadata>> {
    match std::fs::symlink_metadata(path) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(Error::io("read", path, error)),
    }
}

/// Nothing can lie below a file, so "not a directory" means "not there" too.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// What tells whether a file is still the one that was read, without reading it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    device: u64,
    inode: u64,
    length: u64,
    changed: (i64, i64),
}

impl From<&Metadata> for Stamp {
    fn from(found: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt as _;
        Self {
            device: found.dev(),
            inode: found.ino(),
            length: found.len(),
            changed: (found.mtime(), found.mtime_nsec()),
        }
    }
}

/// Opens a file of somebody else's: only a regular file, never through a link, never blocking.
pub(crate) fn open_source(path: &Path) -> Result<(File, Metadata)> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed())
        .open(path)
        .map_err(|error| open_error(path, error))?;
    let metadata = file.metadata().at("read", path)?;
    match special_file(metadata.file_type()) {
        Some(what) => Err(Error::Unsupported { path: path.to_owned(), what }),
        None if metadata.is_file() => Ok((file, metadata)),
        None => Err(Error::Unsupported { path: path.to_owned(), what: "directory where a file was" }),
    }
}

/// A socket cannot be opened at all; say what it is.
fn open_error(path: &Path, error: io::Error) -> Error {
    let what = lstat(path).ok().flatten().and_then(|found| special_file(found.file_type()));
    match what {
        Some(what) => Error::Unsupported { path: path.to_owned(), what },
        None => Error::io("open", path, error),
    }
}

/// Names what is neither file, directory nor link.
pub(crate) fn special_file(kind: std::fs::FileType) -> Option<&'static str> {
    use std::os::unix::fs::FileTypeExt as _;
    if kind.is_fifo() {
        Some("named pipe")
    } else if kind.is_socket() {
        Some("socket")
    } else if kind.is_block_device() || kind.is_char_device() {
        Some("device")
    } else {
        None
    }
}
