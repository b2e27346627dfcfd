//! Sorts and cuts lists by the columns of their JSON form.

use std::cmp::Ordering;

use serde::Serialize;
use serde_json::Value;

use crate::cli::args::ListArgs;
use crate::cli::failure::Failure;

/// Sorts rows by `--sort KEY[:asc|desc]` and cuts them at `--limit N`. Keys are the JSON fields;
/// numbers and times sort largest first unless told otherwise.
pub(in crate::cli) fn arrange<T: Serialize>(rows: Vec<T>, list: &ListArgs) -> Result<Vec<T>, Failure> {
    let mut rows = rows;
    if let Some(sort) = &list.sort {
        rows = sorted(rows, sort)?;
    }
    rows.truncate(list.limit.unwrap_or(usize::MAX));
    Ok(rows)
}

fn sorted<T: Serialize>(rows: Vec<T>, sort: &str) -> Result<Vec<T>, Failure> {
    let (key, direction) = match sort.split_once(':') {
        Some((key, direction)) => (key, Some(direction)),
        None => (sort, None),
    };
    if !matches!(direction, None | Some("asc" | "desc")) {
        return Err(Failure::usage(&format!("`{sort}` does not end in `:asc` or `:desc`")));
    }
    let mut keyed = Vec::with_capacity(rows.len());
    for row in rows {
        let value = serde_json::to_value(&row).map_err(|error| Failure::failed(&error.to_string()))?;
        let field = value.get(key).cloned().ok_or_else(|| unknown(key, &value))?;
        keyed.push((field, row));
    }
    let numbers = keyed.iter().any(|(field, _)| field.is_number());
    let descending = direction.map_or(numbers || key == "at" || key.ends_with("_at"), |direction| direction == "desc");
    keyed.sort_by(|(a, _), (b, _)| if descending { compare(b, a) } else { compare(a, b) });
    Ok(keyed.into_iter().map(|(_, row)| row).collect())
}

fn compare(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_u64().cmp(&b.as_u64()),
        (Value::String(a), Value::String(b)) => a.cmp(b),
        // What is absent comes first going up, last going down.
        (Value::Null, Value::Null) => Ordering::Equal,
        (Value::Null, _) => Ordering::Less,
        (_, Value::Null) => Ordering::Greater,
        (a, b) => a.to_string().cmp(&b.to_string()),
    }
}

fn unknown(key: &str, row: &Value) -> Failure {
    let known: Vec<&str> = row.as_object().map(|row| row.keys().map(String::as_str).collect()).unwrap_or_default();
    Failure::usage(&format!("there is no column `{key}` to sort by")).hint(&format!("known: {}", known.join(", ")))
}
