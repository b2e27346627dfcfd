//! A package's view of the store.

use std::path::PathBuf;

use crate::cache::Binding;
use crate::cache::bind::{ArtifactRef, BindOptions};
use crate::cache::claim::Claim;
use crate::cache::{Cache, Got, Ingested, Keep, Source};
use crate::error::{BoxError, Result};
use crate::model::{BindingName, OwnerId};

/// One owner's names: bind, look up, unbind.
///
/// Versions of one owner are owners of their own, see [`OwnerId`].
#[derive(Debug)]
pub struct OwnerHandle<'c> {
    pub(crate) cache: &'c Cache,
    id: OwnerId,
}

impl Cache {
    /// Returns an owner's view, from `KEY` or `KEY@VERSION`. Nothing is written until it binds.
    ///
    /// # Errors
    /// [`Error::Invalid`](crate::Error::Invalid) if this is no owner's key.
    pub fn owner(&self, id: &str) -> Result<OwnerHandle<'_>> {
        Ok(self.owner_by_id(id.parse()?))
    }

    /// Returns an owner's view.
    #[must_use]
    pub fn owner_by_id(&self, id: OwnerId) -> OwnerHandle<'_> {
        OwnerHandle { cache: self, id }
    }
}

impl OwnerHandle<'_> {
    /// Returns who this is.
    #[must_use]
    pub fn id(&self) -> &OwnerId {
        &self.id
    }

    /// Binds a name to an artifact that exists.
    ///
    /// # Errors
    /// [`Error::BindingExists`](crate::Error::BindingExists) if the name is taken and `options` do
    /// not force, [`Error::NoSuchObject`](crate::Error::NoSuchObject) if there is no such artifact.
    pub fn bind(&self, name: &str, what: impl Into<ArtifactRef>, options: &BindOptions) -> Result<Binding> {
        self.cache.bind(&self.id, &BindingName::new(name)?, what.into(), options)
    }

    /// Lets names go; returns the bindings there were. Nothing is deleted: that is gc's work.
    ///
    /// # Errors
    /// What the index says.
    pub fn unbind<N: AsRef<str>>(&self, names: impl IntoIterator<Item = N>) -> Result<Vec<Binding>> {
        let names = names.into_iter().map(|name| BindingName::new(name.as_ref())).collect::<Result<Vec<_>>>()?;
        self.cache.unbind(&self.id, &names)
    }

    /// Looks a name up and notes that it was used; none if it is not bound.
    ///
    /// # Errors
    /// What the index says.
    pub fn resolve(&self, name: &str) -> Result<Option<Binding>> {
        let row = self.cache.look_up(&self.id, &BindingName::new(name)?)?;
        Ok(row.map(|row| {
            self.cache.note_use(&row);
            Binding::from(row)
        }))
    }

    /// Looks a name up and returns where its artifact lies; none if it is not bound.
    ///
    /// # Errors
    /// What the index says.
    pub fn path(&self, name: &str) -> Result<Option<PathBuf>> {
        Ok(self.resolve(name)?.map(|binding| self.cache.path_of(&binding.artifact)))
    }

    /// Returns all bindings of this owner, by name.
    ///
    /// # Errors
    /// What the index says.
    pub fn bindings(&self) -> Result<Vec<Binding>> {
        self.cache.bindings(Some(&self.id))
    }

    /// Puts a file or directory in and binds it in the same step.
    ///
    /// # Errors
    /// As [`Cache::ingest`] and [`OwnerHandle::bind`].
    pub fn ingest(&self, name: &str, source: &Source, options: &BindOptions) -> Result<Ingested> {
        let name = BindingName::new(name)?;
        self.cache.ingest_with(source, &Claim::Bind { owner: &self.id, name: &name, options })
    }

    /// Makes an artifact and binds it in the same step, see [`Cache::create`].
    ///
    /// # Errors
    /// As [`Cache::create`] and [`OwnerHandle::bind`].
    pub fn create<K: Into<Keep>, E: Into<BoxError>>(
        &self,
        name: &str,
        options: &BindOptions,
        make: impl FnOnce(&std::path::Path) -> Result<K, E>,
    ) -> Result<Ingested> {
        let name = BindingName::new(name)?;
        self.cache.create_with(&Claim::Bind { owner: &self.id, name: &name, options }, None, make)
    }

    /// Returns what the name is bound to; makes and binds it first if it is not, or if its files are
    /// gone. Of many processes that ask at once, one makes it and all get it.
    ///
    /// # Errors
    /// As [`Cache::create`]; [`Error::Busy`](crate::Error::Busy) if another process takes too long.
    pub fn get_or_create<K: Into<Keep>, E: Into<BoxError>>(
        &self,
        name: &str,
        options: &BindOptions,
        make: impl FnOnce(&std::path::Path) -> Result<K, E>,
    ) -> Result<Got> {
        self.cache.get_or_create(&self.id, &BindingName::new(name)?, options, None, make)
    }

    /// As [`OwnerHandle::create`] and [`OwnerHandle::get_or_create`], noting the command that makes it.
    ///
    /// # Errors
    /// As [`OwnerHandle::create`].
    pub fn create_by_command<K: Into<Keep>, E: Into<BoxError>>(
        &self,
        name: &str,
        options: &BindOptions,
        command: &str,
        make: impl FnOnce(&std::path::Path) -> Result<K, E>,
    ) -> Result<Ingested> {
        let name = BindingName::new(name)?;
        self.cache.create_with(&Claim::Bind { owner: &self.id, name: &name, options }, Some(command), make)
    }

    /// As [`OwnerHandle::get_or_create`], noting the command that makes it.
    ///
    /// # Errors
    /// As [`OwnerHandle::get_or_create`].
    pub fn get_or_create_by_command<K: Into<Keep>, E: Into<BoxError>>(
        &self,
        name: &str,
        options: &BindOptions,
        command: &str,
        make: impl FnOnce(&std::path::Path) -> Result<K, E>,
    ) -> Result<Got> {
        self.cache.get_or_create(&self.id, &BindingName::new(name)?, options, Some(command), make)
    }
}
