//! Brings files from outside into the store: list, hash and copy, enter, claim.

use std::path::{Path, PathBuf};

use crate::cache::Binding;
use crate::cache::Cache;
use crate::cache::claim::{Claim, Claimed};
use crate::error::{Error, PathContext as _, Result};
use crate::event::Event;
use crate::fs::{lstat, same_filesystem};
use crate::index::WriteTx;
use crate::model::{Artifact, DownloadRecord, LinkPolicy, LinkStyle};
use crate::store::{Intake, Scanned, StageDir, Staged, Stager, scan};
use crate::text::printable_path;
use crate::time::Timestamp;

/// What is to be put in, and how.
///
/// ```
/// use ohmyartifacts::{LinkPolicy, Source};
///
/// let source = Source::copy("data/iris").links(LinkPolicy::Skip);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Source {
    path: PathBuf,
    consume: bool,
    links: LinkPolicy,
}

impl Source {
    /// A file or directory that stays where it is.
    pub fn copy(path: impl AsRef<Path>) -> Self {
        Self { path: path.as_ref().to_owned(), consume: false, links: LinkPolicy::default() }
    }

    /// A file or directory that is moved into the store: it is gone when, and only when, all of it
    /// is safe there. Files that have other names too (hard links) are copied.
    pub fn consume(path: impl AsRef<Path>) -> Self {
        Self { consume: true, ..Self::copy(path) }
    }

    /// What happens to symbolic links that leave the tree or point to nothing.
    pub fn links(mut self, policy: LinkPolicy) -> Self {
        self.links = policy;
        self
    }
}

/// An artifact that has just been put in. Until it is bound, a lease protects it for a day.
#[derive(Debug, Clone, PartialEq)]
pub struct Ingested {
    /// What was put in.
    pub artifact: Artifact,
    /// Where it lies. A path to read from, never to write to.
    pub path: PathBuf,
    /// How many files the store did not have before.
    pub new_files: u64,
    /// How many bytes the store grew by.
    pub new_bytes: u64,
    /// When the lease ends; none if it was bound at once.
    pub lease_expires_at: Option<Timestamp>,
    /// The binding made along with it.
    pub binding: Option<Binding>,
    pub(crate) lease: Option<i64>,
}

/// What is known of a source's origin, for the index.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin<'a> {
    pub(crate) kind: &'a str,
    pub(crate) location: &'a str,
    /// What is to be remembered of the transfer, if there was one.
    pub(crate) download: Option<&'a DownloadRecord>,
    /// Whether its bytes had to have the hash they have.
    pub(crate) demanded: bool,
}

impl<'a> Origin<'a> {
    pub(crate) const fn new(kind: &'a str, location: &'a str) -> Self {
        Self { kind, location, download: None, demanded: false }
    }

    /// Notes it in the transaction that makes the object live.
    fn note(self, tx: &WriteTx<'_>, object: i64) -> Result<i64> {
        let source = tx.add_source(object, self.kind, self.location)?;
        if let Some(record) = self.download {
            tx.set_download(source, record)?;
        }
        Ok(source)
    }
}

impl Cache {
    /// Notes where a live object came from, and settles its claim.
    pub(super) fn note_and_claim(
        &self,
        tx: &WriteTx<'_>,
        claim: &Claim<'_>,
        object: i64,
        artifact: &Artifact,
        origin: Origin<'_>,
    ) -> Result<Claimed> {
        let source = origin.note(tx, object)?;
        let claimed = self.settle_claim(tx, claim, object, artifact)?;
        if let (Claim::Bind { owner, name, .. }, Some(_)) = (claim, origin.download) {
            tx.note_downloaded_name(owner, name, source, origin.demanded)?;
        }
        Ok(claimed)
    }

    /// Puts a file or directory into the store. The same content again adds nothing.
    ///
    /// # Errors
    /// What the system says about the source or the store, [`Error::Link`] and
    /// [`Error::Unsupported`] for what a store cannot hold. The store is then as before.
    pub fn ingest(&self, source: &Source) -> Result<Ingested> {
        self.ingest_with(source, &Claim::Lease)
    }

