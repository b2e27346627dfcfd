//! The words about owners.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args as ClapArgs, Subcommand};
use ohmyartifacts::{OwnerId, Timestamp, parse_size};

use crate::cli::args::ListArgs;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Owner {
    /// Register an owner, or say more of one: how it is known whether it exists, what it may hold
    Add(Box<Add>),
    /// List the owners
    List(ListArgs),
    /// Show one owner: whether it still exists, how that is known, what it holds
    Show(Key),
    /// Let go of all an owner has bound, and forget it; nothing is deleted before gc
    Remove(Remove),
    /// Give an owner another key or version
    Rename(Rename),
    /// Hand bindings over to another owner: when that one goes, they go
    Delegate(Delegate),
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct Key {
    /// The owner
    #[arg(value_name = "KEY[@VERSION]")]
    pub(in crate::cli) key: OwnerId,
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct Add {
    #[command(flatten)]
    pub(in crate::cli) owner: Key,
    /// What it is called, for people
    #[arg(long, value_name = "TEXT")]
    pub(in crate::cli) title: Option<String>,
    /// A path that exists as long as the owner does
    #[arg(long = "root", value_name = "PATH")]
    pub(in crate::cli) roots: Vec<PathBuf>,
    /// The depot of Julia in which to look for the package that it is
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) julia_depot: Option<PathBuf>,
    /// When it ends, whatever else says that it exists, such as 2027-01-31T12:00:00Z; or none
    #[arg(long, visible_alias = "until", value_name = "TIME")]
    pub(in crate::cli) expires: Option<End>,
    /// A command that succeeds as long as the owner exists: sh runs it in /, as you only, for 10 s
    #[arg(long = "probe", value_name = "COMMAND")]
    pub(in crate::cli) commands: Vec<String>,
    /// Warn when its bindings reach more than this, such as 10GiB; or none
    #[arg(long, value_name = "SIZE")]
    pub(in crate::cli) soft_budget: Option<Budget>,
    /// Bind nothing that makes its bindings reach more than this; or none
    #[arg(long, value_name = "SIZE")]
    pub(in crate::cli) hard_budget: Option<Budget>,
    /// Forget first how it was known whether it exists
    #[arg(long)]
    pub(in crate::cli) clear: bool,
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct Remove {
    #[command(flatten)]
    pub(in crate::cli) owner: Key,
    /// Remove every version of the key
    #[arg(long)]
    pub(in crate::cli) all_versions: bool,
    /// Do not ask
    #[arg(short, long)]
    pub(in crate::cli) yes: bool,
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct Rename {
    /// The owner
    pub(in crate::cli) from: OwnerId,
    /// What it is called from now on
    pub(in crate::cli) to: OwnerId,
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct Delegate {
    /// Who has the bindings
    pub(in crate::cli) from: OwnerId,
    /// Who gets them; made if it is not known
    pub(in crate::cli) to: OwnerId,
    /// The names to hand over [default: all]
    #[arg(value_name = "NAME")]
    pub(in crate::cli) names: Vec<String>,
    /// Take names even if the other owner has bound them
    #[arg(long)]
    pub(in crate::cli) force: bool,
}

/// On whose behalf something is bound.
#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct OnBehalf {
    /// Bind it for this owner, on whose behalf --owner acts: when this one goes, it goes
    #[arg(long = "for", value_name = "OWNER[@VERSION]")]
    pub(in crate::cli) downstream: Option<OwnerId>,
}

/// A size, or none.
#[derive(Debug, Clone, Copy)]
pub(in crate::cli) struct Budget(pub(in crate::cli) Option<u64>);

impl FromStr for Budget {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self(None));
        }
        parse_size(text).map(|bytes| Self(Some(bytes))).map_err(|error| format!("{error}, or `none`"))
    }
}

/// A time, or none.
#[derive(Debug, Clone, Copy)]
pub(in crate::cli) struct End(pub(in crate::cli) Option<Timestamp>);

impl FromStr for End {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self(None));
        }
        text.parse().map(|time| Self(Some(time))).map_err(|error: ohmyartifacts::ParseTimestampError| error.to_string())
    }
}
