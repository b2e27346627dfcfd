//! A scratch space that a running Julia program may use at the same time, open for changes.
//!
//! Why: the rules both programs live by stand in one place: which lock protects what, how a file is
//! replaced, where this program keeps what is its own.
//! Guarantees: a file is replaced as a whole or not at all, with the mode and the owner it had, and
//! is durable before it takes the old one's place; what this program adds beside Julia's files lies
//! under `.oma`, save for files on their way to replace another.
//! Must not know: what the files mean.

use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD, Gid, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT, Uid};

use crate::digest::Digest;
use crate::error::{Error, PathContext as _, Result};
use crate::fs::{Disk, Waiting, lstat};
use crate::julia::ScratchSpace;
use crate::julia::pidfile::Pidfile;
use crate::text::printable_path;
use crate::time::Timestamp;

/// How often a rename into a folder that Julia keeps removing is tried.
const MOST_RENAMES: usize = 100;

/// A scratch space, and how this process changes it.
pub(crate) struct LiveSpace {
    pub(super) space: ScratchSpace,
    pub(super) disk: Disk,
    pub(super) waiting: Waiting,
}

impl LiveSpace {
    /// Opens the space at `root`, which must be spelt as Julia spells it: with the links in its path.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a path that TOML cannot hold because it is not UTF-8.
    pub(crate) fn new(root: &Path, disk: Disk, waiting: Waiting) -> Result<Self> {
        let root = std::path::absolute(root).at("resolve", root)?;
        if root.to_str().is_none() {
            return Err(Error::invalid("scratch space", &printable_path(&root), "Julia's logs hold only UTF-8"));
        }
        Ok(Self { space: ScratchSpace::new(&root), disk, waiting })
    }

    pub(crate) fn space(&self) -> &ScratchSpace {
        &self.space
    }

    /// Takes the lock of the bindings file at `path`; its folder must be there.
    pub(super) fn lock_bindings(&self, path: &Path, now: Timestamp) -> Result<Pidfile> {
        self.lock(&path.with_file_name("artifact_lock"), now)
    }

    /// Takes the lock of both logs, making their folder.
    pub(super) fn lock_logs(&self, now: Timestamp) -> Result<Pidfile> {
        self.disk.create_dir_all(&self.space.logs())?;
        self.lock(&self.space.logs().join(".my_artifact_usage_lock"), now)
    }

    /// Takes the lock under which an artifact is put in.
    pub(super) fn lock_artifact(&self, id: Digest, now: Timestamp) -> Result<Pidfile> {
        self.lock(&self.artifact_lock(id), now)
    }

    pub(super) fn artifact_lock(&self, id: Digest) -> PathBuf {
        self.space.artifacts().join(format!("{id}.lock"))
    }

    fn lock(&self, path: &Path, now: Timestamp) -> Result<Pidfile> {
        Pidfile::acquire(&self.disk, path, now, &mut self.waiting.patience())
    }

    /// Returns the folder for what is being built.
    pub(super) fn tmp(&self) -> PathBuf {
        self.space.root().join(".oma/tmp")
    }

    /// Returns the folder for what was collected.
    pub(super) fn trash(&self) -> PathBuf {
        self.space.root().join(".oma/trash")
    }

    /// Moves a file or directory to its place, whose folder Julia may remove while it is empty.
    pub(super) fn move_in(&self, from: &Path, to: &Path) -> Result<()> {
        let folder = to.parent().unwrap_or(to);
        for _ in 1..MOST_RENAMES {
            self.disk.create_dir_all(folder)?;
            match self.disk.rename(from, to) {
                Err(error) if error.is_io(io::ErrorKind::NotFound) => {}
                other => return other,
            }
        }
        self.disk.rename(from, to)
    }

    /// Sets the time of change to the present, the filesystem's own: from it Julia counts the age of
    /// what nobody has bound yet.
    pub(super) fn touch(&self, path: &Path) -> Result<()> {
        self.set_times(path, Timespec { tv_sec: 0, tv_nsec: UTIME_NOW })
    }

    fn set_times(&self, path: &Path, changed: Timespec) -> Result<()> {
        self.disk.fault_point(path)?;
        let times = Timestamps { last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT }, last_modification: changed };
        rustix::fs::utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW).at("set the time of", path)
    }

    /// Replaces a text file, or makes it. Its lock must be held.
    pub(super) fn replace(&self, path: &Path, text: &str) -> Result<()> {
        self.replace_as(path, text, false)
    }

    /// Replaces a text file that keeps its time of change, by which Julia knows when it last cleaned.
    pub(super) fn replace_quietly(&self, path: &Path, text: &str) -> Result<()> {
        self.replace_as(path, text, true)
    }

    fn replace_as(&self, path: &Path, text: &str, quietly: bool) -> Result<()> {
        // A link is kept and what it leads to is replaced, as when Julia writes.
        let path = &resolved(path)?;
        let old = lstat(path)?;
        if old.is_some() {
            // To put a new file in the place of one that must not be written would be a trick.
            rustix::fs::access(path, Access::WRITE_OK).at("write", path)?;
        }
        let draft = Draft::new(&self.disk, path)?;
        self.disk.write_new(&draft.path, text.as_bytes(), 0o644)?;
        if let Some(old) = &old {
            self.dress(&draft.path, old)?;
            if quietly {
                self.set_times(&draft.path, Timespec { tv_sec: old.mtime(), tv_nsec: old.mtime_nsec() })?;
            }
        }
        self.disk.flush(&draft.path)?;
        self.disk.rename(&draft.path, path)
    }

    /// Gives a new file the owner and the mode of the old one.
    fn dress(&self, path: &Path, old: &std::fs::Metadata) -> Result<()> {
        let new = std::fs::symlink_metadata(path).at("read", path)?;
        if (new.uid(), new.gid()) != (old.uid(), old.gid()) {
            self.disk.fault_point(path)?;
            let owner = (new.uid() != old.uid()).then(|| Uid::from_raw(old.uid()));
            let given = rustix::fs::chown(path, owner, Some(Gid::from_raw(old.gid())));
            // Without the right to give files away the group must do: who could write, still can.
            let shared = old.mode() & 0o020 != 0;
            if let (Err(_), true) = (given, shared) {
                rustix::fs::chown(path, None, Some(Gid::from_raw(old.gid()))).at("keep the group of", path)?;
            } else {
                given.at("keep the owner of", path)?;
            }
        }
        self.disk.set_mode(path, old.permissions().mode() & 0o7777)
    }
}

