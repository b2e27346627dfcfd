//! Reads, hashes and writes a file in one pass.
//!
//! The hash is of the bytes written, so a source that changes meanwhile still gives a consistent
//! object. A file that can be cloned by the filesystem is cloned first and hashed from the clone.

use std::fs::{File, Metadata};
use std::io::{self, Read, Seek as _, Write};

use crate::digest::{Digest, ObjectHasher};

/// A file up to this size is read whole and hashed in memory.
const SMALL: u64 = 256 * 1024;
/// Larger files go through in pieces of this size, hashing one while the next is read.
const CHUNK: usize = 1024 * 1024;

/// What a pass over a file found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Copied {
    pub(crate) digest: Digest,
    pub(crate) size: u64,
}

/// One pass over one open file.
pub(crate) struct Copier<'a> {
    source: &'a mut File,
    length: u64,
    advance: &'a (dyn Fn(u64) -> io::Result<()> + Sync),
}

impl<'a> Copier<'a> {
    /// `advance` is told of every piece of bytes and may refuse to go on.
    pub(crate) fn new(
        source: &'a mut File,
        metadata: &Metadata,
        advance: &'a (dyn Fn(u64) -> io::Result<()> + Sync),
    ) -> Self {
        Self { source, length: metadata.len(), advance }
    }

    /// Reads the whole file if it is small; none if it is not, or grew while it was read.
    pub(crate) fn read_small(&mut self) -> io::Result<Option<Vec<u8>>> {
        if self.length > SMALL {
            return Ok(None);
        }
        let length = usize::try_from(self.length).expect("small files fit in memory");
        // One byte more than the file has: a full buffer means that it grew.
        let mut bytes = vec![0; length + 1];
        let mut filled = 0;
        loop {
            let count = self.source.read(&mut bytes[filled..])?;
            filled += count;
            // A short read of a regular file is its end.
            if count == 0 || filled == length {
                break;
            }
            if filled > length {
                self.source.rewind()?;
                return Ok(None);
            }
        }
        bytes.truncate(filled);
        (self.advance)(filled as u64)?;
        Ok(Some(bytes))
    }

    /// Hashes the file where it lies.
    pub(crate) fn hash(&mut self) -> io::Result<Copied> {
        self.pump(&mut io::sink())?.map_or_else(|| self.hash_again(), Ok)
    }

    /// Fills `target`, an empty new file, with the source's bytes.
    pub(crate) fn copy_to(&mut self, target: &mut File) -> io::Result<Copied> {
        if rustix::fs::ioctl_ficlone(&*target, &*self.source).is_ok() {
            let length = target.metadata()?.len();
            return Copier { source: target, length, advance: self.advance }.hash();
        }
        if let Some(copied) = self.pump(target)? {
            return Ok(copied);
        }
        let length = target.metadata()?.len();
        target.rewind()?;
        Copier { source: target, length, advance: &|_| Ok(()) }.hash()
    }

    /// The file changed its length while it was hashed where it lies: once more, from the start.
    fn hash_again(&mut self) -> io::Result<Copied> {
        self.length = self.source.metadata()?.len();
        self.source.rewind()?;
        self.pump(&mut io::sink())?.ok_or_else(|| io::Error::other("the file changes while it is read"))
    }

    /// Moves the bytes along; none if there were more or fewer than the length said, because the
    /// length is part of the hash and comes first.
    fn pump(&mut self, target: &mut (impl Write + Send)) -> io::Result<Option<Copied>> {
        let mut hasher = ObjectHasher::blob(self.length);
        let mut current = vec![0; CHUNK];
        let mut next = vec![0; CHUNK];
        let mut filled = self.source.read(&mut current)?;
        let mut size = 0;
        while filled > 0 {
            let bytes = &current[..filled];
            let source = &mut *self.source;
            let ((), moved) =
                rayon::join(|| hasher.update(bytes), || target.write_all(bytes).and_then(|()| source.read(&mut next)));
            size += filled as u64;
            (self.advance)(filled as u64)?;
            filled = moved?;
            std::mem::swap(&mut current, &mut next);
        }
        Ok((size == self.length).then(|| Copied { digest: hasher.finish(), size }))
    }
}

/// Lets the empty new file `target` share the bytes of `source` until one of them is changed; false where the
/// filesystem cannot, or they lie on two.
pub(crate) fn clone_bytes(source: &File, target: &File) -> io::Result<bool> {
    use rustix::io::Errno;

    match rustix::fs::ioctl_ficlone(target, source) {
        Ok(()) => Ok(true),
        Err(Errno::OPNOTSUPP | Errno::XDEV | Errno::INVAL | Errno::NOTTY | Errno::NOSYS | Errno::PERM) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

/// Hashes a file of the store.
pub(crate) fn hash_file(file: &mut File, advance: &(dyn Fn(u64) -> io::Result<()> + Sync)) -> io::Result<Copied> {
    let metadata = file.metadata()?;
    let mut copier = Copier::new(file, &metadata, advance);
    match copier.read_small()? {
        Some(bytes) => Ok(Copied { digest: Digest::of_blob(&bytes), size: bytes.len() as u64 }),
        None => copier.hash(),
    }
}
