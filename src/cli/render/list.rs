//! Filters, sorts and cuts lists by the columns of their JSON form.

use std::cmp::Ordering;

use ohmyartifacts::{Column, Filter, FilterKey, FilterKind, Timestamp};
use serde::Serialize;
use serde_json::Value;

use crate::cli::args::ListArgs;
use crate::cli::failure::Failure;

/// A word of `--filter`, and of `--sort`, with the JSON field that it stands for.
#[derive(Debug, Clone, Copy)]
pub(in crate::cli) struct ListKey {
    key: FilterKey,
    field: &'static str,
}

/// The words `file` and `tree`.
pub(in crate::cli) const KINDS: FilterKind = FilterKind::Word(&["file", "tree"]);

impl ListKey {
    pub(in crate::cli) const fn new(name: &'static str, field: &'static str, kind: FilterKind) -> Self {
        Self { key: FilterKey::new(name, kind), field }
    }
}

/// Keeps the rows that meet every `--filter`, sorts them by `--sort KEY[:asc|desc]` and cuts them at
/// `--limit N`. Keys are those of filters and the JSON fields; numbers and times sort largest first unless
/// told otherwise.
pub(in crate::cli) fn arrange<T: Serialize>(
    rows: Vec<T>,
    list: &ListArgs,
    keys: &[ListKey],
    now: Timestamp,
) -> Result<Vec<T>, Failure> {
    let filters = filters(&list.filters, keys)?;
    let mut rows = rows;
    if !filters.is_empty() {
        rows = filtered(rows, &filters, keys, now)?;
    }
    if let Some(sort) = &list.sort {
        rows = sorted(rows, sort, keys)?;
    }
    rows.truncate(list.limit.unwrap_or(usize::MAX));
    Ok(rows)
}

fn filters(texts: &[String], keys: &[ListKey]) -> Result<Vec<Filter>, Failure> {
    let known: Vec<FilterKey> = keys.iter().map(|key| key.key).collect();
    read_filters(texts, &known)
}

/// Reads the conditions of a list.
pub(in crate::cli) fn read_filters(texts: &[String], known: &[FilterKey]) -> Result<Vec<Filter>, Failure> {
    texts.iter().map(|text| Ok(Filter::parse(text, known)?)).collect()
}

fn filtered<T: Serialize>(
    rows: Vec<T>,
    filters: &[Filter],
    keys: &[ListKey],
    now: Timestamp,
) -> Result<Vec<T>, Failure> {
    let mut kept = Vec::new();
    for row in rows {
        let value = json(&row)?;
        if filters.iter().all(|filter| filter.matches(&column(&value, filter.key(), keys), now)) {
            kept.push(row);
        }
    }
    Ok(kept)
}

fn json(row: &impl Serialize) -> Result<Value, Failure> {
    serde_json::to_value(row).map_err(|error| Failure::failed(&error.to_string()))
}

/// Returns what a row has under a key of filters.
fn column<'v>(row: &'v Value, name: &str, keys: &[ListKey]) -> Column<'v> {
    let Some(key) = keys.iter().find(|key| key.key.name == name) else { return Column::Absent };
    let value = row.get(key.field).unwrap_or(&Value::Null);
    match key.key.kind {
        FilterKind::Owner => {
            let text = |field: &str| row.get(field).and_then(Value::as_str).map(Into::into);
            value.as_str().map_or(Column::Absent, |owner| Column::Owner(owner.into(), text("version")))
        }
        FilterKind::Time => match value.as_str().map(str::parse) {
            Some(Ok(time)) => Column::Time(time),
            _ => Column::Absent,
        },
        _ => Column::of_json(value),
    }
}

fn sorted<T: Serialize>(rows: Vec<T>, sort: &str, keys: &[ListKey]) -> Result<Vec<T>, Failure> {
    let (key, direction) = match sort.split_once(':') {
        Some((key, direction)) => (key, Some(direction)),
        None => (sort, None),
    };
    if !matches!(direction, None | Some("asc" | "desc")) {
        return Err(Failure::usage(&format!("`{sort}` does not end in `:asc` or `:desc`")));
    }
    let field = keys.iter().find(|known| known.key.name == key).map_or(key, |known| known.field);
    let mut keyed = Vec::with_capacity(rows.len());
    for row in rows {
        let value = json(&row)?;
        let cell = match value.get(field) {
            Some(cell) => cell.clone(),
            // A field that says nothing may be left out.
            None if field != key => Value::Null,
            None => return Err(unknown(key, &value, keys)),
        };
        keyed.push((cell, row));
    }
    let numbers = keyed.iter().any(|(cell, _)| cell.is_number());
    let times = field == "at" || field.ends_with("_at");
    let descending = direction.map_or(numbers || times, |direction| direction == "desc");
    keyed.sort_by(|(a, _), (b, _)| if descending { compare(b, a) } else { compare(a, b) });
    Ok(keyed.into_iter().map(|(_, row)| row).collect())
}

fn compare(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => whole(a).cmp(&whole(b)),
        (Value::String(a), Value::String(b)) => a.cmp(b),
        // What is absent comes first going up, last going down.
        (Value::Null, Value::Null) => Ordering::Equal,
        (Value::Null, _) => Ordering::Less,
        (_, Value::Null) => Ordering::Greater,
        (a, b) => a.to_string().cmp(&b.to_string()),
    }
}

fn whole(number: &serde_json::Number) -> i128 {
    number.as_u64().map(i128::from).or_else(|| number.as_i64().map(i128::from)).unwrap_or_default()
}

fn unknown(key: &str, row: &Value, keys: &[ListKey]) -> Failure {
    let fields = row.as_object().map(|row| row.keys().map(String::as_str).collect()).unwrap_or_default();
    let mut known: Vec<&str> = fields;
    for name in keys.iter().map(|key| key.key.name) {
        if !known.contains(&name) {
            known.push(name);
        }
    }
    Failure::usage(&format!("there is no column `{key}` to sort by")).hint(&format!("known: {}", known.join(", ")))
}
