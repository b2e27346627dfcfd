//! `usage`: who uses how much, by owner or by something else, and how that has grown.

mod groups;
mod owners;

use ohmyartifacts::UsageBy;

use crate::cli::Outcome;
use crate::cli::args::{By, Usage};
use crate::cli::context::Context;
use crate::cli::failure::Failure;

pub(in crate::cli) fn run(context: &Context, args: &Usage) -> Outcome {
    let by = match args.by {
        None | Some(By::Version) => return owners::by_version(context, args),
        Some(_) if args.since.is_some() => {
            return Err(Failure::usage("growth is noted for each version of an owner")
                .hint("leave `--by` out: `oma usage --since 30d`"));
        }
        Some(By::Owner) => return owners::by_key(context, args),
        Some(By::Artifact) => UsageBy::Artifact,
        Some(By::Kind) => UsageBy::Kind,
        Some(By::Age) => UsageBy::Age,
        Some(By::Class) => UsageBy::Class,
    };
    groups::run(context, args, by)
}
