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
        let layout = layout(&options)?;
        let index = match find_index(&layout, &options)? {
            Some(index) => index,
            None if options.create => make(&layout, &options)?,
            None => Index::empty(options.clock.now())?,
        };
        Self::assemble(layout, index, options)
    }

    /// Makes a store where there is none.
    ///
    /// # Errors
    /// [`Error::StoreExists`] if there is one, else as [`Cache::open`].
    pub fn init(options: CacheOptions) -> Result<Self> {
        let layout = layout(&options)?;
        if find_index(&layout, &options)?.is_some() {
            return Err(Error::StoreExists { path: layout.root().to_owned() });
        }
        let index = make(&layout, &options)?;
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

fn layout(options: &CacheOptions) -> Result<Layout> {
    Ok(Layout::new(std::path::absolute(&options.root).at("resolve", &options.root)?))
}

/// Opens the index there is. One that a dying process left empty is none.
fn find_index(layout: &Layout, options: &CacheOptions) -> Result<Option<Index>> {
    if lstat(&layout.index())?.is_none() {
        return Ok(None);
    }
    Index::open(&layout.index(), None, &Disk::new(options.fault.clone()), &options.waiting)
}

fn make(layout: &Layout, options: &CacheOptions) -> Result<Index> {
    refuse_foreign(layout.root())?;
    let disk = Disk::new(options.fault.clone());
    Store::create(layout, &disk)?;
    let settings = Settings { link_style: options.link_style, durability: options.durability };
    let birth = Birth { settings, now: options.clock.now() };
    let index = Index::open(&layout.index(), Some(birth), &disk, &options.waiting)?;
    index.ok_or_else(|| Error::Internal("a new index is empty".to_owned()))
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
