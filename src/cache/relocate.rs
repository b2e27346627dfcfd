//! Lays trees out anew after the store was moved, or when they are to refer to their files in another way.
//!
//! Guarantees: at every instant each tree is whole under its own path, in the old form or in the new; a run that
//! is cut off leaves trees of both forms, which are all good, and the next one goes on; other processes may go on
//! using the store.

use std::path::PathBuf;

use serde::Serialize;

use crate::cache::Cache;
use crate::error::{Error, Result};
use crate::event::{Event, Phase};
use crate::index::{ObjectRow, State};
use crate::model::{LinkStyle, Manifest, ObjectKind};
use crate::store::{StageDir, Store};

/// So many trees change places in one transaction.
const BATCH: usize = 100;

/// What to do with a store's trees.
#[derive(Debug, Clone, Copy, Default)]
#[must_use]
pub struct RelocateOptions {
    style: Option<LinkStyle>,
    dry_run: bool,
}

impl RelocateOptions {
    /// All links lead to where the store is now.
    pub fn new() -> Self {
        Self::default()
    }

    /// Trees refer to their files in this way from now on.
    pub fn link_style(mut self, style: Option<LinkStyle>) -> Self {
        self.style = style;
        self
    }

    /// Whether only is said what would be done.
    pub fn dry_run(mut self, dry_run: bool) -> Self {
        self.dry_run = dry_run;
        self
    }
}

/// What became of a store's trees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Relocated {
    /// Whether nothing was changed.
    pub dry_run: bool,
    /// Where the store is.
    #[serde(serialize_with = "crate::text::serialize_path")]
    pub root: PathBuf,
    /// Where its links led before.
    #[serde(serialize_with = "crate::text::serialize_path")]
    pub was_root: PathBuf,
    /// How trees refer to their files.
    pub link_style: LinkStyle,
    /// How they did before.
    pub was_link_style: LinkStyle,
    /// How many trees there are, those in the trash included.
    pub trees: u64,
    /// How many of them were laid out anew.
    pub rewritten: u64,
}

/// A tree that was laid out beside the one in use.
struct Fresh {
    row: ObjectRow,
    run: Option<i64>,
    path: PathBuf,
    own_bytes: u64,
}

impl Cache {
    /// Makes every tree refer to its files where the store is now, in the style it has or is to have. Trees that
    /// do so already are left alone.
    ///
    /// # Errors
    /// [`Error::ReadOnly`], what the system says, [`Error::Interrupted`]. What was laid out until then stays.
    pub fn relocate(&self, options: &RelocateOptions) -> Result<Relocated> {
        if self.is_read_only() {
            return Err(Error::ReadOnly { path: self.root().to_owned() });
        }
        let style = options.style.unwrap_or(self.store.style);
        let was_root = self.read(|tx| tx.noted_root())?.unwrap_or_else(|| self.root().to_owned());
        let store = Store { style, ..self.store.clone() };
        if !options.dry_run {
            // What is put in from now on has the new form already.
            self.write(|tx| tx.set_link_style(style))?;
        }
        let trees = self.read(|tx| tx.trees())?;
        let observer = &*self.waiting.observer;
        observer.on(&Event::Begin { phase: Phase::Link, files: Some(trees.len() as u64) });
        let outcome = Relocating { cache: self, store: &store, dry_run: options.dry_run }.all(&trees);
        observer.on(&Event::End { phase: Phase::Link });
        if outcome.is_err() {
            // A tree may have been left beside its place.
            self.session()?.leave_behind();
        }
        let rewritten = outcome?;
        if !options.dry_run {
            // Only now: until all links lead here, whoever opens the store is told.
            self.write(|tx| tx.set_root(self.root()))?;
        }
        Ok(Relocated {
            dry_run: options.dry_run,
            root: self.root().to_owned(),
            was_root,
            link_style: style,
            was_link_style: self.store.style,
            trees: trees.len() as u64,
            rewritten,
        })
    }
}

struct Relocating<'a> {
    cache: &'a Cache,
    /// The store, in the style that it is to have.
    store: &'a Store,
    dry_run: bool,
}

