//! Realises what is declared: looks for it in the depots, else fetches, checks, unpacks, checks, stores
//! and binds it.
//!
//! Guarantees: nothing is visible before the archive's SHA-256 and the tree's SHA-1 are what was declared;
//! a place that fails leaves nothing, and the next one is tried; of many processes one does the work.

use std::path::{Path, PathBuf};

use serde::Serialize;
use toml::Value;

use crate::cache::claim::Claim;
use crate::cache::ingest::Origin;
use crate::cache::{BindOptions, Cache, Got, Ingested, OwnerHandle};
use crate::compat::import::error_line;
use crate::compat::tree_check::check_tree_sha1;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::fetch::{Limits, download, presentable, unpack};
use crate::index::DeclarationRow;
use crate::julia::{GitTreeSha1, entries_of, find_installed_artifact};
use crate::model::{BindingName, Declaration, DownloadSource, LinkPolicy, Metadata, OwnerId};
use crate::store::Intake;
use crate::text::{printable, printable_path};

/// A name that an owner declares, and whose bytes are still to come.
#[derive(Debug, Clone, PartialEq)]
pub struct Declared {
    /// Who declares it.
    pub owner: OwnerId,
    /// The name it will be bound to.
    pub name: String,
    /// What it is, and where it can be had.
    pub declaration: Declaration,
}

impl Declared {
    /// Returns what will stand beside the binding: the keys of the declaration that nobody understands.
    #[must_use]
    pub fn meta(&self) -> Option<Metadata> {
        meta_of(&self.declaration)
    }
}

impl Serialize for Declared {
    /// The fields of a [`Binding`](crate::Binding); those that only bytes can have are null.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct as _;
        let mut row = serializer.serialize_struct("Declared", 9)?;
        row.serialize_field("owner", self.owner.key())?;
        row.serialize_field("version", &self.owner.version())?;
        row.serialize_field("name", &self.name)?;
        for absent in ["hash", "kind", "size", "bound_at", "last_used_at"] {
            row.serialize_field(absent, &None::<()>)?;
        }
        row.serialize_field("meta", &self.meta().as_ref().map(Metadata::to_plain_json))?;
        row.end()
    }
}

impl From<DeclarationRow> for Declared {
    fn from(row: DeclarationRow) -> Self {
        Self { owner: row.owner, name: row.name, declaration: row.declaration }
    }
}

impl Cache {
    /// Returns what is declared and not here yet, by owner and name: one owner's, or all.
    ///
    /// # Errors
    /// What the index says.
    pub fn declared(&self, owner: Option<&OwnerId>) -> Result<Vec<Declared>> {
        let rows = self.read(|tx| tx.declarations())?;
        let wanted = |row: &DeclarationRow| !row.bound && owner.is_none_or(|owner| row.owner == *owner);
        Ok(rows.into_iter().filter(wanted).map(Declared::from).collect())
    }

    /// Brings what an owner declares under a name, and binds it. What is bound already is returned as it is;
    /// what is installed in one of the `depots` is taken from there; else its downloads are tried in order.
    ///
    /// Of many processes that ask at once, one does it and all get it.
    ///
    /// # Errors
    /// [`Error::NoSuchBinding`] if nothing is declared, [`Error::WrongHash`] if its only place has something
    /// else, [`Error::Unfetched`] if no place has it. The store is then as before.
    pub fn fetch(&self, owner: &OwnerId, name: &str, depots: &[PathBuf]) -> Result<Ingested> {
        let name = BindingName::new(name)?;
        let existing = || Ok(self.get_existing(owner, &name)?.map(Ingested::from));
        if let Some(bound) = existing()? {
            return Ok(bound);
        }
        let row = self.read(|tx| match tx.find_owner(owner)? {
            Some(owner) => tx.find_declaration(owner, &name),
            None => Ok(None),
        })?;
        let unknown = || Error::NoSuchBinding { owner: owner.to_string(), name: name.to_string() };
        let DeclarationRow { declaration, bound, .. } = row.ok_or_else(unknown)?;
        let tree: GitTreeSha1 = declaration.tree_sha1.parse()?;
        // A binding whose files are gone must give way; any other was found before.
        let options = BindOptions { force: bound, meta: meta_of(&declaration), ..BindOptions::default() };
        let realising = Realising { cache: self, owner, name: &name, declaration: &declaration, tree, options };
        self.existing_or_made(owner, &name, existing, || realising.run(depots))
    }
}

impl OwnerHandle<'_> {
    /// Brings what is declared under a name, and binds it, see [`Cache::fetch`].
    ///
    /// # Errors
    /// As [`Cache::fetch`].
    pub fn fetch(&self, name: &str, depots: &[PathBuf]) -> Result<Ingested> {
        self.cache.fetch(self.id(), name, depots)
    }

    /// Returns what this owner declares and has not here yet, by name.
    ///
    /// # Errors
    /// What the index says.
    pub fn declared(&self) -> Result<Vec<Declared>> {
        self.cache.declared(Some(self.id()))
    }
}

impl From<Got> for Ingested {
    /// What was there before: the store grew by nothing.
    fn from(got: Got) -> Self {
        Self {
            artifact: got.binding.artifact.clone(),
            path: got.path,
            new_files: 0,
            new_bytes: 0,
            lease_expires_at: None,
            binding: Some(got.binding),
            lease: None,
        }
    }
}

