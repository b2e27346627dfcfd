//! Tells what of an attached space has changed since the last look, by stamps alone.
//!
//! Guarantees: nothing is opened; a stamp taken while its file could still change within one tick of the
//! clock is not trusted at the next look.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cache::Cache;
use crate::cache::attached::Mirror;
use crate::cache::attached::mirror::SELF;
use crate::digest::Digest;
use crate::error::Result;
use crate::fs::lstat;
use crate::julia::{FileKey, LiveSpace, ScratchSpace, SpaceFile};
use crate::model::OwnerId;
use crate::time::Timestamp;

/// Stands for this store among the stamps.
const OURS: &str = "(this store)";
/// Stands, before its hash, for a directory some of whose files are not there; the stamp names them.
pub(super) const LACKING: &str = "(lacking) ";
/// Put behind a stamp that is too fresh to be trusted.
const FRESH: &str = " fresh";
/// A file that was changed so lately may be changed again without another stamp.
const TICK: Duration = Duration::from_secs(2);

/// What has changed since the last look.
pub(super) struct Changes {
    pub(super) stamps: BTreeMap<String, String>,
    pub(super) shelves: BTreeSet<PathBuf>,
    pub(super) files: Vec<SpaceFile>,
    pub(super) gone_owners: Vec<OwnerId>,
    /// Directories whose files have come since.
    pub(super) lacking: BTreeSet<Digest>,
    pub(super) ours: bool,
}

impl Mirror {
    pub(super) fn changes(&self, cache: &Cache, live: &LiveSpace) -> Result<Option<Changes>> {
        let known = self.index.read(|tx| tx.space_stamps(SELF))?;
        let space = live.space();
        let mut stamps = Stamps { known: &known, taken: BTreeMap::new(), now: cache.now() };
        let mut shelves = BTreeSet::new();
        for shelf in space.shelves()? {
            if stamps.take(&shelf)? {
                shelves.insert(shelf);
            }
        }
        let mut files = Vec::new();
        for file in space.files()? {
            if stamps.take(&file.path)? {
                files.push(file);
            }
        }
        let usage = stamps.take(&space.usage_log())?;
        let orphans = stamps.take(&space.orphan_log())?;
        let mut stamps = stamps.taken;
        let (objects, gc) = cache.read(|tx| tx.object_changes())?;
        stamps.insert(OURS.to_owned(), format!("{objects} {gc}"));
        let ours = known.get(OURS) != stamps.get(OURS);
        let lacking = keep_lacking(space, &known, &mut stamps)?;
        let gone: Vec<&str> = known.keys().filter(|path| !stamps.contains_key(*path)).map(String::as_str).collect();
        shelves
            .extend(gone.iter().filter(|path| Path::new(path).parent() == Some(&space.artifacts())).map(PathBuf::from));
        let gone_owners = gone.iter().filter_map(|path| FileKey::of(Path::new(path)));
        let gone_owners = gone_owners.filter_map(|key| OwnerId::new(&key.uuid, key.version.as_deref()).ok()).collect();
        let logs = usage || orphans;
        let none = shelves.is_empty() && files.is_empty() && gone.is_empty() && !logs && !ours;
        Ok((!none).then_some(Changes { stamps, shelves, files, gone_owners, lacking, ours }))
    }
}

/// What files and folders are like, beside what they were like.
struct Stamps<'a> {
    known: &'a BTreeMap<String, String>,
    taken: BTreeMap<String, String>,
    now: Timestamp,
}

impl Stamps<'_> {
    /// Takes a stamp; tells whether it is another than the one known, or cannot be told from it.
    fn take(&mut self, path: &Path) -> Result<bool> {
        let Some(found) = lstat(path)? else { return Ok(false) };
        let mut stamp = format!(
            "{} {} {}.{:09} {}.{:09}",
            found.ino(),
            found.len(),
            found.mtime(),
            found.mtime_nsec(),
            found.ctime(),
            found.ctime_nsec()
        );
        let path = path.to_string_lossy().into_owned();
        let changed = self.known.get(&path) != Some(&stamp);
        // A folder or file with a time in the future is read each time.
        if self.now.since(changed_at(&found)) < TICK {
            stamp.push_str(FRESH);
        }
        self.taken.insert(path, stamp);
        Ok(changed)
    }
}

fn changed_at(found: &std::fs::Metadata) -> Timestamp {
    Timestamp::from_system(found.ctime(), found.ctime_nsec())
}

/// Carries over what is known of directories that lack files; returns those that may lack fewer now.
fn keep_lacking(
    space: &ScratchSpace,
    known: &BTreeMap<String, String>,
    stamps: &mut BTreeMap<String, String>,
) -> Result<BTreeSet<Digest>> {
    let mut fuller = BTreeSet::new();
    for (key, files) in known.iter().filter(|(key, _)| key.starts_with(LACKING)) {
        let Some(tree) = key.strip_prefix(LACKING).and_then(|hash| hash.parse().ok()) else { continue };
        let mut still = lstat(&space.artifact(tree))?.is_some();
        for file in files.split(' ').filter_map(|hash| hash.parse().ok()) {
            if lstat(&space.artifact(file))?.is_some() {
                fuller.insert(tree);
                still = false;
            }
        }
        if still {
            stamps.insert(key.clone(), files.clone());
        }
    }
    Ok(fuller)
}
