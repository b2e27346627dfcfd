//! Finds what nobody uses, and deletes what nobody has used for long.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{NaiveDateTime, TimeDelta};
use toml::{Table, Value};

use crate::lock::Lock;
use crate::{Outcome, Space, absent_is_fine, logs, tree};

pub(crate) fn collect(space: &Space, delay: Duration) -> Outcome<String> {
    let usage = space.logs()?.join("my_artifact_usage.toml");
    let orphanages = space.logs()?.join("my_artifact_orphanages.toml");
    let _lock = Lock::beside(&usage, logs::USAGE_LOCK)?;
    let mut log = logs::read(&usage)?;
    let mut orphans = never_used(space, &log)?;
    let now = logs::now();
    let mut used = Table::new();
    for (artifact, users) in std::mem::take(&mut log) {
        let left = still_used(space, Path::new(&artifact), users)?;
        if left.is_empty() {
            orphans.insert(artifact, now);
        } else {
            used.insert(artifact, left.into());
        }
    }
    logs::write(&usage, &used)?;
    keep_old_times(&mut orphans, &logs::read(&orphanages)?)?;
    let delay = TimeDelta::from_std(delay)?;
    let (gone, kept): (BTreeMap<_, _>, BTreeMap<_, _>) =
        orphans.into_iter().partition(|(_, since)| logs::now() - *since >= delay);
    let kept = kept.into_iter().map(|(path, since)| Ok((path, Value::Datetime(logs::written(since)?))));
    logs::write(&orphanages, &kept.collect::<Outcome<Table>>()?)?;
    gone.keys().try_for_each(|path| delete(Path::new(path)))?;
    Ok(format!("{} deleted", gone.len()))
}

/// Artifacts that the log does not name, as old as their time of change.
fn never_used(space: &Space, log: &Table) -> Outcome<BTreeMap<String, NaiveDateTime>> {
    let mut orphans = BTreeMap::new();
    for path in walkdir::WalkDir::new(space.artifacts()).min_depth(2).max_depth(2) {
        // What vanishes meanwhile is none.
        let Ok(entry) = path else { continue };
        let name = entry.file_name().to_string_lossy();
        let is_id = name.len() == 64 && name.bytes().all(|digit| digit.is_ascii_hexdigit());
        let path = entry.path().to_string_lossy().into_owned();
        if let (true, false, Ok(found)) = (is_id, log.contains_key(&path), fs::metadata(&path)) {
            orphans.insert(path, logs::wall_time(found.modified()?));
        }
    }
    Ok(orphans)
}

/// Returns what of an artifact's uses is still so.
fn still_used(space: &Space, artifact: &Path, users: Value) -> Outcome<Table> {
    let Value::Table(users) = users else { return Err("a use is no table".into()) };
    let mut left = Table::new();
    for (file, names) in users {
        let Value::Table(mut names) = names else { return Err("a use is no table".into()) };
        if !Path::new(&file).is_file() {
            continue;
        }
        let bindings = {
            let _lock = Lock::beside(Path::new(&file), "artifact_lock")?;
            logs::read(Path::new(&file))?
        };
        let mut bound = BTreeSet::new();
        for (name, entry) in &bindings {
            let id = entry.get("sha256").and_then(Value::as_str).ok_or("a binding without a hash")?;
            if names.contains_key(name) && uses(&space.artifact(id)?, artifact)? {
                bound.insert(name.clone());
            }
        }
        names.retain(|name, _| bound.contains(name));
        if !names.is_empty() {
            left.insert(file, names.into());
        }
    }
    Ok(left)
}

fn uses(bound: &PathBuf, artifact: &Path) -> Outcome<bool> {
    Ok(bound == artifact || bound.is_dir() && !artifact.is_dir() && tree::links(bound)?.iter().any(|to| to == artifact))
}

fn keep_old_times(orphans: &mut BTreeMap<String, NaiveDateTime>, old: &Table) -> Outcome<()> {
    for (path, since) in orphans {
        if let Some(known) = old.get(path) {
            *since = logs::parsed(known)?;
        }
    }
    Ok(())
}

/// Deletes whatever an orphan's path names, and the folder it lay in if that is empty now.
fn delete(path: &Path) -> Outcome<()> {
    if path.is_dir() {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
        absent_is_fine(fs::remove_dir_all(path))?;
    } else {
        absent_is_fine(fs::remove_file(path))?;
    }
    if let Some(folder) = path.parent() {
        let _ = fs::remove_dir(folder);
    }
    Ok(())
}
