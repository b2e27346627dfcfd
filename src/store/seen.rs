//! What a source holds, as it was seen before a byte is read.

use std::path::PathBuf;

/// What lies at one path of the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Seen {
    File,
    Directory,
    Link(PathBuf),
}

/// A path relative to the source's top and what lies there.
#[derive(Debug, Clone)]
pub(crate) struct SeenEntry {
    pub(crate) path: PathBuf,
    pub(crate) seen: Seen,
}
