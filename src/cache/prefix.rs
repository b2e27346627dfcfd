//! What begins so, for programs that help people type: completion in a shell.

use crate::cache::Cache;
use crate::digest::Digest;
use crate::error::Result;
use crate::model::{Artifact, OwnerId};

/// A name of an owner and what it stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameHint {
    /// The name.
    pub name: String,
    /// What it stands for.
    pub artifact: Artifact,
}

/// An owner that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnerHint {
    /// Who it is.
    pub owner: OwnerId,
    /// What it is called, for people.
    pub title: Option<String>,
    /// How many names it has.
    pub bindings: u64,
}

/// The three questions cost what they return, however much is stored, and note no use. Where more than `limit`
/// begin so, the first ones come and the very last: what those have in common, all of them have.
impl Cache {
    /// Returns the names of an owner that begin so, by name; none of an owner that is not known.
    ///
    /// # Errors
    /// What the index says.
    pub fn names_like(&self, owner: &OwnerId, prefix: &str, limit: usize) -> Result<Vec<NameHint>> {
        let found = self.read(|tx| match tx.find_owner(owner)? {
            Some(owner) => tx.names_like(owner, prefix, limit),
            None => Ok(Vec::new()),
        })?;
        Ok(found.into_iter().map(|(name, artifact)| NameHint { name, artifact }).collect())
    }

    /// Returns the owners that begin so when written as `KEY` or `KEY@VERSION`.
    ///
    /// # Errors
    /// What the index says.
    pub fn owners_like(&self, prefix: &str, limit: usize) -> Result<Vec<OwnerHint>> {
        let found = self.read(|tx| tx.owners_like(prefix, limit))?;
        Ok(found.into_iter().map(|(owner, title, bindings)| OwnerHint { owner, title, bindings }).collect())
    }

    /// Returns what the store holds whose hash begins with these hexadecimal digits, by hash; none if they
    /// are not digits. A file stored with and without its execute bit comes twice.
    ///
    /// # Errors
    /// What the index says.
    pub fn hashes_like(&self, prefix: &str, limit: usize) -> Result<Vec<Artifact>> {
        let filled =
            |digit: char| format!("{prefix}{}", digit.to_string().repeat(64_usize.saturating_sub(prefix.len())));
        match (filled('0').parse::<Digest>(), filled('f').parse::<Digest>()) {
            (Ok(low), Ok(high)) => self.read(|tx| tx.hashes_like((low, high), limit)),
            _ => Ok(Vec::new()),
        }
    }
}
