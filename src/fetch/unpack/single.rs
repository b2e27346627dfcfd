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

/// The most zeros that programs write as a tar without entries: one record of twenty blocks.
const EMPTY_TAR: usize = 20 * BLOCK;

/// Tells whether a stream begins a tar, a broken one too: a header that is right, or the word by which POSIX and GNU
/// headers are known; or whether all of it is what programs write when there is nothing to pack. More zeros, or
/// zeros with something behind them, are no tar: images of disks begin so.
pub(super) fn is_tar(stream: &mut Stream<'_>) -> Result<bool> {
    let start = stream.peek(EMPTY_TAR + 1)?;
    let Some(block) = start.first_chunk::<BLOCK>() else { return Ok(false) };
    let zeros = start.iter().all(|byte| *byte == 0) && start.len() <= EMPTY_TAR && start.len().is_multiple_of(BLOCK);
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
