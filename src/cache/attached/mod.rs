//! Scratch spaces of OhMyArtifacts.jl beside this store: followed, or written to as well.
//!
//! Why: people go on using both programs, and want one answer to "who uses how much".
//! Guarantees: following a space changes nothing in it but the locks it takes for milliseconds; what
//! it holds never becomes part of this store by being looked at. Writing to one goes there first, so
//! that a crash leaves what the next `sync` takes over.
//! Must not know: how a space's files are written; that is `julia`'s.

mod collect;
mod held;
mod mirror;
mod publish;
mod refresh;
mod stamps;

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use crate::cache::Cache;
use crate::error::{Error, PathContext as _, Result};
use crate::fs::Waiting;
use crate::index::SpaceRow;
use crate::julia::{LiveSpace, ScratchSpace};
use crate::model::OwnerId;
use crate::time::Timestamp;

pub use collect::AttachedPlan;
pub(crate) use mirror::Mirror;
pub(crate) use publish::{meaning_there, note_agreed};

/// Bindings files are locked for milliseconds; after this long a look reads one as it is.
const LONGEST_LOOK: Duration = Duration::from_secs(3);

/// A scratch space this store follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AttachedSpace {
    /// Where it lies, spelt as Julia spells it.
    #[serde(serialize_with = "crate::text::serialize_path")]
    pub space: PathBuf,
    /// The depot it lies in.
    #[serde(serialize_with = "crate::text::serialize_optional_path")]
    pub depot: Option<PathBuf>,
    /// Whether changes here go there too.
    pub writes: bool,
    /// Since when it is followed.
    pub attached_at: Timestamp,
    /// When both sides were last brought together.
    pub synced_at: Option<Timestamp>,
}

impl From<SpaceRow> for AttachedSpace {
    fn from(row: SpaceRow) -> Self {
        let SpaceRow { root, depot, writes, attached_at, synced_at, .. } = row;
        Self { space: root, depot, writes, attached_at, synced_at }
    }
}

impl Cache {
    /// Follows the scratch space of a depot, or a space itself: `usage`, `ls`, `why` and the preview of
    /// gc include what it holds. With `writes`, changes here go there too.
    ///
    /// # Errors
    /// [`Error::NoSuchPath`] if there is no scratch space, [`Error::Invalid`] if its path is not UTF-8.
    pub fn attach(&self, path: &Path, writes: bool) -> Result<AttachedSpace> {
        let path = std::path::absolute(path).at("resolve", path)?;
        let is_space = ScratchSpace::is_one(&path)?;
        let space = if is_space { ScratchSpace::new(&path) } else { ScratchSpace::of_depot(&path) };
        if !ScratchSpace::is_one(space.root())? {
            return Err(Error::NoSuchPath { path: space.root().to_owned() });
        }
        let live = LiveSpace::new(space.root(), self.store.disk.clone(), self.waiting.clone())?;
        // Links hold the path as Julia spells it, so the first spelling stays; but one space is one.
        let known = self.attached_at(live.space().root())?;
        let root = known.map_or_else(|| live.space().root().to_owned(), |row| row.root);
        let root = root.to_string_lossy();
        let depot = live.space().depot();
        let depot = depot.as_deref().map(Path::to_string_lossy);
        let row = self.write(|tx| tx.attach(&root, depot.as_deref(), writes))?;
        self.mirror(&row)?;
        Ok(row.into())
    }

    /// Follows a space no longer. Nothing in it or here changes. None if it was not attached.
    ///
    /// # Errors
    /// What the index says.
    pub fn detach(&self, path: &Path) -> Result<Option<AttachedSpace>> {
        let path = std::path::absolute(path).at("resolve", path)?;
        let in_depot = ScratchSpace::of_depot(&path);
        let found = match self.attached_at(&path)? {
            Some(row) => Some(row),
            None => self.attached_at(in_depot.root())?,
        };
        let Some(row) = found else { return Ok(None) };
        self.write(|tx| tx.detach(row.id))?;
        Mirror::remove(self, &row);
        Ok(Some(row.into()))
    }

    /// Returns the attached space that lies at a path, however it is spelt.
    fn attached_at(&self, path: &Path) -> Result<Option<SpaceRow>> {
        let real = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let wanted = real(path);
        let spaces = self.read(|tx| tx.spaces())?;
        Ok(spaces.into_iter().find(|row| row.root == path || real(&row.root) == wanted))
    }

    /// Returns the attached spaces, by path.
    ///
    /// # Errors
    /// What the index says.
    pub fn attached(&self) -> Result<Vec<AttachedSpace>> {
        Ok(self.read(|tx| tx.spaces())?.into_iter().map(AttachedSpace::from).collect())
    }

    pub(crate) fn live_space(&self, row: &SpaceRow) -> Result<LiveSpace> {
        LiveSpace::new(&row.root, self.store.disk.clone(), self.waiting.clone())
    }

    /// As [`Cache::live_space`], for a look: a lock that nobody releases must not keep a listing waiting.
    fn live_space_to_look(&self, row: &SpaceRow) -> Result<LiveSpace> {
        let limit = self.waiting.limit.map_or(LONGEST_LOOK, |limit| limit.min(LONGEST_LOOK));
        let waiting = Waiting { limit: Some(limit), ..self.waiting.clone() };
        LiveSpace::new(&row.root, self.store.disk.clone(), waiting)
    }

    /// Tells whether an owner's names go to an attached space too.
    pub(crate) fn goes_elsewhere(&self, owner: &OwnerId) -> Result<bool> {
        Ok(!self.written_spaces(owner)?.is_empty())
    }

    /// The spaces that changes of this owner's names go to: those that are written to, if it is a
    /// package of Julia. OhMyArtifacts.jl finds folders named by a UUID only.
    pub(crate) fn written_spaces(&self, owner: &OwnerId) -> Result<Vec<SpaceRow>> {
        if !is_package(owner) {
            return Ok(Vec::new());
        }
        let spaces = self.read(|tx| tx.spaces())?;
        Ok(spaces.into_iter().filter(|space| space.writes).collect())
    }
}

/// Tells whether an owner's key is a package's UUID as Julia writes it.
pub(crate) fn is_package(owner: &OwnerId) -> bool {
    let key = owner.key().as_bytes();
    let is_dash = |at: usize| [8, 13, 18, 23].contains(&at);
    let fits = |(at, byte): (usize, &u8)| {
        if is_dash(at) { *byte == b'-' } else { byte.is_ascii_digit() || (b'a'..=b'f').contains(byte) }
    };
    key.len() == 36 && key.iter().enumerate().all(fits)
}
