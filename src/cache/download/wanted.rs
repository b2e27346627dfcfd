//! What is to be downloaded, and how.

use crate::cache::TransferOptions;
use crate::digest::Sha256Sum;
use crate::error::{Error, Result};
use crate::fetch::{Address, Errand};
use crate::model::{DownloadRecord, LinkPolicy, Making, Unpacking};

/// What to download, from where, and what becomes of it.
///
/// ```
/// use ohmyartifacts::{Download, Unpacking};
///
/// let download = Download::from("https://example.org/iris.tar.gz")
///     .mirror("https://mirror.example.org/iris.tar.gz")
///     .sha256(Some("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad".parse()?))
///     .unpack(Unpacking::Stripped);
/// # Ok::<(), ohmyartifacts::ParseDigestError>(())
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct Download {
    urls: Vec<String>,
    sha256: Option<Sha256Sum>,
    making: Making,
    transfer: TransferOptions,
}

impl<T: AsRef<str> + ?Sized> From<&T> for Download {
    /// From one address: `https://`, `http://` or `file://`.
    fn from(url: &T) -> Self {
        Self {
            urls: vec![url.as_ref().to_owned()],
            sha256: None,
            making: Making::default(),
            transfer: TransferOptions::default(),
        }
    }
}

impl Download {
    /// Another place, tried when those before it fail.
    pub fn mirror(mut self, url: impl AsRef<str>) -> Self {
        self.urls.push(url.as_ref().to_owned());
        self
    }

    /// What the bytes must be: their plain SHA-256, as `sha256sum` prints it. Whatever else comes is refused.
    pub fn sha256(mut self, sum: Option<Sha256Sum>) -> Self {
        self.sha256 = sum;
        self
    }

    /// Whether an archive is unpacked: tar, plain or packed with gzip, bzip2, xz or zstd; zip; or a single
    /// file packed so.
    pub fn unpack(mut self, unpacking: Unpacking) -> Self {
        self.making.unpacking = unpacking;
        self
    }

    /// What happens to links in an archive that leave its tree or point to nothing.
    pub fn links(mut self, policy: LinkPolicy) -> Self {
        self.making.links = policy;
        self
    }

    /// Whether the file is a program, to be stored with the execute bit.
    pub fn executable(mut self, executable: bool) -> Self {
        self.making.executable = executable;
        self
    }

    /// How long and how often it is tried, and what is sent along.
    pub fn transfer(mut self, options: TransferOptions) -> Self {
        self.transfer = options;
        self
    }

    pub(super) fn settle(&self) -> Result<Wanted> {
        let places = self.urls.iter().map(|url| Address::parse(url)).collect::<Result<_>>()?;
        Ok(Wanted {
            places,
            sha256: self.sha256,
            making: self.making,
            errand: self.transfer.errand().clone(),
            ask: false,
        })
    }
}

/// A download whose words were understood.
pub(super) struct Wanted {
    pub(super) places: Vec<Address>,
    pub(super) sha256: Option<Sha256Sum>,
    pub(super) making: Making,
    pub(super) errand: Errand,
    /// Whether the source is asked even if nothing else could come from it.
    pub(super) ask: bool,
}

impl Wanted {
    /// What it is called in an error about all its places.
    pub(super) fn name(&self) -> String {
        self.places.first().map(|address| address.kept().to_owned()).unwrap_or_default()
    }

    /// Tells whether what was downloaded before is what is wanted now.
    pub(super) fn accepts(&self, record: &DownloadRecord) -> bool {
        self.sha256.is_none_or(|sum| sum == record.sha256)
    }

    /// Refuses bytes that are not those that were asked for.
    pub(super) fn check(&self, found: Sha256Sum, address: &Address) -> Result<()> {
        match self.sha256 {
            Some(expected) if expected != found => Err(Error::WrongHash {
                what: format!("`{}`", crate::text::printable(address.kept().as_bytes())),
                algorithm: "sha256",
                found: found.to_string(),
                expected: expected.to_string(),
            }),
            _ => Ok(()),
        }
    }
}
