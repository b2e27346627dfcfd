//! Owners and names by patterns: `*` stands for any text, `?` for one character.

use std::fmt;
use std::str::FromStr;

use globset::GlobBuilder;
pub(crate) use globset::GlobMatcher;

use crate::error::{Error, Result};
use crate::model::OwnerId;

/// Owners by a pattern: `*` stands for any text, `?` for one character. A pattern without an `@` is
/// about keys and means every version; one with an `@` is about `KEY@VERSION`.
#[derive(Clone)]
pub struct OwnerPattern {
    text: String,
    matcher: GlobMatcher,
}

impl OwnerPattern {
    /// Tells whether an owner is meant.
    #[must_use]
    pub fn matches(&self, owner: &OwnerId) -> bool {
        if self.text.contains('@') {
            self.matcher.is_match(owner.to_string())
        } else {
            self.matcher.is_match(owner.key())
        }
    }

    /// Means one owner, whatever its key looks like.
    #[must_use]
    pub fn exactly(owner: &OwnerId) -> Self {
        let text = globset::escape(&owner.to_string());
        Self::new(&text).unwrap_or_else(|_| unreachable!("an escaped pattern is one"))
    }

    /// Returns the pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl OwnerPattern {
    fn new(text: &str) -> Result<Self> {
        let bad = |reason: String| Error::invalid("pattern of owners", text, reason);
        if text.is_empty() {
            return Err(bad("it is empty".to_owned()));
        }
        Ok(Self { text: text.to_owned(), matcher: matcher(text).map_err(bad)? })
    }
}

impl fmt::Debug for OwnerPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OwnerPattern").field(&self.text).finish()
    }
}

impl PartialEq for OwnerPattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for OwnerPattern {}

impl FromStr for OwnerPattern {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::new(text)
    }
}

impl fmt::Display for OwnerPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

/// Names of owners by a pattern, `OWNER:NAME` with patterns on both sides of the colon.
#[derive(Debug, Clone)]
pub struct NamePattern {
    text: String,
    /// Owners and names may both hold colons, so every colon may be the one that parts them.
    sides: Vec<(OwnerPattern, GlobMatcher)>,
}

impl NamePattern {
    /// Means names of one owner.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the pattern is none.
    pub fn of(owner: &OwnerId, names: &str) -> Result<Self> {
        let bad = |reason: String| Error::invalid("pattern of names", names, reason);
        let names = (OwnerPattern::exactly(owner), matcher(names).map_err(bad)?);
        Ok(Self { text: format!("{owner}:{}", names.1.glob().glob()), sides: vec![names] })
    }

    /// Tells whether it may mean names of this owner.
    #[must_use]
    pub fn is_about(&self, owner: &OwnerId) -> bool {
        self.sides.iter().any(|(owners, _)| owners.matches(owner))
    }

    /// Tells whether a name of an owner is meant.
    #[must_use]
    pub fn matches(&self, owner: &OwnerId, name: &str) -> bool {
        self.sides.iter().any(|(owners, names)| names.is_match(name) && owners.matches(owner))
    }
}

impl FromStr for NamePattern {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let bad = |reason: String| Error::invalid("pattern of names", text, reason);
        let sides = text.match_indices(':').filter_map(|(colon, _)| {
            let owners = OwnerPattern::new(&text[..colon]).ok()?;
            Some((owners, matcher(&text[colon + 1..]).ok()?))
        });
        let sides: Vec<_> = sides.collect();
        if sides.is_empty() {
            return Err(bad("expected OWNER:NAME, where `*` stands for any text".to_owned()));
        }
        Ok(Self { text: text.to_owned(), sides })
    }
}

impl fmt::Display for NamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

/// Compiles a pattern of text, in which a slash is a character like others.
pub(crate) fn matcher(text: &str) -> Result<GlobMatcher, String> {
    let glob = GlobBuilder::new(text).literal_separator(false).backslash_escape(true).build();
    glob.map(|glob| glob.compile_matcher()).map_err(|error| error.kind().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_parted_from_owners_by_any_colon() {
        let meant = |pattern: &str, owner: &str, name: &str| {
            let owner = owner.parse().expect("an owner");
            pattern.parse::<NamePattern>().expect("a pattern").matches(&owner, name)
        };
        assert!(meant("zoo:model-*", "zoo@1.0", "model-a") && !meant("zoo:model-*", "zoo", "data"));
        assert!(meant("zoo@1.0:*", "zoo@1.0", "x") && !meant("zoo@1.0:*", "zoo", "x"));
        assert!(meant("urn:a:b", "urn:a", "b") && meant("urn:a:b", "urn", "a:b"));
        assert!(meant("*:*", "any", "thing") && meant("zoo:", "zoo", ""));
        for bad in ["", "zoo", ":x", "zoo:["] {
            assert!(bad.parse::<NamePattern>().is_err(), "{bad}");
        }
    }
}
