//! Tells what an archive is by its first bytes.
//!
//! Why: names lie, and a URL often has no suffix at all.
//! Guarantees: only the bytes decide; nothing is read beyond those given.
//! Must not know: how any of it is unpacked.

/// How many first bytes are enough to tell.
pub(crate) const ENOUGH: usize = 10;

/// What the bytes of an archive are packed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packing {
    /// Nothing known: tar as it is, or no archive.
    Plain,
    /// RFC 1952.
    Gzip,
    /// bzip2, also without any content.
    Bzip2,
    /// The .xz file format 1.2.
    Xz,
    /// RFC 8878, also when it starts with a skippable frame.
    Zstd,
    /// The .ZIP file format.
    Zip,
}

impl Packing {
    /// Names the packing, for a sentence.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Plain => "tar",
            Self::Gzip => "gzip",
            Self::Bzip2 => "bzip2",
            Self::Xz => "xz",
            Self::Zstd => "zstd",
            Self::Zip => "zip",
        }
    }
}

/// Tells the packing from the first [`ENOUGH`] bytes, or all if there are fewer.
pub(crate) fn sniff(first: &[u8]) -> Packing {
    match first {
        [0x1f, 0x8b, ..] => Packing::Gzip,
        [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, 0x59, 0x26, 0x53, 0x59, ..]
        | [b'B', b'Z', b'h', b'1'..=b'9', 0x17, 0x72, 0x45, 0x38, 0x50, 0x90, ..] => Packing::Bzip2,
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Packing::Xz,
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Packing::Zstd,
        [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => Packing::Zip,
        _ => Packing::Plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_packing_is_told_by_its_first_bytes() {
        // The first bytes of `printf '' | gzip`, `bzip2`, `xz`, `zstd`, and of an empty zip.
        assert_eq!(sniff(b"\x1f\x8b\x08\0\0\0\0\0\0\x03"), Packing::Gzip);
        assert_eq!(sniff(b"BZh9\x17rE8P\x90"), Packing::Bzip2);
        assert_eq!(sniff(b"BZh11AY&SY"), Packing::Bzip2);
        assert_eq!(sniff(b"\xfd7zXZ\0\0\x04\xe6\xd6"), Packing::Xz);
        assert_eq!(sniff(b"\x28\xb5\x2f\xfd\x24\0"), Packing::Zstd);
        assert_eq!(sniff(b"\x50\x2a\x4d\x18\x04\0"), Packing::Zstd);
        assert_eq!(sniff(b"PK\x05\x06\0\0\0\0\0\0"), Packing::Zip);
    }

    #[test]
    fn a_file_name_that_looks_like_magic_is_plain_tar() {
        assert_eq!(sniff(b"BZh9/readme"), Packing::Plain);
        assert_eq!(sniff(b"PKG/src"), Packing::Plain);
        assert_eq!(sniff(b""), Packing::Plain);
        assert_eq!(sniff(b"\x1f"), Packing::Plain);
    }
}
