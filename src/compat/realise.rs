//! Realises what is declared: looks for it in the depots, else fetches, checks, unpacks, checks, stores
//! and binds it.
//!
//! Guarantees: nothing is visible before the archive's SHA-256 and the tree's SHA-1 are what was declared;
//! a place that fails leaves nothing, and the next one is tried; of many processes one does the work.

use std::path::{Path, PathBuf};

use serde::Serialize;
use toml::Value;

use crate::cache::claim::Claim;
use crate::cache::download::{Transfer, named_after_place, named_inside, of_the_place, only_error};
use crate::cache::ingest::Origin;
use crate::cache::{BindOptions, Cache, Got, Ingested, OwnerHandle};
use crate::compat::tree_check::check_tree_sha1;
use crate::digest::Sha256Sum;
use crate::error::{Error, Result};
use crate::fetch::{Address, Errand, Limits, Outcome, Shape, unpack};
use crate::index::DeclarationRow;
use crate::julia::{GitTreeSha1, entries_of, find_installed_artifact};
use crate::model::{
    BindingName, Declaration, DownloadRecord, DownloadSource, LinkPolicy, Making, Metadata, OwnerId, Unpacking,
};
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
        for (number, place) in self.declaration.downloads.iter().enumerate() {
            let last = number + 1 == self.declaration.downloads.len();
            match self.bring_archive(place, last) {
                Ok(brought) => {
                    self.cache.warn_of(&failed);
                    return Ok(brought);
                }
                Err(error) => failed.push(of_the_place(error)?),
            }
        }
        Err(only_error(failed, self.name.as_str()))
    }

    fn take_installed(&self, folder: &Path) -> Result<Ingested> {
        check_tree_sha1(folder, self.tree, &self.cache.waiting.interrupt)?;
        let location = printable_path(folder);
        let origin = Origin::new("path", &location);
        // As Pkg unpacked it, and its hash covers it: links stay as they are.
        self.take_in(folder, Intake::Copy, LinkPolicy::Keep, origin)
    }

    fn bring_archive(&self, place: &DownloadSource, last: bool) -> Result<Ingested> {
        let address = Address::parse(&place.url)?;
        let work = self.cache.session()?.stage_dir()?;
        let tree = work.path().join("tree");
        self.transfer(place, &address, last, &tree)
            .and_then(|record| {
                let origin = Origin {
                    kind: "url",
                    location: address.kept(),
                    download: Some(&record),
                    demanded: place.sha256.is_some(),
                };
                self.take_in(&tree, Intake::Take, LinkPolicy::Error, origin)
            })
            .map_err(|error| named_after_place(named_inside(error, &tree), address.kept()))
    }

    /// Brings an archive, holds its hash against it, and unpacks it.
    fn transfer(&self, place: &DownloadSource, address: &Address, last: bool, tree: &Path) -> Result<DownloadRecord> {
        let (disk, waiting) = (&self.cache.store.disk, &self.cache.waiting);
        let errand = if last { Errand::default() } else { Errand::default().among_others() };
        let mut transfer = Transfer::begin(self.cache, address, &errand, place.sha256.is_some())?;
        let Outcome::Brought(brought) = transfer.run(None)? else {
            return Err(Error::Internal("nothing was known, and it did not change".to_owned()));
        };
        let again = transfer.checked(&brought, |brought| check_archive(brought.sha256, place, address))?;
        let brought = again.unwrap_or(brought);
        let unpacked = unpack(disk, transfer.path(), tree, &Limits::default(), &*waiting.observer, &waiting.interrupt);
        // The bytes are of no more use, whatever they were.
        transfer.finish()?;
        if unpacked?.shape == Shape::File {
            let reason = "it is a single file, not the directory that is declared".to_owned();
            return Err(Error::Archive { path: address.kept().into(), reason });
        }
        check_tree_sha1(tree, self.tree, &waiting.interrupt)?;
        let making = Making { unpacking: Unpacking::Whole, ..Making::default() };
        let places = self.declaration.downloads.iter().filter_map(|place| Address::parse(&place.url).ok());
        let places = places.map(|address| address.kept().to_owned()).collect();
        Ok(brought.record(making, places))
    }

    fn take_in(&self, path: &Path, intake: Intake, links: LinkPolicy, origin: Origin<'_>) -> Result<Ingested> {
        let staged_in = self.cache.session()?.stage_dir()?;
        let claim = Claim::Bind { owner: self.owner, name: self.name, options: &self.options };
        self.cache.take_in(path, intake, links, &staged_in, &claim, origin)
    }
}

fn check_archive(found: Sha256Sum, place: &DownloadSource, address: &Address) -> Result<()> {
    let found = found.to_string();
    match &place.sha256 {
        Some(expected) if *expected != found => {
            let (what, expected) = (format!("`{}`", printable(address.kept().as_bytes())), expected.clone());
            Err(Error::WrongHash { what, algorithm: "sha256", found, expected })
        }
        _ => Ok(()),
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
