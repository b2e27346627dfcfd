//! Opens a store, making it where asked.

use std::path::Path;
use std::sync::Mutex;

use crate::cache::last_use::LastUses;
use crate::cache::{Cache, CacheOptions};
use crate::error::{Error, PathContext as _, Result};
use crate::fs::{Disk, lstat};
use crate::index::{Birth, Index, Settings};
use crate::store::{Layout, Store};

/// What a store's folder holds at its top; SQLite adds suffixes to the index.
const OURS: [&str; 6] = ["CACHEDIR.TAG", "artifacts", "bindings.journal", "executables", "tmp", "trash"];
const INDEX: &str = "index.sqlite";

impl Cache {
    /// Opens the store, making it if it does not exist (see [`CacheOptions::create`]).
    ///
    /// # Errors
    /// [`Error::NotAStore`] if the folder holds something else, [`Error::SchemaTooNew`] if a newer
    /// program made the store, and what the system says.
    pub fn open(options: CacheOptions) -> Result<Self> {
        let root = std::path::absolute(&options.root).at("resolve", &options.root)?;
        let layout = Layout::new(root);
        let exists = lstat(&layout.index())?.is_some();
        match (exists, options.create) {
            (true, _) => Self::open_existing(layout, options, None),
            (false, true) => Self::make(layout, options),
            (false, false) => {
                let index = Index::empty(options.clock.now())?;
                Self::assemble(layout, index, options)
            }
        }
    }

    /// Makes a store where there is none.
    ///
    /// # Errors
    /// [`Error::StoreExists`] if there is one, else as [`Cache::open`].
    pub fn init(options: CacheOptions) -> Result<Self> {
        let root = std::path::absolute(&options.root).at("resolve", &options.root)?;
        let layout = Layout::new(root);
        if lstat(&layout.index())?.is_some() {
            return Err(Error::StoreExists { path: layout.root().to_owned() });
        }
        Self::make(layout, options)
    }

    fn make(layout: Layout, options: CacheOptions) -> Result<Self> {
        refuse_foreign(layout.root())?;
        Store::create(&layout, &Disk::new(options.fault.clone()))?;
        let settings = Settings { link_style: options.link_style, durability: options.durability };
        let birth = Birth { settings, now: options.clock.now() };
        Self::open_existing(layout, options, Some(birth))
    }

    fn open_existing(layout: Layout, options: CacheOptions, birth: Option<Birth>) -> Result<Self> {
        let disk = Disk::new(options.fault.clone());
        // A process that died between making the file and filling it leaves an empty index.
        let birth = birth.or_else(|| {
            let settings = Settings { link_style: options.link_style, durability: options.durability };
            options.create.then(|| Birth { settings, now: options.clock.now() })
        });
        let index = Index::open(&layout.index(), birth, &disk, &options.waiting)?;
        Self::assemble(layout, index, options)
    }

    fn assemble(layout: Layout, index: Index, options: CacheOptions) -> Result<Self> {
        let settings = index.read(|tx| tx.settings())?;
        let store = Store {
            layout,
            disk: Disk::new(options.fault),
            style: settings.link_style,
            durability: settings.durability,
        };
        Ok(Self {
            store,
            index,
            clock: options.clock,
            waiting: options.waiting,
            session: Mutex::new(None),
            uses: LastUses::default(),
        })
    }
}

/// A folder that holds other things must not become a store by a slip of the keyboard.
fn refuse_foreign(root: &Path) -> Result<()> {
    match lstat(root)? {
        None => return Ok(()),
        Some(found) if found.is_file() => {
            return Err(Error::NotAStore { path: root.to_owned(), reason: "it is a file".to_owned() });
        }
        Some(_) => {}
    }
    for entry in std::fs::read_dir(root).at("list", root)? {
        let name = entry.at("list", root)?.file_name();
        let name = name.to_string_lossy();
        if !OURS.contains(&name.as_ref()) && !name.starts_with(INDEX) {
            let reason =
                format!("it holds `{}`, and a new store needs an empty folder", crate::printable(name.as_bytes()));
            return Err(Error::NotAStore { path: root.to_owned(), reason });
        }
    }
    Ok(())
}
