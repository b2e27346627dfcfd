//! Puts back what a torn write of a bindings file lost.

use toml::{Table, Value};

use crate::cache::Cache;
use crate::compat::sync::compare::Sides;
use crate::compat::sync::{SyncAction, SyncRow, row};
use crate::error::Result;
use crate::index::SpaceRow;
use crate::julia::{LiveSpace, SpaceBinding};
use crate::model::{Metadata, OwnerId};
use crate::text::printable_path;

/// Says which names torn files lost, and writes them anew if asked.
pub(super) fn torn_files(
    cache: &Cache,
    space: &SpaceRow,
    live: &LiveSpace,
    sides: &Sides,
    restore: bool,
) -> Result<Vec<SyncRow>> {
    let mut rows = Vec::new();
    for (owner, (file, reason)) in &sides.torn {
        let lost = sides.base.iter().filter(|((key, _), _)| key == owner);
        let mut detail = reason.clone();
        let mut action = SyncAction::Lost;
        if restore && space.writes {
            let aside = live.restore(file, &table(cache, owner)?, cache.now())?;
            action = SyncAction::Restored;
            detail = format!("{reason}; what was there lies in `{}`", printable_path(&aside));
        }
        let before = rows.len();
        rows.extend(lost.map(|((_, name), meaning)| {
            row(space, owner, Some(name), Some(meaning.hash), action, Some(detail.clone()))
        }));
        if rows.len() == before {
            rows.push(row(space, owner, None, None, action, Some(detail)));
        }
    }
    Ok(rows)
}

/// Returns an owner's bindings as its file has them.
fn table(cache: &Cache, owner: &OwnerId) -> Result<Table> {
    let rows = cache.read(|tx| match tx.find_owner(owner)? {
        Some(owner) => tx.bindings(Some(owner)),
        None => Ok(Vec::new()),
    })?;
    let entries = rows.into_iter().map(|row| {
        let extra = match row.extra.as_ref().map(Metadata::as_toml) {
            Some(Value::Table(extra)) => extra.clone(),
            _ => Table::new(),
        };
        let binding = SpaceBinding {
            id: row.artifact.hash,
            is_dir: Some(!row.artifact.kind.is_file()),
            meta: row.meta.as_ref().map(|meta| meta.as_toml().clone()),
            extra,
        };
        (row.name, Value::Table(binding.to_toml()))
    });
    Ok(entries.collect())
}
