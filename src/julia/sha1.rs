//! The name Julia's package manager gives a tree: git's SHA-1.
//!
//! Why: built-in artifacts are installed under this name and checked against it.
//! Guarantees: always 20 bytes; parsing refuses everything but 40 hex digits, and says what a text
//! of 64 digits most likely is; text output is lower case.
//! Must not know: how a tree is hashed.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};

/// How many hex digits the name has.
const DIGITS: usize = 40;

/// The `git-tree-sha1` of an unpacked artifact.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct GitTreeSha1([u8; 20]);

impl GitTreeSha1 {
    /// Wraps 20 raw bytes.
    pub(crate) const fn from_bytes(bytes: [u8; 20]) -> Self {
        Self(bytes)
    }

    #[cfg(test)]
    /// Returns the raw bytes.
    pub(crate) const fn as_bytes(&self) -> &[u8; 20] {
        &self.0
    }
}

impl fmt::Display for GitTreeSha1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for GitTreeSha1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GitTreeSha1({self})")
    }
}

impl FromStr for GitTreeSha1 {
    type Err = Error;

    /// Reads 40 hex digits of either case; anything else is [`Error::Invalid`].
    fn from_str(text: &str) -> Result<Self> {
        let invalid = |reason: String| Error::invalid("git-tree-sha1", text, reason);
        if !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(invalid(format!("it must have {DIGITS} hex digits")));
        }
        match text.len() {
            DIGITS => {}
            64 => return Err(invalid(format!("it must have {DIGITS} hex digits; 64 are the SHA-256 of an archive"))),
            found => return Err(invalid(format!("it must have {DIGITS} hex digits, not {found}"))),
        }
        let mut bytes = [0; 20];
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            *byte = nibble(pair[0]) << 4 | nibble(pair[1]);
        }
        Ok(Self(bytes))
    }
}

/// Returns what a hex digit stands for.
fn nibble(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forty_hex_digits_come_back_in_lower_case() {
        // `git hash-object -t tree /dev/null`.
        let empty = "4B825dc642cb6eb9a060e54bf8d69288fbee4904".parse::<GitTreeSha1>().expect("forty digits");
        assert_eq!(empty.to_string(), "4b825dc642cb6eb9a060e54bf8d69288fbee4904");
        assert_eq!(empty.as_bytes()[..3], [0x4b, 0x82, 0x5d]);
        assert_eq!(GitTreeSha1::from_bytes(*empty.as_bytes()), empty);
    }

    #[test]
    fn anything_else_is_refused_and_an_archives_hash_is_told_apart() {
        for bad in ["", "4b825dc642cb6eb9a060e54bf8d69288fbee490", &"g".repeat(40), &"é".repeat(20), &"1".repeat(41)] {
            assert!(bad.parse::<GitTreeSha1>().is_err(), "{bad:?}");
        }
        let archive = "a".repeat(64).parse::<GitTreeSha1>().expect_err("64 digits").to_string();
        assert!(archive.contains("SHA-256 of an archive"), "{archive}");
    }
}
