//! Takes an artifact out of the store: as files of its own in any folder, or as bytes.
//!
//! Why: what is stored is read-only and shared; people and programs need data where they look for it, and to
//! change it.
//! Guarantees: what comes out is all there, or nothing is; what is stored is not touched; files that can be
//! changed never share their inode with a stored one.
//! Must not know: where the artifact came from.

mod aside;
mod cat;
mod lay;
mod part;
mod settle;

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::cache::{Cache, Reference};
use crate::error::{Error, Result};
use crate::event::{Event, Phase};
use crate::model::{CheckoutMode, Durability, ObjectKind};

use aside::Aside;
use lay::Layer;
use part::Chosen;
use settle::check_free;

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
    /// As [`Cache::find`]; [`Error::NoSuchEntry`] and [`Error::StoredLink`] for a path that leads to nothing;
    /// [`Error::InTheWay`]; [`Error::NoFolder`]; [`Error::CannotShare`] for a mode that cannot be had there;
    /// [`Error::Damaged`] for content that is not what its name says; [`Error::NoRoom`]. Nothing is then at
    /// `dest`, or what was there. A process that is killed leaves a hidden `.oma-checkout-…` beside it at most,
    /// which the next checkout into the same folder removes.
    pub fn checkout(&self, reference: Reference<'_>, dest: &Path, options: &CheckoutOptions) -> Result<CheckedOut> {
        refuse_shared_writes(*options)?;
        let chosen = self.choose(reference)?;
        let dest = self.settle_dest(dest)?;
        check_free(&dest, chosen.file.is_none(), options.force)?;
        // What is taken out must not be collected under our hands; where nothing can be written, nothing is.
        let _held = if self.is_read_only() { None } else { Some(self.hold(&chosen.keeper, "being checked out")?) };
        let (part, mode) = self.lay_out(chosen, &dest, *options)?;
        self.flush_folder_of(&dest);
        Ok(CheckedOut { part, path: dest, mode, writable: options.writable })
    }

    fn lay_out(&self, chosen: Chosen, dest: &Path, options: CheckoutOptions) -> Result<(Part, CheckoutMode)> {
        let (part, entries) = self.unfold(chosen)?;
        let aside = Aside::begin(self, dest)?;
        let layer = Layer::new(self, &aside, (options.mode, options.writable), &part, &entries)?;
        let observer = &*self.waiting.observer;
        observer.on(&Event::Begin { phase: Phase::Checkout, files: Some(part.files) });
        let laid = layer.lay(&part, &entries).and_then(|()| layer.flush(&part));
        observer.on(&Event::End { phase: Phase::Checkout });
        laid?;
        self.waiting.interrupt.check()?;
        aside.put_in_place(part.kind == ObjectKind::Tree, options.force)?;
        let mode = layer.mode();
        Ok((part, mode))
    }

    /// All is there: that its name might not survive a power cut is no reason to say otherwise.
    fn flush_folder_of(&self, dest: &Path) {
        if self.store.durability == Durability::None {
            return;
        }
        let flushed = dest.parent().map_or(Ok(()), |parent| self.store.disk.flush(parent));
        if let Err(error) = flushed {
            self.waiting.observer.on(&Event::Warning { message: &error.to_string() });
        }
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
