//! Sizes as people write them.
//!
//! Why: rules, budgets and the command line all read sizes, and must read the same.
//! Guarantees: a size is a whole number of bytes; what is written back reads as the same number.
//! Must not know: how tables show sizes.

/// The units, largest first: decimal (`MB` = 1,000,000) and binary (`MiB` = 1,048,576).
const UNITS: [(&str, u64); 13] = [
    ("EiB", 1 << 60),
    ("EB", 1_000_000_000_000_000_000),
    ("PiB", 1 << 50),
    ("PB", 1_000_000_000_000_000),
    ("TiB", 1 << 40),
    ("TB", 1_000_000_000_000),
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("KB", 1_000),
    ("B", 1),
];

/// As many digits after the point as are read: more cannot make a difference.
const MOST_DECIMALS: usize = 18;

/// The text was not a size such as `500MB`, `1.25GB` or `10GiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a size is written like `500MB`, `1.25GB` or `10GiB`")]
pub struct ParseSizeError;

/// Parses a size in bytes: a number, perhaps with a point, and a unit (`B`, `KB`, `KiB`, … `EiB`), or a
/// bare `0`. What is left below one byte is dropped.
///
/// ```
/// assert_eq!(ohmyartifacts::parse_size("1.25GB")?, 1_250_000_000);
/// assert_eq!(ohmyartifacts::parse_size("10GiB")?, 10 << 30);
/// assert!(ohmyartifacts::parse_size("10").is_err());
/// # Ok::<(), ohmyartifacts::ParseSizeError>(())
/// ```
///
/// # Errors
/// [`ParseSizeError`] for every other text and for sizes that do not fit.
pub fn parse_size(text: &str) -> Result<u64, ParseSizeError> {
    if text == "0" {
        return Ok(0);
    }
    let at = text.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or(ParseSizeError)?;
    let (number, unit) = text.split_at(at);
    let unit = UNITS.iter().find(|(name, _)| *name == unit || (unit == "kB" && *name == "KB"));
    let (_, unit) = unit.ok_or(ParseSizeError)?;
    let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
    if whole.is_empty() || decimals.is_empty() || decimals.len() > MOST_DECIMALS || decimals.contains('.') {
        return Err(ParseSizeError);
    }
    let whole: u64 = whole.parse().map_err(|_| ParseSizeError)?;
    let numerator: u128 = decimals.parse().map_err(|_| ParseSizeError)?;
    let denominator = 10_u128.pow(u32::try_from(decimals.len()).map_err(|_| ParseSizeError)?);
    let part = u64::try_from(u128::from(*unit) * numerator / denominator).map_err(|_| ParseSizeError)?;
    whole.checked_mul(*unit).and_then(|bytes| bytes.checked_add(part)).ok_or(ParseSizeError)
}

/// Returns a size exactly, in the largest unit that divides it: `10GiB`, `1250MB`, `1023B`.
#[must_use]
pub fn format_size(bytes: u64) -> String {
    if bytes == 0 {
        return "0".to_owned();
    }
    let divides = UNITS.iter().find(|(_, unit)| bytes.is_multiple_of(*unit));
    divides.map_or_else(|| format!("{bytes}B"), |(name, unit)| format!("{}{name}", bytes / unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_take_a_number_and_a_unit() {
        assert_eq!(parse_size("500MB"), Ok(500_000_000));
        assert_eq!(parse_size("1.5KiB"), Ok(1_536));
        assert_eq!(parse_size("0.0000001KB"), Ok(0));
        assert_eq!(parse_size("7B"), Ok(7));
        for bad in ["", "B", "5", "-1B", "1.B", ".5GB", "1.2.3GB", "1 GB", "1GBs", "1gb", "16EiB", "99999999999999EB"] {
            assert_eq!(parse_size(bad), Err(ParseSizeError), "{bad}");
        }
    }

    #[test]
    fn what_is_written_reads_the_same() {
        for bytes in [0, 1, 1_000, 1_023, 1_024, 1_536, 500_000_000, 10 << 30, u64::MAX] {
            assert_eq!(parse_size(&format_size(bytes)), Ok(bytes));
        }
        assert_eq!(format_size(500_000_000), "500MB");
        assert_eq!(format_size(10 << 30), "10GiB");
    }
}
