//! The part of Julia's version numbers that tags of a platform use.

use std::fmt;

/// Three numbers; missing ones are zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version {
    pub(super) major: u32,
    pub(super) minor: u32,
    pub(super) patch: u32,
}

impl Version {
    /// Reads one to three numbers, a `v` in front allowed, as Julia's `VersionNumber` does; none if it
    /// is anything else.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix(['v', 'V']).unwrap_or(text);
        let mut numbers = [0; 3];
        for (at, part) in digits.split('.').enumerate() {
            // `parse` alone would take a sign.
            let number = part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse().ok())??;
            *numbers.get_mut(at)? = number;
        }
        let [major, minor, patch] = numbers;
        Some(Self { major, minor, patch })
    }

    /// Reads the numbers in front of a pre-release: `1.12.0rc1` is one of 1.12.
    pub(super) fn parse_release(text: &str) -> Option<Self> {
        let digits = text.strip_prefix(['v', 'V']).unwrap_or(text);
        let end = digits.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(digits.len());
        Self::parse(&digits[..end])
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_to_three_numbers_are_a_version() {
        let text = |version: &str| Version::parse(version).map(|version| version.to_string());
        assert_eq!(text("5").as_deref(), Some("5.0.0"));
        assert_eq!(text("v3.4").as_deref(), Some("3.4.0"));
        assert_eq!(text("10.015.3").as_deref(), Some("10.15.3"));
        for bad in ["", "v", ".", "1.", ".1", "1..2", "1.2.3.4", "+1", "1.-2", "99999999999", "1.2rc1", "１"] {
            assert_eq!(text(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn numbers_are_compared_as_numbers() {
        assert!(Version::parse("3.4.9") < Version::parse("3.4.26"));
        assert_eq!(Version::parse_release("1.12.0rc1"), Version::parse("1.12"));
        assert_eq!(Version::parse_release("rc1"), None);
    }
}
