//! The name of an archive's entry, made safe.
//!
//! A name is a way down from the top: no step up, no start elsewhere, nothing a filesystem or the
//! store's own scan would refuse later.

use std::path::Path;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use crate::text::printable;

/// `NAME_MAX` of every Linux filesystem.
const LONGEST_NAME: usize = 255;
/// Limits of what a path may be (`PATH_MAX`, and a depth no real tree reaches).
const LONGEST_PATH: usize = 4_096;
const DEEPEST: usize = 255;

/// A path relative to the top of the tree, as its parts joined by one `/`; empty for the top itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct EntryName(Vec<u8>);

impl EntryName {
    /// Accepts what an archive calls an entry; the error says what is wrong with it, and repeats it.
    pub(super) fn new(raw: &[u8]) -> Result<Self, String> {
        let refuse = |what: &str| Err(format!("`{}` {what}", shortened(raw)));
        if raw.is_empty() {
            return Err("an entry has no name".to_owned());
        }
        if raw.contains(&0) {
            return refuse("holds a zero byte");
        }
        if raw[0] == b'/' {
            return refuse("is an absolute path");
        }
        let parts: Vec<&[u8]> = raw.split(|byte| *byte == b'/').filter(|part| !matches!(*part, b"" | b".")).collect();
        if parts.contains(&b"..".as_slice()) {
            return refuse("leads upward");
        }
        if parts.iter().any(|part| part.len() > LONGEST_NAME) {
            return refuse("has a part of more than 255 bytes");
        }
        let joined = parts.join(&b'/');
        if joined.len() > LONGEST_PATH || parts.len() > DEEPEST {
            return refuse("is longer than 4096 bytes or deeper than 255 directories");
        }
        Ok(Self(joined))
    }

    /// Tells whether this is the top itself.
    pub(super) fn is_top(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the whole path.
    pub(super) fn as_path(&self) -> &Path {
        Path::new(OsStr::from_bytes(&self.0))
    }

    /// Returns the path of the directory it lies in, empty for the top, and its own name there.
    pub(super) fn split(&self) -> (&[u8], &[u8]) {
        match self.0.iter().rposition(|byte| *byte == b'/') {
            Some(slash) => (&self.0[..slash], &self.0[slash + 1..]),
            None => (&[], &self.0),
        }
    }

    /// Returns the first part, and what is left below it.
    pub(super) fn split_first(&self) -> (&[u8], Option<Self>) {
        match self.0.iter().position(|byte| *byte == b'/') {
            Some(slash) => (&self.0[..slash], Some(Self(self.0[slash + 1..].to_vec()))),
            None => (&self.0, None),
        }
    }

    /// Returns the name, fit for an error.
    pub(super) fn shown(&self) -> String {
        shortened(&self.0)
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Returns a name from outside as one printable line that does not flood it.
pub(super) fn shortened(raw: &[u8]) -> String {
    match raw.get(..LONGEST_NAME) {
        Some(start) if raw.len() > LONGEST_NAME => format!("{}…", printable(start)),
        _ => printable(raw),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(raw: &[u8]) -> Vec<u8> {
        EntryName::new(raw).unwrap_or_else(|reason| panic!("{reason}")).0
    }

    #[test]
    fn names_lead_down_and_are_written_one_way() {
        assert_eq!(accepted(b"a/b"), b"a/b");
        assert_eq!(accepted(b"./a//b/./"), b"a/b");
        assert_eq!(accepted(b"./"), b"");
        assert_eq!(accepted(b"..a/b.."), b"..a/b..");
        assert_eq!(accepted(b"\xff\n"), b"\xff\n");
        assert_eq!(accepted(&[b'x'; 255]).len(), 255);
    }

    #[test]
    fn everything_else_is_refused_by_name() {
        let cases: [(&[u8], &str); 8] = [
            (b"", "an entry has no name"),
            (b"/etc/passwd", "`/etc/passwd` is an absolute path"),
            (b"..", "`..` leads upward"),
            (b"a/../../b", "`a/../../b` leads upward"),
            (b"a/b/..", "`a/b/..` leads upward"),
            (b"a/..//", "`a/..//` leads upward"),
            (b"a\0b", "`a\\x00b` holds a zero byte"),
            (b"//", "`//` is an absolute path"),
        ];
        for (raw, reason) in cases {
            assert_eq!(EntryName::new(raw), Err(reason.to_owned()));
        }
        for long in [vec![b'x'; 256], [b"a/".repeat(255), b"b".to_vec()].concat(), b"abcdefghi/".repeat(410)] {
            assert!(EntryName::new(&long).is_err());
        }
        assert!(EntryName::new(&b"a/".repeat(255)).is_ok());
    }

    #[test]
    fn the_parent_is_what_stands_before_the_last_slash() {
        assert_eq!(EntryName::new(b"a/b/c").expect("fine").split(), (b"a/b".as_slice(), b"c".as_slice()));
        assert_eq!(EntryName::new(b"c/").expect("fine").split(), (b"".as_slice(), b"c".as_slice()));
    }
}
