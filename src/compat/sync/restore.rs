//! Puts back what a torn write of a bindings file lost.

use toml::{Table, Value};

use crate::cache::Cache;
use crate::compat::sync::compare::Sides;
use crate::compat::sync::{SyncAction, SyncRow, row};
use crate::error::{Error, Result};
use crate::index::{BindingRow, SpaceRow};
use crate::julia::{LiveSpace, SpaceBinding, SpaceFile};
use crate::model::{Metadata, OwnerId};
use crate::text::printable_path;

/// Says which names torn files lost.
pub(super) fn lost(space: &SpaceRow, sides: &Sides) -> Vec<SyncRow> {
    let torn = sides.torn.iter();
    torn.flat_map(|(owner, (_, reason))| rows(space, sides, owner, SyncAction::Lost, reason)).collect()
}

/// Says which names torn files lost, and writes them anew if asked.
pub(super) fn torn_files(
    cache: &Cache,
    space: &SpaceRow,
    live: &LiveSpace,
    sides: &Sides,
    restore: bool,
) -> Result<Vec<SyncRow>> {
    if !(restore && space.writes) {
        return Ok(lost(space, sides));
    }
    let mut done = Vec::new();
    for (owner, (file, reason)) in &sides.torn {
        if sides.base.keys().all(|(key, _)| key != owner) {
            let detail = format!("{reason}; nothing is known of what it held, so it has to be mended by hand");
            done.extend(rows(space, sides, owner, SyncAction::Lost, &detail));
            continue;
        }
        match put_back(cache, space, live, sides, (owner, file)) {
            Ok(aside) => {
                let detail = format!("{reason}; what was there lies in `{aside}`");
                done.extend(rows(space, sides, owner, SyncAction::Restored, &detail));
            }
            Err(error @ (Error::Interrupted | Error::Busy { .. })) => return Err(error),
            Err(error) => {
                let detail = format!("{reason}; it cannot be put back: {error}");
                done.extend(rows(space, sides, owner, SyncAction::Lost, &detail));
            }
        }
    }
    Ok(done)
}

/// One row per name that was agreed on; one for the file if there is none.
fn rows(space: &SpaceRow, sides: &Sides, owner: &OwnerId, action: SyncAction, detail: &str) -> Vec<SyncRow> {
    let lost = sides.base.iter().filter(|((key, _), _)| key == owner);
    let say = |name, hash| row(space, owner, name, hash, action, Some(detail.to_owned()));
    let rows: Vec<SyncRow> = lost.map(|((_, name), meaning)| say(Some(name.as_str()), Some(meaning.hash))).collect();
    if rows.is_empty() { vec![say(None, None)] } else { rows }
}

/// Writes a file anew, and what its names stand for: Julia's gc may have taken that meanwhile. Returns
/// where the torn one lies.
fn put_back(
    cache: &Cache,
    space: &SpaceRow,
    live: &LiveSpace,
    sides: &Sides,
    (owner, file): (&OwnerId, &SpaceFile),
) -> Result<String> {
    let bound = bound_here(cache, sides, owner)?;
    for binding in &bound {
        cache.place_in(space, binding.artifact.hash)?;
    }
    let table: Table = bound.iter().map(entry).collect();
    let aside = live.restore(file, &table, cache.now())?;
    // Again: a gc may have run between the two.
    for binding in &bound {
        cache.place_in(space, binding.artifact.hash)?;
    }
    Ok(printable_path(&aside))
}

fn bound_here(cache: &Cache, sides: &Sides, owner: &OwnerId) -> Result<Vec<BindingRow>> {
    let rows = cache.read(|tx| tx.bindings_of(Some(owner)))?;
    // Built-in artifacts are none of OhMyArtifacts.jl's.
    Ok(rows.into_iter().filter(|row| sides.ours.contains_key(&(owner.clone(), row.name.clone()))).collect())
}

/// Returns a binding as its file has it.
fn entry(row: &BindingRow) -> (String, Value) {
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
    (row.name.clone(), Value::Table(binding.to_toml()))
}
