//! Writes a tar that depends on nothing but what goes in: POSIX "ustar", with a "pax" header before an entry
//! that does not fit into one.
//!
//! Guarantees: no time, no user, no group, and permissions that say only whether a file can be run; so the
//! same entries are the same bytes on every machine.
//! Must not know: where the bytes come from or go to.

use std::io::{self, Write};

const BLOCK: usize = 512;
/// What the fields of a header hold.
const NAME: usize = 100;
const PREFIX: usize = 155;
/// Eleven octal digits.
const LARGEST: u64 = 0o77_777_777_777;

/// A tar being written.
pub(crate) struct TarWriter<W> {
    to: W,
    /// Bytes of the current file that are still to come.
    left: u64,
    padding: u64,
}

/// The fields of a header that differ from entry to entry.
struct Fields<'a> {
    name: &'a [u8],
    link: &'a [u8],
    kind: u8,
    mode: u32,
    size: u64,
}

impl<W: Write> TarWriter<W> {
    pub(crate) fn new(to: W) -> Self {
        Self { to, left: 0, padding: 0 }
    }

    /// Writes a directory.
    pub(crate) fn directory(&mut self, name: &[u8]) -> io::Result<()> {
        let name = [name, b"/"].concat();
        self.header(&Fields { name: &name, link: b"", kind: b'5', mode: 0o755, size: 0 })
    }

    /// Writes a symbolic link.
    pub(crate) fn symlink(&mut self, name: &[u8], target: &[u8]) -> io::Result<()> {
        self.header(&Fields { name, link: target, kind: b'2', mode: 0o777, size: 0 })
    }

    /// Writes another name of a file that was written before.
    pub(crate) fn hard_link(&mut self, name: &[u8], executable: bool, first: &[u8]) -> io::Result<()> {
        self.header(&Fields { name, link: first, kind: b'1', mode: mode(executable), size: 0 })
    }

    /// Begins a file; exactly `size` bytes follow by [`TarWriter::data`].
    pub(crate) fn file(&mut self, name: &[u8], executable: bool, size: u64) -> io::Result<()> {
        self.header(&Fields { name, link: b"", kind: b'0', mode: mode(executable), size })?;
        (self.left, self.padding) = (size, size.wrapping_neg() % BLOCK as u64);
        Ok(())
    }

    /// Writes the next bytes of the file that was begun.
    pub(crate) fn data(&mut self, bytes: &[u8]) -> io::Result<()> {
        let left = self.left.checked_sub(bytes.len() as u64);
        self.left = left.ok_or_else(|| io::Error::other("a file grows while it is read"))?;
        self.to.write_all(bytes)
    }

    /// Ends the archive, and returns what it was written to.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        self.end_file()?;
        self.to.write_all(&[0; 2 * BLOCK])?;
        Ok(self.to)
    }

    fn end_file(&mut self) -> io::Result<()> {
        if self.left > 0 {
            return Err(io::Error::other("a file shrinks while it is read"));
        }
        let padding = usize::try_from(std::mem::take(&mut self.padding)).unwrap_or_default();
        self.to.write_all(&[0; BLOCK][..padding])
    }

    fn header(&mut self, fields: &Fields<'_>) -> io::Result<()> {
        self.end_file()?;
        let split = split_name(fields.name);
        let mut lines = Vec::new();
        if split.is_none() {
            line(&mut lines, "path", fields.name);
        }
        if fields.link.len() > NAME {
            line(&mut lines, "linkpath", fields.link);
        }
        if fields.size > LARGEST {
            line(&mut lines, "size", fields.size.to_string().as_bytes());
        }
        if !lines.is_empty() {
            let size = lines.len() as u64;
            let extended = Fields { name: b"././@PaxHeader", link: b"", kind: b'x', mode: 0o644, size };
            self.to.write_all(&block(&extended, (b"", extended.name)))?;
            self.to.write_all(&lines)?;
            self.to.write_all(&[0; BLOCK][..lines.len().wrapping_neg() % BLOCK])?;
        }
        self.to.write_all(&block(fields, split.unwrap_or((b"", &fields.name[..fields.name.len().min(NAME)]))))
    }
}

const fn mode(executable: bool) -> u32 {
    if executable { 0o755 } else { 0o644 }
}

/// Returns prefix and name as a header holds them; none if it cannot.
fn split_name(name: &[u8]) -> Option<(&[u8], &[u8])> {
    if name.len() <= NAME {
        return Some((b"", name));
    }
    // The rest must not be empty, so a slash at the very end does not part anything.
    let slashes = (1..name.len() - 1).filter(|at| name[*at] == b'/');
    let mut fitting = slashes.filter(|at| *at <= PREFIX && name.len() - at - 1 <= NAME);
    fitting.next().map(|at| (&name[..at], &name[at + 1..]))
}

/// Adds a line of an extended header, which counts its own length.
fn line(lines: &mut Vec<u8>, key: &str, value: &[u8]) {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    lines.extend_from_slice(format!("{length} {key}=").as_bytes());
    lines.extend_from_slice(value);
    lines.push(b'\n');
}

fn block(fields: &Fields<'_>, (prefix, name): (&[u8], &[u8])) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, name);
    put(100, format!("{:07o}", fields.mode).as_bytes());
    put(108, b"0000000");
    put(116, b"0000000");
    put(124, format!("{:011o}", if fields.size > LARGEST { 0 } else { fields.size }).as_bytes());
    put(136, b"00000000000");
    put(148, b"        ");
    put(156, &[fields.kind]);
    put(157, &fields.link[..fields.link.len().min(NAME)]);
    put(257, b"ustar\x0000");
    put(345, prefix);
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_counts_its_own_length() {
        for size in [1, 80, 88, 89, 90, 985, 986, 987, 4_000] {
            let mut lines = Vec::new();
            line(&mut lines, "path", &vec![b'x'; size]);
            let text = String::from_utf8(lines).expect("plain text");
            let (length, _) = text.split_once(' ').expect("a length");
            assert_eq!(length.parse(), Ok(text.len()), "{size}");
        }
    }

    #[test]
    fn a_long_name_is_parted_at_a_slash_or_not_at_all() {
        let parts = |name: &str| split_name(name.as_bytes()).map(|(prefix, name)| (prefix.len(), name.len()));
        assert_eq!(parts(&"x".repeat(100)), Some((0, 100)));
        assert_eq!(parts(&"x".repeat(101)), None);
        assert_eq!(parts(&format!("{}/{}", "a".repeat(155), "b".repeat(100))), Some((155, 100)));
        assert_eq!(parts(&format!("{}/{}", "a".repeat(156), "b".repeat(100))), None);
        assert_eq!(parts(&format!("{}/", "a".repeat(120))), None);
    }
}
