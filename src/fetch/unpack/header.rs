//! One header of a tar archive: 512 bytes, after POSIX.1-1988 "ustar" and the GNU tar manual.
//!
//! Own code, because the `tar` crate reads long names without a bound, takes a negative size for a
//! large one, and hides the header a complaint should name.

/// Headers and data come in blocks of this size.
pub(super) const BLOCK: usize = 512;

/// A header whose checksum is right.
pub(super) struct Header<'a>(&'a [u8; BLOCK]);

/// Where the data of a sparse file goes: offset and length, in the order of the data.
pub(super) type Piece = (u64, u64);

impl<'a> Header<'a> {
    /// Accepts a block if its checksum is right; the sum of signed bytes is one too, old tars wrote it.
    pub(super) fn new(block: &'a [u8; BLOCK]) -> Result<Self, String> {
        let counted = |at: usize, byte: u8| if (148..156).contains(&at) { b' ' } else { byte };
        let bytes = || block.iter().enumerate().map(|(at, byte)| counted(at, *byte));
        let unsigned: i64 = bytes().map(i64::from).sum();
        let signed: i64 = bytes().map(|byte| i64::from(byte.cast_signed())).sum();
        match number(&block[148..156]).map(i64::try_from) {
            Ok(Ok(sum)) if sum == unsigned || sum == signed => Ok(Self(block)),
            _ => Err("a header's checksum is wrong".to_owned()),
        }
    }

    /// Returns the entry's name, the two parts of a ustar name joined.
    pub(super) fn name(&self) -> Vec<u8> {
        let name = text(&self.0[..100]);
        // GNU's own magic is followed by a space; there the prefix's place holds other things.
        let prefix = if self.0[257..263] == *b"ustar\0" { text(&self.0[345..500]) } else { b"" };
        if prefix.is_empty() { name.to_vec() } else { [prefix, b"/", name].concat() }
    }

    /// Returns the target of a link.
    pub(super) fn link(&self) -> &'a [u8] {
        text(&self.0[157..257])
    }

    /// Returns the letter that says what the entry is.
    pub(super) fn kind(&self) -> u8 {
        self.0[156]
    }

    /// Returns the permissions.
    pub(super) fn mode(&self) -> Result<u32, String> {
        let mode = number(&self.0[100..108]).map_err(|problem| format!("has a mode that {problem}"))?;
        // Some tars write the type of the file in front of the twelve bits.
        Ok(u32::try_from(mode & 0o7777).unwrap_or_default())
    }

    /// Returns how many bytes of data follow.
    pub(super) fn size(&self) -> Result<u64, String> {
        number(&self.0[124..136]).map_err(|problem| format!("has a size that {problem}"))
    }

    /// Returns the pieces of an old GNU sparse file that stand in the header itself, the whole file's
    /// size, and whether a block with more pieces follows.
    pub(super) fn sparse(&self) -> Result<(Vec<Piece>, u64, bool), String> {
        let mut pieces = Vec::new();
        pieces_of(&self.0[386..482], &mut pieces)?;
        let size = number(&self.0[483..495]).map_err(|problem| format!("has a size that {problem}"))?;
        Ok((pieces, size, self.0[482] != 0))
    }
}

/// Adds the pieces of a block that continues a sparse header; tells whether another one follows.
pub(super) fn more_pieces(block: &[u8; BLOCK], pieces: &mut Vec<Piece>) -> Result<bool, String> {
    pieces_of(&block[..504], pieces)?;
    Ok(block[504] != 0)
}

fn pieces_of(field: &[u8], pieces: &mut Vec<Piece>) -> Result<(), String> {
    for piece in field.chunks_exact(24).take_while(|piece| piece[0] != 0) {
        let bad = |problem| format!("has a piece that {problem}");
        pieces.push((number(&piece[..12]).map_err(bad)?, number(&piece[12..]).map_err(bad)?));
    }
    Ok(())
}

/// Reads a number: octal digits between spaces and zeros, or big-endian after a first bit that is set.
fn number(field: &[u8]) -> Result<u64, &'static str> {
    let value = match field {
        [first, ..] if first & 0x80 != 0 => binary(field)?,
        _ => octal(field)?,
    };
    // Files and sums of sizes stay within what the system can count.
    if i64::try_from(value).is_ok() { Ok(value) } else { Err("is too large") }
}

fn binary(field: &[u8]) -> Result<u64, &'static str> {
    if field[0] & 0x40 != 0 {
        return Err("is negative");
    }
    let digits = std::iter::once(field[0] & 0x3f).chain(field[1..].iter().copied());
    digits
        .map(u64::from)
        .try_fold(0u64, |value, digit| value.checked_mul(256).map(|value| value + digit))
        .ok_or("is too large")
}

fn octal(field: &[u8]) -> Result<u64, &'static str> {
    let digits = field.trim_ascii_start();
    let end = digits.iter().position(|byte| matches!(byte, 0 | b' ')).unwrap_or(digits.len());
    digits[..end].iter().try_fold(0u64, |value, digit| match digit {
        b'0'..=b'7' => value.checked_mul(8).map(|value| value + u64::from(digit - b'0')).ok_or("is too large"),
        b'-' => Err("is negative"),
        _ => Err("is no number"),
    })
}

/// Returns what stands before the first zero byte.
fn text(field: &[u8]) -> &[u8] {
    &field[..field.iter().position(|byte| *byte == 0).unwrap_or(field.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_octal_or_binary() {
        assert_eq!(number(b"0000644\0"), Ok(0o644));
        assert_eq!(number(b"   644 \0"), Ok(0o644));
        assert_eq!(number(b"77777777777\0"), Ok(0o77_777_777_777));
        assert_eq!(number(b"777777777777"), Ok(0o777_777_777_777));
        assert_eq!(number(b"\0\0\0\0\0\0\0\0"), Ok(0));
        assert_eq!(number(b"\x80\0\0\0\0\0\0\x02\0\0\0\0"), Ok(1 << 33));
        assert_eq!(number(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), Err("is negative"));
        assert_eq!(number(b"-1\0\0\0\0\0\0"), Err("is negative"));
        assert_eq!(number(b"\x80\0\0\0\x80\0\0\0\0\0\0\0"), Err("is too large"));
        assert_eq!(number(b"\x80\x01\0\0\0\0\0\0\0\0\0\0"), Err("is too large"));
        assert_eq!(number(b"9\0\0\0"), Err("is no number"));
    }
}
