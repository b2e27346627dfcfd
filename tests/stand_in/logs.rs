//! TOML files, read whole and written in place, and the usage log.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

use chrono::{DateTime, Local, NaiveDateTime, SubsecRound as _};
use toml::value::Datetime;
use toml::{Table, Value};

use crate::lock::Lock;
use crate::{Outcome, Space};

pub(crate) const USAGE_LOCK: &str = ".my_artifact_usage_lock";

pub(crate) fn read(file: &Path) -> Outcome<Table> {
    match fs::read_to_string(file) {
        Ok(text) => text.parse().map_err(|error| format!("{}: {error}", file.display()).into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Table::new()),
        Err(error) => Err(error.into()),
    }
}

/// Empties the file, then fills it: who reads without the lock may see nothing, or a part.
pub(crate) fn write(file: &Path, table: &Table) -> Outcome<()> {
    let text = toml::to_string(table)?;
    let (first, second) = text.as_bytes().split_at(text.len() / 2);
    let mut file = File::create(file)?;
    file.write_all(first)?;
    std::thread::yield_now();
    file.write_all(second)?;
    Ok(())
}

/// Notes that a name uses an artifact.
pub(crate) fn track(space: &Space, bindings: &Path, name: &str, artifact: &Path) -> Outcome<()> {
    let file = space.logs()?.join("my_artifact_usage.toml");
    let _lock = Lock::beside(&file, USAGE_LOCK)?;
    let mut log = read(&file)?;
    let users = inner(&mut log, &artifact.to_string_lossy())?;
    inner(users, &bindings.to_string_lossy())?.insert(name.to_owned(), Value::Datetime(written(now())?));
    write(&file, &log)
}

fn inner<'a>(table: &'a mut Table, key: &str) -> Outcome<&'a mut Table> {
    let value = table.entry(key).or_insert_with(|| Value::Table(Table::new()));
    value.as_table_mut().ok_or_else(|| format!("`{key}` is no table").into())
}

/// The clock on the wall.
pub(crate) fn now() -> NaiveDateTime {
    Local::now().naive_local().trunc_subsecs(3)
}

pub(crate) fn wall_time(utc: std::time::SystemTime) -> NaiveDateTime {
    DateTime::<Local>::from(utc).naive_local()
}

/// Local time with a `Z`, three digits of fraction.
pub(crate) fn written(time: NaiveDateTime) -> Outcome<Datetime> {
    Ok(time.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string().parse()?)
}

pub(crate) fn parsed(value: &Value) -> Outcome<NaiveDateTime> {
    let text = value.as_datetime().ok_or("no time")?.to_string();
    Ok(NaiveDateTime::parse_from_str(&text, "%Y-%m-%dT%H:%M:%S%.fZ")?)
}
