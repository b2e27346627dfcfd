//! The words that ask in SQL.

use std::time::Duration;

use clap::Args as ClapArgs;
use ohmyartifacts::parse_duration;

use crate::cli::render::Format;

#[derive(Debug, ClapArgs)]
#[command(after_help = "`oma schema` lists the views. Nothing but these can be read, and nothing can be changed.")]
pub(in crate::cli) struct Sql {
    /// A query over the v1_* views; `-` reads it from standard input
    pub(in crate::cli) query: String,
    /// How to print the rows: table, json, jsonl or csv [default: table; json with --json]
    #[arg(long, value_name = "FORMAT", hide_possible_values = true)]
    pub(in crate::cli) format: Option<Format>,
    /// How long the answer may take
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, default_value = "30s")]
    pub(in crate::cli) timeout: Duration,
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct Schema {
    /// Only this view
    pub(in crate::cli) view: Option<String>,
}