impl Relocating<'_> {
    fn all(&self, trees: &[(ObjectRow, Option<i64>)]) -> Result<u64> {
        let mut rewritten = 0;
        // Whoever reads a tree while it changes may still be in the old form, which goes one batch later.
        let mut previous = None;
        for batch in trees.chunks(BATCH) {
            let dir = if self.dry_run { None } else { Some(self.cache.session()?.stage_dir()?) };
            rewritten += self.batch(batch, dir.as_ref())?;
            drop(previous.replace(dir));
        }
        Ok(rewritten)
    }

    fn batch(&self, trees: &[(ObjectRow, Option<i64>)], dir: Option<&StageDir>) -> Result<u64> {
        let mut fresh = Vec::new();
        let mut stale = 0;
        for (row, run) in trees {
            self.cache.waiting.interrupt.check()?;
            let manifest = Manifest::new(self.cache.read(|tx| tx.entries(row.id))?);
            if let Some(store) = self.form_for(row, *run, &manifest)? {
                stale += 1;
                if let Some(dir) = dir {
                    let path = dir.path().join(fresh.len().to_string());
                    let own_bytes = store.lay_out(&manifest, &path, &())?.own_bytes;
                    fresh.push(Fresh { row: row.clone(), run: *run, path, own_bytes });
                }
            }
            self.cache.waiting.observer.on(&Event::Advance { phase: Phase::Link, files: 1, bytes: 0 });
        }
        if self.dry_run { Ok(stale) } else { self.swap(&fresh) }
    }

    /// Returns the store in the style that a tree needs; none if it is as it should be, or gone.
    fn form_for(&self, row: &ObjectRow, run: Option<i64>, manifest: &Manifest) -> Result<Option<Store>> {
        let layout = &self.store.layout;
        let Some(run) = run else {
            let top = layout.object(ObjectKind::Tree, row.hash);
            return Ok((top.is_dir() && !self.store.is_laid(manifest, &top)?).then(|| self.store.clone()));
        };
        // The files of a tree in the trash may lie there too, where nothing can share an inode with them: any
        // form will do that leads to where they are once they come back.
        let top = layout.trashed(run, ObjectKind::Tree, row.hash);
        if !top.is_dir() || self.store.leads_home(manifest, &top)? {
            return Ok(None);
        }
        let style = if self.store.style == LinkStyle::Hardlink { LinkStyle::Relative } else { self.store.style };
        Ok(Some(Store { style, ..self.store.clone() }))
    }

    /// Puts the new forms in place, of those trees that are still what they were.
    fn swap(&self, fresh: &[Fresh]) -> Result<u64> {
        if fresh.is_empty() {
            return Ok(0);
        }
        self.cache.write(|tx| {
            let mut swapped = 0;
            for tree in fresh {
                let now = tx.find_form(tree.row.hash, ObjectKind::Tree)?;
                if now.as_ref().is_none_or(|now| !same_tree(now, &tree.row)) {
                    continue;
                }
                match tree.run {
                    None if now.is_some_and(|now| now.state == State::Live) => {
                        self.store.replace_tree(tx.token(), &tree.path, tree.row.hash)?;
                        tx.weigh_tree(tree.row.id, tree.own_bytes)?;
                    }
                    Some(run) if tx.trash_of(tree.row.hash, ObjectKind::Tree)? == Some(run) => {
                        self.store.replace_trashed(tx.token(), &tree.path, run, tree.row.hash)?;
                    }
                    _ => continue,
                }
                swapped += 1;
            }
            self.store.flush(&self.shelves(fresh))?;
            Ok(swapped)
        })
    }
}

impl Relocating<'_> {
    /// The folders whose lists of names change.
    fn shelves(&self, fresh: &[Fresh]) -> Vec<PathBuf> {
        let layout = &self.store.layout;
        let places = fresh.iter().map(|tree| match tree.run {
            None => layout.object(ObjectKind::Tree, tree.row.hash),
            Some(run) => layout.trashed(run, ObjectKind::Tree, tree.row.hash),
        });
        let mut shelves: Vec<PathBuf> = places.filter_map(|place| Some(place.parent()?.to_owned())).collect();
        shelves.sort_unstable();
        shelves.dedup();
        shelves
    }
}

/// A tree whose name says nothing of its content may have been replaced by one whose name does.
fn same_tree(now: &ObjectRow, then: &ObjectRow) -> bool {
    (now.id, now.size, now.files, &now.rule) == (then.id, then.size, then.files, &then.rule)
}
