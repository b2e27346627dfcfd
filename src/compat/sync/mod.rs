//! Brings this store and attached scratch spaces together: what changed on one side since both last
//! agreed goes to the other, what changed on both is a conflict, what a torn file lost can be put back.

mod compare;
mod restore;
mod step;

use std::path::PathBuf;

use serde::Serialize;

use crate::cache::Cache;
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::event::Event;
use crate::index::SpaceRow;
use crate::model::OwnerId;

use compare::{Change, Difference, Sides};

/// How to bring both sides together.
#[derive(Debug, Clone, Copy, Default)]
#[must_use]
pub struct SyncOptions {
    restore: bool,
    dry_run: bool,
}

impl SyncOptions {
    /// What a torn file lost is said, not put back.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts back what a torn file lost, in spaces that are written to.
    pub fn restore(mut self, restore: bool) -> Self {
        self.restore = restore;
        self
    }

    /// Says what would be done; changes nothing.
    pub fn dry_run(mut self, dry_run: bool) -> Self {
        self.dry_run = dry_run;
        self
    }
}

/// What became of a name that was not the same on both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum SyncAction {
    /// It was taken over from the space.
    Pulled,
    /// It was given to the space.
    Pushed,
    /// It was unbound there, and is now here.
    RemovedHere,
    /// It was unbound here, and is now there.
    RemovedThere,
    /// It was changed here, and the space is only followed.
    NotPushed,
    /// It was changed on both sides, to different things.
    Conflict,
    /// Its file is empty or broken: was its writing interrupted?
    Lost,
    /// Its file was empty or broken, and holds it again.
    Restored,
    /// It could not be brought over.
    Failed,
}

/// One name that was not the same on both sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SyncRow {
    /// The attached space.
    #[serde(serialize_with = "crate::text::serialize_path")]
    pub space: PathBuf,
    /// The package.
    pub owner: String,
    /// Its version, if the name is of one version.
    pub version: Option<String>,
    /// The name; none if a file as a whole is meant.
    pub name: Option<String>,
    /// What it stands for now, or stood for.
    pub hash: Option<Digest>,
    /// What was done, or would be.
    pub action: SyncAction,
    /// Why.
    pub detail: Option<String>,
}

impl SyncAction {
    /// Tells whether both sides still differ.
    #[must_use]
    pub const fn is_failure(self) -> bool {
        matches!(self, Self::Conflict | Self::Lost | Self::Failed)
    }
}

impl Cache {
    /// Brings this store and all attached spaces together. Spaces that are only followed are not changed.
    ///
    /// # Errors
    /// What the index says, and what keeps a space as a whole from being read. Single names that cannot
    /// be brought over are rows.
    pub fn sync(&self, options: SyncOptions) -> Result<Vec<SyncRow>> {
        let mut rows = Vec::new();
        for space in self.read(|tx| tx.spaces())? {
            match self.sync_space(&space, options) {
                Ok(done) => rows.extend(done),
                Err(error @ (Error::Io { .. } | Error::Toml { .. } | Error::Unsupported { .. })) => {
                    rows.push(SyncRow::of_space(&space, &error));
                }
                Err(error) => return Err(error),
            }
        }
        if !options.dry_run {
            self.note_liveness()?;
        }
        Ok(rows)
    }

    fn sync_space(&self, space: &SpaceRow, options: SyncOptions) -> Result<Vec<SyncRow>> {
        let live = self.live_space(space)?;
        let now = self.now();
        // What cannot be seen has not been unbound.
        if let Err(error) = live.space().require() {
            let message = format!("an attached space is left out: {error}");
            self.waiting.observer.on(&Event::Warning { message: &message });
            return Ok(Vec::new());
        }
        if space.writes && !options.dry_run {
            self.tell_put_back(space, &live.put_back_bound(now)?);
        }
        let sides = Sides::read(self, space, &live)?;
        let differences = sides.differences();
        if options.dry_run {
            let mut rows = step::pull(self, space, &sides, &differences, true)?;
            rows.extend(differences.iter().filter_map(|difference| preview(space, &sides, difference)));
            step::sort(&mut rows);
            rows.extend(restore::lost(space, &sides));
            return Ok(rows);
        }
        let mut rows = step::carry_out(self, space, &live, &sides, &differences)?;
        rows.extend(restore::torn_files(self, space, &live, &sides, options.restore)?);
        self.write(|tx| {
            for (owner, name, agreed) in sides.agreed() {
                let row = agreed.to_row(owner, name);
                tx.put_space_binding(space.id, &row)?;
            }
            for (owner, name) in sides.bygone() {
                tx.drop_space_binding(space.id, owner, name)?;
            }
            tx.set_synced(space.id)
        })?;
        Ok(rows)
    }
}

impl SyncRow {
    /// Says that a space as a whole could not be looked at.
    fn of_space(space: &SpaceRow, error: &Error) -> Self {
        Self {
            space: space.root.clone(),
            owner: String::new(),
            version: None,
            name: None,
            hash: None,
            action: SyncAction::Failed,
            detail: Some(error.to_string()),
        }
    }
}

/// Says what would be done about a difference; what would be pulled is looked at on its own.
fn preview(space: &SpaceRow, sides: &Sides, difference: &Difference<'_>) -> Option<SyncRow> {
    let Difference { owner, name, hash, change } = *difference;
    let action = match change {
        Change::Pull { .. } => return None,
        Change::RemoveHere => SyncAction::RemovedHere,
        Change::Push { .. } if space.writes => SyncAction::Pushed,
        Change::RemoveThere if space.writes => SyncAction::RemovedThere,
        Change::Push { .. } | Change::RemoveThere => SyncAction::NotPushed,
        Change::Conflict => SyncAction::Conflict,
    };
    let detail = step::detail(sides, action, owner, name);
    Some(row(space, owner, Some(name), hash, action, detail))
}

fn row(
    space: &SpaceRow,
    owner: &OwnerId,
    name: Option<&str>,
    hash: Option<Digest>,
    action: SyncAction,
    detail: Option<String>,
) -> SyncRow {
    SyncRow {
        space: space.root.clone(),
        owner: owner.key().to_owned(),
        version: owner.version().map(str::to_owned),
        name: name.map(str::to_owned),
        hash,
        action,
        detail,
    }
}
