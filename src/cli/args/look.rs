//! Words of the verbs that answer questions.

use clap::{Args as ClapArgs, ValueEnum};
use ohmyartifacts::{OwnerId, Timestamp, parse_duration};

use crate::cli::args::ListArgs;

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct Ls {
    /// An artifact whose entries to list
    #[arg(value_name = "REF")]
    pub(in crate::cli) reference: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) list: ListArgs,
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct Usage {
    /// What to count by: the packages (owner, all versions as one), each version of them, single artifacts,
    /// kinds, ages since the last use, or how they can be had again [default: version]
    #[arg(long, value_name = "WHAT", hide_possible_values = true)]
    pub(in crate::cli) by: Option<By>,
    /// Tell growth since a date, or a time ago such as 30d
    #[arg(long, value_name = "TIME", value_parser = parse_moment)]
    pub(in crate::cli) since: Option<Moment>,
    #[command(flatten)]
    pub(in crate::cli) list: ListArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum By {
    Owner,
    Version,
    Artifact,
    Kind,
    Age,
    Class,
}

/// A time that has been: a date, or so long ago.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Moment {
    At(Timestamp),
    Ago(std::time::Duration),
}

impl Moment {
    pub(in crate::cli) fn before(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(time) => time,
            Self::Ago(span) => now.minus(span),
        }
    }
}

fn parse_moment(text: &str) -> Result<Moment, String> {
    if let Ok(span) = parse_duration(text) {
        return Ok(Moment::Ago(span));
    }
    text.parse().map(Moment::At).map_err(|_| "expected a date such as 2026-01-31, or a time ago such as 30d".to_owned())
}

#[derive(Debug, ClapArgs)]
#[command(after_help = "What is removed, unbound or unused adds up; --filter narrows it, or all names if nothing \
                        else is said. With --owner, unused and filtered names are that owner's. Unused is judged as \
                        gc judges it: a stretch in which nobody used the store counts as seven days at most.")]
pub(in crate::cli) struct WhatIf {
    /// All names of an owner; of all versions, if KEY has only versions; repeatable
    #[arg(long, value_name = "KEY[@VERSION]")]
    pub(in crate::cli) remove_owner: Vec<OwnerId>,
    /// Names by a pattern, in which * stands for any text, on both sides; with --owner, GLOB alone; repeatable
    #[arg(long, value_name = "OWNER:GLOB")]
    pub(in crate::cli) unbind: Vec<String>,
    /// Names that nobody has used for so long
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub(in crate::cli) unused_for: Option<std::time::Duration>,
    #[command(flatten)]
    pub(in crate::cli) list: ListArgs,
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct Find {
    /// The file's name, in which * stands for any text; with a slash in it, its whole path in a directory
    #[arg(value_name = "GLOB")]
    pub(in crate::cli) pattern: String,
    #[command(flatten)]
    pub(in crate::cli) list: ListArgs,
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct Diff {
    /// One artifact
    #[arg(value_name = "REF")]
    pub(in crate::cli) left: String,
    /// The other
    #[arg(value_name = "REF")]
    pub(in crate::cli) right: String,
    #[command(flatten)]
    pub(in crate::cli) list: ListArgs,
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct Dup {
    #[command(flatten)]
    pub(in crate::cli) list: ListArgs,
}
