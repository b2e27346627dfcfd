//! A file that was packed by itself: no tar, one stream of bytes.

use std::fs::File;
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

/// Tells whether a stream begins a tar, a broken one too: a header that is right, the word by which POSIX and
/// GNU headers are known, or the zeros of an empty one.
pub(super) fn is_tar(stream: &mut Stream<'_>) -> Result<bool> {
    let Ok(block) = <&[u8; BLOCK]>::try_from(stream.peek(BLOCK)?) else { return Ok(false) };
    let zeros = block.iter().all(|byte| *byte == 0);
    Ok(Header::new(block).is_ok() || block[257..262] == *b"ustar" || zeros)
}

/// Writes what the stream holds to the new file `dest`.
pub(super) fn unpack(
    disk: &Disk,
    stream: &mut Stream<'_>,
    dest: &Path,
    mut budget: Budget<'_>,
    observer: &dyn Observer,
) -> Result<Unpacked> {
    let mut file = disk.create_file(dest, 0o644)?;
    let outcome = fill(disk, stream, &mut file, dest, &mut budget, observer);
    match outcome {
        Ok(bytes) => Ok(Unpacked { shape: Shape::File, files: 1, bytes }),
        Err(error) => {
            // The first error says more than a second one, about the clearing up, could.
            drop(disk.remove_file(dest));
            Err(error)
        }
    }
}

fn fill(
    disk: &Disk,
    stream: &mut Stream<'_>,
    file: &mut File,
    dest: &Path,
    budget: &mut Budget<'_>,
    observer: &dyn Observer,
) -> Result<u64> {
    let mut buffer = vec![0; CHUNK];
    let mut bytes = 0;
    loop {
        let count = stream.read(&mut buffer)?;
        if count == 0 {
            return Ok(bytes);
        }
        budget.take_bytes(count as u64)?;
        disk.fault_point(dest)?;
        file.write_all(&buffer[..count]).at("write", dest)?;
        bytes += count as u64;
        observer.on(&Event::Advance { phase: PHASE, files: 0, bytes: count as u64 });
    }
}
