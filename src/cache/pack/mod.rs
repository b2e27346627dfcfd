//! Packs: artifacts in one file that carries all that travels with them, to where no network leads.
//!
//! # The format, version 1
//!
//! A pack is a tar in one zstd frame with a checksum; `tar -xf` reads it. The same artifacts, names and sources
//! are the same bytes on every machine: no times, no users, a fixed order, one thread, one level.
//!
//! | entry | what it is |
//! | --- | --- |
//! | `oma-pack.json` | the first entry, the list of contents, see below |
//! | `artifacts/<hash>` | an artifact that is a file |
//! | `executables/<hash>` | an artifact that is a file with the execute bit |
//! | `artifacts/<hash>/…` | an artifact that is a directory: itself, then every path below it, parents first |
//!
//! Artifacts come sorted by hash, paths part by part. Files have mode 0644 or 0755, symbolic links are kept to
//! the letter. A content that occurs again, with the same execute bit, is a hard link to where it stood first.
//!
//! | key | what it says |
//! | --- | --- |
//! | `format`, `version` | `ohmyartifacts pack`, 1 |
//! | `bytes` | bytes of all files, each content (with the same execute bit) once |
//! | `artifacts[].hash`, `form`, `size`, `files` | the artifact; the form is `file`, `executable` or `tree` |
//! | `artifacts[].rule` | absent: git's; `julia`, or `recorded` with the id of the `content` and the `doubt` |
//! | `artifacts[].sources[]` | where it can be had again: `kind` (`url`, `command`, `archive`) and `location` |
//! | `artifacts[].bindings[]` | `owner`, `version`, `name`, `meta`, `extra`, and `by`, who bound it for the owner |
//!
//! Guarantees: a pack appears whole or not at all, and holds nothing that is damaged; of a pack that is broken
//! in any way nothing becomes visible.
//! Must not know: the command line.

mod manifest;
mod read;
pub(crate) mod tar;
mod write;

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::cache::Cache;
use crate::cache::find::Reference;
use crate::cache::travel::{Arrival, Arrived, Naming, Parcel, Wanted};
use crate::error::{Error, PathContext as _, Result};
use crate::event::Event;
use crate::fs::NewFile;
use crate::model::{Artifact, IdRule, ObjectKind, OwnerId};
use crate::store::Intake;
use crate::text::printable_path;

use tar::TarWriter;
pub(crate) use write::read_checked;

/// The list of contents.
const LIST: &str = "oma-pack.json";
/// How hard zstd tries. Part of the format: another level gives other bytes.
const LEVEL: i32 = 6;
/// So many bytes are written at once.
const CHUNK: usize = 256 * 1024;

/// What is to be packed, or copied to another store.
///
/// ```no_run
/// # use ohmyartifacts::{Cache, CacheOptions, Pack, Reference, UnpackOptions};
/// # let here = Cache::open(CacheOptions::new("here"))?;
/// # let there = Cache::open(CacheOptions::new("there"))?;
/// let owner = "flower-models".parse()?;
/// here.pack(&Pack::all_of(&owner), "flowers.tar.zst".as_ref(), false)?;
/// let arrived = there.unpack("flowers.tar.zst".as_ref(), &UnpackOptions::new())?;
/// # Ok::<(), ohmyartifacts::Error>(())
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct Pack<'a>(pub(in crate::cache) Vec<Wanted<'a>>);

impl<'a> Pack<'a> {
    /// These artifacts. One that is referred to by a name takes that name along, one by its hash takes none.
    pub fn of(references: impl IntoIterator<Item = Reference<'a>>) -> Self {
        Self(references.into_iter().map(Wanted::One).collect())
    }

    /// Everything an owner binds, with its names.
    pub fn all_of(owner: &'a OwnerId) -> Self {
        Self(vec![Wanted::AllOf(owner)])
    }
}

/// What was packed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Packed {
    /// The artifacts, sorted by hash.
    pub artifacts: Vec<PackedArtifact>,
    /// How many names went along.
    pub bindings: u64,
    /// Bytes of all files, each content once.
    pub content_bytes: u64,
}

/// An artifact that was packed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PackedArtifact {
    /// What it is.
    #[serde(flatten)]
    pub artifact: Artifact,
    /// The names that went along, as `OWNER:NAME`.
    pub names: Vec<String>,
}

/// How names are bound where artifacts arrive, from a pack or another store.
#[derive(Debug, Clone)]
#[must_use]
pub struct UnpackOptions(pub(in crate::cache) Naming);

impl Default for UnpackOptions {
    fn default() -> Self {
        Self(Naming { bind: true, ..Naming::default() })
    }
}

impl UnpackOptions {
    /// Names are bound by those who had bound them; a taken one is an error.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether names are bound at all; without, what arrives is protected for a day.
    pub fn bind(mut self, bind: bool) -> Self {
        self.0.bind = bind;
        self
    }

    /// Takes names from what they stand for here.
    pub fn force(mut self, force: bool) -> Self {
        self.0.force = force;
        self
    }

    /// Binds all names under this owner instead of those who had bound them.
    pub fn owner(mut self, owner: Option<OwnerId>) -> Self {
        self.0.owner = owner;
        self
    }
}

