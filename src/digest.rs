//! The name of an object: a SHA-256 in git's object form.
//!
//! Why: one content has one name, on every machine, and the name can be checked with public tools
//! (`git hash-object` and `git write-tree` in a repository made with `--object-format=sha256`).
//! Guarantees: a [`Digest`] is always 32 bytes; parsing refuses everything but 64 lower- or
//! upper-case hex digits; text output is lower case.
//! Must not know: files, rows, or what an object is used for.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

/// How many hex digits a prefix needs before it may stand for an object.
pub const MIN_PREFIX_DIGITS: usize = 6;

/// The SHA-256 of an object in git's object form, its name everywhere in the store.
///
/// For a file this is `SHA-256("blob " + length + NUL + bytes)`, which differs from plain
/// `sha256sum`. For a directory it is the hash of git's tree object.
///
/// ```
/// use ohmyartifacts::Digest;
///
/// let digest = Digest::of_blob(b"hello\n");
/// assert_eq!(digest.to_string().len(), 64);
/// assert_eq!(digest.to_string().parse::<Digest>()?, digest);
/// # Ok::<(), ohmyartifacts::ParseDigestError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Wraps 32 raw bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the raw bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Returns the name of a file that holds `bytes`.
    #[must_use]
    pub fn of_blob(bytes: &[u8]) -> Self {
        let mut hasher = ObjectHasher::blob(bytes.len() as u64);
        hasher.update(bytes);
        hasher.finish()
    }

    /// Returns the name of a git tree object with this encoded body.
    #[must_use]
    pub fn of_tree(body: &[u8]) -> Self {
        let mut hasher = ObjectHasher::new("tree", body.len() as u64);
        hasher.update(body);
        hasher.finish()
    }

    /// Returns the first 12 digits, for people.
    #[must_use]
    pub fn short(&self) -> String {
        let mut hex = self.to_string();
        hex.truncate(12);
        hex
    }
}

/// Computes a [`Digest`] from bytes that arrive in pieces.
///
/// git's form puts the length in front, so it must be known before the first byte.
#[derive(Clone)]
pub struct ObjectHasher(Sha256);

impl ObjectHasher {
    /// Starts the hash of a file of `length` bytes.
    #[must_use]
    pub fn blob(length: u64) -> Self {
        Self::new("blob", length)
    }

    fn new(kind: &str, length: u64) -> Self {
        let mut sha = Sha256::new();
        sha.update(format!("{kind} {length}\0").as_bytes());
        Self(sha)
    }

    /// Adds the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Returns the name of everything added.
    #[must_use]
    pub fn finish(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut hex = [0u8; 64];
        for (pair, byte) in hex.chunks_exact_mut(2).zip(self.0) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        f.pad(std::str::from_utf8(&hex).expect("hex digits are ASCII"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

/// The SHA-256 of bytes alone, as `sha256sum` prints it and servers publish it; not an object's name.
///
/// ```
/// use ohmyartifacts::Sha256Sum;
///
/// let empty: Sha256Sum = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855".parse()?;
/// assert_eq!(empty.to_string().len(), 64);
/// # Ok::<(), ohmyartifacts::ParseDigestError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Sha256Sum([u8; 32]);

impl Sha256Sum {
    /// Wraps 32 raw bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the raw bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Sha256Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Digest(self.0), f)
    }
}

impl fmt::Debug for Sha256Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sha256Sum({self})")
    }
}

impl FromStr for Sha256Sum {
    type Err = ParseDigestError;

    fn from_str(text: &str) -> Result<Self, ParseDigestError> {
        text.parse().map(|Digest(bytes)| Self(bytes))
    }
}

impl Serialize for Sha256Sum {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The text was not 64 hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a hash has 64 hex digits")]
pub struct ParseDigestError;

impl FromStr for Digest {
    type Err = ParseDigestError;

    fn from_str(text: &str) -> Result<Self, ParseDigestError> {
        if text.len() != 64 {
            return Err(ParseDigestError);
        }
        let mut bytes = [0u8; 32];
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
        }
        Ok(Self(bytes))
    }
}

fn nibble(digit: u8) -> Result<u8, ParseDigestError> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        b'A'..=b'F' => Ok(digit - b'A' + 10),
        _ => Err(ParseDigestError),
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The first digits of a hash, as people type them: at least [`MIN_PREFIX_DIGITS`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DigestPrefix(String);

impl DigestPrefix {
    /// Returns the digits, lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the smallest and the largest hash that start so.
    ///
    /// # Panics
    /// Never: a prefix holds hex digits only.
    #[must_use]
    pub fn range(&self) -> (Digest, Digest) {
        let bound = |fill: &str| {
            let missing = 64 - self.0.len();
            let hex = format!("{}{}", self.0, fill.repeat(missing));
            hex.parse().expect("a prefix holds hex digits only")
        };
        (bound("0"), bound("f"))
    }
}

impl FromStr for DigestPrefix {
    type Err = ParseDigestError;

    fn from_str(text: &str) -> Result<Self, ParseDigestError> {
        let long_enough = (MIN_PREFIX_DIGITS..=64).contains(&text.len());
        if long_enough && text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(ParseDigestError)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_empty_blob_and_tree_have_the_ids_git_gives_them() {
        // `git hash-object -t blob /dev/null` and `git mktree </dev/null`, SHA-256 repository.
        assert_eq!(
            Digest::of_blob(b"").to_string(),
            "473a0f4c3be8a93681a267e3b1e9a7dcda1185436fe141f7749120a303721813"
        );
        assert_eq!(
            Digest::of_tree(b"").to_string(),
            "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321"
        );
    }

    #[test]
    fn only_sixty_four_hex_digits_are_a_hash() {
        let hex = "a".repeat(64);
        assert!(hex.parse::<Digest>().is_ok());
        for bad in [&hex[1..], &format!("{hex}a"), &"g".repeat(64), "", &"é".repeat(32)] {
            assert_eq!(bad.parse::<Digest>(), Err(ParseDigestError), "{bad:?}");
        }
    }

    #[test]
    fn a_prefix_spans_exactly_the_hashes_that_start_so() {
        let (low, high) = "ABCDEF1".parse::<DigestPrefix>().expect("seven digits").range();
        assert_eq!(low.to_string(), format!("abcdef1{}", "0".repeat(57)));
        assert_eq!(high.to_string(), format!("abcdef1{}", "f".repeat(57)));
        assert!("abcde".parse::<DigestPrefix>().is_err());
        assert!("abcdeg".parse::<DigestPrefix>().is_err());
    }
}
