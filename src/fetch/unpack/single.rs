//! A file that was packed by itself: no tar, one stream of bytes.

use std::io::Write as _;
use std::path::Path;

use crate::error::{PathContext as _, Result};
use crate::event::{Event, Observer};
use crate::fetch::unpack::budget::Budget;
use crate::fetch::unpack::header::{BLOCK, Header};
use crate::fetch::unpack::stream::Stream;
use crate::fetch::unpack::{PHASE, Shape, Unpacked};
use crate::fs::Disk;

/// Bytes move in pieces of this size.
const CHUNK: usize = 256 * 1024;

/// Reads what shows whether a stream is a tar; returns how much of it there is.
pub(super) fn first_block(stream: &mut Stream<'_>) -> Result<([u8; BLOCK], usize)> {
    let mut block = [0; BLOCK];
    let filled = stream.fill(&mut block)?;
    Ok((block, filled))
}

/// Tells whether these bytes begin a tar, a broken one too: a header that is right, the word by which POSIX and
/// GNU headers are known, or the zeros of an empty one.
pub(super) fn begins_tar(block: &[u8]) -> bool {
    let Ok(block) = <&[u8; BLOCK]>::try_from(block) else { return false };
    Header::new(block).is_ok() || block[257..262] == *b"ustar" || block.iter().all(|byte| *byte == 0)
}

/// Writes what `first` begins and `stream` goes on with to the new file `dest`.
pub(super) fn unpack(
    disk: &Disk,
    first: &[u8],
    stream: &mut Stream<'_>,
    dest: &Path,
    mut budget: Budget<'_>,
    observer: &dyn Observer,
) -> Result<Unpacked> {
    let mut file = disk.create_file(dest, 0o644)?;
    let mut buffer = vec![0; CHUNK];
    let mut bytes = 0;
    let mut piece = first;
    let outcome = loop {
        if piece.is_empty() {
            break Ok(());
        }
        let written = budget
            .take_bytes(piece.len() as u64)
            .and_then(|()| disk.fault_point(dest))
            .and_then(|()| file.write_all(piece).at("write", dest));
        if let Err(error) = written {
            break Err(error);
        }
        bytes += piece.len() as u64;
        observer.on(&Event::Advance { phase: PHASE, files: 0, bytes: piece.len() as u64 });
        match stream.read(&mut buffer) {
            Ok(count) => piece = &buffer[..count],
            Err(error) => break Err(error),
        }
    };
    if let Err(error) = outcome {
        // The first error says more than a second one, about the clearing up, could.
        drop(disk.remove_file(dest));
        return Err(error);
    }
    Ok(Unpacked { shape: Shape::File, files: 1, bytes })
}
