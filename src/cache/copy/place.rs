//! Whether two stores are two.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::error::{Error, PathContext as _, Result};

/// Refuses a store that is this one, or lies in it, or has it inside. The other need not be there yet.
pub(super) fn refuse_overlap(here: &Path, there: &Path) -> Result<()> {
    let absolute = std::path::absolute(there).at("resolve", there)?;
    let real = real_path(&absolute);
    let reason = if real == here {
        SAME
    } else if real.starts_with(here) {
        "it lies in the store it is copied from"
    } else if here.starts_with(&real) {
        "the store it is copied from lies in it"
    } else {
        return Ok(());
    };
    Err(refused(there, reason))
}

/// Refuses a store that is this one by another path, such as a second mount.
pub(super) fn refuse_same(here: &Path, there: &Path) -> Result<()> {
    let identity = |path: &Path| found(path).map(|found| (found.dev(), found.ino()));
    if identity(here)? == identity(there)? { Err(refused(there, SAME)) } else { Ok(()) }
}

/// Tells whether both stores belong to the same user, who is believed then.
pub(super) fn have_one_owner(here: &Path, there: &Path) -> Result<bool> {
    Ok(found(here)?.uid() == found(there)?.uid())
}

const SAME: &str = "it is the store it is copied from";

fn refused(there: &Path, reason: &str) -> Error {
    Error::invalid("store to copy to", &there.to_string_lossy(), reason)
}

fn found(path: &Path) -> Result<Metadata> {
    std::fs::metadata(path).at("read", path)
}

/// Follows the links in as much of a path as is there.
fn real_path(path: &Path) -> PathBuf {
    for there in path.ancestors() {
        if let Ok(real) = std::fs::canonicalize(there) {
            return path.strip_prefix(there).map_or_else(|_| path.to_owned(), |rest| real.join(rest));
        }
    }
    path.to_owned()
}
