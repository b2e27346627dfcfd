//! `usage`: who uses how much, by owner or by something else, and how that has grown.

mod groups;
mod owners;

use ohmyartifacts::{FilterKind, UsageBy};

use crate::cli::Outcome;
use crate::cli::args::{By, Usage};
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::render::{Align, ListKey, bar, count, human_size};

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

/// The figures that every row has, whatever it is about.
const WEIGHTS: [ListKey; 8] = [
    ListKey::new("bindings", "bindings", FilterKind::Count),
    ListKey::new("artifacts", "artifacts", FilterKind::Count),
    ListKey::new("files", "files", FilterKind::Count),
    ListKey::new("size", "total_bytes", FilterKind::Size),
    ListKey::new("total", "total_bytes", FilterKind::Size),
    ListKey::new("exclusive", "exclusive_bytes", FilterKind::Size),
    ListKey::new("shared", "shared_bytes", FilterKind::Size),
    ListKey::new("fair", "fair_bytes", FilterKind::Size),
];

const WEIGHT_COLUMNS: [(&str, Align); 6] = [
    ("FILES", Align::Right),
    ("TOTAL", Align::Right),
    ("EXCLUSIVE", Align::Right),
    ("SHARED", Align::Right),
    ("FAIR", Align::Right),
    ("OF ALL", Align::Left),
];

/// The cells of these columns; the last of the bytes is the fair share, of which the bar shows the part of
/// all that is stored.
fn weight_cells(files: u64, bytes: [u64; 4], stored: u64) -> [String; 6] {
    let [total, exclusive, shared, fair] = bytes.map(human_size);
    [files.to_string(), total, exclusive, shared, fair, bar(bytes[3], stored)]
}

fn with_weights(keys: &[ListKey]) -> Vec<ListKey> {
    [keys, &WEIGHTS].concat()
}

/// What the store comes to in one sentence.
fn totals(whom: &str, stored: u64, orphans: u64, logical: u64) -> String {
    let saved = human_size(logical.saturating_sub(stored - orphans));
    format!(
        "{} stored{whom}, {} of it without an owner; sharing saves {saved}",
        human_size(stored),
        human_size(orphans)
    )
}

fn tell_hidden(context: &Context, shown: usize, all: usize) {
    if shown < all {
        context.say(&format!("{shown} of {} shown", count(all as u64, "row")));
    }
}
