use ohmyartifacts::printable_path;

use crate::cli::context::Context;
use crate::cli::render::{age, count, human_size};
use crate::cli::{Exit, Outcome};

pub(in crate::cli) fn run(context: &Context) -> Outcome {
    let stats = context.look()?.stats()?;
    if context.out.json {
        context.out.document(&stats)?;
        return Ok(Exit::Ok);
    }
    let now = context.now();
    let shared = stats.logical_bytes.saturating_sub(stats.stored_bytes);
    let mut rows = vec![
        ("store", printable_path(&stats.store)),
        ("links", stats.link_style.to_string()),
        ("durability", stats.durability.to_string()),
        ("holds", format!("{}, {}", count(stats.files, "file"), count(stats.trees, "tree"))),
        ("stored", human_size(stats.stored_bytes)),
        ("saved", format!("{} by sharing", human_size(shared))),
        ("names", format!("{} of {}", count(stats.bindings, "binding"), count(stats.owners, "owner"))),
        ("unused", format!("{} waiting for gc", count(stats.orphans, "artifact"))),
        ("last gc", stats.last_gc_at.map_or_else(|| "never".to_owned(), |time| age(now, time))),
        ("trash", format!("{} that `oma gc undo` can bring back", human_size(stats.trashed_bytes))),
        ("index", format!("{}, SQLite {}", human_size(stats.index_bytes), stats.sqlite_version)),
    ];
    rows.retain(|(name, _)| *name != "trash" || stats.trashed_bytes > 0);
    for (name, value) in rows {
        context.out.line(&format!("{name:<10} {value}"))?;
    }
    Ok(Exit::Ok)
}
