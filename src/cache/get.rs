//! "Give me this data, make it if it is missing", for many processes at once.

use std::path::{Path, PathBuf};

use crate::cache::claim::Claim;
use crate::cache::{BindOptions, Binding, Cache, Keep};
use crate::digest::Digest;
use crate::error::{BoxError, Error, Result};
use crate::fs::LockFile;
use crate::model::{BindingName, OwnerId};

/// What a name stands for, and whether it had to be made.
#[derive(Debug, Clone, PartialEq)]
pub struct Got {
    /// Where the artifact lies.
    pub path: PathBuf,
    /// The name's binding.
    pub binding: Binding,
    /// Whether this call made it.
    pub created: bool,
}

impl Cache {
    pub(super) fn get_or_create<K: Into<Keep>, E: Into<BoxError>>(
        &self,
        owner: &OwnerId,
        name: &BindingName,
        options: &BindOptions,
        command: Option<&str>,
        make: impl FnOnce(&Path) -> Result<K, E>,
    ) -> Result<Got> {
        let existing = || self.get_existing(owner, name);
        self.existing_or_made(owner, name, existing, || self.make_and_bind(owner, name, options, command, make))
    }

    /// Returns what is there, or makes it. Of many processes that ask for one name, one makes it.
    pub(crate) fn existing_or_made<T>(
        &self,
        owner: &OwnerId,
        name: &BindingName,
        existing: impl Fn() -> Result<Option<T>>,
        make: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        if let Some(found) = existing()? {
            return Ok(found);
        }
        if self.is_read_only() {
            return Err(Error::ReadOnly { path: self.root().to_owned() });
        }
        // Whoever has the lock makes it; the kernel hands it on if the maker dies.
        let what = format!("the lock for making `{}`", crate::text::printable(name.as_str().as_bytes()));
        let lock = self.store.layout.lock(&format!("get-{}", flight(owner, name)));
        let lock = LockFile::exclusive(&lock, &what, &mut self.waiting.patience())?;
        let outcome = match existing()? {
            Some(found) => Ok(found),
            None => make(),
        };
        lock.remove();
        outcome
    }

    /// Returns the artifact if the name is bound and its files are there.
    pub(crate) fn get_existing(&self, owner: &OwnerId, name: &BindingName) -> Result<Option<Got>> {
        let Some(row) = self.look_up(owner, name)? else { return Ok(None) };
        let artifact = &row.artifact;
        if !self.store.holds(artifact.kind, artifact.hash, artifact.size)? {
            return Ok(None);
        }
        self.note_use(&row);
        Ok(Some(Got { path: self.path_of(&row.artifact), binding: row.into(), created: false }))
    }

    fn make_and_bind<K: Into<Keep>, E: Into<BoxError>>(
        &self,
        owner: &OwnerId,
        name: &BindingName,
        options: &BindOptions,
        command: Option<&str>,
        make: impl FnOnce(&Path) -> Result<K, E>,
    ) -> Result<Got> {
        // A binding whose files are gone must give way; any other was found before.
        let broken = self.find_binding(owner, name)?.is_some();
        let options = options.clone().force(broken);
        match self.create_with(&Claim::Bind { owner, name, options: &options }, command, make) {
            Ok(made) => {
                let lost = || Error::Internal("a new binding is missing".to_owned());
                Ok(Got { path: made.path, binding: made.binding.ok_or_else(lost)?, created: true })
            }
            // Where locks do not work another process may have been faster: its result is as good.
            Err(error @ Error::BindingExists { .. }) => self.get_existing(owner, name)?.ok_or(error),
            Err(error) => Err(error),
        }
    }
}

/// Names the lock of one owner's name; any text is a name, so it is hashed.
fn flight(owner: &OwnerId, name: &BindingName) -> Digest {
    let version = owner.version().unwrap_or_default();
    Digest::of_blob(format!("{}\0{version}\0{name}", owner.key()).as_bytes())
}