struct Realising<'a> {
    cache: &'a Cache,
    owner: &'a OwnerId,
    name: &'a BindingName,
    declaration: &'a Declaration,
    tree: GitTreeSha1,
    options: BindOptions,
}

impl Realising<'_> {
    fn run(&self, depots: &[PathBuf]) -> Result<Ingested> {
        let mut failed = Vec::new();
        if let Some(folder) = find_installed_artifact(depots, &self.declaration.tree_sha1) {
            match self.take_installed(&folder) {
                Ok(brought) => return Ok(brought),
                Err(error) => failed.push(of_the_place(error)?),
            }
        }
        for place in &self.declaration.downloads {
            match self.bring_archive(place) {
                Ok(brought) => {
                    self.tell(&failed);
                    return Ok(brought);
                }
                Err(error) => failed.push(of_the_place(error)?),
            }
        }
        Err(match failed.pop() {
            Some(error @ Error::WrongHash { .. }) if failed.is_empty() => error,
            last => {
                failed.extend(last);
                Error::Unfetched { name: self.name.to_string(), attempts: failed }
            }
        })
    }

    /// Another place had it, but somebody may want to know that these do not.
    fn tell(&self, failed: &[Error]) {
        for error in failed {
            let message = error_line(error);
            self.cache.waiting.observer.on(&Event::Warning { message: &message });
        }
    }

    fn take_installed(&self, folder: &Path) -> Result<Ingested> {
        check_tree_sha1(folder, self.tree, &self.cache.waiting.interrupt)?;
        let location = printable_path(folder);
        let origin = Origin { kind: "path", location: &location };
        // As Pkg unpacked it, and its hash covers it: links stay as they are.
        self.take_in(folder, Intake::Copy, LinkPolicy::Keep, origin)
    }

    fn bring_archive(&self, place: &DownloadSource) -> Result<Ingested> {
        let shown = presentable(&place.url);
        let work = self.cache.session()?.stage_dir()?;
        let tree = work.path().join("tree");
        self.unpack(place, &work.path().join("archive"), &tree)
            .and_then(|()| {
                let origin = Origin { kind: "url", location: &printable(shown.as_bytes()) };
                self.take_in(&tree, Intake::Take, LinkPolicy::Error, origin)
            })
            .map_err(|error| named_after_place(error, &shown, &tree))
    }

    fn unpack(&self, place: &DownloadSource, archive: &Path, tree: &Path) -> Result<()> {
        let (disk, waiting) = (&self.cache.store.disk, &self.cache.waiting);
        let (observer, interrupt) = (&*waiting.observer, &waiting.interrupt);
        let found = download(disk, &place.url, archive, observer, interrupt)?.sha256_hex();
        if let Some(expected) = place.sha256.as_ref().filter(|expected| **expected != found) {
            let (what, expected) = (printable_path(archive), expected.clone());
            return Err(Error::WrongHash { what, algorithm: "sha256", found, expected });
        }
        unpack(disk, archive, tree, &Limits::default(), observer, interrupt)?;
        check_tree_sha1(tree, self.tree, interrupt)
    }

    fn take_in(&self, path: &Path, intake: Intake, links: LinkPolicy, origin: Origin<'_>) -> Result<Ingested> {
        let staged_in = self.cache.session()?.stage_dir()?;
        let claim = Claim::Bind { owner: self.owner, name: self.name, options: &self.options };
        self.cache.take_in(path, intake, links, &staged_in, &claim, origin)
    }
}

/// Lets through what another place may do better; everything else stops the whole.
fn of_the_place(error: Error) -> Result<Error> {
    let here = matches!(
        error,
        Error::Io { .. }
            | Error::Invalid { .. }
            | Error::Unsupported { .. }
            | Error::Archive { .. }
            | Error::WrongHash { .. }
            | Error::Link { .. }
    );
    if here && error.kind() != ErrorKind::OutOfSpace { Ok(error) } else { Err(error) }
}

/// Nobody knows our folders: what is wrong with an archive is said of the place it is from.
fn named_after_place(error: Error, shown: &str, tree: &Path) -> Error {
    match error {
        Error::WrongHash { algorithm, found, expected, .. } => {
            Error::WrongHash { what: format!("`{}`", printable_path(Path::new(shown))), algorithm, found, expected }
        }
        Error::Archive { reason, .. } => Error::Archive { path: shown.into(), reason },
        Error::Link { path, target, problem } => {
            let inside = path.strip_prefix(tree).map_or_else(|_| path.clone(), |inside| Path::new(shown).join(inside));
            Error::Link { path: inside, target, problem }
        }
        other => other,
    }
}

/// Returns the keys of a declaration's entry that nobody understands.
fn meta_of(declaration: &Declaration) -> Option<Metadata> {
    let entries = entries_of(&declaration.whole);
    let entry = entries.into_iter().flatten().find(|entry| {
        entry.tree_sha1.to_string() == declaration.tree_sha1
            && entry.platform.as_ref().map(ToString::to_string) == declaration.platform
    })?;
    (!entry.unknown.is_empty()).then(|| Metadata::new(Value::Table(entry.unknown)))
}
