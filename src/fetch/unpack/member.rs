//! What an entry of an archive may be.

use crate::fetch::unpack::header::Piece;
use crate::fetch::unpack::name::EntryName;
use crate::text::printable;

/// `PATH_MAX`, what a link can hold.
const LONGEST_TARGET: usize = 4_095;

/// What an entry asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Member {
    File { mode: u32, size: u64 },
    Sparse { mode: u32, size: u64, pieces: Vec<Piece> },
    Directory,
    Symlink(Vec<u8>),
    HardLink(EntryName),
}

/// Accepts what an archive says a symbolic link leads to; the text is kept as it is.
pub(super) fn link_target(link: &[u8]) -> Result<Vec<u8>, String> {
    if link.is_empty() || link.contains(&0) || link.len() > LONGEST_TARGET {
        return Err("is a link whose target is empty, too long or holds a zero byte".to_owned());
    }
    Ok(link.to_vec())
}

/// Says what is wrong with an entry of a kind that is not unpacked.
pub(super) fn refused_kind(kind: u8) -> String {
    match kind {
        b'3' | b'4' => "is a device".to_owned(),
        b'6' => "is a named pipe".to_owned(),
        b'M' => "continues on from another volume".to_owned(),
        _ => format!("is of an unknown kind (`{}`)", printable(&[kind])),
    }
}
