//! Carries out what a comparison found: pulls through the import, pushes through the lock protocol.

use std::collections::BTreeMap;

use crate::cache::attached::meaning_there;
use crate::cache::{BindOptions, Cache};
use crate::compat::import::{ImportOptions, ImportRow, ImportStatus};
use crate::compat::sync::compare::{Change, Difference, Sides};
use crate::compat::sync::{SyncAction, SyncRow, row};
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::index::{SpaceBindingRow, SpaceRow};
use crate::julia::LiveSpace;
use crate::model::{BindingName, OwnerId};

/// Does what is to be done, and says of each name what became of it.
pub(super) fn carry_out(
    cache: &Cache,
    space: &SpaceRow,
    live: &LiveSpace,
    sides: &Sides,
    differences: &[Difference<'_>],
) -> Result<Vec<SyncRow>> {
    let mut rows = pull(cache, space, sides, differences, false)?;
    for difference in differences {
        let Difference { owner, name, hash, change } = *difference;
        let action = match change {
            Change::Pull { .. } => continue,
            Change::Conflict => SyncAction::Conflict,
            Change::RemoveHere if is_bound_elsewhere(cache, space, owner, name)? => {
                // Another space has it too: what one lets go is not for the other to lose.
                cache.write(|tx| tx.drop_space_binding(space.id, owner, name))?;
                continue;
            }
            Change::RemoveHere => {
                if !remove_here(cache, space, owner, name, hash)? {
                    continue;
                }
                SyncAction::RemovedHere
            }
            Change::Push { .. } | Change::RemoveThere if !space.writes => SyncAction::NotPushed,
            Change::RemoveThere => {
                let file = live.file(owner.key(), owner.version())?;
                let agreed = sides.base.get(&(owner.clone(), name.to_owned())).map(|meaning| meaning.hash);
                if !live.unbind_same(&file, name, agreed, cache.now())? {
                    continue;
                }
                cache.write(|tx| tx.drop_space_binding(space.id, owner, name))?;
                SyncAction::RemovedThere
            }
            Change::Push { over } => match push(cache, space, sides, difference, over) {
                Ok(()) => SyncAction::Pushed,
                Err(error @ (Error::Interrupted | Error::Busy { .. })) => return Err(error),
                Err(error) => {
                    rows.push(row(space, owner, Some(name), hash, SyncAction::Failed, Some(error.to_string())));
                    continue;
                }
            },
        };
        let detail = detail(sides, action, owner, name);
        rows.push(row(space, owner, Some(name), hash, action, detail));
    }
    sort(&mut rows);
    Ok(rows)
}

pub(super) fn sort(rows: &mut [SyncRow]) {
    rows.sort_by(|a, b| (&a.owner, &a.version, &a.name).cmp(&(&b.owner, &b.version, &b.name)));
}

/// Says why both sides still differ.
pub(super) fn detail(sides: &Sides, action: SyncAction, owner: &OwnerId, name: &str) -> Option<String> {
    match action {
        SyncAction::Conflict => Some(conflict(sides, owner, name)),
        SyncAction::NotPushed => Some("the space is followed, not written to".to_owned()),
        _ => None,
    }
}

/// Takes names over with what they stand for, checked as any import is, or says what would come over.
pub(super) fn pull(
    cache: &Cache,
    space: &SpaceRow,
    sides: &Sides,
    differences: &[Difference<'_>],
    dry_run: bool,
) -> Result<Vec<SyncRow>> {
    let mut only = BTreeMap::new();
    for difference in differences {
        let Change::Pull { over } = difference.change else { continue };
        only.insert((difference.owner.clone(), difference.name.to_owned()), over);
    }
    if only.is_empty() {
        return Ok(Vec::new());
    }
    let options = ImportOptions::new().only(only);
    let paths = std::slice::from_ref(&space.root);
    let report = if dry_run { cache.import_preview(paths, &options) } else { cache.import(paths, &options) }?;
    let mut rows = Vec::new();
    for imported in report.rows {
        let Some(owner) = owner_of(&imported) else { continue };
        let ImportRow { name, hash, status, detail, .. } = imported;
        // What is wrong with a file as a whole was seen when both sides were compared.
        let Some(name) = name else { continue };
        if let (false, false, Some(hash)) = (dry_run, status.is_failure(), hash) {
            let meaning = sides.theirs.get(&(owner.clone(), name.clone()));
            let (meta, bound_at) = meaning.map_or((None, cache.now()), |found| (found.meta.clone(), found.bound_at));
            let agreed = SpaceBindingRow { owner: owner.clone(), name: name.clone(), hash, meta, bound_at };
            cache.write(|tx| tx.put_space_binding(space.id, &agreed))?;
        }
        let action = match status {
            ImportStatus::Conflict => SyncAction::Conflict,
            status if status.is_failure() => SyncAction::Failed,
            _ => SyncAction::Pulled,
        };
        rows.push(row(space, &owner, Some(&name), hash, action, detail));
    }
    Ok(rows)
}

fn owner_of(row: &ImportRow) -> Option<OwnerId> {
    OwnerId::new(row.owner.as_deref()?, row.version.as_deref()).ok()
}

/// Lets a name go here; false if it has come to mean something else since both sides were compared.
fn remove_here(cache: &Cache, space: &SpaceRow, owner: &OwnerId, name: &str, hash: Option<Digest>) -> Result<bool> {
    let names = [BindingName::new(name)?];
    cache.write(|tx| {
        let bound = match tx.find_owner(owner)? {
            Some(owner) => tx.find_binding(owner, &names[0])?.map(|binding| binding.artifact.hash),
            None => None,
        };
        if bound != hash {
            return Ok(false);
        }
        tx.drop_space_binding(space.id, owner, name)?;
        cache.let_go(tx, owner, &names).map(|_| true)
    })
}

fn push(cache: &Cache, space: &SpaceRow, sides: &Sides, difference: &Difference<'_>, over: bool) -> Result<()> {
    let Difference { owner, name, .. } = *difference;
    let Some(meaning) = sides.ours.get(&(owner.clone(), name.to_owned())) else { return Ok(()) };
    let object = cache.read(|tx| cache.live_object(tx, meaning.hash.into()))?;
    let binding_name = BindingName::new(name)?;
    if over {
        check_as_compared(cache, space, sides, owner, &binding_name)?;
    }
    let options = BindOptions { force: over, meta: meaning.meta.clone(), ..BindOptions::default() };
    cache.publish_to(space, owner, &binding_name, &object, (options.meta.as_ref(), options.force))?;
    cache.write(|tx| tx.put_space_binding(space.id, &meaning.to_row(owner, name)))
}

/// Tells whether another attached space agreed on the name as well.
fn is_bound_elsewhere(cache: &Cache, space: &SpaceRow, owner: &OwnerId, name: &str) -> Result<bool> {
    cache.read(|tx| {
        for other in tx.spaces()?.into_iter().filter(|other| other.id != space.id) {
            if tx.space_bindings(other.id)?.iter().any(|row| row.owner == *owner && row.name == name) {
                return Ok(true);
            }
        }
        Ok(false)
    })
}

/// Refuses to take a name there from what was not compared.
fn check_as_compared(
    cache: &Cache,
    space: &SpaceRow,
    sides: &Sides,
    owner: &OwnerId,
    name: &BindingName,
) -> Result<()> {
    let live = cache.live_space(space)?;
    let file = live.file(owner.key(), owner.version())?;
    let compared = sides.theirs.get(&(owner.clone(), name.to_string())).map(|meaning| meaning.hash);
    match meaning_there(&live, &file, name, cache.now())? {
        Some(existing) if Some(existing) != compared => {
            Err(Error::BindingExists { owner: owner.to_string(), name: name.to_string(), existing })
        }
        _ => Ok(()),
    }
}

fn conflict(sides: &Sides, owner: &OwnerId, name: &str) -> String {
    let key = (owner.clone(), name.to_owned());
    let short = |meaning: Option<&super::compare::Meaning>| meaning.map_or("-".to_owned(), |found| found.hash.short());
    format!("it is {} here and {} there", short(sides.ours.get(&key)), short(sides.theirs.get(&key)))
}
