//! Names that people and packages choose.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use crate::error::{Error, Result};

/// The longest binding name, in bytes. OhMyArtifacts.jl knows no limit, and 300 occur.
const LONGEST_NAME: usize = 4_096;
/// The longest owner key or version, in bytes.
const LONGEST_KEY: usize = 1_024;

/// Who keeps artifacts alive: a package's UUID or any other key, optionally with a version.
///
/// Versions of one key are owners of their own: each has its own names.
///
/// ```
/// let owner: ohmyartifacts::OwnerId = "model-zoo@1.2.0".parse()?;
/// assert_eq!((owner.key(), owner.version()), ("model-zoo", Some("1.2.0")));
/// # Ok::<(), ohmyartifacts::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OwnerId {
    key: String,
    version: Option<String>,
}

impl OwnerId {
    /// Makes an owner's id.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the key or version is empty, too long, or holds a NUL.
    pub fn new(key: &str, version: Option<&str>) -> Result<Self> {
        check_length("owner", key, 1, LONGEST_KEY)?;
        if let Some(version) = version {
            check_length("version", version, 1, LONGEST_KEY)?;
        }
        Ok(Self { key: key.to_owned(), version: version.map(str::to_owned) })
    }

    /// Returns the owner of this key that has no version.
    pub(crate) fn without_version(self) -> Self {
        Self { version: None, ..self }
    }

    /// Returns the key.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Returns the version, if the owner has one.
    #[must_use]
    pub fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }
}

impl fmt::Display for OwnerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.version {
            Some(version) => f.pad(&format!("{}@{version}", self.key)),
            None => f.pad(&self.key),
        }
    }
}

impl FromStr for OwnerId {
    type Err = Error;

    /// Parses `KEY` or `KEY@VERSION`; the last `@` separates.
    fn from_str(text: &str) -> Result<Self> {
        match text.rsplit_once('@') {
            Some((key, version)) => Self::new(key, Some(version)),
            None => Self::new(text, None),
        }
    }
}

/// What an owner calls an artifact. Any text is a name, the empty one too, up to 4,096 bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BindingName(String);

impl BindingName {
    /// Checks a name.
    ///
    /// # Errors
    /// [`Error::Invalid`] if it is too long or holds a NUL.
    pub fn new(name: &str) -> Result<Self> {
        check_length("binding name", name, 0, LONGEST_NAME)?;
        Ok(Self(name.to_owned()))
    }

    /// Returns the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BindingName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for BindingName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::new(text)
    }
}

impl Serialize for BindingName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// NUL is refused because SQL's string functions stop at it.
fn check_length(what: &'static str, text: &str, least: usize, most: usize) -> Result<()> {
    if text.len() < least {
        return Err(Error::invalid(what, text, "it is empty"));
    }
    if text.len() > most {
        let mut end = 64;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let shown = format!("{}…", &text[..end]);
        return Err(Error::invalid(what, &shown, format!("it is longer than {most} bytes")));
    }
    if text.contains('\0') {
        return Err(Error::invalid(what, text, "it holds a NUL"));
    }
    Ok(())
}
