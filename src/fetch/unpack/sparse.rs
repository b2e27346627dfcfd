//! Where the data of a sparse file goes.

use crate::fetch::unpack::header::Piece;

/// As many pieces as fit in a file that a program made; each costs memory.
const MOST_PIECES: usize = 1_000_000;

/// Where the list of pieces is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Map {
    /// It was in the headers.
    Here(Vec<Piece>),
    /// It stands before the data, counted in the entry's size (format 1.0).
    BeforeData,
}

/// Checks that pieces follow each other inside a file of `size` bytes, and take up all of the
/// `stored` bytes of data.
pub(super) fn check(pieces: &[Piece], size: u64, stored: u64) -> Result<(), String> {
    let mut end = 0;
    let mut sum = 0;
    for (offset, length) in pieces {
        let next = offset.checked_add(*length).filter(|next| *offset >= end && *next <= size);
        end = next.ok_or("has pieces that overlap or leave the file")?;
        sum += length;
    }
    if sum == stored { Ok(()) } else { Err("has pieces that do not add up to its data".to_owned()) }
}

/// Accepts a number of pieces.
pub(super) fn piece_count(number: u64) -> Result<usize, String> {
    let count = usize::try_from(number).ok().filter(|count| *count <= MOST_PIECES);
    count.ok_or_else(|| format!("is a sparse file of more than {MOST_PIECES} pieces"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_follow_each_other_and_add_up() {
        assert_eq!(check(&[(0, 512), (1024, 3), (2000, 0)], 2000, 515), Ok(()));
        assert_eq!(check(&[], 1 << 40, 0), Ok(()));
        for (pieces, size, stored) in [
            (vec![(0, 10), (5, 10)], 100, 20),
            (vec![(10, 1), (0, 1)], 100, 2),
            (vec![(0, 101)], 100, 101),
            (vec![(u64::MAX, 2)], u64::MAX, 2),
            (vec![(0, 10)], 100, 11),
            (vec![(0, 10)], 100, 9),
        ] {
            assert!(check(&pieces, size, stored).is_err(), "{pieces:?}");
        }
    }
}
