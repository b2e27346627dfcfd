//! Rows for other programs: JSON, a line of JSON each, or CSV.

use clap::ValueEnum;
use serde::Serialize;
use serde_json::Value;

use crate::cli::failure::Failure;
use crate::cli::output::Printer;

/// How a list is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Format {
    /// For people.
    Table,
    /// One document.
    Json,
    /// One document a line.
    Jsonl,
    /// Comma-separated values with a header (RFC 4180).
    Csv,
}

/// Writes rows for another program. Every row has the same columns: those of all rows, in their order.
pub(in crate::cli) fn write_rows<T: Serialize>(out: &Printer, rows: &[T], format: Format) -> Result<(), Failure> {
    match format {
        Format::Table | Format::Json => out.document(&rows),
        Format::Jsonl => rows.iter().try_for_each(|row| out.line(&compact(row)?)),
        Format::Csv => {
            let rows = rows.iter().map(value).collect::<Result<Vec<_>, _>>()?;
            let columns = columns(&rows);
            let cells = rows.iter().map(|row| columns.iter().map(|column| row.get(column).unwrap_or(&Value::Null)));
            write_csv(out, &columns, cells)
        }
    }
}

/// Writes a header and rows as CSV.
pub(in crate::cli) fn write_csv<'v>(
    out: &Printer,
    columns: &[String],
    rows: impl Iterator<Item = impl Iterator<Item = &'v Value>>,
) -> Result<(), Failure> {
    csv_line(out, columns.iter().map(|column| quoted(column)))?;
    for row in rows {
        csv_line(out, row.map(|cell| quoted(&text(cell))))?;
    }
    Ok(())
}

fn csv_line(out: &Printer, cells: impl Iterator<Item = String>) -> Result<(), Failure> {
    out.bytes(cells.collect::<Vec<_>>().join(",").as_bytes())?;
    out.bytes(b"\r\n")
}

/// Returns what a cell says: nothing where there is none, of a list or table its JSON.
fn text(cell: &Value) -> String {
    match cell {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn quoted(text: &str) -> String {
    let plain = !text.contains([',', '"', '\n', '\r']) && text.trim() == text;
    if plain { text.to_owned() } else { format!("\"{}\"", text.replace('"', "\"\"")) }
}

fn value(row: &impl Serialize) -> Result<Value, Failure> {
    serde_json::to_value(row).map_err(|error| Failure::failed(&format!("could not write JSON: {error}")))
}

fn compact(row: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string(row).map_err(|error| Failure::failed(&format!("could not write JSON: {error}")))
}

fn columns(rows: &[Value]) -> Vec<String> {
    let mut columns: Vec<String> = Vec::new();
    for key in rows.iter().filter_map(Value::as_object).flat_map(|row| row.keys()) {
        if !columns.contains(key) {
            columns.push(key.clone());
        }
    }
    columns
}
