//! Opens a store, making it where asked.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use crate::cache::job::{is_live_job, own_holder};
use crate::cache::last_use::LastUses;
use crate::cache::{Cache, CacheOptions};
use crate::error::{Error, PathContext as _, Result};
use crate::event::Event;
use crate::fs::{Disk, lstat};
use crate::index::{Birth, Index, Settings};
use crate::model::LinkStyle;
use crate::store::{Layout, Store};
use crate::text::printable_path;

/// What a store's folder holds at its top; SQLite adds suffixes to the index.
const OURS: [&str; 9] = [
    "CACHEDIR.TAG",
    "artifacts",
    "attached",
    "bindings.journal",
    "config.toml",
    "executables",
    "reserve",
    "tmp",
    "trash",
];
const INDEX: &str = "index.sqlite";

impl Cache {
    /// Opens the store, making it if it does not exist (see [`CacheOptions::create`]).
    ///
    /// # Errors
    /// [`Error::NotAStore`] if the folder holds something else, [`Error::SchemaTooNew`] if a newer
    /// program made the store, and what the system says.
    pub fn open(options: CacheOptions) -> Result<Self> {
        let layout = layout(&options)?;
        if let Some(index) = find_index(&layout, &options)? {
            return Self::assemble(layout, index, options);
        }
        if options.create && !options.read_only {
            return Self::make(&layout, options);
        }
        let index = Index::empty(options.clock.now())?;
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
        Self::make(&layout, options)
    }

    fn make(layout: &Layout, options: CacheOptions) -> Result<Self> {
        refuse_foreign(layout.root())?;
        let disk = Disk::new(options.fault.clone());
        disk.create_dir_all(layout.root())?;
        // Its links hold the path, so it must be the one every later process finds.
        let layout = self::layout(&options)?;
        Store::create(&layout, &disk)?;
        let settings = Settings { link_style: options.link_style, durability: options.durability };
        let birth = Birth { settings, now: options.clock.now() };
        let index = Index::open(&layout.index(), Some(birth), &disk, &options.waiting)?;
        let index = index.ok_or_else(|| Error::Internal("a new index is empty".to_owned()))?;
        Self::assemble(layout, index, options)
    }

    fn assemble(layout: Layout, index: Index, options: CacheOptions) -> Result<Self> {
        let (settings, noted) = index.read(|tx| Ok((tx.settings()?, tx.noted_root()?)))?;
        let store = Store {
            layout,
            disk: Disk::new(options.fault),
            style: settings.link_style,
            durability: settings.durability,
        };
        let moved = if options.moved { None } else { moved_from(noted, &store) };
        let job = options.lease_session.filter(|session| is_live_job(&store, session));
        if let Some(from) = moved {
            options.waiting.observer.on(&Event::Warning { message: &moved_message(&store, &from) });
        }
        Ok(Self {
            store,
            index,
            job,
            holder: options.holder.unwrap_or_else(own_holder),
            clock: options.clock,
            julia_depots: options.julia_depots,
            user_config: options.user_config,
            waiting: options.waiting,
            session: Mutex::new(None),
            uses: LastUses::default(),
            given_room: options.given_room,
            probe_limit: options.probe_limit,
        })
    }
}

/// Returns where the links of trees lead, if the store was moved or copied from there.
fn moved_from(noted: Option<PathBuf>, store: &Store) -> Option<PathBuf> {
    let root = store.layout.root();
    noted.filter(|noted| store.style == LinkStyle::Absolute && noted != root && root.exists())
}

fn moved_message(store: &Store, from: &Path) -> String {
    let here = crate::text::shell_word(&store.layout.root().to_string_lossy());
    let from = printable_path(from);
    format!(
        "the store was at `{from}`, and the links of its directories lead there; \
         `oma --store {here} relocate` makes them lead here"
    )
}

/// One store has one path, by whatever links it was reached.
fn layout(options: &CacheOptions) -> Result<Layout> {
    let root = std::path::absolute(&options.root).at("resolve", &options.root)?;
    Ok(Layout::new(std::fs::canonicalize(&root).unwrap_or(root)))
}

/// Opens the index there is. One that a dying process left empty is none; but where objects lie, an
/// index was, and taking them for garbage would lose everything.
fn find_index(layout: &Layout, options: &CacheOptions) -> Result<Option<Index>> {
    if lstat(layout.root())?.is_some_and(|found| !found.is_dir()) {
        return Err(Error::NotAStore { path: layout.root().to_owned(), reason: "it is not a folder".to_owned() });
    }
    if lstat(&layout.index())?.is_some() {
        let disk = Disk::new(options.fault.clone());
        let found = if options.read_only {
            Index::open_read_only(&layout.index(), &disk, &options.waiting)?
        } else {
            Index::open(&layout.index(), None, &disk, &options.waiting)?
        };
        if let Some(index) = found {
            return Ok(Some(index));
        }
    }
    if Store::was_used(layout)? {
        return Err(Error::IndexLost { path: layout.root().to_owned() });
    }
    Ok(None)
}

/// A folder that holds other things must not become a store by a slip of the keyboard.
fn refuse_foreign(root: &Path) -> Result<()> {
    if lstat(root)?.is_none() {
        return Ok(());
    }
    for entry in std::fs::read_dir(root).at("list", root)? {
        let name = entry.at("list", root)?.file_name();
        let name = name.to_string_lossy();
        if !OURS.contains(&name.as_ref()) && !name.starts_with(INDEX) {
            let reason = format!(
                "it holds `{}`, and a new store needs an empty folder",
                crate::text::printable(name.as_bytes())
            );
            return Err(Error::NotAStore { path: root.to_owned(), reason });
        }
    }
    Ok(())
}
