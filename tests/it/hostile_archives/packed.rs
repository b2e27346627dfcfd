//! Streams that gzip, bzip2, xz or zstd might have packed.

use std::io::{Read as _, Write as _};

use super::Case;
use super::forge::{Forge, octal};

pub(super) fn cases() -> Vec<Case> {
    let tar = Forge::default().file("f", &b"some text, ".repeat(2_000)).done();
    let packed = [("gzip", gzip(&tar)), ("bzip2", bzip2(&tar)), ("xz", xz(&tar)), ("zstd", zstd(&tar))];
    let mut cases = vec![
        Case::new("nothing", Vec::new(), "it is empty"),
        Case::new("a page instead", b"<html>\x1b[2J404 not found</html>".to_vec(), "neither tar nor zip"),
        Case::new("zeros, then something", [vec![0; 2_048], b"x".repeat(512)].concat(), "neither tar nor zip"),
        Case::new(
            "a tar of zeros",
            bomb(&Forge::default().header(b'0', b"z", b"", octal(6 << 30)).open_end()),
            "grows beyond",
        ),
        Case::new("zeros alone", bomb(&[1; 512]), "grows beyond"),
        Case::new("a window of 2 GiB", zstd_window(), "its zstd stream is broken"),
        Case::new("a dictionary of 4 GiB", xz_dictionary(xz(&tar)), "its xz stream is broken"),
    ];
    for (name, bytes) in packed {
        let mut flipped = bytes.clone();
        let at = bytes.len() - 6;
        flipped[at] ^= 0x10;
        let broken = "stream is ";
        cases.push(Case::new(format!("{name}, cut off"), bytes[..bytes.len() - 3].to_vec(), broken));
        cases.push(Case::new(format!("{name}, half"), bytes[..bytes.len() / 2].to_vec(), broken));
        cases.push(Case::new(format!("{name} with a changed bit"), flipped, broken));
        cases.push(Case::new(format!("{name} and garbage"), [bytes, b"garbage!".to_vec()].concat(), broken));
    }
    cases
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packer.write_all(bytes).expect("packed");
    packer.finish().expect("packed")
}

fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    bzip2::read::BzEncoder::new(bytes, bzip2::Compression::best()).read_to_end(&mut packed).expect("packed");
    packed
}

fn xz(bytes: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    liblzma::read::XzEncoder::new(bytes, 1).read_to_end(&mut packed).expect("packed");
    packed
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    let mut packer = zstd::Encoder::new(Vec::new(), 1).expect("a packer");
    packer.include_checksum(true).expect("a checksum");
    packer.write_all(bytes).expect("packed");
    packer.finish().expect("packed")
}

/// Some bytes, then zeros, some ten thousand times as many as they take.
fn bomb(start: &[u8]) -> Vec<u8> {
    let mut packer = zstd::Encoder::new(Vec::new(), 1).expect("a packer");
    packer.write_all(start).expect("packed");
    for _ in 0..64 {
        packer.write_all(&vec![0; 1 << 20]).expect("packed");
    }
    packer.finish().expect("packed")
}

/// A frame whose header asks for a window of 2 GiB (RFC 8878, 3.1.1.1.2), with one raw block.
fn zstd_window() -> Vec<u8> {
    let exponent_of_2_gib = (31 - 10) << 3;
    [[0x28, 0xb5, 0x2f, 0xfd, 0, exponent_of_2_gib].as_slice(), &[0x09, 0, 0], b"x"].concat()
}

/// Asks for the largest dictionary there is; the header's sum is mended (xz file format, 3.1 and 5.3.1).
fn xz_dictionary(mut stream: Vec<u8>) -> Vec<u8> {
    let header = 12;
    let length = 4 * (usize::from(stream[header]) + 1);
    let filter = stream[header..header + length].windows(2).position(|bytes| bytes == [0x21, 1]).expect("LZMA2");
    stream[header + filter + 2] = 40;
    let end = header + length - 4;
    let sum = super::forge_zip::sum_of(&stream[header..end]);
    stream[end..end + 4].copy_from_slice(&sum.to_le_bytes());
    stream
}