impl Cache {
    /// Packs artifacts into a new file; with `replace` it may take the place of another.
    ///
    /// # Errors
    /// As [`Cache::find`]; [`Error::InTheWay`];
    /// [`Error::NoSuchOwner`] for one that binds nothing;
    /// [`Error::Damaged`] if the content of an artifact is not what it was. There is no
    /// new file then.
    pub fn pack(&self, what: &Pack<'_>, file: &Path, replace: bool) -> Result<Packed> {
        let departure = self.depart(&what.0)?;
        let new = NewFile::create(&self.store.disk, file, replace, self.root())?;
        let new = self.write_pack(&departure.parcels, new, file)?;
        new.finish()?;
        Ok(Packed::of(&departure.parcels))
    }

    /// Packs artifacts and writes the pack to somewhere, such as a pipe. `name` is what errors call it. After
    /// an error, what was written is of no use.
    ///
    /// # Errors
    /// As [`Cache::pack`].
    pub fn pack_to(&self, what: &Pack<'_>, to: &mut (dyn Write + Send), name: &Path) -> Result<Packed> {
        let departure = self.depart(&what.0)?;
        self.write_pack(&departure.parcels, to, name)?;
        Ok(Packed::of(&departure.parcels))
    }

    fn write_pack<W: Write + Send>(&self, parcels: &[Parcel], to: W, name: &Path) -> Result<W> {
        let mut frame = zstd::Encoder::new(BufWriter::with_capacity(CHUNK, to), LEVEL).at("write", name)?;
        frame.include_checksum(true).at("write", name)?;
        let frame = write::write(self, parcels, TarWriter::new(frame), name)?;
        let buffered = frame.finish().at("write", name)?;
        buffered.into_inner().map_err(std::io::IntoInnerError::into_error).at("write", name)
    }

    /// Takes in a pack: everything in it is checked before anything becomes visible, and all of its names are
    /// bound or none.
    ///
    /// # Errors
    /// [`Error::BadPack`] if it is broken or does not hold what it says;
    /// [`Error::BindingExists`] if a name stands for something else here;
    /// [`Error::NoRoom`]; [`Error::OverBudget`].
    pub fn unpack(&self, file: &Path, options: &UnpackOptions) -> Result<Vec<Arrived>> {
        let file = settled(file)?;
        let dir = self.session()?.stage_dir()?;
        let read::Brought { parcels, blobs } = read::read(self, &file, Some(&dir))?;
        self.warn_of_doubt(&parcels);
        let stager = self.stager(&dir, Intake::Take);
        let from = printable_path(&file);
        self.arrive(&arrival(&parcels, options, &from), blobs, &stager)
    }

    /// Reads and checks a pack as [`Cache::unpack`] does, and says what would become of it. Nothing changes.
    ///
    /// # Errors
    /// As [`Cache::unpack`].
    pub fn unpack_preview(&self, file: &Path, options: &UnpackOptions) -> Result<Vec<Arrived>> {
        let read::Brought { parcels, .. } = read::read(self, &settled(file)?, None)?;
        self.warn_of_doubt(&parcels);
        self.expect(&arrival(&parcels, options, ""))
    }

    /// Who packed it could call such a tree as they liked.
    fn warn_of_doubt(&self, parcels: &[Parcel]) {
        for parcel in parcels {
            if let IdRule::Recorded { doubt, .. } = &parcel.rule {
                let doubt = crate::text::printable(doubt.as_bytes());
                let message = format!("the name of {} is taken over from the pack: {doubt}", parcel.artifact.hash);
                self.waiting.observer.on(&Event::Warning { message: &message });
            }
        }
    }
}

fn arrival<'a>(parcels: &'a [Parcel], options: &'a UnpackOptions, from: &'a str) -> Arrival<'a> {
    Arrival { parcels, naming: &options.0, from, trusted: false }
}

/// Returns where a pack lies: a link is followed, as the person who named it expects.
fn settled(file: &Path) -> Result<PathBuf> {
    match std::fs::canonicalize(file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(Error::NoSuchPath { path: file.to_owned() }),
        other => other.at("open", file),
    }
}

/// Returns what an artifact is called in a pack.
fn place_of(artifact: &Artifact) -> String {
    let shelf = if artifact.kind == ObjectKind::Executable { "executables" } else { "artifacts" };
    format!("{shelf}/{}", artifact.hash)
}

impl Packed {
    fn of(parcels: &[Parcel]) -> Self {
        let blobs: std::collections::BTreeMap<_, u64> = parcels.iter().flat_map(Parcel::blobs).collect();
        let artifacts: Vec<PackedArtifact> = parcels.iter().map(PackedArtifact::of).collect();
        let bindings = parcels.iter().map(|parcel| parcel.names.len() as u64).sum();
        Self { artifacts, bindings, content_bytes: blobs.values().sum() }
    }
}

impl PackedArtifact {
    fn of(parcel: &Parcel) -> Self {
        let names = parcel.names.iter().map(|name| format!("{}:{}", name.owner, name.name)).collect();
        Self { artifact: parcel.artifact.clone(), names }
    }
}
