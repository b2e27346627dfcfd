//! Brings the bytes behind an address into a file of ours, hashing them on the way.
//!
//! Why: what is checked must be what was written, so there is one pass and no second reading.
//! Guarantees: the target is new; only a regular file is read, and never more of it than it had when
//! it was opened, so a pipe cannot hang and a growing file cannot fill the disk; after an error the
//! target is gone.
//! Must not know: what the bytes are, which hash they should have.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::error::{PathContext as _, Result};
use crate::event::{Event, Interrupt, Observer, Phase};
use crate::fetch::url::local_path;
use crate::fs::{Disk, open_source};

/// Bytes move in pieces of this size.
const CHUNK: usize = 256 * 1024;
/// How fetching is shown.
const PHASE: Phase = Phase::Hash;

/// What arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Downloaded {
    /// How many bytes.
    pub(crate) bytes: u64,
    /// Their plain SHA-256, what `sha256sum` prints; not an object's name.
    pub(crate) sha256: [u8; 32],
}

impl Downloaded {
    /// Returns the SHA-256 as 64 lower-case hex digits.
    pub(crate) fn sha256_hex(&self) -> String {
        self.sha256.iter().fold(String::with_capacity(64), |mut hex, byte| {
            write!(hex, "{byte:02x}").expect("writing to a string cannot fail");
            hex
        })
    }
}

/// Copies what `url` stands for into the new file `to`, readable by its owner only.
///
/// # Errors
/// [`crate::error::Error::Invalid`] for an address that cannot be fetched, `Unsupported` for what is
/// no regular file, `Io` if `to` exists, `Interrupted`.
pub(crate) fn download(
    disk: &Disk,
    url: &str,
    to: &Path,
    observer: &dyn Observer,
    interrupt: &Interrupt,
) -> Result<Downloaded> {
    let path = local_path(url)?;
    // A link is followed, as by any program that opens the file; what it leads to must be a file.
    let path = std::fs::canonicalize(&path).at("open", &path)?;
    let (source, found) = open_source(&path)?;
    let mut target = disk.create_file(to, 0o600)?;
    observer.on(&Event::Begin { phase: PHASE, files: Some(1) });
    let pass = Pass { disk, observer, interrupt, from: &path, to };
    let outcome = pass.pump(&source, found.len(), &mut target);
    observer.on(&Event::End { phase: PHASE });
    if outcome.is_err() {
        // The first error says more than a second one, about the clearing up, could.
        drop(disk.remove_file(to));
    }
    outcome
}

struct Pass<'a> {
    disk: &'a Disk,
    observer: &'a dyn Observer,
    interrupt: &'a Interrupt,
    from: &'a Path,
    to: &'a Path,
}

impl Pass<'_> {
    fn pump(&self, source: &File, length: u64, target: &mut File) -> Result<Downloaded> {
        let mut source = source.take(length);
        let mut hasher = Sha256::new();
        let mut buffer = vec![0; CHUNK];
        let mut bytes = 0;
        loop {
            self.interrupt.check()?;
            let count = source.read(&mut buffer).at("read", self.from)?;
            if count == 0 {
                break;
            }
            self.disk.fault_point(self.to)?;
            target.write_all(&buffer[..count]).at("write", self.to)?;
            hasher.update(&buffer[..count]);
            bytes += count as u64;
            self.observer.on(&Event::Advance { phase: PHASE, files: 0, bytes: count as u64 });
        }
        self.observer.on(&Event::Advance { phase: PHASE, files: 1, bytes: 0 });
        Ok(Downloaded { bytes, sha256: hasher.finalize().into() })
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests prepare the disk themselves")]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::error::Error;

    fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("a folder");
        for (name, content) in files {
            std::fs::write(dir.path().join(name), content).expect("written");
        }
        dir
    }

    fn fetch(from: &Path, to: &Path) -> Result<Downloaded> {
        let url = format!("file://{}", from.display());
        download(&Disk::default(), &url, to, &(), &Interrupt::default())
    }

    #[test]
    fn the_bytes_arrive_with_the_hash_that_sha256sum_prints() {
        let dir = folder(&[("abc", b"abc"), ("empty", b"")]);
        let to = dir.path().join("to");
        // FIPS 180-2, appendix B.1.
        let got = fetch(&dir.path().join("abc"), &to).expect("fetched");
        assert_eq!(got.sha256_hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!((got.bytes, std::fs::read(&to).expect("there")), (3, b"abc".to_vec()));
        let got = fetch(&dir.path().join("empty"), &dir.path().join("to2")).expect("fetched");
        assert_eq!(got.sha256_hex(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }

    #[test]
    fn a_large_file_arrives_whole() {
        let content: Vec<u8> = (0..3_000_001_u32).flat_map(|n| n.to_le_bytes()).take(3_000_001).collect();
        let dir = folder(&[("big", &content)]);
        let to = dir.path().join("to");
        let got = fetch(&dir.path().join("big"), &to).expect("fetched");
        assert!(got.bytes == 3_000_001 && std::fs::read(&to).expect("there") == content);
        assert_eq!(got.sha256, <[u8; 32]>::from(Sha256::digest(&content)));
    }

    #[test]
    fn a_target_that_exists_stays_as_it_is() {
        let dir = folder(&[("from", b"new"), ("to", b"old")]);
        let to = dir.path().join("to");
        assert!(
            fetch(&dir.path().join("from"), &to).is_err_and(|error| error.is_io(std::io::ErrorKind::AlreadyExists))
        );
        let link = dir.path().join("link");
        std::os::unix::fs::symlink("elsewhere", &link).expect("a link");
        assert!(fetch(&dir.path().join("from"), &link).is_err());
        assert_eq!(std::fs::read(&to).expect("there"), b"old");
        assert!(!dir.path().join("elsewhere").exists());
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
    fn an_interrupted_download_leaves_nothing() {
        let dir = folder(&[("from", b"bytes")]);
        let to = dir.path().join("to");
        let interrupt = Interrupt::default();
        interrupt.request();
        let url = format!("file://{}", dir.path().join("from").display());
        assert!(matches!(download(&Disk::default(), &url, &to, &(), &interrupt), Err(Error::Interrupted)));
        assert!(!to.exists());
    }
}
