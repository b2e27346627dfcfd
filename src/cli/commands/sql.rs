use std::io::Read as _;
use std::ops::ControlFlow;

use ohmyartifacts::{SqlOptions, SqlPart, SqlValue};
use serde_json::Value;

use crate::cli::args::Sql;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::render::{Format, Rows};
use crate::cli::{Exit, Outcome};

/// SQLite takes no longer query.
const LONGEST_QUERY: u64 = 1_000_000;

pub(in crate::cli) fn run(context: &Context, args: &Sql) -> Outcome {
    let format = Format::choose(args.format, context.out.json)?;
    let query = if args.query == "-" { from_stdin()? } else { args.query.clone() };
    let mut rows = None;
    let mut failure = None;
    context.look()?.sql(&query, &SqlOptions::default().timeout(args.timeout), |part| {
        match take(context, format, &mut rows, part) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failure = Some(error);
                ControlFlow::Break(())
            }
        }
    })?;
    match (failure, rows) {
        (Some(failure), _) => Err(failure),
        (None, rows) => rows.map_or(Ok(()), |rows| rows.finish("row")).map(|()| Exit::Ok),
    }
}

fn take<'a>(context: &'a Context, format: Format, rows: &mut Option<Rows<'a>>, part: SqlPart) -> Result<(), Failure> {
    match part {
        SqlPart::Columns(columns) => *rows = Some(Rows::new(&context.out, format, columns)?),
        SqlPart::Row(values) => {
            let values: Vec<Value> = values.into_iter().map(value).collect();
            rows.iter_mut().try_for_each(|rows| rows.row(&values))?;
        }
    }
    Ok(())
}

fn value(value: SqlValue) -> Value {
    match value {
        SqlValue::Text(text) => Value::String(text),
        other => serde_json::to_value(other).unwrap_or_default(),
    }
}

fn from_stdin() -> Result<String, Failure> {
    let mut query = String::new();
    let read = std::io::stdin().take(LONGEST_QUERY + 1).read_to_string(&mut query);
    let read = read.map_err(|error| Failure::usage("could not read the query").cause(&error.to_string()))?;
    if read as u64 > LONGEST_QUERY {
        return Err(Failure::usage("the query on standard input is too long"));
    }
    Ok(query)
}
