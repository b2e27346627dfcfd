//! What every test needs: a store of its own, a clock that stands still, files on disk.

#[cfg(feature = "cli")]
pub(crate) mod depot;
#[cfg(feature = "http")]
pub(crate) mod downloads;
#[cfg(feature = "cli")]
pub(crate) mod julia;
#[cfg(feature = "cli")]
pub(crate) mod oma;
pub(crate) mod oracle;
#[cfg(feature = "http")]
pub(crate) mod server;
#[cfg(feature = "cli")]
pub(crate) mod shape;
pub(crate) mod story;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ohmyartifacts::{Cache, CacheOptions, Clock, Durability, Error, GcPolicy, GcReport, LinkStyle, Result, Timestamp};
use tempfile::TempDir;

/// All link styles, for tests that must hold in each.
pub(crate) const STYLES: [LinkStyle; 3] = [LinkStyle::Absolute, LinkStyle::Relative, LinkStyle::Hardlink];

/// A day.
pub(crate) const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A temporary directory with a store (`store/`) and room for sources.
pub(crate) struct Env {
    dir: TempDir,
    style: LinkStyle,
    pub(crate) clock: Clock,
}

impl Env {
    pub(crate) fn new() -> Self {
        Self::with_style(LinkStyle::default())
    }

    pub(crate) fn with_style(style: LinkStyle) -> Self {
        Self::in_dir(tempfile::tempdir().expect("a temporary directory"), style)
    }

    /// In memory where the system has such a place, for tests that flush thousands of times.
    pub(crate) fn in_memory(style: LinkStyle) -> Self {
        match tempfile::tempdir_in("/dev/shm") {
            Ok(dir) => Self::in_dir(dir, style),
            Err(_) => Self::with_style(style),
        }
    }

    fn in_dir(dir: TempDir, style: LinkStyle) -> Self {
        let start: Timestamp = "2026-01-01T00:00:00Z".parse().expect("a valid time");
        Self { dir, style, clock: Clock::fixed(start) }
    }

    /// A path in the temporary directory.
    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.path("store")
    }

    /// Options for this store. Flushing is left out: it changes nothing a test can see.
    pub(crate) fn options(&self) -> CacheOptions {
        CacheOptions::new(self.root()).link_style(self.style).durability(Durability::None).clock(self.clock.clone())
    }

    pub(crate) fn open(&self) -> Cache {
        Cache::open(self.options()).expect("the store opens")
    }

    /// Moves the clock on. The store is in use all the while.
    pub(crate) fn pass(&self, span: Duration) {
        self.jump(span);
        let index = self.root().join("index.sqlite");
        if index.exists() {
            // A store that cannot be written, or is broken on purpose, is used by nobody.
            let connection = rusqlite::Connection::open(index).expect("the index opens");
            let now = self.clock.now().as_millis();
            let _ = connection.execute("UPDATE last_use SET at = ?1 WHERE at < ?1", [now]);
        }
    }

    /// Moves the clock on, and nobody sees that time pass.
    pub(crate) fn jump(&self, span: Duration) {
        self.clock.set(self.clock.now().plus(span));
    }

    /// Writes files below `name`; a path that ends in `/` is an empty directory.
    pub(crate) fn tree(&self, name: &str, files: &[(&str, &str)]) -> PathBuf {
        let top = self.path(name);
        fs::create_dir_all(&top).expect("a new directory");
        for (path, content) in files {
            let at = top.join(path);
            if path.ends_with('/') {
                fs::create_dir_all(&at).expect("a new directory");
            } else {
                fs::create_dir_all(at.parent().expect("a parent")).expect("a new directory");
                fs::write(&at, content).expect("a new file");
            }
        }
        top
    }
}

/// Makes a file executable.
pub(crate) fn make_executable(path: &Path) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("a file of ours");
}

/// Plans and carries out a gc that takes orphans older than `delay`.
pub(crate) fn gc(cache: &Cache, delay: Duration) -> GcReport {
    let plan = cache.gc_plan(&GcPolicy::default().collect_delay(delay)).expect("a plan");
    let preview = plan.preview();
    let report = cache.gc_apply(&plan).expect("a report");
    assert_eq!(preview.artifacts, report.artifacts, "the dry run and the real run differ");
    assert_eq!(preview.freed_bytes, report.freed_bytes, "the dry run and the real run differ");
    report
}

/// Everything on a store's shelves: path below the root, without folders of two digits.
pub(crate) fn shelves(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for shelf in ["artifacts", "executables"] {
        for drawer in fs::read_dir(root.join(shelf)).into_iter().flatten().flatten() {
            for object in fs::read_dir(drawer.path()).into_iter().flatten().flatten() {
                found.push(format!("{shelf}/{}", object.file_name().to_string_lossy()));
            }
        }
    }
    found.sort();
    found
}

/// Bytes of all regular files on the shelves, each inode once: what `du --apparent-size` counts.
pub(crate) fn bytes_on_disk(root: &Path) -> u64 {
    let mut inodes = BTreeMap::new();
    for shelf in ["artifacts", "executables"] {
        for entry in walkdir::WalkDir::new(root.join(shelf)).into_iter().flatten() {
            let found = entry.path().symlink_metadata().expect("it was just listed");
            if found.is_file() {
                inodes.insert((found.dev(), found.ino()), found.len());
            }
        }
    }
    inodes.values().sum()
}

/// Everything in the folders for work in progress and for the trash, without locks.
pub(crate) fn leftovers(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for folder in ["tmp", "trash"] {
        for entry in fs::read_dir(root.join(folder)).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            match name.as_str() {
                "locks" => {}
                "partial" => {
                    let kept = fs::read_dir(entry.path()).into_iter().flatten().flatten();
                    found.extend(kept.map(|part| format!("tmp/partial/{}", part.file_name().to_string_lossy())));
                }
                name => found.push(format!("{folder}/{name}")),
            }
        }
    }
    found.sort();
    found
}

/// Returns the error, after a look at how it and its causes read on a terminal.
pub(crate) fn refused<T: Debug>(outcome: Result<T>) -> Error {
    let error = outcome.expect_err("it must be refused");
    let text = error.to_string();
    assert!(text.chars().all(|c| !c.is_control()), "raw control characters in {text:?}");
    assert!(!text.contains(['\u{202e}', '\u{2066}']), "the text turns around in {text:?}");
    error
}

/// The permission bits, setuid and its like among them.
pub(crate) fn mode_of(path: &Path) -> u32 {
    path.symlink_metadata().expect("it is there").mode() & 0o7777
}

/// Every path below `top` with mode and content, links as text.
pub(crate) fn picture(top: &Path) -> Vec<(PathBuf, u32, Vec<u8>)> {
    let entries = walkdir::WalkDir::new(top).sort_by_file_name().into_iter().map(|entry| {
        let path = entry.expect("a readable source").into_path();
        let content = match path.symlink_metadata().expect("it is there").file_type() {
            kind if kind.is_file() => fs::read(&path).expect("a readable file"),
            kind if kind.is_symlink() => fs::read_link(&path).expect("a link").into_os_string().into_encoded_bytes(),
            _ => Vec::new(),
        };
        (path.clone(), mode_of(&path), content)
    });
    entries.collect()
}
