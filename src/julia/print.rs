//! Prints TOML that Julia reads: TOML 1.0, in the shape TOML.jl itself writes.
//!
//! Why: one value that TOML.jl cannot read makes its whole file unreadable, and the gc of
//! OhMyArtifacts.jl then fails for everybody. So what it cannot read is refused by name instead.
//! Guarantees: keys sorted by bytes; the very bytes of `TOML.print(io, data; sorted = true)` of
//! TOML.jl 1.0.3; read again it gives equal tables (a time without seconds comes back with `:00`);
//! no text at all unless every value can be written.
//! Must not know: files, or what the tables mean.

mod scalars;

use toml::{Table, Value};

use crate::error::{Error, Result};
use crate::julia::print::scalars::{push, push_datetime, push_float, push_key, push_quoted};

/// How deep tables and arrays may lie in each other. The TOML reader of this program ends at 80.
const DEEPEST: usize = 64;

/// Returns the text of a table, sorted.
///
/// # Errors
/// [`Error::Unwritable`] for the first value that TOML 1.0 cannot hold or TOML.jl 1.0.3 cannot read.
pub(crate) fn print(table: &Table) -> Result<String> {
    let mut printer = Printer::default();
    printer.table(table, 0, true)?;
    Ok(printer.text)
}

/// A step from a value to one inside it.
#[derive(Debug, Clone, Copy)]
enum Step<'a> {
    Key(&'a str),
    Item(usize),
}

#[derive(Default)]
struct Printer<'a> {
    text: String,
    /// Where the value being printed lies.
    path: Vec<Step<'a>>,
}

impl<'a> Printer<'a> {
    /// Prints what a header would stand above: values first, then tables.
    ///
    /// `first` says that no empty line is wanted before the first table. TOML.jl sets the values
    /// of a table flush with its header, and the tables in it four columns further.
    fn table(&mut self, table: &'a Table, indent: usize, mut first: bool) -> Result<()> {
        let (tabular, plain): (Vec<_>, Vec<_>) = sorted(table).into_iter().partition(|(_, value)| is_tabular(value));
        for (key, value) in plain {
            self.indent(indent.saturating_sub(1));
            self.pair(key, value)?;
            self.text.push('\n');
            first = false;
        }
        for (key, value) in tabular {
            self.enter(Step::Key(key))?;
            match value {
                Value::Table(table) => self.sub_table(table, indent, &mut first)?,
                Value::Array(items) => self.tables(items, indent, &mut first)?,
                _ => {}
            }
            self.path.pop();
        }
        Ok(())
    }

    /// Prints a table with its header; one that holds nothing but tables has none.
    fn sub_table(&mut self, table: &'a Table, indent: usize, first: &mut bool) -> Result<()> {
        if !table.is_empty() && table.values().all(is_tabular) {
            return self.table(table, indent, false);
        }
        self.gap(first);
        self.header(indent, "[", "]");
        self.table(table, indent + 1, true)
    }

    fn tables(&mut self, items: &'a [Value], indent: usize, first: &mut bool) -> Result<()> {
        self.gap(first);
        for (at, item) in items.iter().enumerate() {
            let Value::Table(table) = item else { continue };
            self.enter(Step::Item(at))?;
            self.header(indent, "[[", "]]");
            self.table(table, indent + 1, true)?;
            self.path.pop();
        }
        Ok(())
    }

    fn pair(&mut self, key: &'a str, value: &'a Value) -> Result<()> {
        push_key(&mut self.text, key);
        self.text.push_str(" = ");
        self.enter(Step::Key(key))?;
        self.value(value)?;
        self.path.pop();
        Ok(())
    }

    /// Prints a value on one line.
    fn value(&mut self, value: &'a Value) -> Result<()> {
        match value {
            Value::String(text) => push_quoted(&mut self.text, text),
            Value::Integer(number) => push(&mut self.text, format_args!("{number}")),
            Value::Float(number) => push_float(&mut self.text, *number),
            Value::Boolean(truth) => push(&mut self.text, format_args!("{truth}")),
            Value::Datetime(time) => push_datetime(&mut self.text, time).map_err(|reason| self.refuse(reason))?,
            Value::Array(items) => self.array(items)?,
            Value::Table(table) => self.inline_table(table)?,
        }
        Ok(())
    }

    fn array(&mut self, items: &'a [Value]) -> Result<()> {
        self.text.push('[');
        for (at, item) in items.iter().enumerate() {
            self.comma(at);
            self.enter(Step::Item(at))?;
            self.value(item)?;
            self.path.pop();
        }
        self.text.push(']');
        Ok(())
    }

    fn inline_table(&mut self, table: &'a Table) -> Result<()> {
        self.text.push('{');
        for (at, (key, value)) in sorted(table).into_iter().enumerate() {
            self.comma(at);
            self.pair(key, value)?;
        }
        self.text.push('}');
        Ok(())
    }

    fn comma(&mut self, at: usize) {
        if at > 0 {
            self.text.push_str(", ");
        }
    }

    fn indent(&mut self, steps: usize) {
        self.text.extend(std::iter::repeat_n("    ", steps));
    }

    fn gap(&mut self, first: &mut bool) {
        if !std::mem::take(first) {
            self.text.push('\n');
        }
    }

    fn header(&mut self, indent: usize, open: &str, close: &str) {
        self.indent(indent);
        self.text.push_str(open);
        let keys = self.path.iter().filter_map(|step| match step {
            Step::Key(key) => Some(*key),
            Step::Item(_) => None,
        });
        for (at, key) in keys.enumerate() {
            if at > 0 {
                self.text.push('.');
            }
            push_key(&mut self.text, key);
        }
        self.text.push_str(close);
        self.text.push('\n');
    }

    fn enter(&mut self, step: Step<'a>) -> Result<()> {
        self.path.push(step);
        if self.path.len() > DEEPEST {
            return Err(self.refuse(format!("it lies more than {DEEPEST} tables and arrays deep")));
        }
        Ok(())
    }

    fn refuse(&self, reason: String) -> Error {
        let mut key = String::new();
        for step in &self.path {
            match step {
                Step::Key(name) => {
                    if !key.is_empty() {
                        key.push('.');
                    }
                    push_key(&mut key, name);
                }
                Step::Item(at) => push(&mut key, format_args!("[{at}]")),
            }
        }
        Error::Unwritable { key, reason }
    }
}

/// Sorts by bytes, whatever order the table itself keeps.
fn sorted(table: &Table) -> Vec<(&str, &Value)> {
    let mut entries: Vec<_> = table.iter().map(|(key, value)| (key.as_str(), value)).collect();
    entries.sort_unstable_by_key(|(key, _)| *key);
    entries
}

/// Tells whether a value gets a header of its own where it may.
fn is_tabular(value: &Value) -> bool {
    match value {
        Value::Table(_) => true,
        Value::Array(items) => !items.is_empty() && items.iter().all(Value::is_table),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
