//! The words for what keeps artifacts without a name, and for what became of them.

use std::ffi::OsString;
use std::time::Duration;

use clap::{Args as ClapArgs, Subcommand};
use ohmyartifacts::{Timestamp, parse_duration};

use crate::cli::args::ListArgs;
use crate::cli::render::Format;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Lease {
    /// List the leases, and whose holders are dead
    List(ListArgs),
    /// Protect an artifact for a while
    Add(LeaseAdd),
    /// Let a lease last longer
    Renew(LeaseRenew),
    /// End a lease, or those of an artifact that end at a time
    Release(LeaseArg),
    /// Run a command and protect what it uses for as long as it runs
    #[command(after_help = "COMMAND has the session of its leases in OMA_LEASE: what oma looks up, makes or \
puts in there is protected until COMMAND ends. oma ends with COMMAND's exit code, 128+N for signal N,\n\
127 if there is no such command, 126 if it cannot be run.")]
    Run(LeaseRun),
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct LeaseAdd {
    /// The artifact
    #[arg(value_name = "REF")]
    pub(in crate::cli) reference: String,
    /// For how long
    #[arg(long = "for", value_name = "DURATION", default_value = "1d", value_parser = parse_duration)]
    pub(in crate::cli) span: Duration,
    /// What for
    #[arg(long, value_name = "TEXT", default_value = "asked for")]
    pub(in crate::cli) reason: String,
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct LeaseArg {
    /// The lease's id, or the artifact
    #[arg(value_name = "ID|REF")]
    pub(in crate::cli) which: String,
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct LeaseRenew {
    #[command(flatten)]
    pub(in crate::cli) lease: LeaseArg,
    /// For how long from now; it never ends earlier than it did
    #[arg(long = "for", value_name = "DURATION", default_value = "1d", value_parser = parse_duration)]
    pub(in crate::cli) span: Duration,
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct LeaseRun {
    /// What to protect from the start; what oma hands out inside is protected too
    #[arg(value_name = "REF")]
    pub(in crate::cli) references: Vec<String>,
    /// Protect all that the owner has bound
    #[arg(long)]
    pub(in crate::cli) all: bool,
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub(in crate::cli) command: Vec<OsString>,
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct Pin {
    /// The artifact; without, list what is pinned
    #[arg(value_name = "REF", requires = "reason")]
    pub(in crate::cli) reference: Option<String>,
    /// Why it is to stay
    #[arg(long, value_name = "TEXT", requires = "reference")]
    pub(in crate::cli) reason: Option<String>,
    /// When the pin ends by itself, such as 2027-01-31T12:00:00Z
    #[arg(long, value_name = "TIME", requires = "reference")]
    pub(in crate::cli) until: Option<Timestamp>,
    #[command(flatten)]
    pub(in crate::cli) list: ListArgs,
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct History {
    /// What to tell of: also what is gone, and a name that stands for something else now
    #[arg(value_name = "REF")]
    pub(in crate::cli) reference: Option<String>,
    /// Only events that meet a condition, such as event=collect, at>7d or name=model*; repeatable
    #[arg(short, long = "filter", value_name = "EXPR")]
    pub(in crate::cli) filters: Vec<String>,
    /// Sort by a column of the JSON output [default: the newest last]
    #[arg(long, value_name = "KEY[:asc|desc]")]
    pub(in crate::cli) sort: Option<String>,
    /// Tell only the newest so many events [default: 50 without a REF, else all]
    #[arg(long, value_name = "N")]
    pub(in crate::cli) limit: Option<usize>,
    /// How to write the events: table, json, jsonl (a document a line) or csv
    #[arg(long, value_name = "FORMAT", hide_possible_values = true)]
    pub(in crate::cli) format: Option<Format>,
}
