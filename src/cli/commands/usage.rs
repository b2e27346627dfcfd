use std::collections::BTreeSet;
use std::path::Path;

use ohmyartifacts::{OwnerUsage, Usage as Report, printable, printable_path};

use crate::cli::args::Usage;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::render::{Align, Table, age, arrange, count, human_size};
use crate::cli::{Exit, Outcome};

pub(in crate::cli) fn run(context: &Context, args: &Usage) -> Outcome {
    let usage = context.look()?.usage()?;
    // One that holds something in an attached space too has a row for each place.
    let owners = usage.owners.iter().map(|owner| (&owner.owner, &owner.version)).collect::<BTreeSet<_>>().len() as u64;
    let usage = Report { owners: arrange(usage.owners, &args.list)?, ..usage };
    if context.out.json {
        context.out.document(&usage)?;
    } else {
        table(context, &usage, owners)?;
    }
    Ok(Exit::Ok)
}

fn table(context: &Context, usage: &Report, owners: u64) -> Result<(), Failure> {
    let mut columns = vec![
        ("OWNER", Align::Left),
        ("VERSION", Align::Left),
        ("BINDINGS", Align::Right),
        ("FILES", Align::Right),
        ("TOTAL", Align::Right),
        ("EXCLUSIVE", Align::Right),
        ("SHARED", Align::Right),
        ("FAIR", Align::Right),
        ("LAST SEEN", Align::Right),
    ];
    if usage.owners.iter().any(|owner| owner.space.is_some()) {
        columns.push(("WHERE", Align::Left));
    }
    let mut table = Table::new(&columns);
    let places = usage.owners.iter().any(|owner| owner.space.is_some());
    for owner in &usage.owners {
        table.row(row(context, owner, places));
    }
    if !table.is_empty() {
        context.out.bytes(table.render().as_bytes())?;
        context.out.line("")?;
    }
    let stored = human_size(usage.stored_bytes);
    let unowned = human_size(usage.orphan_bytes);
    let kept = usage.stored_bytes - usage.orphan_bytes;
    let saved = human_size(usage.logical_bytes.saturating_sub(kept));
    context
        .out
        .line(&format!("{stored} stored for {}, {unowned} of it unused; sharing saves {saved}", count(owners, "owner")))
}

fn row(context: &Context, owner: &OwnerUsage, places: bool) -> Vec<String> {
    let mut cells = vec![
        printable(owner.owner.as_bytes()),
        printable(owner.version.as_deref().unwrap_or("-").as_bytes()),
        owner.bindings.to_string(),
        owner.files.to_string(),
        human_size(owner.total_bytes),
        human_size(owner.exclusive_bytes),
        human_size(owner.shared_bytes),
        human_size(owner.fair_bytes),
        age(context.now(), owner.last_seen_at),
    ];
    if places {
        cells.push(owner.space.as_deref().map_or_else(|| "this store".to_owned(), place));
    }
    cells
}

/// Names an attached space by its depot, if it lies in one: the rest of the path is always the same.
fn place(space: &Path) -> String {
    let depot =
        space.ancestors().nth(3).filter(|_| space.iter().rev().nth(2).is_some_and(|name| name == "scratchspaces"));
    printable_path(depot.unwrap_or(space))
}
