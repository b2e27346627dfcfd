//! A file's content, as bytes.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use crate::cache::{Cache, Reference};
use crate::digest::{Digest, ObjectHasher};
use crate::error::{Error, PathContext as _, Result};
use crate::event::Interrupt;
use crate::model::{Artifact, Blob, ObjectKind};

/// Bytes move in pieces of this size.
const PIECE: usize = 256 * 1024;

impl Cache {
    /// Writes the content of a file, or of a file in a directory (`REF:PATH`), to `out`; returns how many bytes
    /// it has. Links are followed inside the directory. Notes the use of a binding.
    ///
    /// The content is checked on the way, and its last 256 KiB are held back until all is known to be right:
    /// nothing of a small damaged file comes out, and never all of a large one.
    ///
    /// # Errors
    /// As [`Cache::find`]; [`Error::NoSuchEntry`]; [`Error::StoredLink`] for a link that leads to nothing in the
    /// directory; [`Error::NotAFile`]; [`Error::Damaged`]; what `out` says.
    pub fn cat(&self, reference: Reference<'_>, out: &mut (dyn Write + Send)) -> Result<u64> {
        let Some(Artifact { hash, kind, size, .. }) = self.choose(reference)?.file else {
            return Err(Error::NotAFile { reference: reference.text().to_owned() });
        };
        let blob = Blob { digest: hash, executable: kind == ObjectKind::Executable };
        let (mut file, _) = self.store.open_blob(blob)?;
        let path = self.store.layout.blob(blob);
        let (found, last) = pour(&mut file, size, out, &self.waiting.interrupt, &path)?;
        if found != hash {
            return Err(Error::Damaged { hash, path, detail: format!("its content is {found}") });
        }
        out.write_all(&last).at("pass on", &path)?;
        Ok(size)
    }
}

/// Moves a file's bytes to `out`, all but the last piece; returns that, and the name of all.
fn pour(
    file: &mut File,
    size: u64,
    out: &mut (dyn Write + Send),
    interrupt: &Interrupt,
    path: &Path,
) -> Result<(Digest, Vec<u8>)> {
    let mut hasher = ObjectHasher::blob(size);
    let (mut held, mut next) = (Vec::with_capacity(PIECE), Vec::with_capacity(PIECE));
    loop {
        interrupt.check()?;
        next.clear();
        Read::by_ref(file).take(PIECE as u64).read_to_end(&mut next).at("read", path)?;
        if next.is_empty() {
            return Ok((hasher.finish(), held));
        }
        hasher.update(&next);
        out.write_all(&held).at("pass on", path)?;
        std::mem::swap(&mut held, &mut next);
    }
}
