//! Copies artifacts from one store of this machine to another, with all that travels along.
//!
//! Guarantees: what is to be copied stays where it is until it has arrived; every file is hashed on its way in,
//! however its bytes travel; all names are bound or none; a gc in either store never harms the other, and tells
//! the truth of what it frees where both share bytes.
//! Must not know: the command line.

mod carry;
mod place;

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use crate::cache::pack::{Pack, UnpackOptions};
use crate::cache::travel::{Arrival, Arrived, Parcel};
use crate::cache::{Cache, CacheOptions};
use crate::error::{Error, Result};
use crate::model::{Blob, Manifest, ObjectKind};
use crate::store::Intake;
use crate::text::printable_path;

use carry::{Carried, Carrier};

/// How the bytes of files came from one store to another, the cheapest way first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CopiedBy {
    /// The filesystem lets both share the bytes; neither notices.
    Reflink,
    /// Both stores have a name of the same file. Their bytes stay on the disk until the last name goes.
    Hardlink,
    /// They lie on the disk twice.
    Copy,
}

/// An artifact that was copied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CopiedArtifact {
    /// What became of it in the other store.
    #[serde(flatten)]
    pub arrived: Arrived,
    /// How the bytes of its files came; the dearest way if they came in several. None if all were there.
    pub by: Option<CopiedBy>,
}

impl Cache {
    /// Copies artifacts to another store, which is made if it does not exist; see [`CacheOptions::create`].
    /// Files are shared with it where the disk can do that: by reflinks, or else by hard links if both stores
    /// belong to this user.
    ///
    /// ```no_run
    /// # use ohmyartifacts::{Cache, CacheOptions, Pack, UnpackOptions};
    /// # let here = Cache::open(CacheOptions::new("here"))?;
    /// let owner = "flower-models".parse()?;
    /// here.copy_to(CacheOptions::new("there"), &Pack::all_of(&owner), &UnpackOptions::new())?;
    /// # Ok::<(), ohmyartifacts::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Cache::find`]; [`Error::Invalid`] if one store lies in the other; [`Error::BindingExists`] if a name
    /// stands for something else there; [`Error::Damaged`] if a file here is not what its name says;
    /// [`Error::NoRoom`], [`Error::OverBudget`] and what the system says. Nothing is bound then.
    pub fn copy_to(&self, to: CacheOptions, what: &Pack<'_>, options: &UnpackOptions) -> Result<Vec<CopiedArtifact>> {
        place::refuse_overlap(self.root(), &to.root)?;
        let departure = self.depart(&what.0)?;
        departure.parcels.iter().try_for_each(|parcel| self.check_entries(parcel))?;
        let there = Cache::open(to)?;
        // Only now that it is there can it be told by whatever path it was reached.
        place::refuse_same(self.root(), there.root())?;
        let from = printable_path(self.root());
        let trusted = place::have_one_owner(self.root(), there.root())?;
        let arrival = Arrival { parcels: &departure.parcels, naming: &options.0, from: &from, trusted };
        // A taken name stops it before any byte moves.
        there.expect(&arrival)?;
        self.carry(&there, &arrival)
    }

    fn carry(&self, there: &Cache, arrival: &Arrival<'_>) -> Result<Vec<CopiedArtifact>> {
        let dir = there.session()?.stage_dir()?;
        let needed: BTreeMap<Blob, u64> = arrival.parcels.iter().flat_map(Parcel::blobs).collect();
        let Carried { blobs, by } = Carrier::new(self, there, &dir).all(needed.into_iter().collect())?;
        let stager = there.stager(&dir, Intake::Copy);
        let arrived = there.arrive(arrival, blobs, &stager)?;
        let way = |parcel: &Parcel| parcel.blobs().iter().filter_map(|(blob, _)| by.get(blob)).max().copied();
        let ways = arrival.parcels.iter().map(way);
        Ok(arrived.into_iter().zip(ways).map(|(arrived, by)| CopiedArtifact { arrived, by }).collect())
    }

    /// A tree must be what its name says by what is written down of it; of its files the bytes tell.
    fn check_entries(&self, parcel: &Parcel) -> Result<()> {
        if parcel.artifact.kind != ObjectKind::Tree {
            return Ok(());
        }
        let hash = parcel.artifact.hash;
        let found = Manifest::new(parcel.entries.clone());
        let (sum, expected) = found.check(hash, &parcel.rule);
        if sum == expected && (found.size, found.files) == (parcel.artifact.size, parcel.artifact.files) {
            return Ok(());
        }
        let path = self.store.layout.object(ObjectKind::Tree, hash);
        Err(Error::Damaged { hash, path, detail: format!("what the index has of it adds up to {sum}") })
    }
}

/// A file of the store is gone, or is another one.
fn damaged(blob: Blob, path: &Path, detail: String) -> Error {
    Error::Damaged { hash: blob.digest, path: path.to_owned(), detail }
}
