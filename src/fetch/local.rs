//! Copies a file of this machine.
//!
//! Guarantees: only a regular file is read, and never more of it than it had when it was opened, so a pipe
//! cannot hang and a growing file cannot fill the disk.

use std::fs::Metadata;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::error::{PathContext as _, Result};
use crate::fetch::bring::{Arrival, Order};
use crate::fetch::partial::Partial;
use crate::fetch::validators::Validators;
use crate::fs::open_source;

/// Bytes move in pieces of this size.
const CHUNK: usize = 512 * 1024;
/// More is not taken of a file that says that it has none.
const LONGEST_UNKNOWN: u64 = 16 * 1024 * 1024;

/// Copies the file at `path`, all of it: that is faster than asking what could be left.
pub(super) fn copy(path: &Path, order: &Order<'_>, partial: &mut Partial<'_>) -> Result<Arrival> {
    // A link is followed, as by any program that opens the file; what it leads to must be a file.
    let path = std::fs::canonicalize(path).at("open", path)?;
    let (source, found) = open_source(&path)?;
    let validators = validators(&found);
    if order.known == Some(&validators) {
        return Ok(Arrival::Unchanged);
    }
    // The files of some filesystems, such as proc, have bytes and no length.
    let length = Some(found.len()).filter(|length| *length > 0);
    order.admit(length, 0)?;
    order.announce(length, 0);
    partial.restart(validators, length, false)?;
    let mut source = source.take(length.unwrap_or(LONGEST_UNKNOWN));
    let mut buffer = vec![0; CHUNK];
    loop {
        order.interrupt.check()?;
        let count = source.read(&mut buffer).at("read", &path)?;
        if count == 0 {
            return Ok(Arrival::Whole { fresh: true });
        }
        partial.append(&buffer[..count])?;
        order.advance(count as u64);
    }
}

/// What changes whenever the file does: its content's time can be set back, that of its entry cannot.
fn validators(found: &Metadata) -> Validators {
    let etag = format!(
        "\"{:x}-{:x}-{:x}.{:x}-{:x}.{:x}\"",
        found.ino(),
        found.len(),
        found.mtime(),
        found.mtime_nsec(),
        found.ctime(),
        found.ctime_nsec()
    );
    Validators::new(Some(&etag), None)
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests prepare the disk themselves")]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::digest::Digest;
    use crate::error::Error;
    use crate::event::Interrupt;
    use crate::fetch::Address;
    use crate::fetch::bring::{Brought, Errand, Outcome, bring_to};
    use crate::fs::Disk;

    fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("a folder");
        for (name, content) in files {
            std::fs::write(dir.path().join(name), content).expect("written");
        }
        dir
    }

    fn ask(from: &Path, to: &Path, known: Option<&Validators>, interrupt: &Interrupt) -> Result<Outcome> {
        let url = format!("file://{}", from.display());
        let address = Address::parse(&url)?;
        let errand = Errand::default();
        let order = Order { address: &address, errand: &errand, known, room: &|_| Ok(()), observer: &(), interrupt };
        bring_to(&order, &Disk::default(), to)
    }

    fn fetch(from: &Path, to: &Path) -> Result<Brought> {
        match ask(from, to, None, &Interrupt::default())? {
            Outcome::Brought(brought) => Ok(brought),
            Outcome::Unchanged => panic!("nothing was known"),
        }
    }

    #[test]
    fn the_bytes_arrive_with_the_hash_that_sha256sum_prints() {
        let dir = folder(&[("abc", b"abc"), ("empty", b"")]);
        let to = dir.path().join("to");
        // FIPS 180-2, appendix B.1.
        let got = fetch(&dir.path().join("abc"), &to).expect("fetched");
        assert_eq!(got.sha256.to_string(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!((got.bytes, std::fs::read(&to).expect("there")), (3, b"abc".to_vec()));
        let got = fetch(&dir.path().join("empty"), &dir.path().join("to2")).expect("fetched");
        assert_eq!(got.sha256.to_string(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }

    #[test]
    fn a_large_file_arrives_whole() {
        let content: Vec<u8> = (0..3_000_001_u32).flat_map(|n| n.to_le_bytes()).take(3_000_001).collect();
        let dir = folder(&[("big", &content)]);
        let to = dir.path().join("to");
        let got = fetch(&dir.path().join("big"), &to).expect("fetched");
        assert!(got.bytes == 3_000_001 && std::fs::read(&to).expect("there") == content);
        assert_eq!(got.digest, Some(Digest::of_blob(&content)));
    }

    #[test]
    fn a_file_that_is_as_it_was_is_not_read_again() {
        let dir = folder(&[("from", b"old")]);
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        let known = fetch(&from, &to).expect("fetched").validators;
        let again = |known| ask(&from, &dir.path().join("to2"), Some(known), &Interrupt::default()).expect("asked");
        assert!(matches!(again(&known), Outcome::Unchanged));
        std::fs::write(&from, b"new").expect("written");
        assert!(matches!(again(&known), Outcome::Brought(_)));
    }

    #[test]
    fn what_is_no_file_is_refused_and_does_not_hang() {
        let dir = folder(&[]);
        let pipe: PathBuf = dir.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).expect("a pipe");
        let to = dir.path().join("to");
        assert!(matches!(fetch(&pipe, &to), Err(Error::Unsupported { what: "named pipe", .. })));
        assert!(matches!(fetch(Path::new("/dev/zero"), &to), Err(Error::Unsupported { what: "device", .. })));
        assert!(matches!(fetch(dir.path(), &to), Err(Error::Unsupported { .. })));
        assert!(fetch(&dir.path().join("nothing"), &to).is_err_and(|error| error.is_io(std::io::ErrorKind::NotFound)));
        assert!(!to.exists());
    }

    #[test]
    fn a_link_is_followed() {
        let dir = folder(&[("from", b"bytes")]);
        let link = dir.path().join("link");
        std::os::unix::fs::symlink("from", &link).expect("a link");
        assert_eq!(fetch(&link, &dir.path().join("to")).expect("fetched").bytes, 5);
    }

    #[test]
    fn an_interrupted_copy_says_so() {
        let dir = folder(&[("from", b"bytes")]);
        let interrupt = Interrupt::default();
        interrupt.request();
        let asked = ask(&dir.path().join("from"), &dir.path().join("to"), None, &interrupt);
        assert!(matches!(asked, Err(Error::Interrupted)));
    }
}
