//! The configuration of this store: reading both files, changing one.

use std::path::{Path, PathBuf};

use crate::cache::Cache;
use crate::config::{Change, Config, ConfigFile, Place, change};
use crate::error::{Error, Result};
use crate::fs::{LockFile, lstat};
use crate::store::random_name;

impl Cache {
    /// Reads how this store is to be run; each call looks at the files anew. A file that is missing says
    /// nothing, and neither does a store that does not exist yet.
    ///
    /// # Errors
    /// [`Error::Config`] for a file that is not understood to the last key, and what the system says.
    pub fn config(&self) -> Result<Config> {
        let store = self.is_made()?.then(|| self.store_config());
        let places = store.into_iter().chain(self.user_config());
        places.map(Place::read).collect::<Result<_>>().map(Config::of)
    }

    /// Returns where a file of the configuration is, or would be; none if nobody said where the user's is.
    #[must_use]
    pub fn config_path(&self, file: ConfigFile) -> Option<PathBuf> {
        match file {
            ConfigFile::Store => Some(self.store.layout.config()),
            ConfigFile::User => self.user_config.clone(),
        }
    }

    /// Gives a key of a file a value: one, or for `gc.rules` any number in one-line form, which take the
    /// place of the file's list. The file is made if it is missing; comments and other keys stay.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an unknown key or a wrong value, [`Error::Config`] for a file that is wrong
    /// elsewhere, [`Error::ReadOnly`] for a store that cannot be written. Then nothing has changed.
    pub fn set_config(&self, file: ConfigFile, key: &str, values: &[&str]) -> Result<()> {
        self.change_config(file, &Change::set(key, values)?).map(drop)
    }

    /// Takes a key out of a file; false if it was not there.
    ///
    /// # Errors
    /// As [`Cache::set_config`].
    pub fn unset_config(&self, file: ConfigFile, key: &str) -> Result<bool> {
        let change = Change::unset(key)?;
        let path = self.config_path(file);
        let is_there = path.map_or(Ok(None), |path| lstat(&path))?.is_some();
        if is_there && (file == ConfigFile::User || self.is_made()?) {
            self.change_config(file, &change)
        } else {
            Ok(false)
        }
    }

    fn change_config(&self, file: ConfigFile, change: &Change) -> Result<bool> {
        match file {
            ConfigFile::Store => self.change_store_config(change),
            ConfigFile::User => self.change_user_config(change),
        }
    }

    /// What a process leaves that dies on the way lies in the folder of its session, and goes with it.
    fn change_store_config(&self, wanted: &Change) -> Result<bool> {
        if !self.is_made()? {
            let reason = "it has no index yet".to_owned();
            return Err(Error::NotAStore { path: self.root().to_owned(), reason });
        }
        let stage = self.session()?.stage_dir()?;
        let lock = self.store.layout.lock("config");
        let temp = stage.path().join("config.toml");
        self.locked(&lock, || change(&self.store_config(), &temp, &self.store.disk, wanted))
    }

    fn change_user_config(&self, wanted: &Change) -> Result<bool> {
        let place = self.user_config().ok_or_else(|| {
            Error::invalid("file of the configuration", "user", "nobody said where the user's configuration is")
        })?;
        if let Some(folder) = place.path.parent() {
            self.store.disk.create_dir_all(folder)?;
        }
        let beside = place.behind_link()?;
        let temp = with_suffix(&beside, &random_name()?);
        self.locked(&with_suffix(&beside, "lock"), || change(&place, &temp, &self.store.disk, wanted))
    }

    /// Of two processes that change a file at once, the second must read what the first has written.
    fn locked<T>(&self, path: &Path, action: impl FnOnce() -> Result<T>) -> Result<T> {
        let lock = LockFile::exclusive(path, "the configuration", &mut self.waiting.patience())?;
        let outcome = action();
        lock.remove();
        outcome
    }

    fn store_config(&self) -> Place {
        Place { file: ConfigFile::Store, path: self.store.layout.config() }
    }

    fn user_config(&self) -> Option<Place> {
        self.user_config.clone().map(|path| Place { file: ConfigFile::User, path })
    }

    fn is_made(&self) -> Result<bool> {
        Ok(lstat(&self.store.layout.index())?.is_some())
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    name.into()
}