/// Returns where the links at a path lead; the path itself if nothing is there.
fn resolved(path: &Path) -> Result<PathBuf> {
    match std::fs::canonicalize(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(path.to_owned()),
        other => other.at("resolve", path),
    }
}

/// A file or directory of ours that is not where it belongs yet; removed when dropped.
pub(super) struct Draft {
    pub(super) path: PathBuf,
    disk: Disk,
}

impl Draft {
    /// Names a draft beside the file it is to replace.
    fn new(disk: &Disk, beside: &Path) -> Result<Self> {
        let name = format!(".oma-{}.tmp", random_name()?);
        Ok(Self { path: beside.with_file_name(name), disk: disk.clone() })
    }

    /// Names a draft in a folder of ours, making the folder.
    pub(super) fn inside(disk: &Disk, folder: &Path) -> Result<Self> {
        disk.create_dir_all(folder)?;
        Ok(Self { path: folder.join(random_name()?), disk: disk.clone() })
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        let _ = self.disk.remove_all(&self.path);
    }
}

/// Tells whether a file is a draft that was to replace another.
pub(super) fn is_draft(name: &str) -> bool {
    name.strip_prefix(".oma-").and_then(|rest| rest.strip_suffix(".tmp")).is_some_and(is_random)
}

/// Tells whether a name is one that this program makes up.
pub(super) fn is_random(name: &str) -> bool {
    name.len() == 16 && name.bytes().all(|digit| digit.is_ascii_hexdigit())
}

/// Returns a name nobody else has.
pub(super) fn random_name() -> Result<String> {
    let random = getrandom::u64().map_err(|error| Error::Internal(format!("no random numbers: {error}")))?;
    Ok(format!("{random:016x}"))
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test sets the scene as other programs would")]
pub(super) mod testing {
    //! A space in a folder of its own, for the tests of this module's neighbours.

    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::event::Interrupt;
    use crate::time::Clock;

    pub(in crate::julia) const UUID: &str = "aaaaaaaa-1111-4111-8111-111111111111";

    pub(in crate::julia) struct Desk {
        pub(in crate::julia) dir: tempfile::TempDir,
        pub(in crate::julia) live: LiveSpace,
    }

    impl Desk {
        pub(in crate::julia) fn new() -> Self {
            let dir = tempfile::tempdir().expect("made");
            let live = open(&dir.path().join("0.3"));
            std::fs::create_dir_all(live.space.artifacts()).expect("made");
            Self { dir, live }
        }

        /// Writes a file as our store would hold it.
        pub(in crate::julia) fn stored(&self, content: &[u8]) -> (Digest, PathBuf) {
            let id = Digest::of_blob(content);
            let path = self.dir.path().join(format!("store-{id}"));
            if !path.exists() {
                std::fs::write(&path, content).expect("written");
                std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o444)).expect("set");
            }
            (id, path)
        }

        pub(in crate::julia) fn read(&self, path: &str) -> String {
            std::fs::read_to_string(self.live.space.root().join(path)).expect("readable")
        }

        pub(in crate::julia) fn write(&self, path: &str, content: &str) {
            let path = self.live.space.root().join(path);
            std::fs::create_dir_all(path.parent().expect("has one")).expect("made");
            std::fs::write(path, content).expect("written");
        }

        /// Lists what lies in a folder of the space, sorted.
        pub(in crate::julia) fn names(&self, folder: &str) -> Vec<String> {
            let listing = std::fs::read_dir(self.live.space.root().join(folder)).expect("readable");
            let mut names: Vec<String> =
                listing.map(|entry| entry.expect("readable").file_name().into_string().expect("text")).collect();
            names.sort_unstable();
            names
        }
    }

    pub(in crate::julia) fn open(root: &Path) -> LiveSpace {
        let limit = Some(Duration::from_secs(20));
        let waiting = Waiting { observer: Arc::new(()), interrupt: Interrupt::default(), limit };
        LiveSpace::new(root, Disk::default(), waiting).expect("a space")
    }

    pub(in crate::julia) fn now() -> Timestamp {
        Clock::System.now()
    }
}
