//! Unpacking, held against GNU tar, and against archives made to do harm.

mod agree;
mod costly;
mod forge;
mod forge_zip;
mod hostile;
mod streams;
mod zip;

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::*;
use crate::error::Error;

/// What lies at a path: its kind, whether its owner may execute it, its content or target.
type Listing = BTreeMap<PathBuf, (char, bool, Vec<u8>)>;

fn listing(root: &Path) -> Listing {
    walkdir::WalkDir::new(root).min_depth(1).into_iter().map(|entry| seen(root, entry.expect("readable"))).collect()
}

fn seen(root: &Path, entry: walkdir::DirEntry) -> (PathBuf, (char, bool, Vec<u8>)) {
    let (path, kind) = (entry.path(), entry.file_type());
    let what = if kind.is_dir() {
        ('d', true, Vec::new())
    } else if kind.is_symlink() {
        ('l', true, std::fs::read_link(path).expect("a link").as_os_str().as_bytes().to_vec())
    } else {
        let executable = entry.metadata().expect("there").permissions().mode() & 0o100 != 0;
        ('f', executable, std::fs::read(path).expect("a file"))
    };
    (path.strip_prefix(root).expect("below").to_owned(), what)
}

/// A folder with something of value beside the place where archives are unpacked.
struct Place {
    dir: tempfile::TempDir,
}

#[expect(clippy::disallowed_methods, reason = "tests prepare the disk themselves")]
impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(dir.path().join("outside")).expect("made");
        std::fs::write(dir.path().join("outside/secret"), "of value").expect("written");
        Self { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn dest(&self) -> PathBuf {
        self.path("dest")
    }

    fn unpack(&self, archive: &[u8]) -> Result<Unpacked> {
        self.unpack_within(archive, &Limits::default())
    }

    /// Unpacks, and checks what must hold whatever the archive is.
    fn unpack_within(&self, archive: &[u8], limits: &Limits) -> Result<Unpacked> {
        let file = self.path("archive");
        std::fs::write(&file, archive).expect("written");
        let outcome = unpack(&Disk::default(), &file, &self.dest(), limits, &(), &Interrupt::default());
        if outcome.is_err() {
            assert!(std::fs::symlink_metadata(self.dest()).is_err(), "an error leaves nothing");
        }
        let mut others = listing(self.dir.path());
        others.retain(|path, _| !path.starts_with("dest"));
        let expected = BTreeMap::from([
            (PathBuf::from("archive"), ('f', false, archive.to_vec())),
            (PathBuf::from("outside"), ('d', true, Vec::new())),
            (PathBuf::from("outside/secret"), ('f', false, b"of value".to_vec())),
        ]);
        assert!(others == expected, "nothing outside is touched");
        outcome
    }

    /// Unpacks what must be refused; returns the reason.
    fn refusal(&self, archive: &[u8]) -> String {
        match self.unpack(archive) {
            Err(Error::Archive { reason, .. }) => reason,
            other => panic!("{other:?}"),
        }
    }

    /// Unpacks what must be accepted, lists it and clears it away.
    fn content(&self, archive: &[u8]) -> Listing {
        self.unpack(archive).unwrap_or_else(|error| panic!("{error}"));
        let content = listing(&self.dest());
        self.clear();
        content
    }

    fn clear(&self) {
        std::fs::remove_dir_all(self.dest()).expect("removed");
    }
}