    pub(super) fn ingest_with(&self, source: &Source, claim: &Claim<'_>) -> Result<Ingested> {
        self.claiming(claim, |claim| self.bring_in(source, claim))
    }

    fn bring_in(&self, source: &Source, claim: &Claim<'_>) -> Result<Ingested> {
        self.check_claim(claim)?;
        let path = self.settle_source(source)?;
        let dir = self.session()?.stage_dir()?;
        let intake = self.intake_of(source, &path)?;
        let location = printable_path(&path);
        let origin = Origin::new("path", &location);
        let ingested = self.take_in(&path, intake, source.links, &dir, claim, origin)?;
        if source.consume {
            // All of it is safe in the store: an error here would hide where.
            if let Err(error) = self.store.disk.remove_all(&path) {
                let message = format!("{error}, though it was put in whole");
                self.waiting.observer.on(&Event::Warning { message: &message });
            }
        }
        Ok(ingested)
    }

    /// Returns what stages files in `dir`, for whoever hands it what is not to be looked up by its length first.
    pub(crate) fn stager<'a>(&'a self, dir: &'a StageDir, intake: Intake) -> Stager<'a> {
        Stager {
            store: &self.store,
            dir,
            intake,
            observer: &*self.waiting.observer,
            interrupt: &self.waiting.interrupt,
            known_size: &|_| false,
        }
    }

    /// Lists, hashes and enters what lies at `path`, which must not be a link itself.
    pub(crate) fn take_in(
        &self,
        path: &Path,
        intake: Intake,
        links: LinkPolicy,
        dir: &StageDir,
        claim: &Claim<'_>,
        origin: Origin<'_>,
    ) -> Result<Ingested> {
        let scanned = scan(path, links, &*self.waiting.observer)?;
        let known_size = |size| self.read(|tx| tx.may_hold_size(size)).unwrap_or(false);
        let stager = Stager { known_size: &known_size, ..self.stager(dir, intake) };
        let staged: Staged = match scanned {
            Scanned::File(file) => stager.file(&file)?,
            Scanned::Directory { root, entries } => stager.directory(&root, entries)?,
        };
        self.waiting.interrupt.check()?;
        self.enter(staged, &stager, claim, origin)
    }

    /// A source that is moved in is linked first and removed when all is safe. Where stored trees share
    /// inodes anyway, a link that a failure leaves behind could not be told from them, so it is copied.
    fn intake_of(&self, source: &Source, path: &Path) -> Result<Intake> {
        let may_link = self.store.style != LinkStyle::Hardlink || path.is_file();
        let linked = source.consume && may_link && same_filesystem(path, self.root())?;
        Ok(if linked { Intake::Link } else { Intake::Copy })
    }

    /// Follows a link at the top, as the person who named it expects, and refuses sources that
    /// overlap with the store.
    fn settle_source(&self, source: &Source) -> Result<PathBuf> {
        let found = lstat(&source.path)?;
        if source.consume && found.as_ref().is_some_and(std::fs::Metadata::is_symlink) {
            let reason = "it is a symbolic link, and moving would leave what it points to";
            return Err(Error::invalid("source to move", &source.path.to_string_lossy(), reason));
        }
        if found.is_none() {
            return Err(Error::NoSuchPath { path: source.path.clone() });
        }
        let path = std::fs::canonicalize(&source.path).at("open", &source.path)?;
        let root = std::fs::canonicalize(self.root()).at("open", self.root())?;
        let at_work =
            [self.store.layout.tmp(), self.store.layout.trash()].iter().any(|folder| path.starts_with(folder));
        if root.starts_with(&path) || at_work || (source.consume && path.starts_with(&root)) {
            let reason = "it overlaps with the store itself";
            return Err(Error::invalid("source", &source.path.to_string_lossy(), reason));
        }
        Ok(path)
    }
}
