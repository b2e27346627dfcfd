//! The UUID of a package, and the folder name that Julia derives from it.
//!
//! Why: `packages/<Name>/<slug>` does not say which package lies there; with a manifest's UUID and
//! tree hash the slug does (`Base.version_slug` in Julia's `loading.jl`).
//! Guarantees: a UUID is compared as a number, so its case does not matter.
//! Must not know: files.

use std::fmt;
use std::str::FromStr;

/// The digits of a slug, least significant digit first.
const DIGITS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
/// Julia writes five digits; Pkg still looks for the four of old versions.
const LENGTHS: [usize; 2] = [5, 4];

/// A package's UUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Uuid(u128);

impl Uuid {
    /// Tells whether this is the UUID that stands for code outside of any package.
    pub(crate) const fn is_zero(self) -> bool {
        self.0 == 0
    }
}

/// The text was not 8-4-4-4-12 hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a UUID has 8-4-4-4-12 hex digits")]
pub(crate) struct ParseUuidError;

impl FromStr for Uuid {
    type Err = ParseUuidError;

    fn from_str(text: &str) -> Result<Self, ParseUuidError> {
        if text.len() != 36 {
            return Err(ParseUuidError);
        }
        let mut value = 0;
        for (index, byte) in text.bytes().enumerate() {
            match (index, char::from(byte).to_digit(16)) {
                (8 | 13 | 18 | 23, _) if byte == b'-' => {}
                (8 | 13 | 18 | 23, _) | (_, None) => return Err(ParseUuidError),
                (_, Some(digit)) => value = value << 4 | u128::from(digit),
            }
        }
        Ok(Self(value))
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex = format!("{:032x}", self.0);
        write!(f, "{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
    }
}

/// Returns the folder names a package of this content may have below `packages/<Name>/`: today's and
/// the one of old versions; none if `tree_sha1` is not 40 hex digits.
pub(crate) fn package_slugs(uuid: Uuid, tree_sha1: &str) -> Option<[String; 2]> {
    let tree = sha1_bytes(tree_sha1)?;
    let crc = crc32c::crc32c_append(crc32c::crc32c(&uuid.0.to_le_bytes()), &tree);
    Some(LENGTHS.map(|length| digits(crc, length)))
}

fn digits(mut value: u32, length: usize) -> String {
    let mut slug = String::with_capacity(length);
    for _ in 0..length {
        slug.push(char::from(DIGITS[(value % 62) as usize]));
        value /= 62;
    }
    slug
}

fn sha1_bytes(hex: &str) -> Option<[u8; 20]> {
    if hex.len() != 40 {
        return None;
    }
    let mut bytes = [0u8; 20];
    for (byte, pair) in bytes.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
        let digit = |at: usize| char::from(pair[at]).to_digit(16);
        *byte = u8::try_from(digit(0)? << 4 | digit(1)?).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slugs(uuid: &str, tree: &str) -> [String; 2] {
        package_slugs(uuid.parse().expect("a UUID"), tree).expect("a tree hash")
    }

    #[test]
    fn a_slug_is_the_one_julia_makes() {
        // Example 0.5.3 lies at `packages/Example/aqsx3` in everybody's depot.
        let example = slugs("7876af07-990d-54b4-ab0e-23690620f79a", "46e44e869b4d90b96bd8ed1fdcf32244fddfb6cc");
        assert_eq!(example, ["aqsx3", "aqsx"]);
        // By a bitwise CRC-32C in Python.
        assert_eq!(slugs("00000000-0000-0000-0000-00000000000a", &"0".repeat(40))[0], "jceDH");
        assert_eq!(slugs("11111111-2222-3333-4444-555555555555", &"F".repeat(40))[0], "ab4pm");
        let counted = "1234567890123456789012345678901234567890";
        assert_eq!(slugs("AAAAAAAA-0000-4000-8000-00000000000A", counted)[0], "UBL0O");
    }

    #[test]
    fn only_forty_hex_digits_are_a_tree_hash() {
        let uuid = "7876af07-990d-54b4-ab0e-23690620f79a".parse().expect("a UUID");
        for bad in ["", &"0".repeat(39), &"0".repeat(41), &"g".repeat(40), &"é".repeat(20)] {
            assert_eq!(package_slugs(uuid, bad), None, "{bad}");
        }
    }

    #[test]
    fn a_uuid_ignores_case_and_nothing_else() {
        let lower: Uuid = "7876af07-990d-54b4-ab0e-23690620f79a".parse().expect("a UUID");
        assert_eq!("7876AF07-990D-54B4-AB0E-23690620F79A".parse(), Ok(lower));
        assert_eq!(lower.to_string(), "7876af07-990d-54b4-ab0e-23690620f79a");
        assert!("00000000-0000-0000-0000-000000000000".parse::<Uuid>().expect("zero").is_zero());
        assert!(!lower.is_zero());
        let wrong = [
            "",
            "7876af07990d54b4ab0e23690620f79a",
            "7876af07-990d-54b4-ab0e-23690620f79",
            "7876af07-990d-54b4-ab0e-23690620f79g",
            "7876af07-990d-54b4-ab0e+23690620f79a",
            "-876af07-990d-54b4-ab0e-23690620f79a",
            "éééé7876af07-990d-54b4-ab0e-23690620",
        ];
        for wrong in wrong {
            assert_eq!(wrong.parse::<Uuid>(), Err(ParseUuidError), "{wrong}");
        }
    }
}
