//! What is known of an artifact whose bytes are still to come.

use serde::{Deserialize, Serialize};

/// A place to get an archive from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DownloadSource {
    /// Where.
    pub url: String,
    /// The plain SHA-256 of the archive's bytes, 64 hex digits.
    pub sha256: Option<String>,
    /// The archive's length in bytes.
    pub size: Option<u64>,
}

/// What a built-in `Artifacts.toml` of Julia declares under a name.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Declaration {
    /// Its name in the file.
    pub artifact: String,
    /// The triplet of the platform it was built for; none if it serves every platform.
    pub platform: Option<String>,
    /// git's SHA-1 of the unpacked tree, 40 hex digits.
    pub tree_sha1: String,
    /// Whether Julia downloads it when it is first used, not when its package is installed.
    pub lazy: bool,
    /// Where to get it, in the order to try; nothing: it can only be made on the spot.
    pub downloads: Vec<DownloadSource>,
    /// All that the file has under the name, to the letter, for the export.
    #[serde(skip)]
    pub(crate) whole: toml::Value,
}
