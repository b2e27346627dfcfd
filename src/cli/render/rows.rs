//! Rows whose columns are known only when they come, in the form somebody asked for.

use clap::ValueEnum;
use ohmyartifacts::printable;
use serde::ser::{Serialize, SerializeMap as _, Serializer};
use serde_json::Value;

use crate::cli::failure::Failure;
use crate::cli::output::Printer;
use crate::cli::render::{Align, Table, count, human_size};

/// In which form rows are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Format {
    /// For people.
    Table,
    /// One document: an array of objects.
    Json,
    /// An object a line.
    Jsonl,
    /// By RFC 4180, with a header; what is absent is empty.
    Csv,
}

impl Format {
    /// Decides between `--format` and `--json`, which may not contradict each other.
    pub(in crate::cli) fn choose(asked: Option<Self>, json: bool) -> Result<Self, Failure> {
        match (asked, json) {
            (None, false) => Ok(Self::Table),
            (None | Some(Self::Json), true) => Ok(Self::Json),
            (Some(format), false) => Ok(format),
            (Some(_), true) => Err(Failure::usage("`--json` is `--format json`, and another format is asked for")
                .hint("leave out one of `--json` and `--format`")),
        }
    }
}

/// A table and a JSON document are held until they are whole: a table to line up, a document because half of
/// one is none. This is the most they may take.
const MOST_HELD: usize = 256 * 1024 * 1024;

/// Prints rows, one after the other. The forms for programs hold every text as it is.
pub(in crate::cli) struct Rows<'a> {
    out: &'a Printer,
    format: Format,
    columns: Vec<String>,
    /// For a table: what is to be lined up.
    cells: Vec<Vec<String>>,
    /// For a table: which columns hold a number, and which hold anything else.
    holds: Vec<(bool, bool)>,
    /// For a document: its lines.
    lines: Vec<String>,
    held: usize,
    number: u64,
}

impl<'a> Rows<'a> {
    pub(in crate::cli) fn new(out: &'a Printer, format: Format, columns: Vec<String>) -> Result<Self, Failure> {
        let holds = vec![(false, false); columns.len()];
        let rows = Self { out, format, columns, cells: Vec::new(), holds, lines: Vec::new(), held: 0, number: 0 };
        if format == Format::Csv {
            rows.record(rows.columns.iter().map(String::as_str))?;
        }
        Ok(rows)
    }

    /// Takes a row with a value for each column.
    pub(in crate::cli) fn row(&mut self, values: &[Value]) -> Result<(), Failure> {
        debug_assert_eq!(values.len(), self.columns.len(), "a row has a value for each column");
        self.number += 1;
        match self.format {
            Format::Table => self.hold_cells(values),
            Format::Json => {
                let line = self.object(values)?;
                self.hold(line.len())?;
                self.lines.push(line);
                Ok(())
            }
            Format::Jsonl => self.out.line(&self.object(values)?),
            Format::Csv => self.record(values.iter().map(text)),
        }
    }

    /// Prints what was held, and says to people how many there are, in the words of `noun`.
    pub(in crate::cli) fn finish(self, noun: &str) -> Result<(), Failure> {
        match self.format {
            Format::Table => self.table(noun),
            Format::Json if self.lines.is_empty() => self.out.line("[]"),
            Format::Json => {
                self.out.bytes(b"[\n  ")?;
                self.out.bytes(self.lines.join(",\n  ").as_bytes())?;
                self.out.bytes(b"\n]\n")
            }
            Format::Jsonl | Format::Csv => Ok(()),
        }
    }

    fn table(self, noun: &str) -> Result<(), Failure> {
        let names: Vec<String> = self.columns.iter().map(|name| printable(name.to_uppercase().as_bytes())).collect();
        let sides = self.holds.iter().map(|holds| if *holds == (true, false) { Align::Right } else { Align::Left });
        let columns: Vec<(&str, Align)> = names.iter().map(String::as_str).zip(sides).collect();
        let mut table = Table::new(&columns);
        self.cells.into_iter().for_each(|cells| table.row(cells));
        if !table.is_empty() {
            self.out.bytes(table.render().as_bytes())?;
            self.out.line("")?;
        }
        self.out.line(&count(self.number, noun))
    }

    fn hold_cells(&mut self, values: &[Value]) -> Result<(), Failure> {
        for (value, (number, other)) in values.iter().zip(&mut self.holds) {
            *number |= value.is_number();
            *other |= !value.is_number() && !value.is_null();
        }
        let cells: Vec<String> = values.iter().map(cell).collect();
        self.hold(cells.iter().map(|cell| cell.len() + size_of::<String>()).sum())?;
        self.cells.push(cells);
        Ok(())
    }

    fn hold(&mut self, bytes: usize) -> Result<(), Failure> {
        self.held += bytes;
        if self.held <= MOST_HELD {
            return Ok(());
        }
        let most = human_size(MOST_HELD as u64);
        Err(Failure::failed(&format!("the rows take more than {most}, too much for this format"))
            .hint("`--format jsonl` and `--format csv` print each row as it comes"))
    }

    fn object(&self, values: &[Value]) -> Result<String, Failure> {
        serde_json::to_string(&Object { columns: &self.columns, values })
            .map_err(|error| Failure::failed(&format!("could not write JSON: {error}")))
    }

    fn record<T: AsRef<[u8]>>(&self, fields: impl Iterator<Item = T>) -> Result<(), Failure> {
        let mut writer =
            csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).buffer_capacity(512).from_writer(Vec::new());
        let written = writer.write_record(fields).map_err(|error| error.to_string());
        let line = written.and_then(|()| writer.into_inner().map_err(|error| error.to_string()));
        let line = line.map_err(|error| Failure::failed(&format!("could not write CSV: {error}")))?;
        self.out.bytes(&line)
    }
}

/// Prints rows of a list for another program. Each has the same columns: those of all rows, in their order.
pub(in crate::cli) fn write_rows<T: Serialize>(out: &Printer, list: &[T], format: Format) -> Result<(), Failure> {
    match format {
        Format::Table | Format::Json => out.document(&list),
        Format::Jsonl => list.iter().try_for_each(|row| out.line(&serde_json::to_string(row).map_err(unwritable)?)),
        Format::Csv => {
            let values = list.iter().map(|row| serde_json::to_value(row).map_err(unwritable));
            let values = values.collect::<Result<Vec<Value>, _>>()?;
            let columns = columns(&values);
            // Without a row nobody knows the columns.
            if columns.is_empty() {
                return Ok(());
            }
            let mut rows = Rows::new(out, format, columns.clone())?;
            values.iter().try_for_each(|row| {
                let cells: Vec<Value> = columns.iter().map(|name| row.get(name).cloned().unwrap_or_default()).collect();
                rows.row(&cells)
            })
        }
    }
}

fn unwritable(error: serde_json::Error) -> Failure {
    Failure::failed(&format!("could not write JSON: {error}"))
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

/// The columns in their own order, which a map of JSON values would not keep.
struct Object<'a> {
    columns: &'a [String],
    values: &'a [Value],
}

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.columns.len()))?;
        for (name, value) in self.columns.iter().zip(self.values) {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// A value as a text, as it is.
fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A value for people, on one line.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        other => printable(text(other).as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_form_at_a_time() {
        assert_eq!(Format::choose(None, false).ok(), Some(Format::Table));
        assert_eq!(Format::choose(None, true).ok(), Some(Format::Json));
        assert_eq!(Format::choose(Some(Format::Csv), false).ok(), Some(Format::Csv));
        assert_eq!(Format::choose(Some(Format::Csv), true).ok(), None);
    }
}
