//! What is remembered of a download.

use serde::{Deserialize, Serialize};

use crate::digest::Sha256Sum;
use crate::model::LinkPolicy;
use crate::time::Timestamp;

/// What becomes of an archive that was downloaded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unpacking {
    /// It stays as it is, a file.
    #[default]
    No,
    /// What it holds becomes the artifact.
    Whole,
    /// What the one folder at its top holds becomes the artifact.
    Stripped,
}

/// How bytes become an artifact.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Making {
    pub(crate) unpacking: Unpacking,
    /// Whether a file is to be run.
    pub(crate) executable: bool,
    /// What happens to links that leave the unpacked tree or point to nothing.
    pub(crate) links: LinkPolicy,
}

/// What is remembered of a download beside its address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DownloadRecord {
    /// The plain SHA-256 of the bytes that came.
    pub sha256: Sha256Sum,
    /// How many bytes came.
    pub bytes: u64,
    /// What became of them.
    pub unpacked: Unpacking,
    /// Whether the file is to be run.
    pub executable: bool,
    /// What happened to links that left the unpacked tree or pointed to nothing.
    pub links: LinkPolicy,
    /// The server's name for this version.
    pub etag: Option<String>,
    /// When the server says that it changed last.
    pub last_modified: Option<String>,
    /// How long the transfer took, in milliseconds.
    pub took_ms: u64,
    /// All addresses that were named for it, in the order in which they are tried.
    pub places: Vec<String>,
    /// When its source last had this version.
    pub checked_at: Timestamp,
}

impl DownloadRecord {
    pub(crate) fn making(&self) -> Making {
        Making { unpacking: self.unpacked, executable: self.executable, links: self.links }
    }
}
