//! Takes an artifact out of the store: as files of its own in any folder, or as bytes.
//!
//! Why: what is stored is read-only and shared; people and programs need data where they look for it, and to
//! change it.
//! Guarantees: what comes out is all there, or nothing is; nothing is written in the store; files that can be
//! changed never share their inode with a stored one.
//! Must not know: where the artifact came from.

mod lay;
mod part;
mod settle;

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::cache::{Cache, Reference};
use crate::error::{Error, PathContext as _, Result};
use crate::event::{Event, Phase};
use crate::model::{Artifact, CheckoutMode, ObjectKind};

use lay::Layer;

pub use part::Part;

/// How to take an artifact out.
#[derive(Debug, Clone, Copy, Default)]
#[must_use]
pub struct CheckoutOptions {
    mode: CheckoutMode,
    writable: bool,
    force: bool,
}

impl CheckoutOptions {
    /// Files that are nobody else's, read-only, where nothing is yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// How files come out.
    pub fn mode(mut self, mode: CheckoutMode) -> Self {
        self.mode = mode;
        self
    }

    /// Whether the files may be changed; only where they share nothing with the store.
    pub fn writable(mut self, writable: bool) -> Self {
        self.writable = writable;
        self
    }

    /// Whether what is there is replaced, all at once.
    pub fn force(mut self, force: bool) -> Self {
        self.force = force;
        self
    }
}

/// What was taken out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckedOut {
    /// The artifact, or the part of it.
    #[serde(flatten)]
    pub part: Part,
    /// Where it lies now.
    #[serde(serialize_with = "crate::text::serialize_path")]
    pub path: PathBuf,
    /// How its files came out.
    pub mode: CheckoutMode,
    /// Whether they may be changed.
    pub writable: bool,
}

impl Cache {
    /// Lays an artifact, or a part of one (`REF:PATH`), out at `dest`, where nothing may be but an empty folder.
    /// Notes the use of a binding.
    ///
    /// ```
    /// # let dir = std::env::temp_dir().join(format!("oma-doc-checkout-{}", std::process::id()));
    /// # std::fs::create_dir_all(dir.join("data"))?;
    /// # std::fs::write(dir.join("data/labels"), "iris\n")?;
    /// use ohmyartifacts::{BindOptions, Cache, CacheOptions, CheckoutOptions, Reference, Source};
    ///
    /// let cache = Cache::open(CacheOptions::new(dir.join("store")))?;
    /// cache.owner("flowers")?.ingest("data", &Source::copy(dir.join("data")), &BindOptions::new())?;
    /// let options = CheckoutOptions::new().writable(true);
    /// cache.checkout(Reference::new("flowers:data", None), &dir.join("mine"), &options)?;
    /// std::fs::write(dir.join("mine/labels"), "tulip\n")?;
    /// # drop(cache);
    /// # std::fs::remove_dir_all(&dir)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Cache::find`]; [`Error::NoSuchEntry`]; [`Error::InTheWay`]; [`Error::CannotShare`] for a mode that
    /// cannot be had there; [`Error::Damaged`] for content that is not what its name says; [`Error::NoRoom`].
    /// Nothing is then at `dest`, or what was there.
    pub fn checkout(&self, reference: Reference<'_>, dest: &Path, options: &CheckoutOptions) -> Result<CheckedOut> {
        refuse_shared_writes(*options)?;
        let (part, keeper) = self.find_part(reference)?;
        let dest = self.settle_dest(dest, options.force)?;
        // What is taken out must not be collected under our hands; where nothing can be written, nothing is.
        let _held = if self.is_read_only() { None } else { Some(self.hold(&keeper, "being checked out")?) };
        let entries = self.entries_of_part(&part)?;
        let waiting = &self.waiting;
        waiting.observer.on(&Event::Begin { phase: Phase::Checkout, files: Some(part.files) });
        let mut layer = Layer::begin(self, &dest, options.mode, options.writable)?;
        let outcome = layer.lay(&part, &entries).and_then(|()| layer.put_in_place(&dest, options.force));
        waiting.observer.on(&Event::End { phase: Phase::Checkout });
        outcome?;
        let mode = layer.mode();
        Ok(CheckedOut { part, path: dest, mode, writable: options.writable })
    }

    /// Writes the content of a file, or of a file in a directory (`REF:PATH`), to `out`; returns how many bytes
    /// it has. Links are followed inside the directory. Notes the use of a binding.
    ///
    /// # Errors
    /// As [`Cache::find`]; [`Error::NoSuchEntry`]; [`Error::NotAFile`]; [`Error::Damaged`] if
    /// the bytes were not what their name says, when they are out already.
    pub fn cat(&self, reference: Reference<'_>, out: &mut (dyn std::io::Write + Send)) -> Result<u64> {
        let (part, _) = self.find_part(reference)?;
        if part.kind == ObjectKind::Tree {
            return Err(Error::NotAFile { reference: reference.text().to_owned() });
        }
        let blob = part.blob();
        let path = self.store.layout.blob(blob);
        let mut file = std::fs::File::open(&path).at("open", &path)?;
        let found = lay::pour(&mut file, &part, out, &self.waiting.interrupt, &path)?;
        if found == part.hash {
            return Ok(part.size);
        }
        Err(Error::Damaged { hash: part.hash, path, detail: format!("its content is {found}") })
    }
}

fn refuse_shared_writes(options: CheckoutOptions) -> Result<()> {
    match options.mode {
        CheckoutMode::Hardlink | CheckoutMode::Symlink if options.writable => {
            let reason = "what is written to such a file would be written into the store";
            Err(Error::invalid("mode for files that can be changed", options.mode.as_str(), reason))
        }
        _ => Ok(()),
    }
}

/// The artifact that keeps a part alive.
type Keeper = Artifact;
