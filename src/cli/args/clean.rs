//! The words that clean up.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args as ClapArgs, Subcommand};
use ohmyartifacts::{Class, GcRule, Room, parse_duration, parse_size};

#[derive(Debug, ClapArgs)]
#[command(args_conflicts_with_subcommands = true, subcommand_value_name = "undo", subcommand_help_heading = "Or")]
pub(in crate::cli) struct Gc {
    #[command(subcommand)]
    pub(in crate::cli) verb: Option<GcVerb>,
    /// Show what would go, change nothing
    #[arg(short = 'n', long)]
    pub(in crate::cli) dry_run: bool,
    /// How long an artifact stays after the last thing that kept it let go [default: 7d]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub(in crate::cli) collect_delay: Option<Duration>,
    /// Take what nobody has looked up for so long, though it is bound
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub(in crate::cli) unused_for: Option<Duration>,
    /// Take what is used least and had again most easily until so much is stored; with --owner, held
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub(in crate::cli) max_size: Option<u64>,
    /// The same until so much of the disk is free: a size, or a percentage
    #[arg(long, value_name = "SIZE|PERCENT")]
    pub(in crate::cli) min_free: Option<Room>,
    /// What was bound, used or let go more recently, the last three leave alone [default: 1h]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub(in crate::cli) min_age: Option<Duration>,
    /// Those are about this class only: refetchable, rebuildable or irreplaceable
    #[arg(long, value_name = "CLASS")]
    pub(in crate::cli) class: Option<Class>,
    /// A whole rule, such as `owner=model-* unused_for=30d`; it counts before those configured
    #[arg(long = "rule", value_name = "RULE")]
    pub(in crate::cli) rules: Vec<GcRule>,
    /// Keep what is removed for so long, so that `gc undo` brings it back [default: 0]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub(in crate::cli) trash: Option<Duration>,
    /// Choose what stays from a list
    #[arg(short, long, conflicts_with_all = ["dry_run", "yes"])]
    pub(in crate::cli) interactive: bool,
    /// Write the plan to a file instead of carrying it out
    #[arg(long, value_name = "FILE", conflicts_with_all = ["interactive", "plan"])]
    pub(in crate::cli) plan_out: Option<PathBuf>,
    /// Carry out a plan from a file, as far as that still may go
    #[arg(long, value_name = "FILE", conflicts_with_all = [
        "collect_delay", "unused_for", "max_size", "min_free", "min_age", "class", "rules", "trash",
    ])]
    pub(in crate::cli) plan: Option<PathBuf>,
    /// Do not ask
    #[arg(short, long)]
    pub(in crate::cli) yes: bool,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum GcVerb {
    /// Bring back what a run of gc keeps in its trash, with its names
    Undo(Undo),
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct Undo {
    /// The number of the run [default: the last one that has a trash]
    pub(in crate::cli) run: Option<i64>,
}
