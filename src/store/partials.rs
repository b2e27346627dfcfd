//! Downloads that are not whole yet: they outlive the process that began them.
//!
//! Guarantees: a partial file belongs to one address; who uses it holds the lock of that address; one that
//! nobody went on with for long is removed.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::digest::Digest;
use crate::error::{Error, PathContext as _, Result};
use crate::fs::{LockFile, Patience, lstat};
use crate::store::Store;
use crate::text::printable_path;
use crate::time::Timestamp;

/// How long a partial file waits for somebody to go on with it.
const PATIENCE: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The sole right to an address's partial file.
#[derive(Debug)]
pub(crate) struct Reserved {
    /// Where the bytes gather.
    pub(crate) path: PathBuf,
    /// Whether another process had it when it was asked for.
    pub(crate) waited: bool,
    lock: LockFile,
}

impl Reserved {
    /// Lets others at it.
    pub(crate) fn release(self) {
        self.lock.remove();
    }
}

impl Store {
    /// Waits for the sole right to download from an address.
    pub(crate) fn reserve_partial(&self, address: &str, what: &str, patience: &mut Patience<'_>) -> Result<Reserved> {
        let folder = self.layout.partials();
        match lstat(&folder)? {
            None => self.disk.ensure_dir(&folder)?,
            Some(found) if found.is_dir() => {}
            // What a link leads to is not ours to write to.
            Some(_) => {
                let reason = format!("`{}` is not a folder", printable_path(&folder));
                return Err(Error::NotAStore { path: self.layout.root().to_owned(), reason });
            }
        }
        let key = Digest::of_blob(address.as_bytes());
        let path = self.layout.lock(&format!("download-{key}"));
        let (lock, waited) = match LockFile::try_exclusive(&path)? {
            Some(lock) => (lock, false),
            None => (LockFile::exclusive(&path, what, patience)?, true),
        };
        Ok(Reserved { path: folder.join(format!("{key}.part")), waited, lock })
    }

    /// Removes what nobody went on with for a week.
    pub(crate) fn drop_old_partials(&self, now: Timestamp) -> Result<()> {
        let folder = self.layout.partials();
        if !lstat(&folder)?.is_some_and(|found| found.is_dir()) {
            return Ok(());
        }
        for entry in std::fs::read_dir(&folder).at("list", &folder)? {
            let path = entry.at("list", &folder)?.path();
            if is_old(&path, now)? {
                self.drop_partial(&path)?;
            }
        }
        Ok(())
    }

    /// Removes a partial file that nobody is at.
    fn drop_partial(&self, path: &Path) -> Result<()> {
        let Some(key) = path.file_stem().and_then(std::ffi::OsStr::to_str) else { return Ok(()) };
        // Nothing else in this folder is ours to remove.
        if key.parse::<Digest>().is_err() {
            return Ok(());
        }
        let Some(lock) = LockFile::try_exclusive(&self.layout.lock(&format!("download-{key}")))? else {
            return Ok(());
        };
        let removed = self.disk.remove_file(path);
        lock.remove();
        removed
    }
}

fn is_old(path: &Path, now: Timestamp) -> Result<bool> {
    let Some(found) = lstat(path)?.filter(std::fs::Metadata::is_file) else { return Ok(false) };
    let changed = found.modified().unwrap_or(SystemTime::UNIX_EPOCH);
    let since = changed.duration_since(UNIX_EPOCH).unwrap_or_default();
    let changed = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
    let span = i64::try_from(PATIENCE.as_millis()).unwrap_or(i64::MAX);
    Ok(now.as_millis() >= changed.saturating_add(span))
}
