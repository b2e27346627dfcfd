//! What the headers of one entry of a zip say.

use std::io::Read;

use zip::System;
use zip::read::ZipFile;

use crate::fetch::unpack::name::shortened;

/// The types of files that unix keeps in front of the twelve bits of a mode (`inode(7)`).
const TYPE: u32 = 0o170_000;
const REGULAR: u32 = 0o100_000;
const DIRECTORY: u32 = 0o040_000;
const LINK: u32 = 0o120_000;

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    File { mode: u32 },
    Directory,
    Symlink,
}

/// Returns the name as unix would have it. Programs of unix mean the bytes they write; those of other systems
/// wrote UTF-8 or CP437, and may have put `\` between the parts and a drive before them.
pub(super) fn unix_name<R: Read>(entry: &ZipFile<'_, R>) -> Result<Vec<u8>, String> {
    let raw = entry.name_raw();
    if matches!(entry.system(), System::Unix) {
        return Ok(raw.to_vec());
    }
    let decoded = entry.name().map_or_else(|_| raw.to_vec(), |name| name.into_owned().into_bytes());
    if matches!(decoded.as_slice(), [letter, b':', ..] if letter.is_ascii_alphabetic()) {
        return Err(format!("`{}` is an absolute path", shortened(&decoded)));
    }
    Ok(decoded.into_iter().map(|byte| if byte == b'\\' { b'/' } else { byte }).collect())
}

/// Accepts what the entry is; the error says what is wrong with it.
pub(super) fn kind_of<R: Read>(entry: &ZipFile<'_, R>, unix_name: &[u8]) -> Result<Kind, String> {
    if entry.encrypted() {
        return Err("is encrypted".to_owned());
    }
    let mode = entry.unix_mode().unwrap_or(REGULAR | 0o644);
    let named_directory = unix_name.ends_with(b"/");
    let kind = match mode & TYPE {
        LINK if named_directory => return Err("is a link with the name of a directory".to_owned()),
        LINK => Kind::Symlink,
        DIRECTORY => Kind::Directory,
        REGULAR | 0 if named_directory => Kind::Directory,
        REGULAR | 0 => Kind::File { mode },
        _ => return Err("is no file, directory or symbolic link".to_owned()),
    };
    // Programs differ in whether they make a file of it.
    if kind == Kind::Directory && entry.size() > 0 {
        return Err("is no file but has data".to_owned());
    }
    Ok(kind)
}
